-- The spending that a rollback refunds, on a card of however many lines.
CREATE INDEX voucher_transactions_of_redemption
    ON voucher_transactions (project_id, voucher_id, (details #>> '{redemption,id}')) WHERE type = 'CREDITS_REDEMPTION';
-- Lines with words of somebody's, which may name a person.
CREATE INDEX voucher_transactions_with_words ON voucher_transactions (project_id, number)
    WHERE source_id IS NOT NULL OR reason IS NOT NULL;
