"""The passing of time: many customers leave a segment at one instant, while nothing is written, or while much is."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from benchmarks import catalogue, load, queries
from benchmarks.flips import Updates
from benchmarks.population import Population
from benchmarks.report import Aim, Line
from benchmarks.world import World
from rapport.segments.filters import parse
from rapport.segments.sql import compile_filter

_DAY_MS = 86_400_000
# A day has 27 as a factor: a span of so many milliseconds is a finite decimal of days.
_GRAIN_MS = 27
_POLL_S = 0.25
_PATIENCE_S = 1_200


@dataclass(frozen=True)
class Due:
    """A segment that so many customers leave at one instant."""

    segment_id: str
    filter: dict[str, Any]
    at: datetime
    number: int


@dataclass(frozen=True)
class Passed:
    """How many left, and seconds from the instant to the first and the last of them."""

    number: int
    first_s: float
    last_s: float


async def measure(world: World, people: Population) -> AsyncIterator[Line]:
    """Yield the lines of a thousand due and of ten thousand, against filling the segment's members anew."""
    of = people.dues
    each = {}
    for shared, number in ((of.one_at, people.size // of.every), (of.ten_at, 10 * (people.size // of.every))):
        due = await _prepare(world, people, "summary.orders.last_order_date", shared, number)
        passed = await _passed(world, people, due)
        recompute_s, rows = await _recompute(world, people, due)
        each[number] = passed.last_s / passed.number
        yield Line(
            f"time: {passed.number:,} due among {people.size:,}",
            f"the last {passed.last_s:.2f} s after its moment, the first {passed.first_s:.2f} s",
            f"full recompute, {rows:,} members: {recompute_s:.2f} s",
            recompute_s / passed.last_s,
        )
    (few, few_s), (many, many_s) = each.items()
    yield Line(
        f"time for each that is due, {many:,} against {few:,}",
        f"{many_s * 1000:.2f} ms",
        f"{few_s * 1000:.2f} ms",
        many_s / few_s,
        Aim(at_most=3),
    )


async def measure_storm(world: World, people: Population) -> AsyncIterator[Line]:
    """Yield the line of live updates while a great many customers are due at once."""
    of = people.dues
    updates = Updates(people).requests(0, 1, flip=False)
    due = await _prepare(world, people, "created_at", of.imported_at, of.imported, wait_s=2 * world.seconds + 5)
    port, rate, connections = world.running.port, world.rate, world.connections
    idle = (await load.paced_for(port, rate, 2 * world.seconds, updates, connections=connections)).checked(200)
    await _until(world, due.at)
    over = asyncio.Event()
    traffic = asyncio.create_task(load.paced(port, rate, over, updates, connections=connections))
    passed = await _passed(world, people, due)
    over.set()
    during = (await traffic).checked(200)
    for percent in (50, 99):
        then, before = during.percentile_ms(percent), idle.percentile_ms(percent)
        yield Line(
            f"{passed.number:,} due at once, done in {passed.last_s:.0f} s: p{percent} of updates, {rate:g}/s",
            f"{then:.1f} ms",
            f"idle: {before:.1f} ms",
            then / before,
            Aim(at_most=2) if percent == 99 else None,
        )


async def _prepare(
    world: World, people: Population, field: str, shared: datetime, number: int, wait_s: float = 0
) -> Due:
    """Make a segment that those who share an instant leave soon: when the others are in and `wait_s` has passed."""
    async with world.db.read() as conn:
        now = await queries.read_now(conn)
    soon = now + timedelta(seconds=5 + people.size / 50_000 + wait_s)
    span_ms = -(-((soon - shared) // timedelta(milliseconds=1)) // _GRAIN_MS) * _GRAIN_MS
    days = Decimal(span_ms) / _DAY_MS
    filter_ = {field: {"conditions": {"$less_than_ago": [f"{days:f}"]}}}
    segment = await catalogue.add_one(world.db, people, filter_)
    due = Due(segment.id, filter_, shared + timedelta(milliseconds=span_ms), number)
    async with world.db.read() as conn:
        if await queries.read_now(conn) >= due.at - timedelta(seconds=wait_s):
            raise RuntimeError("filling the segment took longer than the time allowed for it")
    return due


async def _until(world: World, at: datetime) -> None:
    async with world.db.read() as conn:
        await asyncio.sleep(max(0.0, (at - await queries.read_now(conn)).total_seconds()))


async def _passed(world: World, people: Population, due: Due) -> Passed:
    """Wait until all who are due have left; the times are those of their leaving, as stored."""
    await _until(world, due.at)
    deadline = time.monotonic() + _PATIENCE_S
    async with world.db.read() as conn:
        while True:
            number, first, last = await queries.left_since(conn, people.project_id, due.segment_id, due.at)
            if number >= due.number and first is not None and last is not None:
                return Passed(number, (first - due.at).total_seconds(), (last - due.at).total_seconds())
            if time.monotonic() > deadline:
                raise RuntimeError(f"only {number} of {due.number} have left")
            await asyncio.sleep(_POLL_S)


async def _recompute(world: World, people: Population, due: Due) -> tuple[float, int]:
    """Return the seconds it takes to insert the segment's members into an empty table, and how many they are."""
    async with world.db.read() as conn:
        await queries.make_bare_tables(conn)
        now = await queries.read_now(conn)
        condition = compile_filter(
            parse(due.filter), now=now, zone_name="UTC", project_id=people.project_id, first_parameter=5
        )
        started = time.perf_counter()
        rows = await queries.insert_members(conn, people.project_id, due.segment_id, now, condition, bare=True)
        taken_s = time.perf_counter() - started
        await queries.drop_bare_tables(conn)
    return taken_s, rows
