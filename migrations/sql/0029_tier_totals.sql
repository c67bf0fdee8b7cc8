-- What each tier came to: redemptions that stand, the totals of their orders, and what was taken off them. In a few rows
-- a tier, so that redemptions of one tier need not take turns; it is their sum.
CREATE TABLE promotion_tier_totals (
    project_id integer NOT NULL,
    tier_id text COLLATE "C" NOT NULL,
    shard integer NOT NULL,
    redeemed bigint NOT NULL,
    total_amount numeric NOT NULL,
    total_discount_amount numeric NOT NULL,
    PRIMARY KEY (project_id, tier_id, shard),
    FOREIGN KEY (project_id, tier_id) REFERENCES promotion_tiers (project_id, id) ON DELETE CASCADE
) WITH (fillfactor = 70);

INSERT INTO promotion_tier_totals
SELECT project_id, promotion_tier_id, 0, count(*), coalesce(sum((amounts ->> 'total_amount')::numeric), 0),
    coalesce(sum(coalesce(amounts ->> 'total_applied_discount_amount', amounts ->> 'applied_discount_amount')::numeric),
        0)
FROM redemptions JOIN promotion_tiers AS tiers USING (project_id)
WHERE tiers.id = promotion_tier_id AND object = 'redemption' AND result = 'SUCCESS' AND rollback_id IS NULL
GROUP BY project_id, promotion_tier_id;
