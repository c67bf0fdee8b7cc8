-- Goods that an order has to have together; {} where a rule asks for none. See rules/bundles.py.
ALTER TABLE validation_rules ADD COLUMN bundle_rules jsonb NOT NULL DEFAULT '{}';
