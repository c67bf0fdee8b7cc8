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

-- Codes are made and removed by asynchronous actions from now on; what was in the making goes on as one.
INSERT INTO async_actions (project_id, id, type, status, parameters, cursor, total, request_id, source, created_at,
    updated_at, next_step_at)
SELECT project_id, 'aa_' || substr(md5('action of ' || id), 1, 24),
    CASE state WHEN 'deleted' THEN 'CAMPAIGN.VOUCHERS_DELETE' ELSE 'CAMPAIGN.VOUCHERS_GENERATE' END, 'ENQUEUED',
    jsonb_build_object('campaign_id', id), '{}', CASE state WHEN 'deleted' THEN NULL ELSE codes_wanted - codes_made END,
    'v-' || substr(md5('request of ' || id), 1, 18), '{"channel": "INTERNAL"}', date_trunc('milliseconds', now()),
    date_trunc('milliseconds', now()), now()
FROM campaigns WHERE state = 'deleted' OR (codes_made < codes_wanted AND NOT codes_failed);
DROP INDEX campaigns_with_work;
-- What failed is waited for no more.
UPDATE campaigns SET codes_wanted = codes_made WHERE codes_failed;
