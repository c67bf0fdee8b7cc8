"""All SQL of the activity log."""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import Any

from rapport.activity.log import Entry, Logged, Source, new_entry_ids
from rapport.activity.types import CATEGORIES, REFERENCE, WITH_ORDER
from rapport.core.db import Connection, columns
from rapport.http.lists import Equals, Found, From, ListFilter, ListSpec, OneOf, Page, Part, Until
from rapport.http.queries import fetch_page, fetch_part

CAMPAIGN_TYPES = ("PROMOTION", "GIFT_VOUCHERS", "REFERRAL_PROGRAM", "DISCOUNT_COUPONS", "LOYALTY_PROGRAM")


def _texts(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


# What a campaign was is part of what is logged about it; entries that only name one are looked up while it exists.
_OF_CAMPAIGN_TYPE = OneOf(
    "(payload #>> '{{campaign,campaign_type}}' = {0} OR campaign_id IN (SELECT campaigns.id FROM campaigns "
    "WHERE campaigns.project_id = $1 AND campaigns.campaign_type = {0}))",
    CAMPAIGN_TYPES,
)
_OF_CATEGORY = OneOf("type = ANY ({}::text[])", tuple(CATEGORIES), CATEGORIES)
_WITH_PRODUCT = ListFilter(
    f"type IN ({_texts(WITH_ORDER)}) AND payload @> jsonb_build_object('order', "
    "jsonb_build_object('items', jsonb_build_array(jsonb_build_object('product_id', {}::text))))"
)
_TIMES = {"start_date": From("created_at"), "end_date": Until("created_at")}
_LOGGED = {"campaign_type": _OF_CAMPAIGN_TYPE, "campaign_id": Equals("campaign_id"), **_TIMES}

# `list-customer-activity`.
ACTIVITY = ListSpec(
    data_ref="data",
    table="activity",
    row=Logged,
    orders={"created_at": "created_at"},
    default_order="-created_at",
    tie="seq",
    filters={**_LOGGED, "category": _OF_CATEGORY, "type": Equals("type")},
    by_id=True,
)
# `list-customer-activities`, the older form.
ACTIVITIES = ListSpec(
    data_ref="data",
    table="activity",
    row=Logged,
    orders={
        "created_at": "created_at",
        "updated_at": "created_at",
        "type": "type",
        "code": "(payload #>> '{voucher,code}')",
        "campaign": "(payload #>> '{campaign,name}')",
        "category": f"(CASE WHEN type IN ({_texts(CATEGORIES['ACTION'])}) THEN 'ACTION' ELSE 'EFFECT' END)",
    },
    default_order="-created_at",
    tie="seq",
    filters={**_LOGGED, "product_id": _WITH_PRODUCT, "category": _OF_CATEGORY, "type": Equals("type")},
    cursor="created_at",
    by_id=True,
)
# Only what is left over by the index is looked at: as a condition of the index it would break its order.
_OF_REFERENCE = f"(type = ANY (ARRAY[{_texts(sorted(REFERENCE))}])) IS TRUE", ()


def append_text(first_parameter: int) -> str:
    """Return the INSERT of `append`, for a statement of another feature that writes its row and the log in one go.

    `$1` is the project, and `append_parameters` go from `first_parameter` on.
    """
    at, group, *arrays = (f"${first_parameter + index}" for index in range(8))
    kinds = ("text", "text", "text", "text", "jsonb", "jsonb")
    columns_ = ", ".join(f"{place}::{kind}[]" for place, kind in zip(arrays, kinds, strict=True))
    return (
        "INSERT INTO activity (project_id, id, created_at, type, customer_id, campaign_id, payload, source, group_id) "
        "SELECT $1, entry.id, "
        f"{at}::timestamptz, entry.type, entry.customer_id, entry.campaign_id, entry.payload, entry.source, {group} "
        f"FROM unnest({columns_}) AS entry (id, type, customer_id, campaign_id, payload, source)"
    )


def append_parameters(at: datetime, group_id: str, source: Source, entries: list[Entry]) -> list[Any]:
    """Return the parameters that belong to `append_text`."""
    return [
        at,
        group_id,
        new_entry_ids(len(entries)),
        [entry.type for entry in entries],
        [entry.customer_id for entry in entries],
        [entry.campaign_id for entry in entries],
        [entry.payload for entry in entries],
        [entry.source or source for entry in entries],
    ]


_APPEND = append_text(2)
# From so many entries on they are copied, which takes another round trip and less for each.
_MANY = 50


async def append(
    conn: Connection, project_id: int, at: datetime, group_id: str, source: Source, entries: list[Entry]
) -> None:
    """Append entries, in their order, to the log in the caller's transaction."""
    if len(entries) >= _MANY:
        await conn.copy_records_to_table(
            "activity",
            columns=("project_id", "id", "created_at", "type", "customer_id", "campaign_id", "payload", "source",
                     "group_id"),
            records=[
                (project_id, entry_id, at, one.type, one.customer_id, one.campaign_id, one.payload,
                 one.source or source, group_id)
                for one, entry_id in zip(entries, new_entry_ids(len(entries)), strict=True)
            ],
        )  # fmt: skip
    elif entries:
        await conn.execute(_APPEND, project_id, *append_parameters(at, group_id, source, entries))


async def horizon(conn: Connection) -> int:
    """Return the transaction id below which everything is committed or rolled back for good."""
    return int(await conn.fetchval("SELECT pg_snapshot_xmin(pg_current_snapshot())::text"))


async def read_after(
    conn: Connection, project_id: int, position: tuple[int, int], below: int, limit: int
) -> list[tuple[int, Logged]]:
    """Return up to `limit` entries after `position` (transaction, seq) and below the horizon: none is ever passed by.

    This is the order of the transactions' numbers, not that of what happened to a customer, which is `seq`: a
    transaction has its number from its first lock on, and may wait for the second while a younger one commits.

    Take the horizon in a statement of its own before this one; the index is `activity_in_order`.
    """
    rows = await conn.fetch(
        f"SELECT xid::text AS xid, {columns(Logged)} FROM activity "
        "WHERE project_id = $1 AND (xid, seq) > ($2::text::xid8, $3) AND xid < $4::text::xid8 "
        "ORDER BY activity.xid, activity.seq LIMIT $5",  # the bare name would be the text of the answer
        project_id,
        str(position[0]),
        position[1],
        str(below),
        limit,
    )
    return [(int(row["xid"]), Logged(*row[1:])) for row in rows]


def _conditions(page: Page, *, additions: bool) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    names_type = any(item is ACTIVITY.filters["type"] or item is ACTIVITIES.filters["type"] for item, _ in page.filters)
    return () if additions or names_type else (_OF_REFERENCE,)


async def list_of_customer(
    conn: Connection, project_id: int, customer_id: str, page: Page, *, additions: bool = False
) -> Part[Logged]:
    """Return one part of what happened to a customer, uncounted. Index: activity_of_customer.

    Types that the reference does not have come with `additions`, or where the page names the type.
    """
    conditions = _conditions(page, additions=additions)
    return await fetch_part(conn, ACTIVITY, project_id, page, where={"customer_id": customer_id}, conditions=conditions)


async def count_of_customer(
    conn: Connection, project_id: int, customer_id: str, page: Page, *, additions: bool = False
) -> Found[Logged]:
    """As `list_of_customer`, with how many entries there are in all."""
    conditions = _conditions(page, additions=additions)
    where = {"customer_id": customer_id}
    return await fetch_page(conn, ACTIVITIES, project_id, page, where=where, conditions=conditions)


# What is about a person: their own entries, and those about orders of theirs from after they were deleted.
_ABOUT = (
    "project_id = $1 AND (customer_id = $2 OR (customer_id IS NULL AND coalesce(payload #>> '{order,customer_id}', "
    "payload #>> '{redemption,customer_id}', payload #>> '{redemption_rollback,customer_id}') = $2))"
)
# Membership is a matter of the one id: its enterings and leavings alternate.
_MOVABLE = "type NOT IN ('customer.segment.entered', 'customer.segment.left')"


async def stream_of_customer(conn: Connection, project_id: int, customer_id: str) -> AsyncIterator[Logged]:
    """Yield what happened to a customer, oldest first, inside a transaction (activity_of_customer, …_of_nobody)."""
    query = f"SELECT {columns(Logged)} FROM activity WHERE {_ABOUT} ORDER BY created_at, seq"
    async for row in conn.cursor(query, project_id, customer_id, prefetch=200):
        yield Logged(*row)


async def counts_about_customer(conn: Connection, project_id: int, customer_id: str) -> tuple[int, int]:
    """Return how many entries about a customer there are: those about orders, and the others."""
    row = await conn.fetchrow(
        "SELECT count(*) FILTER (WHERE is_order), count(*) FILTER (WHERE NOT is_order) FROM ("
        f"SELECT starts_with(type, 'customer.order.') AS is_order FROM activity WHERE {_ABOUT}) AS entries",
        project_id,
        customer_id,
    )
    return row[0], row[1]


async def erase_of_customer(conn: Connection, project_id: int, customer_id: str) -> int:
    """Delete the entries about a customer; return how many."""
    done = await conn.execute(f"DELETE FROM activity WHERE {_ABOUT}", project_id, customer_id)
    return int(done.rpartition(" ")[2])


async def lock_mentions(conn: Connection, project_id: int, customer_id: str, limit: int) -> list[tuple[str, Any]]:
    """Lock up to `limit` entries about orders that a customer referred: id, payload; activity_of_referrer."""
    rows = await conn.fetch(
        "SELECT id, payload FROM activity WHERE project_id = $1 AND (payload #>> '{order,referrer_id}') = $2 "
        "LIMIT $3 FOR UPDATE",
        project_id,
        customer_id,
        limit,
    )
    return [(row["id"], row["payload"]) for row in rows]


async def rewrite(conn: Connection, project_id: int, payloads: list[tuple[str, Any]]) -> None:
    """Give locked entries other payloads."""
    await conn.execute(
        "UPDATE activity SET payload = changed.payload FROM unnest($2::text[], $3::jsonb[]) AS changed (id, payload) "
        "WHERE project_id = $1 AND activity.id = changed.id",
        project_id,
        [entry_id for entry_id, _ in payloads],
        [payload for _, payload in payloads],
    )


async def move_to_customer(
    conn: Connection, project_id: int, giver_id: str, taker_id: str, only: Sequence[str] | None
) -> list[str]:
    """Give a customer's entries, but those about membership, to another; return their ids (activity_of_customer)."""
    rows = await conn.fetch(
        f"UPDATE activity SET customer_id = $3 WHERE project_id = $1 AND customer_id = $2 AND {_MOVABLE} "
        "AND ($4::text[] IS NULL OR id IN (SELECT unnest($4::text[]))) RETURNING id",
        project_id,
        giver_id,
        taker_id,
        only,
    )
    return [row["id"] for row in rows]


async def lock_between(
    conn: Connection, project_id: int, customer_id: str, since: datetime, until: datetime, after: int, limit: int
) -> list[tuple[int, str, Any]]:
    """Lock up to `limit` of a customer's entries of a time, after this seq: seq, id, payload; activity_of_customer."""
    rows = await conn.fetch(
        "SELECT seq, id, payload FROM activity WHERE project_id = $1 AND customer_id = $2 "
        "AND created_at BETWEEN $3 AND $4 AND seq > $5 ORDER BY seq LIMIT $6 FOR UPDATE",
        project_id,
        customer_id,
        since,
        until,
        after,
        limit,
    )
    return [(row["seq"], row["id"], row["payload"]) for row in rows]


async def last_entry(conn: Connection, project_id: int, customer_id: str) -> Logged | None:
    """Return the latest entry of a customer's; the index is activity_of_customer."""
    row = await conn.fetchrow(
        f"SELECT {columns(Logged)} FROM activity WHERE project_id = $1 AND customer_id = $2 "
        "ORDER BY created_at DESC, seq DESC LIMIT 1",
        project_id,
        customer_id,
    )
    return None if row is None else Logged(*row)


_NAMES = """
SELECT name, value FROM (
    SELECT name, value, row_number() OVER (PARTITION BY name ORDER BY last DESC) AS place FROM (
        SELECT named.name, named.value, max(seq) AS last FROM activity CROSS JOIN LATERAL (VALUES
            ('source_id', payload #>> '{customer,source_id}'), ('email', payload #>> '{customer,email}'),
            ('phone', payload #>> '{customer,phone}')) AS named (name, value)
        WHERE project_id = $1 AND customer_id = $2 AND named.value IS NOT NULL GROUP BY 1, 2
    ) AS told
) AS ranked WHERE place <= $3
"""


async def names_of_customer(
    conn: Connection, project_id: int, customer_id: str, most: int
) -> tuple[set[str], set[str], set[str]]:
    """Return the latest source ids, emails and phones that a customer's entries tell; activity_of_customer."""
    rows = await conn.fetch(
        _NAMES,
        project_id,
        customer_id,
        most,
    )
    source_ids, emails, phones = (
        {row["value"] for row in rows if row["name"] == name} for name in ("source_id", "email", "phone")
    )
    return source_ids, emails, phones
