-- Metadata schemas, one for each kind of resource and each custom object, and schemas of custom events.

-- Grows with every change of the project's schemas, so that processes know when to read them again.
ALTER TABLE projects ADD COLUMN metadata_version bigint NOT NULL DEFAULT 0;

CREATE TABLE metadata_schemas (
    project_id integer NOT NULL REFERENCES projects (project_id) ON DELETE CASCADE,
    id text COLLATE "C" NOT NULL,
    related_object text COLLATE "C" NOT NULL,
    -- Definitions by the key of the metadata, those that were removed among them.
    properties jsonb NOT NULL,
    allow_defined_only boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    updated_at timestamptz,
    PRIMARY KEY (project_id, id),
    UNIQUE (project_id, related_object)
);

CREATE TABLE event_schemas (
    project_id integer NOT NULL REFERENCES projects (project_id) ON DELETE CASCADE,
    id text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    properties jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz,
    PRIMARY KEY (project_id, id),
    UNIQUE (project_id, name)
);
