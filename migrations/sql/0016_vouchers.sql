-- Campaigns and vouchers of every kind that is not a loyalty programme: gift cards, windows of time, categories.

ALTER TABLE campaigns DROP CONSTRAINT campaigns_campaign_type_check;
ALTER TABLE campaigns ADD CONSTRAINT campaigns_campaign_type_check
    CHECK (campaign_type IN ('DISCOUNT_COUPONS', 'GIFT_VOUCHERS', 'PROMOTION'));
ALTER TABLE campaigns ALTER COLUMN discount DROP NOT NULL;
ALTER TABLE campaigns
    -- What each code is worth, in minor units, and how it is spent: {"amount", "effect"}.
    ADD COLUMN gift jsonb,
    ADD COLUMN validity_timeframe jsonb,
    ADD COLUMN validity_day_of_week jsonb,
    ADD COLUMN validity_hours jsonb,
    ADD COLUMN category text COLLATE "C",
    ADD COLUMN category_id text COLLATE "C",
    ADD COLUMN is_referral_code boolean NOT NULL DEFAULT false,
    ADD COLUMN use_voucher_metadata_schema boolean NOT NULL DEFAULT false,
    -- Codes that were deleted one by one, those in the bin among them.
    ADD COLUMN codes_deleted bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT campaigns_offer_check CHECK (
        CASE campaign_type WHEN 'DISCOUNT_COUPONS' THEN discount IS NOT NULL AND gift IS NULL
            WHEN 'GIFT_VOUCHERS' THEN gift IS NOT NULL AND discount IS NULL
            ELSE discount IS NULL AND gift IS NULL END);

ALTER TABLE vouchers
    ADD COLUMN type text COLLATE "C" NOT NULL DEFAULT 'DISCOUNT_VOUCHER'
        CHECK (type IN ('DISCOUNT_VOUCHER', 'GIFT_VOUCHER')),
    -- Of a gift card, in minor units; NULL: untouched, and what its campaign says. `gift_amount`: all that was ever put
    -- on it; `gift_subtracted`: what was taken off by hand; `balance`: what is left.
    ADD COLUMN gift_amount bigint CHECK (gift_amount >= 0),
    ADD COLUMN gift_subtracted bigint NOT NULL DEFAULT 0 CHECK (gift_subtracted >= 0),
    ADD COLUMN gift_effect text COLLATE "C",
    ADD COLUMN balance bigint CHECK (balance >= 0),
    ADD COLUMN validity_timeframe jsonb,
    ADD COLUMN validity_day_of_week jsonb,
    ADD COLUMN validity_hours jsonb,
    ADD COLUMN category text COLLATE "C",
    ADD COLUMN category_id text COLLATE "C";
ALTER TABLE vouchers DROP CONSTRAINT vouchers_check1;
ALTER TABLE vouchers
    ADD CONSTRAINT vouchers_offer_check CHECK (
        campaign_id IS NOT NULL OR CASE type WHEN 'GIFT_VOUCHER' THEN gift_amount IS NOT NULL AND discount IS NULL
            ELSE discount IS NOT NULL END),
    ADD CONSTRAINT vouchers_gift_check CHECK ((gift_amount IS NULL) = (balance IS NULL));

CREATE INDEX vouchers_in_category ON vouchers (project_id, category_id) WHERE category_id IS NOT NULL;

-- The ledger of gift cards: every change of a balance. It outlives vouchers, campaigns and redemptions.
CREATE TABLE voucher_transactions (
    project_id integer NOT NULL,
    id text COLLATE "C" NOT NULL,
    -- The order of what happened to a card: written while its row is locked.
    number bigint GENERATED ALWAYS AS IDENTITY,
    voucher_id text COLLATE "C" NOT NULL,
    campaign_id text COLLATE "C",
    type text COLLATE "C" NOT NULL
        CHECK (type IN ('CREDITS_REDEMPTION', 'CREDITS_REFUND', 'CREDITS_ADDITION', 'CREDITS_REMOVAL')),
    source_id text COLLATE "C",
    source text COLLATE "C",
    reason text COLLATE "C",
    related_transaction_id text COLLATE "C",
    -- Minor units: by how much the balance changed, what it was afterwards, and what was put on the card until then.
    amount bigint NOT NULL,
    balance bigint NOT NULL CHECK (balance >= 0),
    total bigint NOT NULL,
    -- The order, the redemption and the rollback it belongs to.
    details jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, id)
);
CREATE INDEX voucher_transactions_of_voucher ON voucher_transactions (project_id, voucher_id, number);
CREATE INDEX voucher_transactions_of_campaign ON voucher_transactions (project_id, campaign_id, number)
    WHERE campaign_id IS NOT NULL;

-- What a campaign's summary is counted from.
CREATE INDEX redemptions_of_campaign ON redemptions (project_id, campaign_id, created_at)
    WHERE campaign_id IS NOT NULL;
CREATE INDEX publications_of_campaign ON publications (project_id, campaign_id, created_at)
    WHERE campaign_id IS NOT NULL;
CREATE INDEX validations_of_campaign ON activity (project_id, campaign_id, created_at)
    WHERE type IN ('customer.validation.succeeded', 'customer.validation.failed') AND campaign_id IS NOT NULL;
