ALTER TABLE validation_rule_assignments
    DROP CONSTRAINT validation_rule_assignments_related_object_type_check,
    ADD CONSTRAINT validation_rule_assignments_related_object_type_check CHECK (related_object_type IN
        ('campaign', 'voucher', 'promotion_tier', 'earning_rule', 'reward_assignment', 'distribution'));

ALTER TABLE validation_rules
    -- The product collections that the rule names, so that deleting one of them can be refused.
    ADD COLUMN collection_ids text[] NOT NULL DEFAULT '{}';

-- What has to be counted because of an assignment; see rules/budgets.py. Written only under the lock that shuts the
-- project's redemptions out; gone with the assignment.
CREATE TABLE rule_counted (
    project_id integer NOT NULL,
    object_id text COLLATE "C" NOT NULL,
    assignment_id text COLLATE "C" NOT NULL,
    counted_by text COLLATE "C" NOT NULL CHECK (counted_by IN ('all', 'customers', 'api_key', 'user')),
    period text COLLATE "C" NOT NULL CHECK (period IN ('total', 'day', 'week', 'month')),
    PRIMARY KEY (project_id, object_id, assignment_id, counted_by, period),
    FOREIGN KEY (project_id, assignment_id) REFERENCES validation_rule_assignments (project_id, id) ON DELETE CASCADE
);
CREATE INDEX rule_counted_of_assignment ON rule_counted (project_id, assignment_id);

-- How often an object was redeemed, and for how much: a row only where a rule asks for it. counted_by and name: of
-- everybody (number is redemptions, or different customers), or of one API key or user. period: total, or the first day
-- of the day, week or month, as day 2026-01-31.
CREATE TABLE rule_counters (
    project_id integer NOT NULL,
    object_id text COLLATE "C" NOT NULL,
    counted_by text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    period text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    orders_amount bigint NOT NULL,
    discount_amount bigint NOT NULL,
    PRIMARY KEY (project_id, object_id, counted_by, name, period)
) WITH (fillfactor = 70);
