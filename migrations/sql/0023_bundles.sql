-- Goods that an order has to have together; {} where a rule asks for none. See rules/bundles.py.
ALTER TABLE validation_rules ADD COLUMN bundle_rules jsonb NOT NULL DEFAULT '{}';

-- Units that are discounted are counted by what they are units of (rules/unit_limits.py): goods names an entry of
-- applicable_to as product:prod_…, sku:… or products_collection:…, and is '' where redemptions are counted.
-- product_units: each product in them by itself; tier_…: of each tier of the campaign, or of the tier, by itself.
ALTER TABLE rule_counted
    ADD COLUMN goods text COLLATE "C" NOT NULL DEFAULT '',
    DROP CONSTRAINT rule_counted_counted_by_check,
    ADD CONSTRAINT rule_counted_counted_by_check CHECK (counted_by IN
        ('all', 'customers', 'api_key', 'user', 'units', 'product_units', 'tier_units', 'tier_product_units')),
    DROP CONSTRAINT rule_counted_pkey,
    ADD PRIMARY KEY (project_id, object_id, assignment_id, counted_by, period, goods);

DROP INDEX backtest_counts_of_customer;
CREATE INDEX backtest_counts_of_customer ON backtest_counts (project_id, name)
    WHERE counted_by IN ('customer', 'customer_units', 'seen');
