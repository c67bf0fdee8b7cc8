"""The preview of a segment over HTTP, against the bare count that somebody would write by hand."""

import json
import time
from collections.abc import AsyncIterator
from http.client import HTTPConnection
from statistics import median
from typing import Any

from benchmarks import queries
from benchmarks.population import LARGE, Population
from benchmarks.report import Aim, Line
from benchmarks.world import World
from rapport.core.db import Connection

_ROUNDS = 7
# One more for each preview; `queries.BARE_COUNTS` says the same by hand.
CONDITIONS: tuple[dict[str, Any], ...] = (
    {"address.country": {"conditions": {"$is": ["Poland"]}}},
    {"summary.orders.total_amount": {"conditions": {"$more_than": [10_000]}}},
    {"metadata.tier": {"conditions": {"$is": ["silver", "gold"]}}},
    {"summary.orders.last_order_date": {"conditions": {"$less_than_ago": [90]}}},
    {"events.review_written": {"conditions": {"$count_more": [0], "$less_than_ago": [120]}}},
)


async def measure(world: World, people: Population) -> AsyncIterator[Line]:
    """Yield a line for each number of conditions: count, sample and reachable customers in one answer."""
    for number in range(1, len(CONDITIONS) + 1):
        filter_ = {key: value for one in CONDITIONS[:number] for key, value in one.items()}
        async with world.db.read() as conn:
            own_ms, bare_ms, count = await _times(world, people, conn, filter_, number)
        yield Line(
            f"preview of {number} condition{'s' if number > 1 else ''} on {people.size:,} customers, {count:,} match",
            f"{own_ms:.1f} ms",
            f"bare count: {bare_ms:.1f} ms",
            own_ms / bare_ms,
            Aim(at_most=1.2) if people.size >= LARGE else None,
        )


async def _times(
    world: World, people: Population, conn: Connection, filter_: dict[str, Any], number: int
) -> tuple[float, float, int]:
    """Return the medians of preview and bare count in turns, both warm, and the count. Raises where they differ."""
    http = HTTPConnection("127.0.0.1", world.running.port)
    own, bare = [], []
    for _ in range(_ROUNDS + 1):
        started = time.perf_counter()
        counted = _preview(http, people.headers, filter_)
        own.append((time.perf_counter() - started) * 1000)
        started = time.perf_counter()
        expected = await queries.bare_count(conn, people.project_id, number)
        bare.append((time.perf_counter() - started) * 1000)
        if abs(counted - expected) > max(5, expected // 1_000):  # time goes on between the two
            raise RuntimeError(f"the preview says {counted}, the count {expected}")
    http.close()
    return median(own[1:]), median(bare[1:]), expected


def _preview(http: HTTPConnection, headers: dict[str, str], filter_: dict[str, Any]) -> int:
    body = json.dumps({"filter": filter_})
    http.request("POST", "/v1/segments/preview", body, {**headers, "Content-Type": "application/json"})
    answer = http.getresponse()
    raw = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"preview: {answer.status} {raw.decode(errors='replace')}")
    return int(json.loads(raw)["count"])
