"""Membership held against everything that tells of it: Python, SQL, the stored rows, the log, the intervals."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rapport.core.db import Connection, Database
from rapport.customers.models import Customer
from rapport.segments.evaluate import Facts, evaluate, matches
from rapport.segments.filters import Filter, Window, parse
from rapport.segments.sql import compile_filter
from rapport.segments.times import to_ms

Pair = tuple[str, str]
"""A segment and a customer."""
Interval = tuple[datetime, datetime]
COLUMNS = ", ".join(Customer.__struct_fields__)
# `left` is written before `entered` where both are of one moment, so only the order of the log is the order of things.
_LOG = """
SELECT payload #>> '{segment,id}' AS segment_id, customer_id, replace(type, 'customer.segment.', '') AS kind, created_at
FROM activity WHERE project_id = $1 AND type IN ('customer.segment.entered', 'customer.segment.left') ORDER BY seq
"""
_AS_OF = """
SELECT segment_id, customer_id FROM segment_members WHERE project_id = $1 AND entered_at <= $2
UNION ALL
SELECT segment_id, customer_id FROM segment_past WHERE project_id = $1 AND entered_at <= $2 AND left_at > $2
"""


@dataclass(frozen=True)
class Picture:
    """All that a project's membership depends on and all that is written of it, at one moment."""

    now: datetime
    zone: ZoneInfo
    customers: dict[str, Customer]
    segments: dict[str, Any]
    rows: dict[str, dict[str, list[Any]]]
    members: dict[Pair, tuple[datetime | None, bool]]
    past: dict[Pair, list[Interval]]
    log: dict[Pair, list[tuple[str, datetime]]]

    @property
    def filters(self) -> dict[str, Filter]:
        """The segments that have a filter, each after those that its filter names."""
        parsed = {one: parse(row["filter"]) for one, row in self.segments.items() if row["filter"] is not None}
        ordered: dict[str, Filter] = {}

        def visit(segment_id: str) -> None:
            if segment_id in parsed and segment_id not in ordered:
                for named in sorted(parsed[segment_id].segment_ids):
                    visit(named)
                ordered[segment_id] = parsed[segment_id]

        for segment_id in sorted(parsed):
            visit(segment_id)
        return ordered

    def inside(self, segment_id: str) -> set[str]:
        """Return who is stored as a member."""
        return {who for (segment, who), (at, _) in self.members.items() if segment == segment_id and at is not None}


async def read(db: Database, project_id: int) -> Picture:
    """Take the picture, of one snapshot."""
    async with db.read() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        return await _read(conn, db, project_id)


async def _read(conn: Connection, db: Database, project_id: int) -> Picture:
    head = await conn.fetchrow(
        "SELECT date_trunc('milliseconds', clock_timestamp() + $2::interval) AS now, time_zone FROM projects "
        "WHERE project_id = $1",
        project_id,
        db.clock_offset,
    )
    customers = [
        Customer(*row) for row in await conn.fetch(f"SELECT {COLUMNS} FROM customers WHERE project_id = $1", project_id)
    ]
    rows: dict[str, dict[str, list[Any]]] = {}
    for table, condition in (("events", ""), ("orders", "AND status IN ('PAID', 'FULFILLED')")):
        rows[table] = defaultdict(list)
        for row in await conn.fetch(
            f"SELECT * FROM {table} WHERE project_id = $1 {condition} ORDER BY created_at DESC", project_id
        ):
            rows[table][row["customer_id"]].append(row)
    past: dict[Pair, list[Interval]] = defaultdict(list)
    for row in await conn.fetch("SELECT * FROM segment_past WHERE project_id = $1 ORDER BY seq", project_id):
        past[row["segment_id"], row["customer_id"]].append((row["entered_at"], row["left_at"]))
    log: dict[Pair, list[tuple[str, datetime]]] = defaultdict(list)
    for segment_id, customer_id, kind, at in await conn.fetch(_LOG, project_id):
        log[segment_id, customer_id].append((kind, at))
    return Picture(
        now=head["now"],
        zone=ZoneInfo(head["time_zone"]),
        customers={one.id: one for one in customers},
        segments={
            row["id"]: row for row in await conn.fetch("SELECT * FROM segments WHERE project_id = $1", project_id)
        },
        rows=rows,
        members={
            (row["segment_id"], row["customer_id"]): (row["entered_at"], row["logged"])
            for row in await conn.fetch("SELECT * FROM segment_members WHERE project_id = $1", project_id)
        },
        past=past,
        log=log,
    )


def _windows(picture: Picture, customer_id: str, windows: Iterable[Window]) -> dict[Window, list[tuple[int, int]]]:
    """Return what is in the windows, put together without SQL; also what is still to come."""
    found: dict[Window, list[tuple[int, int]]] = {}
    for window in windows:
        lower, upper = window.fixed(picture.zone)
        found[window] = [
            (to_ms(row["created_at"]), row.get("total_amount", 0))
            for row in map(dict, picture.rows[window.source].get(customer_id, ()))
            if window.source != "events" or row["name"] == window.name
            if lower <= to_ms(row["created_at"]) < upper
            if window.where is None or window.where.check(row, picture.zone)
        ]
    return found


def by_python(picture: Picture, statics: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Return who is in which segment by the Python meaning of the filters, none of the stored rows looked at."""
    found = {segment_id: members & picture.customers.keys() for segment_id, members in statics.items()}
    for segment_id, filter_ in picture.filters.items():
        found[segment_id] = {
            who
            for who, facts in all_facts(picture, filter_, found)
            if matches(filter_, facts, picture.now, picture.zone)
        }
    return found


def all_facts(picture: Picture, filter_: Filter, members: Mapping[str, set[str]]) -> Iterable[tuple[str, Facts]]:
    """Yield for each customer what the filter may look at."""
    for who, customer in picture.customers.items():
        inside = frozenset(segment_id for segment_id, ids in members.items() if who in ids)
        yield who, Facts(customer, inside, _windows(picture, who, filter_.windows))


def next_turns(picture: Picture, statics: Mapping[str, set[str]]) -> list[datetime]:
    """Return the moments at which Python says that something may turn."""
    members = by_python(picture, statics)
    turns = {
        until
        for filter_ in picture.filters.values()
        for _, facts in all_facts(picture, filter_, members)
        if (until := evaluate(filter_, facts, picture.now, picture.zone).until) is not None
    }
    return sorted(turns)


async def by_sql(db: Database, project_id: int, picture: Picture) -> dict[str, set[str]]:
    """Return who is in which segment by the SQL meaning of the filters, at the moment of the picture."""
    parameters: list[Any] = [project_id]
    columns = []
    filters = picture.filters
    for filter_ in filters.values():
        condition = compile_filter(
            filter_,
            now=picture.now,
            zone_name=picture.zone.key,
            project_id=project_id,
            first_parameter=len(parameters) + 1,
        )
        columns.append(f", ({condition.text}) IS TRUE")
        parameters += condition.parameters
    async with db.read() as conn:
        rows = await conn.fetch(
            f"SELECT c.id{''.join(columns)} FROM customers AS c WHERE c.project_id = $1", *parameters
        )
    return {segment_id: {row[0] for row in rows if row[number]} for number, segment_id in enumerate(filters, start=1)}


def assert_sound(picture: Picture, converted: set[str]) -> None:
    """Assert that log and intervals are in order; segments in `converted` have changed their type meanwhile."""
    for pair, moves in picture.log.items():
        kinds = [kind for kind, _ in moves]
        assert kinds == (["entered", "left"] * len(kinds))[: len(kinds)], (pair, moves)
    for pair, intervals in picture.past.items():
        ended = [at for interval in intervals for at in interval]
        current = picture.members.get(pair, (None, False))[0]
        assert [*ended, current or picture.now] == sorted([*ended, current or picture.now]), (pair, intervals, current)
    for segment_id, row in picture.segments.items():
        for who in picture.customers:
            pair = segment_id, who
            current, logged = picture.members.get(pair, (None, False))
            moves = picture.log.get(pair, [])
            assert (bool(moves) and moves[-1][0] == "entered") == (current is not None and logged), (pair, moves)
            if segment_id in converted:
                continue
            if row["type"] != "auto-update":
                assert moves == [], pair
            else:
                open_end = [] if current is None else [current]
                assert [at for _, at in moves] == [*sum(picture.past.get(pair, []), ()), *open_end], (pair, moves)


def assert_settled(picture: Picture) -> None:
    """Assert that nothing is left over: no rows of segments that are gone, no decisions "out"."""
    assert {row["state"] for row in picture.segments.values()} <= {"live"}
    assert {row["replaces"] for row in picture.segments.values()} <= {None}
    for (segment_id, who), (at, _) in picture.members.items():
        assert segment_id in picture.segments, f"a member of a segment that is gone: {segment_id}"
        assert who in picture.customers, f"a member who is gone: {who}"
        assert at is not None, f"a decision that is needed no more: {segment_id} {who}"
    assert {segment_id for segment_id, _ in picture.past} <= picture.segments.keys()


async def assert_exact(
    db: Database, project_id: int, statics: Mapping[str, set[str]] | None = None, converted: set[str] | None = None
) -> Picture:
    """Assert that Python, SQL, the stored members, the log and the intervals tell the same of a settled project.

    `statics`: the static segments with the customers that were put into them, deleted ones included.
    """
    picture = await read(db, project_id)
    assert_settled(picture)
    python = by_python(picture, statics or {})
    sql = await by_sql(db, project_id, picture)
    for segment_id, row in picture.segments.items():
        told = f"{segment_id} {row['type']} {row['filter']} at {picture.now.isoformat()} in {picture.zone.key}"
        stored = picture.inside(segment_id)
        assert stored == python[segment_id], f"stored and Python: {told}"
        assert stored == sql.get(segment_id, stored), f"stored and SQL: {told}"
    assert_sound(picture, converted or set())
    return picture


async def as_of(db: Database, project_id: int, at: datetime) -> set[Pair]:
    """Return who was in which segment at a moment."""
    async with db.read() as conn:
        return {(row[0], row[1]) for row in await conn.fetch(_AS_OF, project_id, at)}


async def assert_history(
    db: Database, project_id: int, seen: Mapping[datetime, set[Pair]], converted: set[str]
) -> None:
    """Assert that the memberships as of each moment are those that were seen then, and those the log tells of.

    Segments and customers that are gone since are left out; the log of segments in `converted` is not the whole story.
    """
    picture = await read(db, project_id)
    there = {(segment_id, who) for segment_id in picture.segments for who in picture.customers}
    for at, pairs in seen.items():
        assert await as_of(db, project_id, at) & there == pairs & there, at
    logged = {one for one, row in picture.segments.items() if row["type"] == "auto-update"} - converted
    for at in sorted({at for moves in picture.log.values() for _, at in moves})[-20:]:
        folded = {
            pair
            for pair, moves in picture.log.items()
            if pair[0] in logged and [kind for kind, moved_at in moves if moved_at <= at][-1:] == ["entered"]
        }
        found = {pair for pair in await as_of(db, project_id, at) if pair[0] in logged}
        assert found & there == folded & there, at
