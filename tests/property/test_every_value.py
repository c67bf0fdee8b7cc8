"""Every operator against every nasty value: what random worlds reach only now and then is here on purpose."""

# ruff: noqa: FBT003 (operands are booleans)

import dataclasses
import itertools
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from filter_store import Store, facts, verdicts
from filter_values import NASTY, NUMBERS, TURNS, ZONES
from filter_worlds import World, event, order
from rapport.customers.models import Customer
from rapport.segments.evaluate import Facts, evaluate, matches
from rapport.segments.fields import Kind
from rapport.segments.filters import InvalidFilter, parse
from rapport.segments.operators import OPERATORS, Form, Operator, TimeTest, ValueTest
from rapport.segments.times import LAST_DAY, Clock, day_of, from_ms, start_of_day

MILLISECOND = timedelta(milliseconds=1)
SPANS = (0, "0.5", 1, 2, 30, 31, 36_500)
DAYS = (0, 1, 2, 30, 31, 365)
MOMENT_OPERANDS = (
    *("2026-01-01", "2024-02-29", "0001-01-01", "9999-12-31", "2011-12-30", "2011-12-31", "2026-01-01T12:00:00.123Z"),
    *("2026-01-01T12:00:00+02:30", "9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00Z", "2026-01-01 12:00"),
)
OTHERS = (
    *(None, True, False, [], [None], [[]], [["a"]], {}, {"a": "a"}, ["a", None, 5], [{"a": 1}, "5"], 1.5, -0.0),
    *(["2026-01-01", "x"], [True, "true"], {"a": ["a"]}),
    *(
        ['"', "\\", "\n\x01"],
        ["[a", "]"],
        [Decimal("5.00"), "-"],
        [["a"], [["a"]]],
        {"a": [["a"]]},
        [{"a": ["a", "b"]}],
    ),
)


def customer(number: int, at: datetime, value: Any) -> Customer:
    text = value if isinstance(value, str) else None
    return Customer(
        id=f"{number:04d}",
        created_at=at,
        updated_at=at,
        name=text,
        metadata={"a": value},
        system_metadata={"b": {"a": [value]}},
        birthdate=None if number % 7 == 0 else at.date(),
    )


def operators(form: Form) -> Iterator[Operator]:
    for operator in OPERATORS:
        meaning = operator.meanings.get(Kind.JSON)
        if isinstance(meaning, ValueTest) and meaning.form is form:
            yield operator


def check(store: Store, world: World, project_id: int, step: int = 50) -> int:
    """Compare both evaluators on all filters; return how many verdicts were positive."""
    positive = 0
    for raws in batches(world.filters, step):
        filters = [parse(raw) for raw in raws]
        found = store.run(store.members(project_id, filters, world.now, world.zone.key))
        if any(one.windows for one in filters):
            assert found == store.run(store.members(project_id, filters, world.now, world.zone.key, whole=True))
        expected = verdicts(world, world.customers, filters, world.now)
        for customer, got, wanted in zip(world.customers, found, expected, strict=True):
            for raw, one, other in zip(raws, got, wanted, strict=True):
                assert one is other, (raw, customer)
                positive += one
    return positive


def batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for first in range(0, len(items), size):
        yield items[first : first + size]


def on(field: str, operator: str, operand: Any) -> dict[str, Any]:
    return {field: {"conditions": {operator: operand}}}


def allowed(raw: dict[str, Any]) -> bool:
    try:
        parse(raw)
    except InvalidFilter:
        return False
    return True


def test_texts_and_numbers_agree(store: Store) -> None:
    values = [*NASTY, *NUMBERS, *OTHERS]
    operands = [*NASTY, *NUMBERS, True, False]
    now = datetime(2026, 1, 1, tzinfo=UTC)
    filters = [
        on(field, operator.name, operand)
        for form in (Form.TEXT, Form.NUMBER)
        for operator in operators(form)
        if not operator.negated
        for field, operand in itertools.product(("metadata.a", "system_metadata.b.a", "name"), operands)
        if allowed(on(field, operator.name, operand))
    ]
    for field, operator, some in itertools.product(
        ("metadata.a", "system_metadata.b.a", "name"), operators(Form.TEXT), batches(NASTY, 6)
    ):
        filters += [on(field, operator.name, list(some))] if allowed(on(field, operator.name, list(some))) else []
    for field in ("metadata.a", "system_metadata.b.a", "name", "metadata.a.a"):
        filters += [on(field, name, True) for name in ("$has_value", "$is_unknown")]
    filters += [on("metadata.a", operator.name, count) for operator in operators(Form.COUNT) for count in range(4)]
    people = [customer(number, now, value) for number, value in enumerate(values)]
    world = World(now, ZoneInfo("UTC"), people, [], frozenset(), filters)
    assert check(store, world, store.run(store.fill(world))) > len(filters)


def turns(zone: str) -> tuple[datetime, ...]:
    """Return the moments to try in a zone: all of them in a long run, every fourth otherwise."""
    return TURNS if os.environ.get("RAPPORT_SOAK") else TURNS[ZONES.index(zone) % 4 :: 4]


def boundaries(now: datetime, zone: ZoneInfo) -> list[datetime]:
    """Return the instants at which some test of time on `now` turns, and their neighbours."""
    today = day_of(zone, Clock(now, zone).now)
    starts = [
        start_of_day(zone, today + shift + more)
        for shift in (0, *DAYS[1:5], *(-days for days in DAYS[1:5]))
        for more in (0, 1)
    ]
    first = date.fromordinal(today).replace(day=1)
    starts += [start_of_day(zone, (first + timedelta(days=days)).toordinal()) for days in (0, 31, 32, 60, 62)]
    found = [at for ms in starts if (at := from_ms(ms)) is not None]
    found += [now + timedelta(days=sign * days) for sign in (1, -1) for days in (0, 0.5, 1, 2, 30, 31, 36_500)]
    return sorted({at + shift * MILLISECOND for at in found for shift in (-1, 0, 1)})


def written(at: datetime, number: int) -> str:
    """Write an instant in one of the ways, or as its date."""
    stamp = at.isoformat(timespec="milliseconds").removesuffix("+00:00")
    return (f"{stamp}Z", stamp, f"{stamp}999999Z", at.date().isoformat(), stamp.replace("T", " ") + "+00")[number % 5]


def time_filters(field: str, kind: Kind) -> list[dict[str, Any]]:
    filters = []
    for operator in OPERATORS:
        meaning = operator.meanings.get(kind)
        if operator.negated or not isinstance(meaning, TimeTest):
            continue
        reads = meaning.read.__name__
        operands = {"span": SPANS, "days": DAYS, "moment": MOMENT_OPERANDS, "nothing": (True,)}[reads]
        filters += [on(field, operator.name, operand) for operand in operands]
        filters.append(on(field, operator.name, list(operands[:3])))
    return filters


TIME_FILTERS = [
    *time_filters("metadata.a", Kind.JSON),
    *time_filters("created_at", Kind.INSTANT),
    *time_filters("birthdate", Kind.DATE),
    on("birthdate", "$next_month", True),
]


@pytest.mark.parametrize("zone", ZONES)
def test_times_agree_around_every_turn(store: Store, zone: str) -> None:
    for now in turns(zone):
        instants = boundaries(now, ZoneInfo(zone))
        people = [customer(number, at, written(at, number)) for number, at in enumerate(instants)]
        exact = [
            on(field, operator, operand)
            for field in ("metadata.a", "created_at", "birthdate")
            for operator in ("$before", "$after", *(() if field == "metadata.a" else ("$is",)))
            for operand in (now.isoformat(timespec="milliseconds"), now.date().isoformat())
        ]
        world = World(now, ZoneInfo(zone), people, [], frozenset(), [*TIME_FILTERS, *exact])
        assert check(store, world, store.run(store.fill(world)), 200) > len(TIME_FILTERS)


def test_texts_that_look_like_times_agree(store: Store) -> None:
    now = datetime(2026, 1, 1, 12, 0, 0, 123_000, UTC)
    people = [customer(number, now, value) for number, value in enumerate([*NASTY, *OTHERS])]
    for zone in ("UTC", "America/New_York"):
        world = World(now, ZoneInfo(zone), people, [], frozenset(), TIME_FILTERS)
        assert check(store, world, store.run(store.fill(world)), 200) > len(TIME_FILTERS)


@pytest.mark.parametrize("zone", ZONES)
def test_until_is_the_very_moment_for_a_single_condition(zone: str) -> None:
    """A verdict holds until just before `until`, and for a single condition it changes right then."""
    here = ZoneInfo(zone)
    for now in turns(zone):
        for number, at in enumerate(boundaries(now, here)):
            subject = Facts(customer(number, at, written(at, number)), frozenset(), {})
            for raw in TIME_FILTERS:
                one = parse_once(raw)
                verdict = evaluate(one, subject, now, here)
                if verdict.until is not None:
                    assert verdict.until > now
                    assert matches(one, subject, verdict.until - MILLISECOND, here) is verdict.matches, (raw, at, now)
                    assert matches(one, subject, verdict.until, here) is not verdict.matches, (raw, at, now)


def test_means_agree_whatever_the_sign(store: Store) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    people = [
        Customer(id=f"{number:04d}", created_at=now, updated_at=now, orders_count=count, orders_amount=amount)
        for number, (count, amount) in enumerate(itertools.product((0, 1, 2, 3, 7), range(-11, 12)))
    ]
    filters = [
        on("summary.orders.average_amount", operator, wanted)
        for operator in ("$is", "$more_than", "$less_than_equal")
        for wanted in range(-11, 12)
    ]
    world = World(now, ZoneInfo("UTC"), people, [], frozenset(), filters)
    assert check(store, world, store.run(store.fill(world))) > len(filters)


def count_filters(now: datetime) -> list[dict[str, Any]]:
    day = now.date().isoformat()
    bounds: tuple[dict[str, Any], ...] = (
        *({}, {"$less_than_ago": 2}, {"$less_than_ago": "0.5"}, {"$after": day}, {"$before": day}),
        *({"$less_than_ago": 3, "$before": now.isoformat()}, {"$less_than_ago": 3, "$after": day}),
    )
    tests = [
        *({operator: number} for operator in ("$count", "$count_more", "$count_less") for number in range(4)),
        *({"$count": [0, 2]}, {"$count_more": 0, "$count_less": 3}, {"$has_value": True}, {"$is_unknown": True}, {}),
    ]
    return [{"events.x": {"conditions": {**test, **bound}}} for test in tests for bound in bounds if test or bound]


def test_counts_of_events_agree_and_hold_until_they_say(store: Store) -> None:
    now, here = datetime(2026, 1, 5, 23, 30, tzinfo=UTC), ZoneInfo("Europe/Warsaw")
    ages = [timedelta(days=days) for days in (-1, 0, 0.5, 1, 2, 3)] + [timedelta(days=2) - MILLISECOND]
    histories = [one for size in range(5) for one in itertools.combinations_with_replacement(ages, size)]
    people = [customer(number, now, None) for number in range(len(histories))]
    events = [event(number, "x", now - age) for number, history in enumerate(histories) for age in history]
    world = World(now, here, people, events, frozenset(), count_filters(now))
    project_id = store.run(store.fill(world))
    assert check(store, world, project_id) > len(world.filters)
    check(store, dataclasses.replace(world, now=now + timedelta(days=1)), project_id)
    for raw in world.filters:
        one = parse(raw)
        for who, someone in enumerate(people):
            verdict = evaluate(one, facts(world, who, someone, one, now), now, here)
            if verdict.until is not None:
                before = verdict.until - MILLISECOND
                assert matches(one, facts(world, who, someone, one, before), before, here) is verdict.matches
            after = facts(world, who, someone, one, now + timedelta(days=9))
            final = matches(one, after, now + timedelta(days=9), here)
            assert final is verdict.matches or verdict.until is not None, (raw, histories[who])


def sum_filters(now: datetime) -> list[dict[str, Any]]:
    bounds: tuple[dict[str, Any], ...] = ({}, {"$less_than_ago": 2}, {"$before": now.isoformat()})
    tests = [
        {f"$sum_{operator}": wanted}
        for operator in ("more_than", "less_than", "more_than_equal", "less_than_equal")
        for wanted in (-1, 0, "0.5", 3, 5, [2, 8])
    ]
    tests += [{"$sum_more_than": 2, "$count_less": 2}, {"$count": 2, "$sum_less_than_equal": 3}, {"$is_unknown": True}]
    wheres: tuple[dict[str, Any], ...] = (
        {},
        {"where": on("amount", "$more_than", 2)},
        {"where": {"junction": "or", **on("items.name", "$is", "Mug"), **on("source_id", "$starts_with", "s")}},
    )
    return [
        {"orders": {"conditions": {**test, **bound}, **where}} for test in tests for bound in bounds for where in wheres
    ]


def test_sums_of_orders_agree_and_hold_until_they_say(store: Store) -> None:
    now, here = datetime(2026, 1, 5, 23, 30, tzinfo=UTC), ZoneInfo("Europe/Warsaw")
    ages = [timedelta(days=days) for days in (-1, 0, 1, 2, 3)]
    bought = [
        {"age": age, "total_amount": amount, "amount": amount + number % 2, "status": status}
        for number, (age, amount, status) in enumerate(itertools.product(ages, (0, 2, 3), ("PAID", "CREATED")))
    ]
    histories = [one for size in range(3) for one in itertools.combinations(bought, size)]
    people = [customer(number, now, None) for number in range(len(histories))]
    rows = [
        order(
            who,
            now - one["age"],
            one["total_amount"],
            one["status"],
            amount=one["amount"],
            source_id=f"{'so'[place]}{who}",
            items=[{"name": ("Mug", "Cup")[who % 2]}],
        )
        for who, history in enumerate(histories)
        for place, one in enumerate(history)
    ]
    world = World(now, here, people, rows, frozenset(), sum_filters(now))
    project_id = store.run(store.fill(world))
    assert check(store, world, project_id) > len(world.filters)
    for raw in world.filters:
        one = parse(raw)
        for who, someone in enumerate(people):
            verdict = evaluate(one, facts(world, who, someone, one, now), now, here)
            last = now + timedelta(days=9) if verdict.until is None else verdict.until - MILLISECOND
            assert matches(one, facts(world, who, someone, one, last), last, here) is verdict.matches, (raw, who)


PARSED: dict[str, Any] = {}


def parse_once(raw: dict[str, Any]) -> Any:
    key = str(raw)
    if key not in PARSED:
        PARSED[key] = parse(raw)
    return PARSED[key]


def test_the_last_day_is_known() -> None:
    assert date.fromordinal(LAST_DAY) == date.max
