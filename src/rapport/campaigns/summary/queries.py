"""All SQL of campaigns' summaries: counted when asked for, from what stays of everything that happened."""

from datetime import date
from typing import Any, Final

from rapport.campaigns.models import Campaign
from rapport.core.db import Connection

# The days are calendar days of the project's time zone, both of them within.
_SPAN: Final = """
WITH span AS MATERIALIZED (
    SELECT coalesce($3::date::timestamp AT TIME ZONE time_zone, '-infinity') AS since,
        coalesce(($4::date + 1)::timestamp AT TIME ZONE time_zone, 'infinity') AS until
    FROM projects WHERE project_id = $1
)
"""
_WITHIN: Final = "project_id = $1 AND campaign_id = $2 AND created_at >= span.since AND created_at < span.until"
_REDEEMED: Final = "line.object = 'redemption' AND line.result = 'SUCCESS'"
# Indexes: redemptions_of_campaign and the key for what was undone, validations_of_campaign.
_BASE: Final = f"""
{_SPAN}, ledger AS (
    SELECT count(*) FILTER (WHERE line.object = 'redemption') AS redemptions,
        count(*) FILTER (WHERE line.object = 'redemption' AND line.result = 'SUCCESS') AS redemptions_succeeded,
        count(*) FILTER (WHERE line.object = 'redemption' AND line.result = 'FAILURE') AS redemptions_failed,
        count(*) FILTER (WHERE line.object = 'redemption_rollback') AS rollbacks,
        count(*) FILTER (WHERE line.object = 'redemption_rollback' AND line.result = 'SUCCESS') AS rollbacks_succeeded,
        count(*) FILTER (WHERE line.object = 'redemption_rollback' AND line.result = 'FAILURE') AS rollbacks_failed,
        coalesce(sum((line.amounts ->> 'amount')::bigint) FILTER (WHERE {_REDEEMED}), 0)::bigint AS orders_amount,
        coalesce(sum((undone.amounts ->> 'amount')::bigint), 0)::bigint AS orders_rolledback_amount,
        coalesce(sum((line.amounts ->> 'total_applied_discount_amount')::bigint) FILTER (WHERE {_REDEEMED}), 0)::bigint
            AS discounted_amount,
        coalesce(sum((undone.amounts ->> 'total_applied_discount_amount')::bigint), 0)::bigint
            AS rolledback_discounted_amount
    FROM span, redemptions AS line LEFT JOIN redemptions AS undone
        ON undone.project_id = $1 AND undone.id = line.redemption_id
        AND line.object = 'redemption_rollback' AND line.result = 'SUCCESS'
    WHERE line.project_id = $1 AND line.campaign_id = $2
        AND line.created_at >= span.since AND line.created_at < span.until
), asked AS (
    SELECT count(*) AS validations,
        count(*) FILTER (WHERE type = 'customer.validation.succeeded') AS validations_succeeded,
        count(*) FILTER (WHERE type = 'customer.validation.failed') AS validations_failed
    FROM activity, span
    WHERE type IN ('customer.validation.succeeded', 'customer.validation.failed') AND {_WITHIN}
)
SELECT ledger.*, asked.* FROM ledger, asked
"""
# Indexes: vouchers_of_campaign, publications_of_campaign.
_CODES: Final = f"""
{_SPAN}, given AS (
    SELECT count(*) AS publications, count(*) FILTER (WHERE result = 'SUCCESS') AS publications_succeeded,
        count(*) FILTER (WHERE result = 'FAILURE') AS publications_failed
    FROM publications, span WHERE {_WITHIN}
), made AS (SELECT count(*) AS vouchers_created FROM vouchers, span WHERE {_WITHIN})
SELECT made.*, given.* FROM made, given
"""
# What a card was made with is what was ever put on it less what was added later.
# Index: voucher_transactions_of_campaign.
_GIFTS: Final = f"""
{_SPAN}, made AS (
    SELECT coalesce(sum(coalesce(gift_amount, $5)), 0)::bigint AS put_on,
        coalesce(sum(coalesce(balance, $5)) FILTER (WHERE binned), 0)::bigint AS amount_deleted
    FROM vouchers, span WHERE {_WITHIN}
), later AS (
    SELECT coalesce(sum(moved.amount), 0)::bigint AS added
    FROM voucher_transactions AS moved, span, vouchers
    WHERE moved.project_id = $1 AND moved.campaign_id = $2 AND moved.type = 'CREDITS_ADDITION'
        AND vouchers.project_id = $1 AND vouchers.id = moved.voucher_id
        AND vouchers.created_at >= span.since AND vouchers.created_at < span.until
), moved AS (
    SELECT coalesce(sum(amount) FILTER (WHERE type = 'CREDITS_ADDITION'), 0)::bigint AS amount_added,
        -coalesce(sum(amount) FILTER (WHERE type = 'CREDITS_REDEMPTION'), 0)::bigint AS amount_redeemed,
        coalesce(sum(amount) FILTER (WHERE type = 'CREDITS_REFUND'), 0)::bigint AS amount_rolledback,
        -coalesce(sum(amount) FILTER (WHERE type = 'CREDITS_REMOVAL'), 0)::bigint AS amount_subtracted
    FROM voucher_transactions, span WHERE {_WITHIN}
)
SELECT made.put_on - later.added AS created_vouchers_amount, made.amount_deleted, moved.* FROM made, later, moved
"""


async def count_base(
    conn: Connection, project_id: int, campaign_id: str, since: date | None, until: date | None
) -> dict[str, int]:
    """Return what was redeemed, rolled back and validated, and what that took off."""
    return dict(await conn.fetchrow(_BASE, project_id, campaign_id, since, until))


async def count_codes(
    conn: Connection, project_id: int, campaign: Campaign, since: date | None, until: date | None
) -> dict[str, int]:
    """Return how many codes were made, deleted (of all time) and published."""
    row = await conn.fetchrow(_CODES, project_id, campaign.id, since, until)
    return dict(row) | {"vouchers_deleted": campaign.codes_deleted}


async def sum_gifts(
    conn: Connection, project_id: int, campaign: Campaign, since: date | None, until: date | None
) -> dict[str, int]:
    """Return what the cards were made with, and what was added, spent, given back and taken off; minor units."""
    gift: dict[str, Any] = campaign.gift or {}
    return dict(await conn.fetchrow(_GIFTS, project_id, campaign.id, since, until, gift["amount"]))
