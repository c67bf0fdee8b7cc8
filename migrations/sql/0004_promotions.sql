CREATE TABLE validation_rules (
    project_id integer NOT NULL REFERENCES projects,
    id text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    rules jsonb NOT NULL,
    error jsonb,
    applicable_to jsonb NOT NULL,
    type text COLLATE "C" NOT NULL,
    context_type text COLLATE "C" NOT NULL,
    -- The segments that the rules name, so that deleting one of them can be refused.
    segment_ids text[] NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz,
    PRIMARY KEY (project_id, id)
);
CREATE INDEX validation_rules_by_created_at ON validation_rules (project_id, created_at, id);

CREATE TABLE validation_rule_assignments (
    project_id integer NOT NULL,
    id text COLLATE "C" NOT NULL,
    rule_id text COLLATE "C" NOT NULL,
    related_object_id text COLLATE "C" NOT NULL,
    related_object_type text COLLATE "C" NOT NULL CHECK (related_object_type IN ('campaign', 'voucher')),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, id),
    UNIQUE (project_id, related_object_id, rule_id),
    FOREIGN KEY (project_id, rule_id) REFERENCES validation_rules (project_id, id) ON DELETE CASCADE
);
CREATE INDEX validation_rule_assignments_of_rule ON validation_rule_assignments (project_id, rule_id);

CREATE TABLE campaigns (
    project_id integer NOT NULL REFERENCES projects,
    id text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    description text COLLATE "C",
    campaign_type text COLLATE "C" NOT NULL CHECK (campaign_type = 'DISCOUNT_COUPONS'),
    type text COLLATE "C" NOT NULL CHECK (type IN ('STATIC', 'AUTO_UPDATE')),
    join_once boolean NOT NULL,
    auto_join boolean NOT NULL,
    start_date timestamptz,
    expiration_date timestamptz,
    activity_duration text COLLATE "C",
    discount jsonb NOT NULL,
    quantity bigint CHECK (quantity >= 0),
    code_config jsonb NOT NULL,
    metadata jsonb NOT NULL,
    active boolean NOT NULL,
    -- live; deleted: gone for users, the worker removes the codes and then the row.
    state text COLLATE "C" NOT NULL CHECK (state IN ('live', 'deleted')),
    -- Codes to be generated in all, and generated so far; failed: the pattern has no free codes left.
    codes_wanted bigint NOT NULL,
    codes_made bigint NOT NULL CHECK (codes_made <= codes_wanted),
    codes_failed boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    updated_at timestamptz,
    PRIMARY KEY (project_id, id),
    UNIQUE (project_id, name)
);
CREATE INDEX campaigns_by_created_at ON campaigns (project_id, created_at, id);
CREATE INDEX campaigns_with_work ON campaigns (project_id, created_at)
    WHERE state = 'deleted' OR (codes_made < codes_wanted AND NOT codes_failed);

-- No foreign key to campaigns: generating and publishing codes would lock the campaign's row again and again.
-- Room in each page, so that counting a redemption stays in place and touches no index.
CREATE TABLE vouchers (
    project_id integer NOT NULL,
    id text COLLATE "C" NOT NULL,
    code text COLLATE "C" NOT NULL,
    campaign_id text COLLATE "C",
    -- NULL: the campaign's.
    discount jsonb,
    quantity bigint CHECK (quantity >= 0),
    redeemed_quantity bigint NOT NULL DEFAULT 0 CHECK (redeemed_quantity >= 0),
    active boolean NOT NULL,
    -- NULL: only the campaign's dates hold.
    start_date timestamptz,
    expiration_date timestamptz,
    additional_info text COLLATE "C",
    metadata jsonb NOT NULL,
    holder_id text COLLATE "C",
    publication_id text COLLATE "C",
    created_at timestamptz NOT NULL,
    updated_at timestamptz,
    PRIMARY KEY (project_id, code),
    UNIQUE (project_id, id),
    CHECK (quantity IS NULL OR redeemed_quantity <= quantity),
    CHECK (campaign_id IS NOT NULL OR discount IS NOT NULL)
) WITH (fillfactor = 85);
CREATE INDEX vouchers_by_created_at ON vouchers (project_id, created_at, id);
CREATE INDEX vouchers_of_campaign ON vouchers (project_id, campaign_id) WHERE campaign_id IS NOT NULL;
CREATE INDEX vouchers_of_holder ON vouchers (project_id, holder_id) WHERE holder_id IS NOT NULL;
-- An order that no other index has, so that the codes already given away are never walked through.
CREATE INDEX vouchers_to_publish ON vouchers (project_id, campaign_id, (right(id, 8)))
    WHERE publication_id IS NULL AND active;

CREATE TABLE publications (
    project_id integer NOT NULL,
    id text COLLATE "C" NOT NULL,
    source_id text COLLATE "C",
    customer_id text COLLATE "C" NOT NULL,
    campaign_id text COLLATE "C",
    campaign text COLLATE "C",
    voucher_ids text[] NOT NULL,
    voucher_codes text[] NOT NULL,
    channel text COLLATE "C" NOT NULL,
    metadata jsonb NOT NULL,
    result text COLLATE "C" NOT NULL CHECK (result IN ('SUCCESS', 'FAILURE')),
    failure_code text COLLATE "C",
    failure_message text COLLATE "C",
    created_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, id)
);
CREATE UNIQUE INDEX publications_by_source_id ON publications (project_id, source_id)
    WHERE source_id IS NOT NULL AND result = 'SUCCESS';
CREATE INDEX publications_by_created_at ON publications (project_id, created_at, id);
CREATE INDEX publications_of_customer ON publications (project_id, customer_id, created_at);

-- The ledger: redemptions and rollbacks, succeeded and failed. It outlives vouchers, campaigns and customers.
CREATE TABLE redemptions (
    project_id integer NOT NULL,
    id text COLLATE "C" NOT NULL,
    object text COLLATE "C" NOT NULL CHECK (object IN ('redemption', 'redemption_rollback')),
    result text COLLATE "C" NOT NULL CHECK (result IN ('SUCCESS', 'FAILURE')),
    -- The stacked redemption (or rollback) that this one is a part of.
    parent_id text COLLATE "C",
    -- A rollback: the redemption it undoes. A redemption: the rollback that undid it.
    redemption_id text COLLATE "C",
    rollback_id text COLLATE "C",
    -- NULL for the parent of a stack.
    voucher_id text COLLATE "C",
    voucher_code text COLLATE "C",
    campaign_id text COLLATE "C",
    campaign text COLLATE "C",
    customer_id text COLLATE "C",
    order_id text COLLATE "C",
    -- Minor units, as they were with this redemption: see redemptions/models.py.
    amounts jsonb,
    metadata jsonb,
    reason text COLLATE "C",
    failure_code text COLLATE "C",
    failure_message text COLLATE "C",
    channel jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, id)
);
CREATE INDEX redemptions_by_created_at ON redemptions (project_id, created_at, id);
CREATE INDEX redemptions_of_customer ON redemptions (project_id, customer_id, created_at) WHERE customer_id IS NOT NULL;
CREATE INDEX redemptions_of_voucher ON redemptions (project_id, voucher_id, created_at) WHERE voucher_id IS NOT NULL;
CREATE INDEX redemptions_of_parent ON redemptions (project_id, parent_id) WHERE parent_id IS NOT NULL;
-- A redemption is rolled back at most once, whatever the code above does.
CREATE UNIQUE INDEX redemptions_rolled_back_once ON redemptions (project_id, redemption_id)
    WHERE object = 'redemption_rollback' AND result = 'SUCCESS';
