"""All SQL of the history of memberships: segment_members has those that last, segment_past those that have ended."""

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
