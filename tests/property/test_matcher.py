"""The matcher and the ticks never miss: whoever's verdict turns, by a change or by time, is looked at."""

import dataclasses
import os
from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from filter_store import Store, facts, loaded, numbered
from filter_worlds import Row, World, worlds
from rapport.customers.deciding import Change, Happening
from rapport.customers.models import Customer
from rapport.segments.evaluate import Facts, build_group, matches, values_as
from rapport.segments.fields import Kind
from rapport.segments.filters import Filter, parse
from rapport.segments.indexes import Clocks
from rapport.segments.json_values import moment_of
from rapport.segments.matcher import BLANK, Matcher
from rapport.segments.membership import counted_at, touched, undone, wanted, window_field
from rapport.segments.models import Definition, StoredMoment
from rapport.segments.ticks import queries
from rapport.segments.ticks.crossings import crossings
from rapport.segments.times import Clock, from_ms, start, to_ms
from rapport.segments.tree import EVENTS, Leaf, leaves

EXAMPLES = 5_000 if os.environ.get("RAPPORT_SOAK") else 40
thorough = settings(
    max_examples=EXAMPLES,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
SPANS = st.sampled_from((1, 200, 5_000, 86_400_000, 40 * 86_400_000)) | st.integers(1, 10**9)
ATTRIBUTES = tuple(name for name in Customer.__struct_fields__ if name != "id")


def alone(leaf: Leaf) -> Filter:
    """Return a filter of this leaf only."""
    windows = () if leaf.window is None else (leaf.window,)
    return Filter(build_group("and", (leaf,)), windows, frozenset(), frozenset({leaf.field.path}))


def definitions(filters: list[Filter]) -> list[Definition]:
    return [Definition(f"seg_{number}_", "S", recorded=True, filter=one) for number, one in enumerate(filters)]


@st.composite
def changes(draw: st.DrawFn, world: World) -> tuple[Customer | None, Customer]:
    """Draw a customer before and after: some attributes become those of somebody else; or a new customer."""
    old, other = draw(st.sampled_from(world.customers)), draw(st.sampled_from(world.customers))
    if draw(st.integers(0, 4)) == 0:
        return None, old
    names = draw(st.sets(st.sampled_from(ATTRIBUTES), min_size=1))
    return old, msgspec.structs.replace(old, **{name: getattr(other, name) for name in names})


def candidates_of(matcher: Matcher, change: Change, at: Clocks, *, ahead: bool) -> set[int]:
    return wanted(matcher, change, touched(matcher, change), at, ahead=ahead)


def clock(world: World, moment: datetime) -> Clock:
    return Clock(moment, world.zone)


@given(world=worlds(), data=st.data())
@thorough
def test_whoever_a_change_turns_is_a_candidate(world: World, data: st.DataObject) -> None:
    world = numbered(world)
    found = definitions([parse(raw) for raw in world.filters])
    matcher = Matcher(found)
    old, new = data.draw(changes(world))
    at = Clocks(clock(world, world.now), clock(world, world.now))
    candidates = candidates_of(matcher, Change(old, new), at, ahead=data.draw(st.booleans()))
    for number, one in enumerate(found):
        before = matches(one.filter, Facts(BLANK if old is None else old, frozenset(), {}), world.now, world.zone)
        after = matches(one.filter, Facts(new, frozenset(), {}), world.now, world.zone)
        was_in = before and old is not None
        assert was_in == after or number in candidates


@given(world=worlds(), data=st.data(), back=SPANS)
@thorough
def test_a_change_also_answers_for_what_time_turned_since_the_last_tick(
    world: World, data: st.DataObject, back: int
) -> None:
    world = numbered(world)
    found = definitions([alone(leaf) for raw in world.filters for leaf in leaves(parse(raw).root)])
    matcher = Matcher(found)
    old, new = data.draw(changes(world))
    assume(old is not None)
    ticked = world.now - timedelta(milliseconds=back)
    within = st.integers(0, back).map(lambda part: ticked + timedelta(milliseconds=part))
    written = data.draw(st.just(ticked) | within)
    # Without "ahead", nothing was later than the clock when it was written.
    ahead = data.draw(st.booleans())
    assume(ahead or latest(old or BLANK, found, world) <= to_ms(written))
    at = Clocks(clock(world, world.now), clock(world, ticked))
    candidates = candidates_of(matcher, Change(old, new), at, ahead=ahead)
    paths = {tests.field.path for tests in matcher.touched(old or BLANK, new)}
    moments = sorted({ticked if ahead else written, world.now, *data.draw(st.lists(within, max_size=4))})
    for number, one in enumerate(found):
        if not one.filter.fields & paths:
            continue
        verdicts = {matches(one.filter, Facts(new, frozenset(), {}), world.now, world.zone)} | {
            matches(one.filter, Facts(old, frozenset(), {}), moment, world.zone)
            for moment in moments
            if ahead or moment >= written
        }
        assert len(verdicts) == 1 or number in candidates


def latest(customer: Customer, found: list[Definition], world: World) -> int:
    """Return the latest date of a customer in the fields that are compared with the clock."""
    dates = [
        start(moment, world.zone)
        for one in found
        for leaf in leaves(one.filter.root)
        if leaf.watch is not None and leaf.window is None and leaf.field.kind is not Kind.SEGMENTS
        for moment in values_as(leaf.field, moment_of)(customer)
    ]
    return max(dates, default=0)


def happening(row: Row) -> Happening:
    name = row.name if row.source == EVENTS else ""
    return Happening(row.source, name, row.at, row.values.get("total_amount", 0), row.values)


@given(world=worlds(), data=st.data())
@thorough
def test_whoever_an_event_or_order_turns_is_a_candidate(world: World, data: st.DataObject) -> None:
    world = numbered(world)
    mine = [row for row in world.rows if row.counts and row.at <= world.now]
    assume(mine)
    row = data.draw(st.sampled_from(mine))
    found = definitions([one for one in map(parse, world.filters) if one.windows])
    assume(found)
    matcher = Matcher(found)
    customer, added = world.customers[row.who], happening(row)
    without = dataclasses.replace(world, rows=[other for other in world.rows if other is not row])
    now = clock(world, world.now)
    candidates: set[int] = set()
    for index in matcher.windows.get((added.source, added.name), {}).values():
        (after,) = loaded(
            world, row.who, dataclasses.replace(found[0].filter, windows=(index.probe,)), world.now
        ).values()
        after = [pair for pair in after if pair[0] <= now.now]
        if counted_at(index.probe, added, world.zone):
            holding = index.holding(after, now)
            for owners in index.differing(index.holding(undone(after, [added], []), now), holding):
                candidates.update(owners)
    for number, one in enumerate(found):
        before, after_all = (
            matches(one.filter, facts(some, row.who, customer, one.filter, world.now), world.now, world.zone)
            for some in (without, world)
        )
        assert before == after_all or number in candidates


def stored_moments(world: World, matcher: Matcher, written: Clock) -> Iterator[tuple[str, StoredMoment, str]]:
    """Yield the dates that writers at `written` would have stored."""
    for customer in world.customers:
        for tests in matcher.touched(BLANK, customer):
            if tests.is_timed:
                for one in tests.moments(customer, written):
                    yield tests.field.path, one, customer.id
    for row in world.rows:
        if row.counts and to_ms(row.at) > written.now:
            name = row.name if row.source == EVENTS else ""
            yield (
                window_field(row.source, name),
                StoredMoment(is_day=False, at=to_ms(row.at)),
                world.customers[row.who].id,
            )


@given(world=worlds(), data=st.data(), back=SPANS)
@thorough
def test_a_tick_finds_everybody_whom_time_turned(store: Store, world: World, data: st.DataObject, back: int) -> None:
    world = numbered(world)
    filters = [one for one in map(parse, world.filters) if one.root.watch is not None]
    assume(filters)
    found = definitions(filters)
    matcher = Matcher(found)
    since = world.now - timedelta(milliseconds=back)
    written = data.draw(st.sampled_from((since, since - timedelta(days=1), since + (world.now - since) / 2)))
    written = from_ms(to_ms(written)) or written
    project_id = store.run(store.fill(world))
    store.run(store.fill_moments(project_id, world.now, stored_moments(world, matcher, clock(world, written))))
    wanted_by = crossings(matcher, clock(world, since), clock(world, world.now))
    scans = list(wanted_by)
    seen: set[tuple[str, str]] = set()
    for number, _, customer_id in store.run(queries.scan(store.conn, project_id, scans, 1_000)):
        seen |= {(segment_id, customer_id) for segment_id in wanted_by[scans[number]]}
    start = max(since, written)
    for who, customer in enumerate(world.customers):
        for one in found:
            before, after = (
                matches(one.filter, facts(world, who, customer, one.filter, moment), moment, world.zone)
                for moment in (start, world.now)
            )
            assert before == after or (one.id, customer.id) in seen, (start, world.now)
