-- Imports of files: the file in pieces while it is needed, what became of its rows, and what undoing takes.
CREATE TABLE imports (
    project_id integer NOT NULL REFERENCES projects,
    id text COLLATE "C" NOT NULL,
    -- What the rows are about: customers, …
    kind text COLLATE "C" NOT NULL,
    -- uploading: no action yet; waiting, running, then done, failed (the file as a whole) or canceled.
    state text COLLATE "C" NOT NULL
        CHECK (state IN ('UPLOADING', 'WAITING', 'IN_PROGRESS', 'DONE', 'FAILED', 'CANCELED')),
    file_name text COLLATE "C",
    size_bytes bigint NOT NULL DEFAULT 0,
    options jsonb NOT NULL,
    -- The cells of the header, once it is read.
    columns text[] COLLATE "C" NOT NULL DEFAULT '{}',
    rows bigint NOT NULL DEFAULT 0,
    created bigint NOT NULL DEFAULT 0,
    updated bigint NOT NULL DEFAULT 0,
    unchanged bigint NOT NULL DEFAULT 0,
    failed bigint NOT NULL DEFAULT 0,
    message text COLLATE "C",
    -- Somebody wants it to end; the next step does so.
    cancel boolean NOT NULL DEFAULT false,
    action_id text COLLATE "C",
    -- In whose request the rows are applied: what the activity log groups them by.
    request_id text COLLATE "C" NOT NULL,
    undo_action_id text COLLATE "C",
    -- {"deleted", "restored", "kept", …}: what undoing came to so far.
    undo jsonb,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    finished_at timestamptz,
    -- Failed rows, and what undoing takes, have been removed.
    cleared boolean NOT NULL DEFAULT false,
    PRIMARY KEY (project_id, id)
);
CREATE INDEX imports_by_created_at ON imports (project_id, created_at, id);
CREATE INDEX imports_open ON imports (project_id, updated_at) WHERE state IN ('UPLOADING', 'WAITING', 'IN_PROGRESS');
CREATE INDEX imports_to_clear ON imports (project_id, finished_at) WHERE finished_at IS NOT NULL AND NOT cleared;

-- The file as it is read: all pieces but the last have the same length. Gone as soon as they have been read.
CREATE TABLE import_chunks (
    project_id integer NOT NULL,
    import_id text COLLATE "C" NOT NULL,
    number integer NOT NULL,
    content bytea NOT NULL,
    PRIMARY KEY (project_id, import_id, number)
);
-- Not compressed, so that a part of a piece is read without the whole.
ALTER TABLE import_chunks ALTER COLUMN content SET STORAGE EXTERNAL;

CREATE TABLE import_failures (
    project_id integer NOT NULL,
    import_id text COLLATE "C" NOT NULL,
    -- Of the file, from 1; and of the data rows, from 1.
    line bigint NOT NULL,
    row bigint NOT NULL,
    column_name text COLLATE "C",
    reason text COLLATE "C" NOT NULL,
    -- What the row calls its subject, where it could be read.
    source_id text COLLATE "C",
    cells text[] COLLATE "C" NOT NULL,
    PRIMARY KEY (project_id, import_id, line)
);

-- What undoing an import takes: what each step of it did, by subject: {"id": {"path": [before, set], …}, …}, and null for
-- one that it made. What was undone is here no more; outcomes says of whom not all was: {"id": ["KEPT", "why"], …}.
CREATE TABLE import_changes (
    project_id integer NOT NULL,
    import_id text COLLATE "C" NOT NULL,
    -- The number of the first row of the step.
    step bigint NOT NULL,
    changes jsonb NOT NULL,
    outcomes jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (project_id, import_id, step)
);
