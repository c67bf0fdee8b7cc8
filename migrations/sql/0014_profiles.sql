-- What a customer's profile and the lists of one customer are read by.

-- With the type and the campaign at its end, a rare type among 100,000 entries is found without reading their rows.
DROP INDEX activity_of_customer;
CREATE INDEX activity_of_customer ON activity (project_id, customer_id, created_at, seq, type, campaign_id)
    WHERE customer_id IS NOT NULL;

-- orders_of_customer is there already, for deletions.
CREATE INDEX events_of_customer ON events (project_id, customer_id, created_at, id);

DROP INDEX vouchers_of_holder;
CREATE INDEX vouchers_of_holder ON vouchers (project_id, holder_id, created_at, id) WHERE holder_id IS NOT NULL;

DROP INDEX redemptions_of_customer;
CREATE INDEX redemptions_of_customer ON redemptions (project_id, customer_id, created_at, id)
    WHERE customer_id IS NOT NULL;
DROP INDEX publications_of_customer;
CREATE INDEX publications_of_customer ON publications (project_id, customer_id, created_at, id);

-- Most customers come in through the API: they need no entry, and their updates do not pay for one.
CREATE INDEX customers_by_source ON customers (project_id, source, created_at, id) WHERE source <> 'API';
