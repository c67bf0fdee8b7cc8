"""Updates of a customer in a project with many segments: those that turn no membership, and those that turn three."""

import functools
import json
import random
from collections.abc import AsyncIterator, Iterator
from statistics import median

from benchmarks import catalogue, deciding, load, population, sizes
from benchmarks.population import Population
from benchmarks.report import Aim, Line
from benchmarks.world import World

CUSTOMERS = 2_000
_WARM_UP_S = 3
_TURNS = 5
COUNTS = (100, 1_000, 10_000)


class Updates:
    """Makes requests that update known customers.

    Each changes the name and `metadata.visits`, of which many segments have thresholds, but none within a ten. Those
    that flip also turn `metadata.level`, on which exactly three segments hang, from B to A or back.
    """

    def __init__(self, people: Population) -> None:
        self._people = people
        self._high: set[int] = set()

    def requests(self, number: int, connections: int, *, flip: bool) -> Iterator[bytes]:
        """Yield the requests of one of so many connections; each has its own customers, so none waits for a row."""
        draw = random.Random(number)
        while True:
            one = draw.randrange(self._people.size // connections) * connections + number + 1
            if flip:
                self._high ^= {one}
            yield self._request(one, draw)

    def _request(self, one: int, draw: random.Random) -> bytes:
        visits = population.visits_base(one) + draw.randrange(1, 10)
        body = {
            "source_id": population.source_id(one),
            "name": f"Name {draw.random()}",
            "metadata": {"visits": visits, "level": "A" if one in self._high else "B"},
        }
        return load.request("POST", "/v1/customers", self._people.headers, json.dumps(body).encode())


async def measure(world: World) -> AsyncIterator[Line]:
    """Yield the lines of updates with 100, 1,000 and 10,000 segments."""
    made = {}
    for count in COUNTS:
        people = await population.fill(world.db, f"{count} segments", CUSTOMERS)
        await catalogue.add(world.db, people, count)
        made[count] = Updates(people)
        every = await deciding.measure(world.db, people, count)
        for flip in (False, True):
            alone = await closed(world, made[count], 1, flip=flip)
            full = await closed(world, made[count], world.connections, flip=flip)
            decided = f"decided in {every.own_ms[flip]:.3f} ms"
            yield Line(
                f"update that flips {3 if flip else 'nothing'}, {count:,} segments",
                f"p50 {alone.percentile_ms(50):.2f} ms; {full.per_second:,.0f}/s; {decided}",
                f"every segment evaluated: {every.all_ms:.2f} ms",
                every.all_ms / every.own_ms[flip],
                Aim(at_least=20) if count == COUNTS[-1] else None,
            )
        told = f"all read {every.read_ms:.0f} ms; indexed again after a change {every.index_ms:.0f} ms"
        yield Line(f"{count:,} segments in a process's memory", told)
    for flip in (False, True):
        yield await _compared(world, made[COUNTS[0]], made[COUNTS[-1]], flip=flip)
    yield sizes.memory_line(world, f"memory with {sum(COUNTS):,} segments in three projects")


async def _compared(world: World, few: Updates, many: Updates, *, flip: bool) -> Line:
    """Return the line that compares the times of single updates, measured in turns: what else goes on meets both."""

    async def median_ms(updates: Updates) -> float:
        seconds = world.seconds / _TURNS
        made = functools.partial(updates.requests, connections=1, flip=flip)
        return (await load.closed(world.running.port, 1, seconds, made)).checked(200).percentile_ms(50)

    times = [(await median_ms(few), await median_ms(many)) for _ in range(_TURNS)]
    first, last = (median(side) for side in zip(*times, strict=True))
    return Line(
        f"p50 with {COUNTS[-1]:,} against {COUNTS[0]:,} segments, flips {3 if flip else 'nothing'}, in turns",
        f"{last:.2f} ms",
        f"{first:.2f} ms",
        last / first,
        Aim(at_most=1.5),
    )


async def closed(world: World, updates: Updates, connections: int, *, flip: bool) -> load.Result:
    """Run updates, after some for warming up: definitions are read, plans are made."""
    for seconds in (_WARM_UP_S, world.seconds):
        result = await load.closed(
            world.running.port,
            connections,
            seconds,
            lambda number: updates.requests(number, connections, flip=flip),
        )
    return result.checked(200)
