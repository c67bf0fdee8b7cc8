"""All SQL of stacks of tiers."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from rapport.core.db import Connection, columns
from rapport.http.conditions import Conditions, Reader, instant_field
from rapport.http.lists import After, Before, Found, ListSpec, Page
from rapport.http.queries import fetch_page
from rapport.promotions.models import RedeemableStack, Stack, Tier
from rapport.promotions.queries import ASSIGNED, FIELDS, TABLES, redeemable

_NAMES = Stack.__struct_fields__
_COLUMNS = columns(Stack)
_WIDTH = len(_NAMES)
_FIELDS = ", ".join(f"stacks.{name}" for name in ("project_id", *_NAMES))
# A stack whose campaign is in the bin or deleted is not there for anybody.
_TABLES = """
promotion_stacks AS stacks JOIN campaigns
ON campaigns.project_id = stacks.project_id AND campaigns.id = stacks.campaign_id AND campaigns.state = 'live'
"""
# The reference writes dates in these two ways, and as conditions.
_DATES = {
    f"{name}[{word}]": kind(column)
    for column in ("created_at", "updated_at")
    for name in (column, f"[{column}]")
    for word, kind in (("before", Before), ("after", After))
}
FILTERS: Final[Mapping[str, Reader]] = {
    "created_at": instant_field("created_at"),
    "updated_at": instant_field("updated_at", optional=True),
}
# A row for each tier of each stack, in their order; the stacks themselves come first in it.
_WITH_TIERS = f"""
SELECT {", ".join(f"named.{name} AS stack_{name}" for name in _NAMES)}, found.*, {ASSIGNED}
FROM (SELECT {_FIELDS} FROM {_TABLES} WHERE stacks.project_id = $1 AND {{condition}}) AS named
CROSS JOIN LATERAL unnest(named.tier_ids) WITH ORDINALITY AS part (tier_id, place)
JOIN (SELECT {{columns}} FROM (SELECT {FIELDS} FROM {TABLES} WHERE tiers.project_id = $1) AS tiers) AS found
    ON found.id = part.tier_id
ORDER BY named.created_at, named.id, part.place
""".replace("{columns}", columns(Tier))

STACKS = ListSpec(
    data_ref="data",
    table=f"(SELECT {_FIELDS} FROM {_TABLES}) AS stacks",
    row=Stack,
    orders={"created_at": "created_at", "updated_at": "coalesce(updated_at, created_at)", "name": "name"},
    default_order="-created_at",
    filters=_DATES,
    max_page=100,
)


async def list_page(conn: Connection, project_id: int, page: Page, filters: Conditions | None) -> Found[Stack]:
    """Return one page of the stacks of all campaigns."""
    further = () if filters is None else ((filters.text, filters.values),)
    return await fetch_page(conn, STACKS, project_id, page, conditions=further)


async def of_campaign(conn: Connection, project_id: int, campaign_id: str) -> list[Stack]:
    """Return the stacks of a campaign, the oldest first. Index: promotion_stacks_of_campaign."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM promotion_stacks WHERE project_id = $1 AND campaign_id = $2 ORDER BY created_at, id",
        project_id,
        campaign_id,
    )
    return [Stack(*row) for row in rows]


async def find(conn: Connection, project_id: int, campaign_id: str, stack_id: str) -> Stack | None:
    """Return a stack of a campaign that is there, or None."""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM promotion_stacks WHERE project_id = $1 AND campaign_id = $2 AND id = $3",
        project_id,
        campaign_id,
        stack_id,
    )
    return None if row is None else Stack(*row)


def _redeemables(rows: Sequence[Any]) -> list[RedeemableStack]:
    found: dict[str, RedeemableStack] = {}
    for row in rows:
        stack = Stack(*row[:_WIDTH])
        found.setdefault(stack.id, RedeemableStack(stack, [])).tiers.append(redeemable(row[_WIDTH:]))
    return list(found.values())


async def find_stacks(conn: Connection, project_id: int, ids: Sequence[str]) -> dict[str, RedeemableStack]:
    """Return the stacks with these ids, by id, with their tiers and the rules that hold for each of them."""
    rows = await conn.fetch(_WITH_TIERS.format(condition="stacks.id = ANY ($2)"), project_id, list(ids))
    return {one.stack.id: one for one in _redeemables(rows)}


async def active_stacks(conn: Connection, project_id: int, now: datetime, limit: int) -> list[RedeemableStack]:
    """Return the oldest stacks of campaigns that are active and within their dates, with their tiers."""
    condition = (
        "stacks.id IN (SELECT one.id FROM promotion_stacks AS one JOIN campaigns AS own "
        "ON own.project_id = $1 AND own.id = one.campaign_id AND own.state = 'live' AND own.active "
        "WHERE one.project_id = $1 AND (own.start_date IS NULL OR own.start_date <= $2) "
        "AND (own.expiration_date IS NULL OR own.expiration_date > $2) ORDER BY one.created_at, one.id LIMIT $3)"
    )
    return _redeemables(await conn.fetch(_WITH_TIERS.format(condition=condition), project_id, now, limit))


async def insert(conn: Connection, project_id: int, stack: Stack) -> None:
    """Insert a stack of a locked campaign."""
    places = ", ".join(f"${number}" for number in range(2, _WIDTH + 2))
    await conn.execute(
        f"INSERT INTO promotion_stacks (project_id, {_COLUMNS}) VALUES ($1, {places})",
        project_id,
        *[getattr(stack, name) for name in _NAMES],
    )


async def update(conn: Connection, project_id: int, stack: Stack) -> None:
    """Write what can be changed of a stack of a locked campaign."""
    await conn.execute(
        "UPDATE promotion_stacks SET name = $3, tier_ids = $4, category_id = $5, updated_at = $6 "
        "WHERE project_id = $1 AND id = $2",
        project_id,
        stack.id,
        stack.name,
        stack.tier_ids,
        stack.category_id,
        stack.updated_at,
    )


async def delete(conn: Connection, project_id: int, stack_id: str) -> None:
    """Delete a stack of a locked campaign."""
    await conn.execute("DELETE FROM promotion_stacks WHERE project_id = $1 AND id = $2", project_id, stack_id)


async def using_tier(conn: Connection, project_id: int, campaign_id: str, tier_id: str) -> list[str]:
    """Return the ids of the stacks that a tier is in. Index: promotion_stacks_of_campaign."""
    rows = await conn.fetch(
        "SELECT id FROM promotion_stacks WHERE project_id = $1 AND campaign_id = $2 AND $3 = ANY (tier_ids) "
        "ORDER BY created_at, id LIMIT 10",
        project_id,
        campaign_id,
        tier_id,
    )
    return [row["id"] for row in rows]


async def count(conn: Connection, project_id: int, campaign_id: str) -> int:
    """Return how many stacks a campaign has."""
    return int(
        await conn.fetchval(
            "SELECT count(*) FROM promotion_stacks WHERE project_id = $1 AND campaign_id = $2", project_id, campaign_id
        )
    )
