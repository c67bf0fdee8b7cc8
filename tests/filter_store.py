"""Both evaluators on the same world: tables for the SQL one, facts for the Python one."""

import dataclasses
import itertools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from filter_worlds import World
from rapport.core.db import Connection
from rapport.customers.models import Customer
from rapport.segments.evaluate import Facts, matches
from rapport.segments.filters import Filter, Window
from rapport.segments.models import StoredMoment
from rapport.segments.sql import compile_filter
from rapport.segments.stored.queries import keep_moments
from rapport.segments.times import to_ms
from rapport.segments.tree import EVENTS
from rapport.segments.windows.queries import load_windows

TABLES = ("customers", "events", "orders", "segment_members", "segment_moments")
COLUMNS = Customer.__struct_fields__
ORDER_VALUES = ("source_id", "amount", "discount_amount", "total_amount", "items", "metadata")


class Store:
    """A connection with empty tables of its own, shaped as the real ones; each world becomes a project in them."""

    def __init__(self, conn: Connection, run: Callable[[Awaitable[Any]], Any]) -> None:
        """Use `run` to wait for the connection."""
        self.conn = conn
        self.run = run
        self._projects = itertools.count(1)

    async def prepare(self) -> None:
        """Make the tables, hiding the real ones from this connection."""
        for table in TABLES:
            await self.conn.execute(f"CREATE TEMP TABLE {table} (LIKE public.{table} INCLUDING ALL)")

    async def fill(self, world: World) -> int:
        """Write a world and return its project."""
        project_id = next(self._projects)
        placeholders = ", ".join(f"${number + 2}" for number in range(len(COLUMNS)))
        rows = [(project_id, *msgspec.structs.astuple(customer)) for customer in world.customers]
        await self.conn.executemany(
            f"INSERT INTO customers (project_id, {', '.join(COLUMNS)}) VALUES ($1, {placeholders})", rows
        )
        await self._fill_rows(project_id, world)
        await self.conn.executemany(
            "INSERT INTO segment_members (project_id, segment_id, customer_id, entered_at, logged) "
            "VALUES ($1, $2, $3, $4, TRUE)",
            [(project_id, segment, world.customers[who].id, world.now) for segment, who in world.members],
        )
        return project_id

    async def _fill_rows(self, project_id: int, world: World) -> None:
        events, orders = [], []
        for number, row in enumerate(world.rows):
            key = project_id, world.customers[row.who].id, str(number), row.at
            if row.source == EVENTS:
                events.append((*key, row.name, row.values["metadata"]))
            else:
                orders.append((*key, row.name, *(row.values[name] for name in ORDER_VALUES)))
        await self.conn.executemany(
            "INSERT INTO events (project_id, customer_id, id, created_at, name, metadata) "
            "VALUES ($1, $2, $3, $4, $5, $6)",
            events,
        )
        placeholders = ", ".join(f"${number + 6}" for number in range(len(ORDER_VALUES)))
        await self.conn.executemany(
            "INSERT INTO orders (project_id, customer_id, id, created_at, status, "
            f"{', '.join(ORDER_VALUES)}, applied_discount_amount, redemptions) "
            f"VALUES ($1, $2, $3, $4, $5, {placeholders}, 0, '{{}}')",
            orders,
        )

    async def fill_moments(
        self, project_id: int, now: datetime, moments: Iterable[tuple[str, StoredMoment, str]]
    ) -> None:
        """Write the dates that the passing of time looks at: (field, date, customer)."""
        await keep_moments(self.conn, project_id, now, list(dict.fromkeys(moments)), [])

    async def load(
        self, project_id: int, who: Sequence[str], filter_: Filter, now: datetime, zone: ZoneInfo, *, ahead: bool
    ) -> dict[str, dict[Window, list[tuple[int, int]]]]:
        """Return for each customer what is loaded for a filter's windows."""
        found: dict[str, dict[Window, list[tuple[int, int]]]] = {one: {} for one in who}
        for number, customer_id, pairs in await load_windows(
            self.conn, project_id, now, zone, who, filter_.windows, ahead=ahead
        ):
            found[customer_id][filter_.windows[number]] = pairs
        return found

    async def members(
        self, project_id: int, filters: Sequence[Filter], now: datetime, zone: str, *, whole: bool = False
    ) -> list[list[bool]]:
        """Return for each customer what SQL says about each filter."""
        parameters: list[Any] = [project_id]
        columns = []
        for one in filters:
            condition = compile_filter(
                one,
                now=now,
                zone_name=zone,
                project_id=project_id,
                first_parameter=len(parameters) + 1,
                whole=whole,
            )
            columns.append(f"({condition.text}) IS TRUE")
            parameters += condition.parameters
        rows = await self.conn.fetch(
            f"SELECT {', '.join(columns)} FROM customers c WHERE c.project_id = $1 ORDER BY c.id", *parameters
        )
        return [list(row) for row in rows]

    async def stored(self, project_id: int) -> list[Customer]:
        """Return the customers as they come back."""
        rows = await self.conn.fetch(
            f"SELECT {', '.join(COLUMNS)} FROM customers WHERE project_id = $1 ORDER BY id", project_id
        )
        return [Customer(**dict(row)) for row in rows]


def numbered(world: World) -> World:
    """Give the customers ids, and them and the orders source ids that do not clash."""
    taken: set[str | None] = set()
    customers = []
    for number, customer in enumerate(world.customers):
        source_id = None if customer.source_id in taken else customer.source_id
        taken.add(source_id)
        customers.append(msgspec.structs.replace(customer, id=str(number), source_id=source_id))
    taken = set()
    rows = []
    for row in world.rows:
        source_id = row.values.get("source_id")
        values = row.values | {"source_id": None} if source_id in taken else row.values
        taken.add(source_id)
        rows.append(dataclasses.replace(row, values=values))
    return dataclasses.replace(world, customers=customers, rows=rows)


def loaded(world: World, who: int, filter_: Filter, now: datetime) -> dict[Window, list[tuple[int, int]]]:
    """Return what a caller has to load at `now`: the newest in each window, and what is still to come."""
    found = {}
    for window in filter_.windows:
        since, until = window.bounds(now, world.zone)
        own = sorted(
            (
                (row.at, row.amount)
                for row in world.rows
                if row.who == who and row.source == window.source and row.counts
                if row.source != EVENTS or row.name == window.name
                if window.where is None or window.where.check(row.values, world.zone)
            ),
            reverse=True,
        )
        past = [(at, amount) for at, amount in own if since <= at < until][: window.limit]
        ahead = [(at, amount) for at, amount in own if at > now]
        found[window] = [(to_ms(at), amount) for at, amount in ahead + past]
    return found


def facts(world: World, who: int, customer: Customer, filter_: Filter, now: datetime) -> Facts:
    """Return the facts of one customer at a moment."""
    segments = frozenset(segment for segment, number in world.members if number == who)
    return Facts(customer, segments, loaded(world, who, filter_, now))


def verdicts(world: World, customers: Sequence[Customer], filters: Sequence[Filter], now: datetime) -> list[list[bool]]:
    """Return for each customer what Python says about each filter."""
    return [
        [matches(one, facts(world, who, customer, one, now), now, world.zone) for one in filters]
        for who, customer in enumerate(customers)
    ]
