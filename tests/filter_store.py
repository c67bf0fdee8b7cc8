"""Both evaluators on the same world: tables for the SQL one, facts for the Python one."""

import dataclasses
import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from filter_worlds import World
from rapport.core.db import Connection
from rapport.customers.models import Customer
from rapport.segments.evaluate import Facts, matches
from rapport.segments.filters import Filter, Window
from rapport.segments.sql import compile_filter

TABLES = ("customers", "events", "segment_members")
COLUMNS = Customer.__struct_fields__


class Store:
    """A connection with empty tables of its own, shaped as the real ones; each world becomes a project in them."""

    def __init__(self, conn: Connection, run: Callable[[Awaitable[Any]], Any]) -> None:
        """Use `run` to wait for the connection."""
        self._conn = conn
        self.run = run
        self._projects = itertools.count(1)

    async def prepare(self) -> None:
        """Make the tables, hiding the real ones from this connection."""
        for table in TABLES:
            await self._conn.execute(f"CREATE TEMP TABLE {table} (LIKE public.{table} INCLUDING ALL)")

    async def fill(self, world: World) -> int:
        """Write a world and return its project."""
        project_id = next(self._projects)
        placeholders = ", ".join(f"${number + 2}" for number in range(len(COLUMNS)))
        rows = [(project_id, *msgspec.structs.astuple(customer)) for customer in world.customers]
        await self._conn.executemany(
            f"INSERT INTO customers (project_id, {', '.join(COLUMNS)}) VALUES ($1, {placeholders})", rows
        )
        await self._conn.executemany(
            "INSERT INTO events (project_id, customer_id, name, created_at, id, metadata) "
            "VALUES ($1, $2, $3, $4, $5, '{}')",
            [
                (project_id, world.customers[who].id, name, at, str(number))
                for number, (who, name, at) in enumerate(world.events)
            ],
        )
        await self._conn.executemany(
            "INSERT INTO segment_members (project_id, segment_id, customer_id, entered_at) VALUES ($1, $2, $3, $4)",
            [(project_id, segment, world.customers[who].id, world.now) for segment, who in world.members],
        )
        return project_id

    async def members(self, project_id: int, filters: Sequence[Filter], now: datetime, zone: str) -> list[list[bool]]:
        """Return for each customer what SQL says about each filter."""
        parameters: list[Any] = [project_id]
        columns = []
        for one in filters:
            condition = compile_filter(
                one, now=now, zone_name=zone, project_id=project_id, first_parameter=len(parameters) + 1
            )
            columns.append(f"({condition.text})")
            parameters += condition.parameters
        rows = await self._conn.fetch(
            f"SELECT {', '.join(columns)} FROM customers c WHERE c.project_id = $1 ORDER BY c.id", *parameters
        )
        return [list(row) for row in rows]

    async def stored(self, project_id: int) -> list[Customer]:
        """Return the customers as they come back."""
        rows = await self._conn.fetch(
            f"SELECT {', '.join(COLUMNS)} FROM customers WHERE project_id = $1 ORDER BY id", project_id
        )
        return [Customer(**dict(row)) for row in rows]


def numbered(world: World) -> World:
    """Give the customers ids, and source ids that do not clash."""
    taken: set[str | None] = set()
    customers = []
    for number, customer in enumerate(world.customers):
        source_id = None if customer.source_id in taken else customer.source_id
        taken.add(source_id)
        customers.append(msgspec.structs.replace(customer, id=str(number), source_id=source_id))
    return dataclasses.replace(world, customers=customers)


def loaded(world: World, who: int, filter_: Filter, now: datetime) -> Mapping[Window, Sequence[datetime]]:
    """Return what a caller has to load at `now`: the newest events in each window, and what is still to come."""
    times = {}
    for window in filter_.windows:
        since, until = window.bounds(now, world.zone)
        own = sorted((at for number, name, at in world.events if number == who and name == window.name), reverse=True)
        times[window] = [at for at in own if at > now] + [at for at in own if since <= at < until][: window.limit]
    return times


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
