"""The 360° profile over HTTP: it must not take longer for a customer with a long history."""

import json
import time
from collections.abc import AsyncIterator
from http.client import HTTPConnection
from statistics import median
from typing import Any

from benchmarks import queries
from benchmarks.population import Population, source_id
from benchmarks.report import Aim, Line
from benchmarks.world import World

_ROUNDS = 200
_WARM_UP = 20
LITTLE = {"events": 100, "orders": 20, "messages": 20, "memberships": 20}
MUCH = {"events": 100_000, "orders": 10_000, "messages": 10_000, "memberships": 1_000}
_CASES = {"little": LITTLE, "much": MUCH}


async def measure(world: World, people: Population) -> AsyncIterator[Line]:
    """Yield a line for the profile, and for the latest activity, of a customer with little and with much history."""
    http = HTTPConnection("127.0.0.1", world.running.port)
    customers = dict(zip(_CASES, (source_id(1), source_id(2)), strict=True))
    async with world.db.read() as conn:
        for name, sizes in _CASES.items():
            found = _get(http, people.headers, f"/v1/customers/{customers[name]}")
            await queries.insert_history(conn, people.project_id, found["id"], sizes)
        await queries.settle_tables(conn)
    for what, path, fields in (("profile", "/profile", "9 sections of 10"), ("activity", "/activity", "10 entries")):
        reads = {name: f"/v1/customers/{customer}" for name, customer in customers.items()}
        asked = {name: f"{read}{path}" for name, read in reads.items()}
        times = _times(http, people.headers, [*reads.values(), *asked.values()])
        for name, sizes in _CASES.items():
            own, read = times[asked[name]], times[reads[name]]
            told = f"{what} ({fields}) of a customer with {sizes['events']:,} events"
            yield Line(told, f"p50 {own:.2f} ms", f"the customer alone: {read:.2f} ms", own / read)
        much, little = times[asked["much"]], times[asked["little"]]
        growth = f"{what}: 100,000 events against 100"
        yield Line(growth, f"p50 {much:.2f} ms", f"p50 {little:.2f} ms", much / little, Aim(at_most=1.5))
    http.close()


def _times(http: HTTPConnection, headers: dict[str, str], paths: list[str]) -> dict[str, float]:
    """Return the median time of each request in milliseconds, all of them in turns."""
    taken: dict[str, list[float]] = {path: [] for path in paths}
    for _ in range(_ROUNDS):
        for path in paths:
            started = time.perf_counter()
            _get(http, headers, path)
            taken[path].append((time.perf_counter() - started) * 1000)
    return {path: median(times[_WARM_UP:]) for path, times in taken.items()}


def _get(http: HTTPConnection, headers: dict[str, str], path: str) -> Any:
    http.request("GET", path, headers=headers)
    answer = http.getresponse()
    raw = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status} {raw.decode(errors='replace')}")
    return json.loads(raw)
