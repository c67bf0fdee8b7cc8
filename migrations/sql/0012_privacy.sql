-- By what a merged customer was known: reads and upserts by it reach the one who was kept. A reference is an id or a
-- source id; no customer has it as long as it stands here.
CREATE TABLE customer_aliases (
    project_id integer NOT NULL,
    reference text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (project_id, reference),
    FOREIGN KEY (project_id, customer_id) REFERENCES customers (project_id, id) ON DELETE CASCADE
);
CREATE INDEX customer_aliases_of_customer ON customer_aliases (project_id, customer_id);

-- Merges of two customers, with what undoing one needs; what is undone keeps the ids only.
CREATE TABLE merges (
    project_id integer NOT NULL REFERENCES projects,
    id text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL CHECK (status IN ('DONE', 'UNDONE')),
    -- Who was merged into whom.
    source_id text COLLATE "C" NOT NULL,
    target_id text COLLATE "C" NOT NULL,
    -- How many rows of each kind were moved.
    counts jsonb NOT NULL,
    -- {"source", "before", "after"}: the one who went, and the other as they were and as they came out; {"rows": {holding:
    -- ids}, "static": segments of the one who went, "entered": those of them that were new to the other, "aliases"}.
    profiles jsonb,
    moved jsonb,
    created_at timestamptz NOT NULL,
    undone_at timestamptz,
    PRIMARY KEY (project_id, id),
    CHECK ((status = 'DONE') = (profiles IS NOT NULL AND moved IS NOT NULL)),
    CHECK ((status = 'UNDONE') = (undone_at IS NOT NULL))
);
CREATE INDEX merges_by_created_at ON merges (project_id, created_at, id);
CREATE INDEX merges_of_source ON merges (project_id, source_id);
CREATE INDEX merges_of_target ON merges (project_id, target_id);

-- Receipts of permanent deletions. The person is a keyed hash of the id: who has the id can show that it was done.
CREATE TABLE permanent_deletions (
    project_id integer NOT NULL REFERENCES projects,
    id text COLLATE "C" NOT NULL,
    customer_hash bytea NOT NULL,
    counts jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, id)
);

-- Customers with the same address or number, however it is written: who wrote STOP, and who may be one person. The plain
-- column beside it lets the index alone answer.
CREATE INDEX customers_by_same_email ON customers (project_id, (lower(email)), id) INCLUDE (email) WHERE email IS NOT NULL;
CREATE INDEX customers_by_same_phone
    ON customers (project_id, (
        CASE WHEN starts_with(translate(phone, translate(phone, '0123456789', ''), ''), '00')
        THEN substr(translate(phone, translate(phone, '0123456789', ''), ''), 3)
        ELSE translate(phone, translate(phone, '0123456789', ''), '') END), id) INCLUDE (phone)
    WHERE phone IS NOT NULL;

-- Everything of a person is found by an index.
CREATE INDEX orders_of_customer ON orders (project_id, customer_id, created_at, id) WHERE customer_id IS NOT NULL;
CREATE INDEX orders_of_referrer ON orders (project_id, referrer_id) WHERE referrer_id IS NOT NULL;
-- What the log says with another customer's entries (the order has a referrer) and with nobody's (who placed the order
-- was deleted before).
CREATE INDEX activity_of_referrer ON activity (project_id, (payload #>> '{order,referrer_id}'))
    WHERE (payload #>> '{order,referrer_id}') IS NOT NULL;
CREATE INDEX activity_of_nobody ON activity (project_id, (coalesce(payload #>> '{order,customer_id}',
    payload #>> '{redemption,customer_id}', payload #>> '{redemption_rollback,customer_id}'))) WHERE customer_id IS NULL;

-- What stays of an erased person has no name.
ALTER TABLE publications ALTER COLUMN customer_id DROP NOT NULL;
ALTER TABLE messages ALTER COLUMN customer_id DROP NOT NULL;
