-- Projects, the walls between tenants, and the keys that open them.

CREATE TABLE projects (
    project_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    time_zone text COLLATE "C" NOT NULL DEFAULT 'UTC',
    -- Grows with every change of the project's segments, so that processes know when to read them again.
    segments_version bigint NOT NULL DEFAULT 0,
    -- The version at which a segment's row was last removed for good: who knows an older one reads all of them again.
    segments_removed bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    UNIQUE (project_id, id)
);

-- An app id names one key in all projects: the actions that add one see to it, under an advisory lock.
CREATE TABLE api_keys (
    project_id integer NOT NULL REFERENCES projects (project_id) ON DELETE CASCADE,
    app_id text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('server', 'client', 'management')),
    token_hash bytea NOT NULL CHECK (length(token_hash) = 32),
    name text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, app_id)
);

CREATE INDEX api_keys_by_app_id ON api_keys (app_id);
