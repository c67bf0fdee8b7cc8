"""The stages of the benchmarks: each starts from a server of its own and yields a line for each workload."""

import functools
from collections.abc import AsyncIterator, Callable, Iterator

from benchmarks import (
    building,
    catalogue,
    codes,
    crossings,
    exporting,
    flips,
    imports,
    load,
    pgbench,
    population,
    previews,
    profiles,
    queries,
    redemption,
    scale,
    sizes,
    upsert,
)
from benchmarks.population import Population
from benchmarks.report import Aim, Line
from benchmarks.world import World

Stage = Callable[[World], AsyncIterator[Line]]
_PROJECT = 1


async def writes(world: World) -> AsyncIterator[Line]:
    """Measure customers and redemptions over HTTP against pgbench, without segments."""
    running = world.running
    for fill in (upsert.fill, redemption.fill):
        filled = await load.closed(running.port, 1, 3_600, functools.partial(_once, fill(running.headers)))
        filled.checked(200)
    for name, new in (("customer upsert: update", False), ("customer upsert: create", True)):
        made = functools.partial(upsert.requests, running.headers, new=new)
        full = (await load.closed(running.port, world.connections, world.seconds, made)).checked(200)
        yield await _against(world, name, full, await upsert.script(running.url, _PROJECT, new=new))
    for name, hot in (("redemption: 1,000 codes", False), ("redemption: one hot code", True)):
        made = functools.partial(redemption.requests, running.headers, hot=hot)
        full = (await load.closed(running.port, world.connections, world.seconds, made)).checked(200)
        yield await _against(world, name, full, await redemption.script(running.url, _PROJECT, hot=hot))
        if hot:
            alone = await world.bare(redemption.counter())
            told = "one hot code against a counter in one row"
            yield Line(told, f"{full.per_second:,.0f}/s", f"pgbench: {alone:,.0f}/s", full.per_second / alone, Aim(0.5))
    made = functools.partial(redemption.validations, running.headers)
    full = (await load.closed(running.port, world.connections, world.seconds, made)).checked(200)
    yield Line(
        "validation of 5 stacked redeemables",
        f"{full.per_second:,.0f}/s, p50 {full.percentile_ms(50):.1f} ms, p99 {full.percentile_ms(99):.1f} ms",
    )
    yield sizes.memory_line(world, "memory without segments")


def _once(requests: Iterator[bytes], _number: int) -> Iterator[bytes]:
    return requests


async def _against(world: World, name: str, full: load.Result, script: pgbench.Script) -> Line:
    bare = await world.bare(script)
    return Line(
        name,
        f"{full.per_second:,.0f}/s, p50 {full.percentile_ms(50):.1f} ms, p99 {full.percentile_ms(99):.1f} ms",
        f"pgbench: {bare:,.0f}/s",
        full.per_second / bare,
        Aim(at_least=0.3),
    )


async def segments(world: World) -> AsyncIterator[Line]:
    """Measure updates with many segments: their cost must not grow with them."""
    async for line in flips.measure(world):
        yield line


async def customers(world: World) -> AsyncIterator[Line]:
    """Measure with many customers: time, previews, new segments, and updates at two sizes."""
    few: dict[bool, float] = {}
    many: dict[bool, float] = {}
    small = await _populated(world, "few", world.customers // 10)
    async for line in scale.measure(world, small, few):
        yield line
    large = await _populated(world, "many", world.customers)
    async for line in sizes.table_lines(world):
        yield line
    for measure in (previews.measure, building.measure, crossings.measure, crossings.measure_storm):
        async for line in measure(world, large):
            yield line
    # Last, because what pgbench writes leaves the customers all alike.
    async with world.db.read() as conn:
        await queries.settle_tables(conn)
    async for line in scale.measure(world, large, many):
        yield line
    for line in scale.compare(small.size, large.size, few, many):
        yield line
    yield sizes.memory_line(world, f"memory with {large.size:,} customers")


async def profile(world: World) -> AsyncIterator[Line]:
    """Measure the profile of a customer with little and with much history against reading the customer alone."""
    people = await population.fill(world.db, "profiles", world.customers // 10)
    async for line in profiles.measure(world, people):
        yield line


async def _populated(world: World, name: str, size: int) -> Population:
    people = await population.fill(world.db, name, size)
    await catalogue.add(world.db, people, scale.SEGMENTS)
    return people


async def exports(world: World) -> AsyncIterator[Line]:
    """Measure the writing of files."""
    async for line in exporting.measure(world, await population.fill(world.db, "exports", world.customers)):
        yield line
    yield sizes.memory_line(world, "memory after exports")


STAGES: dict[str, Stage] = {
    "writes": writes,
    "segments": segments,
    "customers": customers,
    "exports": exports,
    "profile": profile,
    "imports": imports.measure,
    "codes": codes.measure,
}
