"""The cost of deciding alone, in this process: by the fields that changed, against evaluating every segment."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from zoneinfo import ZoneInfo

import msgspec

from benchmarks import catalogue, population, queries
from benchmarks.population import Population
from rapport.core.db import Database
from rapport.customers import queries as customers
from rapport.customers.deciding import Change, Moment
from rapport.customers.models import Customer
from rapport.segments import membership
from rapport.segments.evaluate import Facts, matches
from rapport.segments.matcher import Matcher, clocks
from rapport.segments.membership import Known, Situation
from rapport.segments.models import Segment, define

_ZONE = ZoneInfo("UTC")
_SAMPLE = 20
_NOWHERE = Situation({}, {}, frozenset())
_ROUNDS = 5


@dataclass(frozen=True)
class Cost:
    """Milliseconds for one customer: all filters evaluated; and what changed looked up, by whether three flip.

    And those for all definitions: to read them from their JSON, and to index what has been read.
    """

    all_ms: float
    own_ms: dict[bool, float]
    read_ms: float
    index_ms: float


async def measure(db: Database, people: Population, count: int) -> Cost:
    """Time both over some customers of a project that has the first `count` segments of the catalogue."""
    async with db.read() as conn:
        now = await queries.read_now(conn)
        found = [
            await customers.get(conn, people.project_id, population.source_id(one)) for one in range(1, _SAMPLE + 1)
        ]
    started = time.perf_counter()
    definitions = [
        define(Segment(f"seg_{number}", "A segment", "auto-update", filter_, "live", now, None))
        for number, filter_ in enumerate(catalogue.filters(count))
    ]
    read = time.perf_counter()
    matcher, at = Matcher(definitions), clocks(now, now, _ZONE)
    indexed = time.perf_counter()
    moment = Moment(now, _ZONE, Known(matcher, at, frozenset()))

    def every(one: Customer, _new: Customer) -> int:
        facts = Facts(one, frozenset(), {})
        return sum(matches(definition.filter, facts, now, _ZONE) for definition in definitions)

    def own(old: Customer, new: Customer) -> int:
        change = Change(old, new)
        fields = membership.touched(matcher, change)
        membership.dates_of(matcher, change, fields, at.now)
        found = membership.wanted(matcher, change, fields, at, ahead=False)
        return len(membership.decide(matcher, change, found, _NOWHERE, moment).entered) if found else 0

    pairs = {flip: [(old, _changed(old, now, flip=flip)) for old in found] for flip in (False, True)}
    for flip, entered in ((False, 0), (True, catalogue.FLIPPING)):
        if any(own(*pair) != entered for pair in pairs[flip]):
            raise RuntimeError("an update turns another number of segments than it should")
    return Cost(
        all_ms=_milliseconds(every, pairs[False]),
        own_ms={flip: _milliseconds(own, some) for flip, some in pairs.items()},
        read_ms=(read - started) * 1000,
        index_ms=(indexed - read) * 1000,
    )


def _changed(old: Customer, now: datetime, *, flip: bool) -> Customer:
    """Return the customer after an update as `flips.Updates` makes it."""
    visits = old.metadata["visits"] // 10 * 10 + 9
    metadata = {**old.metadata, "visits": visits, "level": "A" if flip else old.metadata["level"]}
    return msgspec.structs.replace(old, name=f"{old.name} Jr", metadata=metadata, updated_at=now)


def _milliseconds(work: Callable[[Customer, Customer], int], pairs: list[tuple[Customer, Customer]]) -> float:
    """Return what `work` takes for one pair, the median of some rounds over all of them."""
    rounds = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        for old, new in pairs:
            work(old, new)
        rounds.append((time.perf_counter() - started) * 1000 / len(pairs))
    return median(rounds)
