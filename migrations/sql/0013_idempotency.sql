-- Answers to requests that carried an Idempotency-Key, each committed with what the request did: there is no row without
-- its answer but inside the transaction that is just working on it. No foreign key: it would lock the project's row with
-- every request. Room in each page, so that the answer is written in place of the claim.
CREATE TABLE idempotency_keys (
    project_id integer NOT NULL,
    -- The API key that the request came with: what one of them has done is nobody else's to see.
    app_id text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    -- SHA-256 of method, path, query and body.
    fingerprint bytea NOT NULL,
    status smallint,
    content_type text COLLATE "C",
    answer bytea,
    -- The answer named a person who has been deleted for good; what it did stays done.
    erased boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, app_id, key)
) WITH (fillfactor = 70);
CREATE INDEX idempotency_keys_by_created_at ON idempotency_keys (project_id, created_at);

-- What was deleted but not for good. `content`: what the feature needs to know to put it back.
CREATE TABLE trash_bin_entries (
    project_id integer NOT NULL REFERENCES projects,
    id text COLLATE "C" NOT NULL,
    resource_type text COLLATE "C" NOT NULL,
    resource_id text COLLATE "C" NOT NULL,
    resource_name text COLLATE "C" NOT NULL,
    resource_parent_id text COLLATE "C",
    deleted_by text COLLATE "C",
    content jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, id),
    UNIQUE (project_id, resource_type, resource_id)
);
CREATE INDEX trash_bin_entries_by_parent ON trash_bin_entries (project_id, resource_parent_id)
    WHERE resource_parent_id IS NOT NULL;

-- A voucher in the bin keeps its row under a code that nobody can give; a campaign in the bin keeps its codes.
ALTER TABLE vouchers ADD COLUMN binned boolean NOT NULL DEFAULT false;
ALTER TABLE campaigns DROP CONSTRAINT campaigns_state_check;
ALTER TABLE campaigns ADD CONSTRAINT campaigns_state_check CHECK (state IN ('live', 'binned', 'deleted'));
