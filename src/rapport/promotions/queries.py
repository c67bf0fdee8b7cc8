"""All SQL of tiers of in-cart promotions."""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from rapport.core.db import Connection, columns
from rapport.http.conditions import Conditions, Reader, metadata_field, text_field
from rapport.http.lists import Found, ListSpec, Page
from rapport.http.queries import fetch_page
from rapport.promotions.models import RedeemableTier, Summary, Tier
from rapport.rules.models import Assigned

_OWN = (
    "id", "campaign_id", "name", "banner", "discount", "hierarchy", "metadata", "active", "start_date",
    "expiration_date", "validity_timeframe", "validity_day_of_week", "validity_hours", "category_id", "created_at",
    "updated_at",
)  # fmt: skip
_OF_CAMPAIGN = (
    "active", "start_date", "expiration_date", "validity_timeframe", "validity_day_of_week", "validity_hours",
    "category_id",
)  # fmt: skip
_COLUMNS = columns(Tier)
FIELDS = ", ".join(
    (
        "tiers.project_id",
        *(f"tiers.{name}" for name in _OWN),
        "campaigns.name AS campaign",
        "campaigns.campaign_type",
        *(f"campaigns.{name} AS campaign_{name}" for name in _OF_CAMPAIGN),
    )
)
# A tier whose campaign is in the bin or deleted is not there for anybody.
TABLES = """
promotion_tiers AS tiers JOIN campaigns
ON campaigns.project_id = tiers.project_id AND campaigns.id = tiers.campaign_id AND campaigns.state = 'live'
"""
_RULE = ", ".join(
    {"rule_id": "rule.id", "related_object_type": "assignment.related_object_type"}.get(name, f"rule.{name}")
    for name in Assigned.__struct_fields__
)
# The rules that hold for `found`, a tier with its campaign.
ASSIGNED = f"""
(
    SELECT coalesce(jsonb_agg(jsonb_build_array({_RULE})
        ORDER BY assignment.created_at, assignment.id), '[]')
    FROM validation_rule_assignments AS assignment
    JOIN validation_rules AS rule ON rule.project_id = $1 AND rule.id = assignment.rule_id
    WHERE assignment.project_id = $1 AND assignment.related_object_id IN (found.id, found.campaign_id)
) AS assigned
"""
_NOW = (
    "active AND campaign_active AND (start_date IS NULL OR start_date <= {0}) "
    "AND (expiration_date IS NULL OR expiration_date > {0}) "
    "AND (campaign_start_date IS NULL OR campaign_start_date <= {0}) "
    "AND (campaign_expiration_date IS NULL OR campaign_expiration_date > {0})"
)
_ACTIVE = f"""
SELECT {_COLUMNS}, {ASSIGNED} FROM (
    SELECT * FROM (SELECT {FIELDS}, campaigns.created_at AS campaign_created_at FROM {TABLES}
        WHERE tiers.project_id = $1 AND tiers.active) AS tiers
    WHERE {_NOW.format("$2")} AND {{further}} ORDER BY hierarchy, campaign_created_at, campaign_id, id LIMIT $3
) AS found
ORDER BY hierarchy, campaign_created_at, campaign_id, id
"""
_SUMMARIES = """
SELECT tier_id, sum(redeemed) AS redeemed, sum(total_amount) AS total_amount,
    sum(total_discount_amount) AS total_discount_amount
FROM promotion_tier_totals WHERE project_id = $1 AND tier_id = ANY ($2) GROUP BY tier_id
"""
# A tier that was deleted meanwhile has no totals; while they are written it stays. One order for all avoids deadlocks.
_ADD = """
WITH there AS MATERIALIZED (
    SELECT given.* FROM unnest($2::text[], $3::bigint[], $4::numeric[], $5::numeric[])
        AS given (tier_id, redeemed, total_amount, total_discount_amount)
    JOIN promotion_tiers AS tiers ON tiers.project_id = $1 AND tiers.id = given.tier_id
    ORDER BY tier_id FOR KEY SHARE OF tiers
)
INSERT INTO promotion_tier_totals AS totals
SELECT $1, tier_id, $6, redeemed, total_amount, total_discount_amount FROM there ORDER BY tier_id
ON CONFLICT (project_id, tier_id, shard) DO UPDATE SET redeemed = totals.redeemed + excluded.redeemed,
    total_amount = totals.total_amount + excluded.total_amount,
    total_discount_amount = totals.total_discount_amount + excluded.total_discount_amount
"""
# Among how many rows what a tier comes to is divided.
_SHARDS = 8
_USING_CATEGORY = " UNION ALL ".join(
    f"(SELECT id FROM {table} WHERE project_id = $1 AND category_id = $2 ORDER BY id LIMIT 5)"
    for table in ("campaigns", "vouchers", "promotion_tiers", "promotion_stacks")
)

TIERS = ListSpec(
    data_ref="tiers",
    table=f"(SELECT {FIELDS} FROM {TABLES}) AS tiers",
    row=Tier,
    orders={"created_at": "created_at", "updated_at": "coalesce(updated_at, created_at)"},
    default_order="-created_at",
    max_page=100,
)


async def list_page(conn: Connection, project_id: int, page: Page, *, available_at: datetime | None) -> Found[Tier]:
    """Return one page of the tiers of all campaigns: all, or those that are active and within their dates at a time."""
    conditions = () if available_at is None else ((_NOW, (available_at,)),)
    return await fetch_page(conn, TIERS, project_id, page, conditions=conditions)


async def find(conn: Connection, project_id: int, tier_id: str) -> Tier | None:
    """Return a tier, or None."""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM "
        f"(SELECT {FIELDS} FROM {TABLES} WHERE tiers.project_id = $1 AND tiers.id = $2) AS found",
        project_id,
        tier_id,
    )
    return None if row is None else Tier(*row)


async def of_campaigns(conn: Connection, project_id: int, campaign_ids: Sequence[str]) -> dict[str, list[Tier]]:
    """Return the tiers of each campaign in the order of their ranks. Index: promotion_tiers_of_campaign."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM (SELECT {FIELDS} FROM {TABLES} WHERE tiers.project_id = $1 "
        "AND tiers.campaign_id = ANY ($2)) AS found ORDER BY hierarchy, created_at, id",
        project_id,
        list(campaign_ids),
    )
    found: dict[str, list[Tier]] = defaultdict(list)
    for row in rows:
        found[row["campaign_id"]].append(Tier(*row))
    return found


async def ids_of_campaign(conn: Connection, project_id: int, campaign_id: str) -> set[str]:
    """Return the ids of a campaign's tiers. Index: promotion_tiers_of_campaign."""
    rows = await conn.fetch(
        "SELECT id FROM promotion_tiers WHERE project_id = $1 AND campaign_id = $2", project_id, campaign_id
    )
    return {row["id"] for row in rows}


def redeemable(row: Sequence[Any]) -> RedeemableTier:
    """Return a tier from its columns and the rules that hold for it."""
    *values, assigned = row
    return RedeemableTier(Tier(*values), [Assigned(*one) for one in assigned])


async def find_tiers(conn: Connection, project_id: int, ids: Sequence[str]) -> dict[str, RedeemableTier]:
    """Return the tiers with these ids, by id, each with the rules that hold for it and for its campaign."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS}, {ASSIGNED} FROM (SELECT {FIELDS} FROM {TABLES} "
        "WHERE tiers.project_id = $1 AND tiers.id = ANY ($2)) AS found",
        project_id,
        list(ids),
    )
    return {row["id"]: redeemable(row) for row in rows}


# What the tiers that could be redeemed can be filtered on.
ACTIVE_FILTERS: Final[Mapping[str, Reader]] = {"promotion_id": text_field("campaign_id")}
ACTIVE_METADATA: Final = metadata_field("metadata")


async def active_tiers(
    conn: Connection, project_id: int, now: datetime, limit: int, filters: Conditions | None = None
) -> list[RedeemableTier]:
    """Return the tiers that are active and within their dates, as their campaigns are, in the order of their ranks.

    Of several campaigns' tiers with the same rank, those of the oldest campaign come first. Windows of the week and the
    day are for the caller (`campaigns.windows.is_open`).
    """
    chosen = filters or Conditions("TRUE", ())
    further = chosen.text.format(*(f"${number}" for number in range(4, 4 + len(chosen.values))))
    rows = await conn.fetch(_ACTIVE.format(further=further), project_id, now, limit, *chosen.values)
    return [redeemable(row) for row in rows]


async def summaries(conn: Connection, project_id: int, ids: Sequence[str]) -> dict[str, Summary]:
    """Return what the tiers came to; those never redeemed are left out."""
    rows = await conn.fetch(_SUMMARIES, project_id, list(ids))
    return {row["tier_id"]: Summary(*(int(number) for number in row[1:])) for row in rows}


async def add_to_summaries(conn: Connection, project_id: int, more: Mapping[str, Summary]) -> None:
    """Add to what tiers came to; what is rolled back is less than nothing."""
    if more:
        await conn.execute(
            _ADD,
            project_id,
            list(more),
            [one.redeemed for one in more.values()],
            [one.total_amount for one in more.values()],
            [one.total_discount_amount for one in more.values()],
            random.randrange(_SHARDS),  # noqa: S311 (spreads writes, is no secret)
        )


async def insert(conn: Connection, project_id: int, tier: Tier) -> None:
    """Insert a tier of a locked campaign."""
    places = ", ".join(f"${number}" for number in range(2, len(_OWN) + 2))
    await conn.execute(
        f"INSERT INTO promotion_tiers (project_id, {', '.join(_OWN)}) VALUES ($1, {places})",
        project_id,
        *[getattr(tier, name) for name in _OWN],
    )


_CHANGEABLE = tuple(name for name in _OWN if name not in {"id", "campaign_id", "created_at"})
_CHANGES = ", ".join(f"{name} = ${number}" for number, name in enumerate(_CHANGEABLE, start=3))


async def update(conn: Connection, project_id: int, tier: Tier) -> None:
    """Write what can be changed of a tier of a locked campaign."""
    await conn.execute(
        f"UPDATE promotion_tiers SET {_CHANGES} WHERE project_id = $1 AND id = $2",
        project_id,
        tier.id,
        *[getattr(tier, name) for name in _CHANGEABLE],
    )


async def delete(conn: Connection, project_id: int, tier_id: str) -> None:
    """Delete a tier of a locked campaign."""
    await conn.execute("DELETE FROM promotion_tiers WHERE project_id = $1 AND id = $2", project_id, tier_id)


async def ranks(conn: Connection, project_id: int, campaign_id: str) -> dict[str, int]:
    """Return the rank of each tier of a campaign. Index: promotion_tiers_of_campaign."""
    rows = await conn.fetch(
        "SELECT id, hierarchy FROM promotion_tiers WHERE project_id = $1 AND campaign_id = $2", project_id, campaign_id
    )
    return {row["id"]: row["hierarchy"] for row in rows}


async def set_ranks(conn: Connection, project_id: int, changed: dict[str, int], now: datetime) -> None:
    """Give tiers of a locked campaign other ranks."""
    await conn.execute(
        "UPDATE promotion_tiers AS one SET hierarchy = given.hierarchy, updated_at = $4 "
        "FROM unnest($2::text[], $3::integer[]) AS given (id, hierarchy) "
        "WHERE one.project_id = $1 AND one.id = given.id",
        project_id,
        list(changed),
        list(changed.values()),
        now,
    )


async def using_category(conn: Connection, project_id: int, category_id: str) -> list[str]:
    """Return the ids of campaigns, vouchers, tiers and stacks in a category, some of each where there are many.

    Those in the bin among them: they may come back.
    """
    rows = await conn.fetch(_USING_CATEGORY, project_id, category_id)
    return [row["id"] for row in rows]


async def remove_key(conn: Connection, project_id: int, key: str, after: str, count: int) -> tuple[str | None, int]:
    """Remove a key from the metadata of the next `count` tiers after an id; return the last, and how many had it."""
    row = await conn.fetchrow(
        "WITH part AS "
        "(SELECT id, metadata FROM promotion_tiers WHERE project_id = $1 AND id > $2 ORDER BY id LIMIT $4), "
        "changed AS (UPDATE promotion_tiers AS one SET metadata = one.metadata - $3 FROM part "
        "WHERE one.project_id = $1 AND one.id = part.id AND part.metadata ? $3 RETURNING one.id) "
        "SELECT (SELECT max(id) FROM part), (SELECT count(*) FROM changed)",
        project_id,
        after,
        key,
        count,
    )
    return row[0], row[1]
