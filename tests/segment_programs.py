"""Random programs of what happens to customers and segments, as plain data: what `test_membership_programs` runs.

What customers are like and what filters ask comes from `filter_worlds`, as nasty as the API lets in. What happens is
drawn evenly and near the present, so that dates come to their bounds, are replaced before, and are taken back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from filter_values import EVENT_FIELDS, EVENTS
from filter_worlds import Pool, customers, filters, nows, zones
from rapport.core.clock import iso
from rapport.customers.models import Customer

PEOPLE = 4
# Most happens to the first, so that it meets.
OFTEN = (0, 0, 0, 0, 0, 1, 1, 2, 3)
ORDERS = 2
# What a request may say of a customer, and what features set themselves; `put` sets any of both at once.
SAID = ("name", "description", "email", "phone", "birthdate", "address", "metadata", "system_metadata", "source")
KEPT = (
    *SAID,
    "updated_at", "orders_count", "orders_amount", "last_order_amount", "last_order_at", "last_order_products",
    "redemptions", "loyalty", "referrals", "events", "consents", "devices", "marketing", "in_store",
)  # fmt: skip
KINDS = ("auto-update", "auto-update", "passive")
# Dates that a step sets, and how filters call them.
DATES = {
    "birthdate": "birthdate",
    "last_order_at": "summary.orders.last_order_date",
    "metadata.a": "metadata.a",
    "metadata.b": "metadata.b",
}
SPANS = (0, "0.0001", "0.0001", 1, 2, 30)
HOUR, DAY = 3_600_000, 86_400_000
# Milliseconds from now; more often ahead than back, and often the same, so that dates meet.
SHIFTS = (
    *(0, 1, 1_000, 5_000, 5_000, 5_000, HOUR, HOUR, DAY, DAY, DAY + 1, 2 * DAY, 30 * DAY),
    *(-1, -5_000, -HOUR, -DAY),
)
MOVES = (1, 2, 1_000, 4_000, HOUR, DAY, 30 * DAY)
WEIGHTS = {
    "save": 3, "put": 3, "date": 6, "order": 8, "event": 3, "event_at": 4, "remove": 1,
    "segment": 2, "static": 1, "edit": 2, "drop": 1, "members": 1,
    "turn": 12, "advance": 3, "work": 2,
}  # fmt: skip
Step = tuple[Any, ...]


@dataclass(frozen=True)
class Program:
    """What happens, from when on, in which time zone; steps name customers, states and filters by number.

    At the beginning there is a customer in each of some states, and a segment for each of the filters. Each step comes
    with whether the worker does all its work after it.
    """

    now: datetime
    zone: ZoneInfo
    states: list[Customer]
    filters: list[dict[str, Any]]
    kinds: list[str]
    steps: list[tuple[Step, bool]]


def timely(rng: Random, now: datetime, date: str) -> dict[str, Any]:
    """Return a filter that time turns, also one that holds for seconds only; `date` is what it is about most often."""
    if rng.random() < 0.6:
        field = DATES[date] if rng.random() < 0.6 else rng.choice((*DATES.values(), "created_at", "updated_at"))
        spans = ("$more_than_ago", "$less_than_ago", "$more_than_future", "$less_than_future")
        tests = [(rng.choice(spans), rng.choice(SPANS))] * 4
        tests += [(rng.choice(("$is_days_ago", "$is_days_in_future")), rng.randrange(3))] * 2
        tests += [("$next_month", True)]
        return {field: {"conditions": dict([rng.choice(tests)])}}
    conditions: dict[str, Any] = {rng.choice(("$count", "$count_more", "$count_less")): [rng.randrange(1, 4)]}
    source = rng.choice((*EVENT_FIELDS[:2], "orders", "orders"))
    if source == "orders" and rng.random() < 0.5:
        conditions = {"$sum_more_than": [rng.randrange(6)]}
    if rng.random() < 0.8:
        conditions["$less_than_ago"] = rng.choice(SPANS[1:])
    if rng.random() < 0.2:
        conditions["$after"] = iso(now + rng.choice(SHIFTS) * timedelta(milliseconds=1))
    return {source: {"conditions": conditions}}


def a_step(rng: Random, states: int, choices: int, date: str) -> Step:
    """Return one step; `date` is what is set most often."""
    name = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    who, state, choice, segment = rng.choice(OFTEN), *(rng.randrange(most) for most in (states, choices, 8))
    date = date if rng.random() < 0.7 else rng.choice(list(DATES))
    some = rng.sample(range(PEOPLE), rng.randrange(1, 4))
    kind, event, shift = rng.choice(KINDS), rng.choice(EVENTS[:3]), rng.choice(SHIFTS)
    status = rng.choice(("PAID", "PAID", "PAID", "FULFILLED", "CANCELED", "CREATED"))
    later = None if rng.random() < 0.4 else shift
    return {
        "save": (name, who, state, rng.sample(SAID, rng.randrange(1, 5))),
        "put": (name, who, state, rng.sample(KEPT, rng.randrange(1, 6))),
        "date": (name, who, date, shift),
        "order": (name, who, rng.randrange(ORDERS), status, rng.randrange(6), later, state),
        "event": (name, who, event, state),
        "event_at": (name, who, event, shift, state),
        "remove": (name, who),
        "segment": (name, choice, kind),
        "static": (name, some),
        "edit": (name, segment, choice if rng.random() < 0.8 else None, kind if rng.random() < 0.3 else None),
        "drop": (name, segment),
        "members": (name, segment, some, rng.random() < 0.5),
        "turn": (name, 0 if rng.random() < 0.7 else rng.randrange(4), rng.randrange(-1, 2)),
        "advance": (name, rng.choice(MOVES)),
        "work": (name, rng.randrange(1, 4)),
    }[name]


def _steps(rng: Random, states: Sequence[Any], choices: Sequence[Any], date: str) -> list[tuple[Step, bool]]:
    number = rng.randrange(25, 60)
    return [(a_step(rng, len(states), len(choices), date), rng.random() < 0.5) for _ in range(number)]


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Draw a program."""
    now = draw(nows)
    pool = Pool(draw, now)
    states = draw(st.lists(customers(pool), min_size=3, max_size=6))
    nasty = draw(st.lists(filters(pool), min_size=2, max_size=5))
    rng = Random(draw(st.integers(0, 2**64 - 1)))
    date = rng.choice(list(DATES))
    choices = nasty + [timely(rng, now, date) for _ in range(rng.randrange(4, 8))]
    rng.shuffle(choices)
    kinds = [rng.choice(KINDS) for _ in choices[: rng.randrange(4, 9)]]
    return Program(now, draw(zones), states, choices, kinds, _steps(rng, states, choices, date))
