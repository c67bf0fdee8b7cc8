-- Codes that may be told to anybody who asks: nobody's, and worth nothing more to whoever knows them first.
CREATE INDEX vouchers_for_anybody ON vouchers (project_id, created_at, id)
    WHERE campaign_id IS NULL AND holder_id IS NULL AND active AND quantity IS NULL AND type <> 'GIFT_VOUCHER';
