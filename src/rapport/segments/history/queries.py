"""All SQL of the history of memberships: segment_members has those that last, segment_past those that have ended."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from rapport.core.db import Connection, columns
from rapport.customers.models import Customer
from rapport.http.lists import Found, From, ListSpec, Page, Until
from rapport.http.queries import fetch_page
from rapport.segments.history.instants import PastInstant
from rapport.segments.history.models import Member, Move, Stay

AT = PastInstant("entered_at <= {0} AND (left_at IS NULL OR left_at > {0})")
# Who is not a member has no `entered_at`, and fails the test of `at` by that: a condition within the parts of the union
# would keep the planner from their indexes.
# Both tables have their key in the order of customers, so a page of either list is read from two indexes at once.
MEMBERS = ListSpec(
    data_ref="customers",
    table="(SELECT project_id, segment_id, customer_id AS id, entered_at FROM segment_members "
    "WHERE entered_at IS NOT NULL) AS members",
    row=Member,
    orders={"id": "id"},
    default_order="id",
)
MEMBERS_AS_OF = ListSpec(
    data_ref="customers",
    table="(SELECT project_id, segment_id, customer_id AS id, entered_at, NULL::timestamptz AS left_at "
    "FROM segment_members UNION ALL SELECT project_id, segment_id, customer_id, entered_at, left_at FROM segment_past"
    ") AS stays",
    row=Member,
    orders={"id": "id"},
    default_order="id",
    filters={"at": AT},
)
# The ids order what happens to one customer within one millisecond: a stay that lasts comes after all that have ended.
_ENDED = "lpad(seq::text, 20, '0')"
MOVES = ListSpec(
    data_ref="data",
    table="(SELECT project_id, segment_id, customer_id, customer_id || ':~:entered' AS id, 'entered' AS type, "
    "entered_at AS at FROM segment_members WHERE entered_at IS NOT NULL "
    f"UNION ALL SELECT project_id, segment_id, customer_id, customer_id || ':' || {_ENDED} || ':entered', 'entered', "
    "entered_at FROM segment_past "
    f"UNION ALL SELECT project_id, segment_id, customer_id, customer_id || ':' || {_ENDED} || ':left', 'left', "
    "left_at FROM segment_past) AS moves",
    row=Move,
    orders={"at": "at"},
    default_order="-at",
    filters={"start_date": From("at"), "end_date": Until("at")},
)
STAYS = ListSpec(
    data_ref="data",
    table="(SELECT stays.*, segments.name, segments.type FROM ("
    "SELECT project_id, customer_id, segment_id, segment_id || ':~' AS id, entered_at, NULL::timestamptz AS left_at "
    "FROM segment_members WHERE entered_at IS NOT NULL "
    f"UNION ALL SELECT project_id, customer_id, segment_id, segment_id || ':' || {_ENDED}, entered_at, left_at "
    "FROM segment_past) AS stays "
    "JOIN segments ON segments.project_id = stays.project_id AND segments.id = stays.segment_id "
    "WHERE segments.state <> 'deleted' AND segments.replaces IS NULL) AS stays",
    row=Stay,
    orders={"entered_at": "entered_at"},
    default_order="-entered_at",
    filters={"start_date": From("entered_at"), "end_date": Until("entered_at")},
)

_OF_CUSTOMER = f"""
SELECT {columns(Stay)} FROM {STAYS.table}
WHERE project_id = $1 AND customer_id = $2
    AND CASE WHEN $3::timestamptz IS NULL THEN left_at IS NULL
        ELSE entered_at <= $3 AND (left_at IS NULL OR left_at > $3) END
ORDER BY entered_at, segment_id
"""


async def of_customer(conn: Connection, project_id: int, customer_id: str, at: datetime | None) -> list[Stay]:
    """Return the segments that a customer is in, or was in `at` a past moment; the oldest membership first."""
    rows = await conn.fetch(_OF_CUSTOMER, project_id, customer_id, at)
    return [Stay(*row) for row in rows]


async def list_members(conn: Connection, project_id: int, segment_id: str, page: Page) -> Found[Member]:
    """Return one page of a segment's customers, or of those of a past moment where the page filters by one."""
    spec = MEMBERS_AS_OF if page.filters else MEMBERS
    return await fetch_page(conn, spec, project_id, page, where={"segment_id": segment_id})


async def list_moves(conn: Connection, project_id: int, segment_id: str, page: Page) -> Found[Move]:
    """Return one page of a segment's enterings and leavings."""
    return await fetch_page(conn, MOVES, project_id, page, where={"segment_id": segment_id})


async def list_stays(conn: Connection, project_id: int, customer_id: str, page: Page) -> Found[Stay]:
    """Return one page of a customer's memberships, those that have ended included."""
    return await fetch_page(conn, STAYS, project_id, page, where={"customer_id": customer_id})


async def customers_by_id(conn: Connection, project_id: int, ids: list[str]) -> dict[str, Customer]:
    """Return those of these customers that (still) exist."""
    rows: list[Any] = await conn.fetch(
        f"SELECT {columns(Customer)} FROM customers WHERE project_id = $1 AND id = ANY ($2)", project_id, ids
    )
    return {row["id"]: Customer(*row) for row in rows}


async def stream_of_customer(conn: Connection, project_id: int, customer_id: str) -> AsyncIterator[Stay]:
    """Yield a customer's memberships, also those that have ended, oldest first, inside a transaction.

    The indexes are segment_members_of_customer and segment_past_of_customer.
    """
    query = (
        f"SELECT {columns(Stay)} FROM {STAYS.table} WHERE project_id = $1 AND customer_id = $2 "
        "ORDER BY entered_at, segment_id"
    )
    async for row in conn.cursor(query, project_id, customer_id, prefetch=500):
        yield Stay(*row)


async def count_of_customer(conn: Connection, project_id: int, customer_id: str) -> int:
    """Return how many segments a customer is in."""
    return int(
        await conn.fetchval(
            "SELECT count(*) FROM segment_members "
            "WHERE project_id = $1 AND customer_id = $2 AND entered_at IS NOT NULL",
            project_id,
            customer_id,
        )
    )


async def erase_of_customer(conn: Connection, project_id: int, customer_id: str) -> int:
    """Delete what is known of a deleted customer's memberships; return how many rows.

    A decision "out" of a segment that is being filled keeps them out until it is; the worker removes it then.
    """
    touched = 0
    for statement in (
        "DELETE FROM segment_members WHERE project_id = $1 AND customer_id = $2 AND entered_at IS NOT NULL",
        "DELETE FROM segment_past WHERE project_id = $1 AND customer_id = $2",
        "DELETE FROM segment_moments WHERE project_id = $1 AND customer_id = $2",
        "UPDATE segment_audits SET last_drift = NULL WHERE project_id = $1 AND last_drift ->> 'customer_id' = $2",
    ):
        done = await conn.execute(statement, project_id, customer_id)
        touched += int(done.rpartition(" ")[2])
    return touched


async def copy_moments(conn: Connection, project_id: int, giver_id: str, taker_id: str) -> None:
    """Watch for a customer the times that are watched for another one, too: a few too many do no harm."""
    await conn.execute(
        "INSERT INTO segment_moments (project_id, field, is_day, at, customer_id, ahead) "
        "SELECT project_id, field, is_day, at, $3, ahead FROM segment_moments "
        "WHERE project_id = $1 AND customer_id = $2 ON CONFLICT DO NOTHING",
        project_id,
        giver_id,
        taker_id,
    )


async def logged_of_customer(conn: Connection, project_id: int, customer_id: str) -> list[tuple[str, str, datetime]]:
    """Return the segments whose entering is in a customer's log: id, name and when."""
    rows = await conn.fetch(
        "SELECT segments.id, segments.name, member.entered_at FROM segment_members AS member "
        "JOIN segments ON segments.project_id = $1 AND segments.id = member.segment_id "
        "WHERE member.project_id = $1 AND customer_id = $2 AND entered_at IS NOT NULL AND logged "
        "AND state <> 'deleted' ORDER BY segments.id",
        project_id,
        customer_id,
    )
    return [tuple(row) for row in rows]


async def static_of_customer(conn: Connection, project_id: int, customer_id: str) -> dict[str, str]:
    """Return the static segments that a customer is in: their names by id."""
    rows = await conn.fetch(
        "SELECT segments.id, segments.name FROM segment_members AS member "
        "JOIN segments ON segments.project_id = $1 AND segments.id = member.segment_id "
        "WHERE member.project_id = $1 AND customer_id = $2 AND entered_at IS NOT NULL "
        "AND segments.type = 'static' AND state <> 'deleted' ORDER BY segments.id",
        project_id,
        customer_id,
    )
    return {row["id"]: row["name"] for row in rows}


async def static_among(conn: Connection, project_id: int, segment_ids: list[str]) -> list[str]:
    """Return those of the static segments that there still are."""
    rows = await conn.fetch(
        "SELECT id FROM segments WHERE project_id = $1 AND id = ANY ($2) AND type = 'static' AND state <> 'deleted' "
        "ORDER BY id",
        project_id,
        segment_ids,
    )
    return [row["id"] for row in rows]


async def with_filter(conn: Connection, project_id: int) -> dict[str, bool]:
    """Return all segments that a filter decides about: whether users see each of them, by id."""
    rows = await conn.fetch(
        "SELECT id, replaces IS NULL AS is_shown FROM segments "
        "WHERE project_id = $1 AND filter IS NOT NULL AND state <> 'deleted' ORDER BY id",
        project_id,
    )
    return {row["id"]: row["is_shown"] for row in rows}
