"""All SQL of campaigns and of the making and removing of their codes."""

from collections.abc import Sequence
from datetime import datetime

from rapport.campaigns.models import AUTO_UPDATE, DISCOUNT_COUPONS, GIFT_VOUCHERS, PROMOTION, Campaign
from rapport.core.db import Connection, columns
from rapport.core.ids import new_id
from rapport.http.conditions import Conditions
from rapport.http.lists import Found, ListSpec, OneOf, Page
from rapport.http.queries import fetch_page

CAMPAIGN_TYPES = (PROMOTION, GIFT_VOUCHERS, "REFERRAL_PROGRAM", DISCOUNT_COUPONS, "LOYALTY_PROGRAM")
STATUS = "(CASE WHEN codes_failed THEN 'FAILED' WHEN codes_made = codes_wanted THEN 'DONE' ELSE 'IN_PROGRESS' END)"
CAMPAIGNS = ListSpec(
    data_ref="campaigns",
    table="campaigns",
    row=Campaign,
    orders={"created_at": "created_at", "updated_at": "coalesce(updated_at, created_at)", "name": "name"},
    default_order="-created_at",
    filters={
        "campaign_type": OneOf("campaign_type = {}", CAMPAIGN_TYPES),
        "campaign_status": OneOf(f"{STATUS} = {{}}", ("DONE", "IN_PROGRESS", "FAILED", "DRAFT", "MODIFYING")),
        "is_referral_code": OneOf("is_referral_code = {}", ("true", "false"), {"true": True, "false": False}),
    },
    max_page=1000,
)
_COLUMNS = columns(Campaign)
_NAMES = Campaign.__struct_fields__
_PLACES = ", ".join(f"${number}" for number in range(2, len(_NAMES) + 2))
_CHANGEABLE = (
    "description", "type", "join_once", "auto_join", "start_date", "expiration_date", "activity_duration", "discount",
    "gift", "validity_timeframe", "validity_day_of_week", "validity_hours", "category", "category_id", "metadata",
    "active", "updated_at",
)  # fmt: skip
_LOCKS = {"": "", **{lock: f" FOR {lock}" for lock in ("KEY SHARE", "NO KEY UPDATE", "UPDATE")}}
_CHANGES = ", ".join(f"{name} = ${number}" for number, name in enumerate(_CHANGEABLE, start=3))

# Candidates that somebody has are left out; one that somebody takes at this moment is skipped, too.
_INSERT_CODES = """
INSERT INTO vouchers (project_id, id, code, campaign_id, quantity, active, metadata, created_at, type)
SELECT $1, candidate.id, candidate.code, $2, $3, true, '{}', $4, $8
FROM unnest($5::text[], $6::text[]) AS candidate (id, code)
WHERE NOT EXISTS (SELECT FROM vouchers WHERE project_id = $1 AND vouchers.code = candidate.code)
LIMIT $7
ON CONFLICT DO NOTHING
RETURNING code
"""


async def insert(conn: Connection, project_id: int, campaign: Campaign) -> None:
    """Insert a campaign."""
    await conn.execute(
        f"INSERT INTO campaigns (project_id, {_COLUMNS}, state) VALUES ($1, {_PLACES}, 'live')",
        project_id,
        *[getattr(campaign, name) for name in _NAMES],
    )


async def find(conn: Connection, project_id: int, reference: str, *, lock: str = "") -> Campaign | None:
    """Return the campaign with this id or name (the id wins), or None; `lock` is a row lock's name."""
    suffix = _LOCKS[lock]
    for column in ("id", "name"):
        row = await conn.fetchrow(
            f"SELECT {_COLUMNS} FROM campaigns WHERE project_id = $1 AND {column} = $2 AND state = 'live'{suffix}",
            project_id,
            reference,
        )
        if row is not None:
            return Campaign(*row)
    return None


async def update(conn: Connection, project_id: int, campaign: Campaign) -> None:
    """Write what can be changed of a locked campaign."""
    await conn.execute(
        f"UPDATE campaigns SET {_CHANGES} WHERE project_id = $1 AND id = $2",
        project_id,
        campaign.id,
        *[getattr(campaign, name) for name in _CHANGEABLE],
    )


async def count_codes(conn: Connection, project_id: int, campaigns: Sequence[Campaign]) -> dict[str, int]:
    """Return how many vouchers each campaign has; AUTO_UPDATE campaigns without any are left out.

    Only what an AUTO_UPDATE campaign made while it published has to be counted. Index: vouchers_of_campaign.
    """
    known = {campaign.id: campaign.codes_made for campaign in campaigns if campaign.type != AUTO_UPDATE}
    growing = [campaign.id for campaign in campaigns if campaign.type == AUTO_UPDATE]
    if not growing:
        return known
    rows = await conn.fetch(
        "SELECT campaign_id, count(*) AS number FROM vouchers "
        "WHERE project_id = $1 AND campaign_id = ANY ($2) AND NOT binned GROUP BY campaign_id",
        project_id,
        growing,
    )
    return known | {row["campaign_id"]: row["number"] for row in rows}


async def recount(conn: Connection, project_id: int, campaign_id: str) -> None:
    """Count the vouchers of a campaign, locked against the making of codes, anew. Index: vouchers_of_campaign."""
    await conn.execute(
        "UPDATE campaigns SET codes_wanted = codes_wanted - codes_made + counted.number, codes_made = counted.number "
        "FROM (SELECT count(*) AS number FROM vouchers WHERE project_id = $1 AND campaign_id = $2 AND NOT binned) "
        "AS counted "
        "WHERE project_id = $1 AND id = $2",
        project_id,
        campaign_id,
    )


async def list_page(
    conn: Connection, project_id: int, page: Page, filters: Conditions | None = None
) -> Found[Campaign]:
    """Return one page of campaigns."""
    further = () if filters is None else ((filters.text, filters.values),)
    return await fetch_page(conn, CAMPAIGNS, project_id, page, conditions=(("state = 'live'", ()), *further))


async def insert_codes(
    conn: Connection, project_id: int, campaign: Campaign, now: datetime, candidates: list[str], limit: int
) -> list[str]:
    """Insert up to `limit` vouchers of a campaign, with those of the candidate codes that are free; return these."""
    rows = await conn.fetch(
        _INSERT_CODES,
        project_id,
        campaign.id,
        campaign.quantity,
        now,
        [new_id("v") for _ in candidates],
        candidates,
        limit,
        campaign.voucher_type,
    )
    return [row["code"] for row in rows]


async def add_wanted(
    conn: Connection, project_id: int, campaign_id: str, wanted: int, made: int, deleted: int = 0
) -> None:
    """Count codes that are to be made, codes that are made already, and those that are deleted one by one."""
    await conn.execute(
        "UPDATE campaigns SET codes_wanted = codes_wanted + $3, codes_made = codes_made + $4, codes_failed = false, "
        "codes_deleted = codes_deleted + $5 WHERE project_id = $1 AND id = $2",
        project_id,
        campaign_id,
        wanted,
        made,
        deleted,
    )


async def give_up(conn: Connection, project_id: int, campaign_id: str, missing: int) -> None:
    """Note that no free code was found for the `missing` ones that were still to be made; nobody waits for them now."""
    await conn.execute(
        "UPDATE campaigns SET codes_failed = true, codes_wanted = codes_wanted - $3 WHERE project_id = $1 AND id = $2",
        project_id,
        campaign_id,
        missing,
    )


async def find_kept(conn: Connection, project_id: int, campaign_id: str, *, lock: str = "") -> Campaign | None:
    """Return a campaign, in the bin or not, that is not deleted for good; None if there is no such one."""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM campaigns WHERE project_id = $1 AND id = $2 AND state IN ('live', 'binned')"
        + _LOCKS[lock],
        project_id,
        campaign_id,
    )
    return None if row is None else Campaign(*row)


async def hide(conn: Connection, project_id: int, campaign_id: str, state: str, name: str) -> None:
    """Take a locked campaign away from users, as `binned` or as `deleted`; `name` frees the one it had."""
    await conn.execute(
        "UPDATE campaigns SET state = $3, name = $4 WHERE project_id = $1 AND id = $2",
        project_id,
        campaign_id,
        state,
        name,
    )


async def show(conn: Connection, project_id: int, campaign_id: str, name: str) -> bool:
    """Bring a campaign back from the bin; return whether it was there. Fails where its name is taken."""
    done = await conn.execute(
        "UPDATE campaigns SET state = 'live', name = $3 WHERE project_id = $1 AND id = $2 AND state = 'binned'",
        project_id,
        campaign_id,
        name,
    )
    return bool(done == "UPDATE 1")


async def count_rows(conn: Connection, project_id: int, campaign_id: str) -> int:
    """Return how many vouchers a campaign has, those in the bin among them. Index: vouchers_of_campaign."""
    return int(
        await conn.fetchval(
            "SELECT count(*) FROM vouchers WHERE project_id = $1 AND campaign_id = $2", project_id, campaign_id
        )
    )


async def remove_codes(conn: Connection, project_id: int, campaign_id: str, limit: int | None) -> int:
    """Remove up to `limit` vouchers of a campaign (None: all) with their rule assignments; return how many."""
    removed: int = await conn.fetchval(
        "WITH gone AS (DELETE FROM vouchers WHERE project_id = $1 AND id IN "
        "(SELECT id FROM vouchers WHERE project_id = $1 AND campaign_id = $2 LIMIT $3) RETURNING id), "
        "unassigned AS (DELETE FROM validation_rule_assignments WHERE project_id = $1 AND related_object_id IN "
        "(SELECT id FROM gone)) SELECT count(*) FROM gone",
        project_id,
        campaign_id,
        limit,
    )
    return removed


async def remove(conn: Connection, project_id: int, campaign_id: str) -> None:
    """Remove the row of a deleted campaign, with its tiers and stacks and their rule assignments."""
    await conn.execute(
        "WITH unassigned AS (DELETE FROM validation_rule_assignments WHERE project_id = $1 AND related_object_id IN "
        "(SELECT id FROM promotion_tiers WHERE project_id = $1 AND campaign_id = $2)) "
        "DELETE FROM campaigns WHERE project_id = $1 AND id = $2",
        project_id,
        campaign_id,
    )


async def balances_of_holders(conn: Connection, project_id: int, customer_ids: Sequence[str]) -> dict[str, int]:
    """Return what is left on the gift cards that customers hold, in minor units; those without a card are left out.

    Cards in the bin, or whose campaign is, are not there. The index is vouchers_of_holder.
    """
    rows = await conn.fetch(
        "SELECT holder_id, sum(vouchers.balance)::bigint AS left_over FROM vouchers LEFT JOIN campaigns "
        "ON campaigns.project_id = $1 AND campaigns.id = vouchers.campaign_id "
        "WHERE vouchers.project_id = $1 AND vouchers.holder_id = ANY ($2) AND vouchers.type = 'GIFT_VOUCHER' "
        "AND NOT vouchers.binned AND (vouchers.campaign_id IS NULL OR campaigns.state = 'live') GROUP BY holder_id",
        project_id,
        customer_ids,
    )
    return {row["holder_id"]: row["left_over"] for row in rows}


async def holders_of_campaign(conn: Connection, project_id: int, campaign_id: str, after: str, limit: int) -> list[str]:
    """Return the next ids, in order, of those who hold a gift card of a campaign. Index: vouchers_of_campaign."""
    rows = await conn.fetch(
        "SELECT DISTINCT holder_id FROM vouchers WHERE project_id = $1 AND campaign_id = $2 AND holder_id > $3 "
        "AND type = 'GIFT_VOUCHER' ORDER BY holder_id LIMIT $4",
        project_id,
        campaign_id,
        after,
        limit,
    )
    return [row["holder_id"] for row in rows]


async def remove_key(conn: Connection, project_id: int, key: str, after: str, count: int) -> tuple[str | None, int]:
    """Remove a key from the metadata of the next `count` campaigns after an id; return the last, how many had it."""
    row = await conn.fetchrow(
        "WITH part AS (SELECT id, metadata FROM campaigns WHERE project_id = $1 AND id > $2 ORDER BY id LIMIT $4), "
        "changed AS (UPDATE campaigns AS one SET metadata = one.metadata - $3 FROM part "
        "WHERE one.project_id = $1 AND one.id = part.id AND part.metadata ? $3 RETURNING one.id) "
        "SELECT (SELECT max(id) FROM part), (SELECT count(*) FROM changed)",
        project_id,
        after,
        key,
        count,
    )
    return row[0], row[1]
