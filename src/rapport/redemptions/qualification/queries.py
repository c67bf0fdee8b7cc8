"""All SQL that finds what could qualify, the newest first."""

from datetime import datetime

from rapport.campaigns.models import Campaign
from rapport.core.db import Connection, columns
from rapport.redemptions.redeemables.models import Redeemable
from rapport.redemptions.redeemables.queries import vouchers_of, vouchers_where
from rapport.rules.models import Assigned

# Codes that are anybody's, and those that the customer holds; of either the newest. The indexes are
# vouchers_of_nobody, vouchers_for_anybody and vouchers_of_holder. Who has a key that anybody can read ($9) is not told
# of what is worth something to whoever knows it: gift cards, and codes that are used up one day.
_OF_NOBODY = """
(SELECT one.id FROM vouchers AS one WHERE one.project_id = $1 AND one.campaign_id IS NULL AND one.holder_id IS NULL
    AND one.active AND $6 AND ($7::timestamptz IS NULL OR one.created_at < $7) AND {further}
    ORDER BY one.created_at DESC, one.id DESC LIMIT $8)
"""
_IDS = f"""
vouchers.id IN (
    {_OF_NOBODY.format(further="NOT $9::bool")}
    UNION ALL
    {_OF_NOBODY.format(further="$9 AND one.quantity IS NULL AND one.type <> 'GIFT_VOUCHER'")}
    UNION ALL
    (SELECT one.id FROM vouchers AS one WHERE one.project_id = $1 AND one.holder_id = $5
        AND one.active AND ($7::timestamptz IS NULL OR one.created_at < $7)
        ORDER BY one.created_at DESC, one.id DESC LIMIT $8)
)
"""
_VOUCHERS = vouchers_where(f"$2::text[] IS NULL AND {_IDS}", shown=False) + "ORDER BY created_at DESC, id DESC LIMIT $8"
_CAMPAIGN = columns(Campaign)
_CAMPAIGNS = f"""
SELECT {_CAMPAIGN}, (
    SELECT coalesce(jsonb_agg(jsonb_build_array(rule.id, assignment.related_object_type, rule.rules, rule.error,
        rule.applicable_to, rule.bundle_rules) ORDER BY assignment.created_at, assignment.id), '[]')
    FROM validation_rule_assignments AS assignment
    JOIN validation_rules AS rule ON rule.project_id = $1 AND rule.id = assignment.rule_id
    WHERE assignment.project_id = $1 AND assignment.related_object_id = campaigns.id
) AS assigned
FROM campaigns WHERE project_id = $1 AND state = 'live' AND active AND campaign_type <> 'PROMOTION'
    AND ($2::timestamptz IS NULL OR created_at < $2)
ORDER BY created_at DESC, id DESC LIMIT $3
"""


async def find_vouchers(
    conn: Connection,
    project_id: int,
    holder_id: str | None,
    now: datetime,
    before: datetime | None,
    limit: int,
    *,
    anybodys: bool,
    by_client: bool,
) -> list[Redeemable]:
    """Return vouchers that are nobody's (if wanted) and those of a customer, made before a moment, the newest first.

    `by_client`: of the former only those that may be told to anybody.
    """
    rows = await conn.fetch(_VOUCHERS, project_id, None, now, None, holder_id, anybodys, before, limit, by_client)
    return vouchers_of(rows)


async def find_campaigns(
    conn: Connection, project_id: int, before: datetime | None, limit: int
) -> list[tuple[Campaign, list[Assigned]]]:
    """Return campaigns of codes that are enabled, made before a moment, the newest first, each with its rules.

    The index is campaigns_by_created_at.
    """
    rows = await conn.fetch(_CAMPAIGNS, project_id, before, limit)
    return [(Campaign(*row[:-1]), [Assigned(*one) for one in row["assigned"]]) for row in rows]
