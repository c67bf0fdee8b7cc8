-- The stacking rules that a project set itself; without a row the defaults hold. `rules` has all of them.
CREATE TABLE stacking_rules (
    project_id integer NOT NULL REFERENCES projects,
    id text COLLATE "C" NOT NULL,
    rules jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz,
    PRIMARY KEY (project_id)
);

-- What validation sessions hold back of a voucher: uses, and credits of a gift card. Every change of these rows is made
-- under the lock of the voucher's row, which has their sums: what has expired counts until somebody clears it away.
CREATE TABLE voucher_locks (
    project_id integer NOT NULL,
    voucher_id text COLLATE "C" NOT NULL,
    session_key text COLLATE "C" NOT NULL,
    quantity bigint NOT NULL CHECK (quantity >= 0),
    credits bigint NOT NULL CHECK (credits >= 0),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, voucher_id, session_key),
    FOREIGN KEY (project_id, voucher_id) REFERENCES vouchers (project_id, id) ON DELETE CASCADE
);

ALTER TABLE vouchers
    ADD COLUMN locked_quantity bigint NOT NULL DEFAULT 0 CHECK (locked_quantity >= 0),
    ADD COLUMN locked_credits bigint NOT NULL DEFAULT 0 CHECK (locked_credits >= 0);

ALTER TABLE redemptions
    -- Of a promotion tier instead of a voucher; the stack that it was named by.
    ADD COLUMN IF NOT EXISTS promotion_tier_id text COLLATE "C",
    ADD COLUMN promotion_stack_id text COLLATE "C",
    -- What was taken off a gift card.
    ADD COLUMN credits bigint CHECK (credits >= 0),
    -- What it did to single items of the order, so that a rollback can take it back: see redemptions/effects.py.
    ADD COLUMN effects jsonb;
CREATE INDEX IF NOT EXISTS redemptions_of_tier ON redemptions (project_id, promotion_tier_id, created_at)
    WHERE promotion_tier_id IS NOT NULL;
-- The codes that are anybody's, for qualifications: without it those of all campaigns would be walked through.
CREATE INDEX vouchers_of_nobody ON vouchers (project_id, created_at, id)
    WHERE campaign_id IS NULL AND holder_id IS NULL AND active;
