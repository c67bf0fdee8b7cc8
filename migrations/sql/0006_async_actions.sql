-- What requests asked for and the worker does in steps. A step, what it changes and how far it came commit together, under
-- the lock of this row: cut short, it has never happened, and two workers never take the same one.
CREATE TABLE async_actions (
    project_id integer NOT NULL REFERENCES projects,
    id text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL CHECK (status IN ('ENQUEUED', 'IN_PROGRESS', 'DONE', 'FAILED')),
    -- What is to be done, in the words of the feature that does it; and how far it came, likewise.
    parameters jsonb NOT NULL,
    cursor jsonb NOT NULL,
    -- How many things it is about, where that is known.
    total bigint,
    done_count bigint NOT NULL DEFAULT 0,
    failed_count bigint NOT NULL DEFAULT 0,
    result jsonb,
    -- In whose name it acts.
    request_id text COLLATE "C" NOT NULL,
    source jsonb NOT NULL,
    -- Steps in a row that failed for a reason that may pass.
    failures integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    -- When its turn comes: those of a project take turns.
    next_step_at timestamptz NOT NULL,
    -- Milliseconds of work in steps.
    worked_ms bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (project_id, id)
);
CREATE INDEX async_actions_by_created_at ON async_actions (project_id, created_at, id);
CREATE INDEX async_actions_waiting ON async_actions (project_id, next_step_at) WHERE status IN ('ENQUEUED', 'IN_PROGRESS');

-- Signs links that work without a key, such as those of downloads; 244 random bits of the database's.
ALTER TABLE projects ADD COLUMN link_secret bytea NOT NULL
    DEFAULT uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid());
