"""Segments as a marketing team has them: a mix of fields, each matching few customers, complete from the start."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from benchmarks import queries
from benchmarks.population import COUNTRIES, TOWNS_EACH, VISITS, Population
from rapport.core.db import Connection, Database
from rapport.core.ids import new_id
from rapport.segments.filters import parse
from rapport.segments.models import Segment
from rapport.segments.queries import begin_time, bump_version
from rapport.segments.sql import compile_filter

FLIPPING = 3
# Spans that people use: many segments look through the same few.
_DAYS = (7, 14, 30, 45, 60, 90, 120, 180, 270, 365)
_TIERS = ("none", "bronze", "silver", "gold")

Filter = dict[str, Any]


def _of(field: str, operator: str, *operands: Any) -> Filter:
    return {field: {"conditions": {operator: list(operands)}}}


def _town(number: int) -> str:
    return f"{COUNTRIES[number % len(COUNTRIES)]} {number // len(COUNTRIES) % TOWNS_EACH}"


def _country(number: int) -> Filter:
    return _of("address.country", "$is", COUNTRIES[number % len(COUNTRIES)])


def _city(number: int) -> Filter:
    return _of("address.city", "$is", _town(number))


def _days(number: int) -> int:
    return _DAYS[number % len(_DAYS)]


# No filter here looks at metadata.level, and none has a threshold of metadata.visits within one ten: the updates of
# `flips` move both.
_KINDS: tuple[Callable[[int], Filter], ...] = (
    lambda i: _city(i) | _of("summary.orders.total_count", "$more_than", i % 5),
    lambda i: _country(i) | _of("summary.orders.total_amount", "$more_than", 20_000 + 500 * (i % 199)),
    lambda i: (
        _of("metadata.visits", "$more_than", i % 1250 * 10) | _of("metadata.tier", "$is", _TIERS[i % 4]) | _city(i)
    ),
    lambda i: {"metadata.visits": {"conditions": {"$more_than": [i % 1240 * 10], "$less_than": [i % 1240 * 10 + 100]}}},
    lambda i: _of("summary.orders.last_order_date", "$less_than_ago", _days(i)) | _city(i),
    lambda i: _of("summary.orders.last_order_date", "$more_than_ago", _days(i)) | _city(i + 7),
    lambda i: _of("created_at", "$less_than_ago", _days(i)) | _city(i + 13) | _of("metadata.newsletter", "$is", "true"),
    lambda i: _of("birthdate", "$more_than_ago", 7_305 + 365 * (i % 40)) | _city(i + 3),
    lambda i: (
        {"events.review_written": {"conditions": {"$count_more": [i % 3], "$less_than_ago": [_days(i)]}}} | _city(i)
    ),
    lambda i: (
        _of("email", "$ends_with", f"@mail{i % 40}.example.com") | _of("metadata.score", "$more_than", 80 + i % 20)
    ),
)


def filters(count: int) -> Iterator[Filter]:
    """Yield `count` filters; the first three hold while `metadata.level` is A, which it is for nobody at first."""
    level = _of("metadata.level", "$is", "A")
    yield level
    yield level | _of("metadata.visits", "$less_than", VISITS * 10)
    yield level | _of("address.country", "$has_value", "")
    for number in range(count - FLIPPING):
        yield _KINDS[number % len(_KINDS)](number // len(_KINDS))


async def add(db: Database, population: Population, count: int) -> None:
    """Give a project `count` live segments with their members, straight by SQL."""

    async def work(conn: Connection) -> None:
        version = await bump_version(conn, population.project_id)
        for filter_ in filters(count):
            await insert(conn, population, filter_, version)

    await db.transaction(work)
    async with db.read() as conn:
        await queries.settle_tables(conn)


async def add_one(db: Database, population: Population, filter_: Filter) -> Segment:
    """Give a project one live segment with its members; return it."""

    async def work(conn: Connection) -> Segment:
        version = await bump_version(conn, population.project_id)
        return await insert(conn, population, filter_, version)

    return await db.transaction(work)


async def insert(conn: Connection, population: Population, filter_: Filter, version: int) -> Segment:
    """Insert an auto-update segment and who matches it now."""
    now = await queries.read_now(conn)
    parsed = parse(filter_)
    segment = Segment(new_id("seg"), "A segment", "auto-update", filter_, "live", now, None)
    await begin_time(conn, population.project_id, timedelta(0))
    await queries.insert_live(conn, population.project_id, segment, parsed.size, version)
    condition = compile_filter(parsed, now=now, zone_name="UTC", project_id=population.project_id, first_parameter=5)
    await queries.insert_members(conn, population.project_id, segment.id, now, condition)
    return segment
