CREATE TABLE categories (
    project_id integer NOT NULL REFERENCES projects,
    id text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    -- The lower comes first.
    hierarchy integer NOT NULL CHECK (hierarchy >= 0),
    created_at timestamptz NOT NULL,
    updated_at timestamptz,
    PRIMARY KEY (project_id, id),
    UNIQUE (project_id, name)
);

-- A campaign's tiers are changed with its row locked: their ranks (hierarchy) are different, whoever writes at once.
CREATE TABLE promotion_tiers (
    project_id integer NOT NULL,
    id text COLLATE "C" NOT NULL,
    campaign_id text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    banner text COLLATE "C",
    discount jsonb NOT NULL,
    hierarchy integer NOT NULL CHECK (hierarchy >= 0),
    metadata jsonb NOT NULL,
    active boolean NOT NULL,
    start_date timestamptz,
    expiration_date timestamptz,
    validity_timeframe jsonb,
    validity_day_of_week jsonb,
    validity_hours jsonb,
    category_id text COLLATE "C",
    created_at timestamptz NOT NULL,
    updated_at timestamptz,
    PRIMARY KEY (project_id, id),
    FOREIGN KEY (project_id, campaign_id) REFERENCES campaigns (project_id, id) ON DELETE CASCADE,
    FOREIGN KEY (project_id, category_id) REFERENCES categories (project_id, id)
);
CREATE INDEX promotion_tiers_of_campaign ON promotion_tiers (project_id, campaign_id, hierarchy);
CREATE INDEX promotion_tiers_by_created_at ON promotion_tiers (project_id, created_at, id);
CREATE INDEX promotion_tiers_of_category ON promotion_tiers (project_id, category_id) WHERE category_id IS NOT NULL;

CREATE TABLE promotion_stacks (
    project_id integer NOT NULL,
    id text COLLATE "C" NOT NULL,
    campaign_id text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    -- In the order in which they are applied.
    tier_ids text[] NOT NULL CHECK (cardinality(tier_ids) > 0),
    hierarchy_mode text COLLATE "C" NOT NULL CHECK (hierarchy_mode = 'MANUAL'),
    category_id text COLLATE "C",
    created_at timestamptz NOT NULL,
    updated_at timestamptz,
    PRIMARY KEY (project_id, id),
    FOREIGN KEY (project_id, campaign_id) REFERENCES campaigns (project_id, id) ON DELETE CASCADE,
    FOREIGN KEY (project_id, category_id) REFERENCES categories (project_id, id)
);
CREATE INDEX promotion_stacks_of_campaign ON promotion_stacks (project_id, campaign_id, created_at, id);
CREATE INDEX promotion_stacks_by_created_at ON promotion_stacks (project_id, created_at, id);
CREATE INDEX promotion_stacks_of_category ON promotion_stacks (project_id, category_id) WHERE category_id IS NOT NULL;

ALTER TABLE validation_rule_assignments DROP CONSTRAINT validation_rule_assignments_related_object_type_check;
ALTER TABLE validation_rule_assignments ADD CONSTRAINT validation_rule_assignments_related_object_type_check
    CHECK (related_object_type IN ('campaign', 'voucher', 'promotion_tier'));

-- Which tier a line of the ledger used: what a tier's summary is made from.
ALTER TABLE redemptions ADD COLUMN IF NOT EXISTS promotion_tier_id text COLLATE "C";
CREATE INDEX IF NOT EXISTS redemptions_of_tier ON redemptions (project_id, promotion_tier_id, created_at)
    WHERE promotion_tier_id IS NOT NULL;

CREATE TABLE locations (
    project_id integer NOT NULL REFERENCES projects,
    id text COLLATE "C" NOT NULL,
    source_id text COLLATE "C",
    name text COLLATE "C" NOT NULL,
    shape jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz,
    PRIMARY KEY (project_id, id)
);
CREATE UNIQUE INDEX locations_by_source_id ON locations (project_id, source_id) WHERE source_id IS NOT NULL;
CREATE INDEX locations_by_created_at ON locations (project_id, created_at, id);

-- What a template keeps is the body of a request that creates a campaign, and the rules that go with it, as they were.
CREATE TABLE campaign_templates (
    project_id integer NOT NULL REFERENCES projects,
    id text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    description text COLLATE "C",
    campaign_type text COLLATE "C" NOT NULL CHECK (campaign_type IN ('DISCOUNT_COUPONS', 'GIFT_VOUCHERS')),
    configuration jsonb NOT NULL,
    rules jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz,
    PRIMARY KEY (project_id, id),
    UNIQUE (project_id, name)
);

-- What is asked before a category is deleted.
CREATE INDEX campaigns_of_category ON campaigns (project_id, category_id) WHERE category_id IS NOT NULL;
CREATE INDEX vouchers_of_category ON vouchers (project_id, category_id) WHERE category_id IS NOT NULL;
