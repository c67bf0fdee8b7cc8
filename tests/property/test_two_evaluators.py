"""One truth: the SQL meaning of a filter equals the Python meaning, and neither changes before `until` says so.

`RAPPORT_SOAK=1` runs many times as many examples.
"""

import contextlib
import dataclasses
import os
from collections import Counter
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from filter_store import Store, facts, loaded, numbered, verdicts
from filter_values import EVENTS, NASTY, NUMBERS
from filter_worlds import (
    FIELDS,
    Pool,
    World,
    customers,
    is_possible,
    nows,
    operators_on,
    rows,
    worlds,
    zones,
)
from rapport.core import jsons
from rapport.customers.models import Customer
from rapport.metadata.models import TYPES, Definition, Schema, Schemas, link
from rapport.metadata.values import check
from rapport.segments.evaluate import ExplainedGroup, Facts, evaluate, explain, matches
from rapport.segments.fields import find
from rapport.segments.filters import InvalidFilter, parse
from rapport.segments.operators import BY_NAME, Narrowing
from rapport.segments.times import to_ms
from rapport.segments.typed import typed

MILLISECOND = timedelta(milliseconds=1)
EXAMPLES = 5_000 if os.environ.get("RAPPORT_SOAK") else 60
thorough = settings(
    max_examples=EXAMPLES,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)


@given(world=worlds())
@thorough
def test_sql_and_python_agree_on_every_filter_and_customer(store: Store, world: World) -> None:
    filters = [parse(raw) for raw in world.filters]
    world = numbered(world)
    project_id = store.run(store.fill(world))
    found = store.run(store.members(project_id, filters, world.now, world.zone.key))
    assert found == verdicts(world, world.customers, filters, world.now)
    assert found == store.run(store.members(project_id, filters, world.now, world.zone.key, whole=True))
    stored = store.run(store.stored(project_id))
    assert found == verdicts(world, stored, filters, world.now)


@given(world=worlds(), data=st.data())
@thorough
def test_nothing_changes_before_until(store: Store, world: World, data: st.DataObject) -> None:
    filters = [parse(raw) for raw in world.filters]
    world = numbered(world)
    later = set()
    for who, customer in enumerate(world.customers):
        for one in filters:
            verdict = evaluate(one, facts(world, who, customer, one, world.now), world.now, world.zone)
            assert verdict.matches == matches(one, facts(world, who, customer, one, world.now), world.now, world.zone)
            assert one.root.watch is not None or verdict.until is None
            furthest = verdict.until or world.now + timedelta(days=40_000)
            assert furthest > world.now
            milliseconds = (furthest - world.now) // MILLISECOND - 1
            for step in {0, milliseconds, data.draw(st.integers(0, milliseconds)), min(milliseconds, 86_400_000)}:
                moment = world.now + step * MILLISECOND
                assert matches(one, facts(world, who, customer, one, moment), moment, world.zone) == verdict.matches, (
                    moment
                )
            later.add(furthest)
    project_id = store.run(store.fill(world))
    moment = data.draw(st.sampled_from(sorted(later)))
    found = store.run(store.members(project_id, filters, moment, world.zone.key))
    assert found == verdicts(world, world.customers, filters, moment)


@given(world=worlds(), ahead=st.booleans())
@thorough
def test_what_is_loaded_is_what_the_windows_name(store: Store, world: World, *, ahead: bool) -> None:
    filters = [one for one in map(parse, world.filters) if one.windows]
    assume(filters)
    world = numbered(world)
    project_id = store.run(store.fill(world))
    who = [customer.id for customer in world.customers]
    for one in filters:
        found = store.run(store.load(project_id, who, one, world.now, world.zone, ahead=ahead))
        for number, customer in enumerate(world.customers):
            for window, expected in loaded(world, number, one, world.now).items():
                pairs = found[customer.id].get(window, [])
                assert [at for at, _ in pairs] == sorted((at for at, _ in pairs), reverse=True)
                if ahead:
                    lower, upper = window.fixed(world.zone)
                    inside = [pair for pair in expected if lower <= pair[0] < upper]
                    assert Counter(inside) <= Counter(pairs)
                else:
                    past = [pair for pair in expected if pair[0] <= to_ms(world.now)]
                    assert [at for at, _ in pairs] == [at for at, _ in past]
                    assert window.limit is not None or Counter(pairs) == Counter(past)
            subject = Facts(customer, facts(world, number, customer, one, world.now).segments, found[customer.id])
            expected_verdict = matches(one, facts(world, number, customer, one, world.now), world.now, world.zone)
            assert matches(one, subject, world.now, world.zone) == expected_verdict


def folded(told: ExplainedGroup) -> bool:
    """Return what the parts of an explanation come to."""
    parts = [folded(one) if isinstance(one, ExplainedGroup) else one.matches for one in told.children]
    verdict = all(parts) if told.junction == "and" else any(parts)
    assert verdict is told.matches
    return verdict


@given(world=worlds())
@thorough
def test_an_explanation_comes_to_the_verdict_and_fits_into_json(world: World) -> None:
    world = numbered(world)
    for one in map(parse, world.filters):
        for who, customer in enumerate(world.customers):
            known = facts(world, who, customer, one, world.now)
            told = explain(one, known, world.now, world.zone)
            assert folded(told) is matches(one, known, world.now, world.zone)
            jsons.encode(dataclasses.asdict(told))


@given(data=st.data())
@thorough
def test_what_is_refused_as_impossible_holds_for_nobody(data: st.DataObject) -> None:
    now = data.draw(nows)
    pool = Pool(data.draw, now)
    someone = data.draw(st.lists(customers(pool), min_size=2, max_size=4))
    had = data.draw(st.lists(rows(pool, st.integers(0, len(someone) - 1)), max_size=12))
    world = numbered(World(now, data.draw(zones), someone, had, frozenset(), []))
    for name in data.draw(st.lists(st.sampled_from(FIELDS), min_size=4, max_size=12)):
        found = data.draw(operators_on(name, pool))
        if is_possible(name, found):
            continue
        kind = find(name).kind
        narrowing = {one: found[one] for one in found if isinstance(BY_NAME[one].meanings[kind], Narrowing)}
        bounds = [parse({name: {"conditions": {one: found[one]}}}).windows[0].fixed(world.zone) for one in narrowing]
        if len(bounds) > 1 and max(least for least, _ in bounds) >= min(most for _, most in bounds):
            continue
        singly = [
            parse({name: {"conditions": {one: found[one], **narrowing}}}) for one in found.keys() - narrowing.keys()
        ]
        assert len(singly) > 1, found
        for who, customer in enumerate(world.customers):
            verdicts = [matches(one, facts(world, who, customer, one, now), now, world.zone) for one in singly]
            assert not all(verdicts), found


def test_what_is_drawn_is_what_the_api_lets_in() -> None:
    for value in (*NUMBERS, *NASTY):
        jsons.check_limits(value)


TYPED_KEYS = ("a", "b", "first.name", "ключ")


@st.composite
def definitions(draw: st.DrawFn) -> dict[str, Definition]:
    """Draw which keys of metadata have a type."""
    kinds = st.sampled_from([kind for kind in TYPES if kind != "object"])
    one = st.builds(lambda kind, *, array: Definition(type=kind, array=array), kinds, array=st.booleans())
    return draw(st.dictionaries(st.sampled_from(TYPED_KEYS), one, max_size=3))


@st.composite
def metadata_schemas(draw: st.DrawFn) -> Schemas:
    """Draw the metadata schemas of a project."""
    found = {
        "customer": ({**draw(definitions()), "a": Definition(type="object", object_type="Box")}, False),
        "Box": (draw(definitions()), False),
        "order": (draw(definitions()), False),
    }
    if draw(st.booleans()):
        found["customer"] = draw(definitions()), False
    return Schemas(link(found), {name: Schema(name, draw(definitions())) for name in EVENTS})


def typed_or_none(raw: dict[str, Any], schemas: Schemas) -> Any:
    """Return a filter with typed operands, None where it is refused."""
    with contextlib.suppress(InvalidFilter):
        return typed(raw, schemas)
    return None


@given(world=worlds(), schemas=metadata_schemas())
@settings(thorough, max_examples=EXAMPLES // 3)
def test_sql_and_python_agree_on_filters_typed_by_schemas(store: Store, world: World, schemas: Schemas) -> None:
    asked = [jsons.decode(jsons.encode(raw)) for raw in world.filters]
    kept = [found for raw in asked if (found := typed_or_none(raw, schemas)) is not None]
    possible = []
    for raw in kept:
        # Kept as JSON, and read again under any schemas, a filter says the same.
        assert typed(raw, schemas) == raw
        assert jsons.alike(jsons.decode(jsons.encode(raw)), raw)
        with contextlib.suppress(InvalidFilter):
            possible.append(parse(raw))
    assume(possible)
    world = numbered(world)
    project_id = store.run(store.fill(world))
    found = store.run(store.members(project_id, possible, world.now, world.zone.key))
    assert found == verdicts(world, world.customers, possible, world.now)


@given(data=st.data())
@thorough
def test_a_typed_condition_means_what_its_type_says(data: st.DataObject) -> None:
    """For values that `check` stored: numbers compare as numbers, days as days, booleans as booleans."""
    now, kind = data.draw(nows), data.draw(st.sampled_from(("number", "boolean", "date", "datetime", "string")))
    pool = Pool(data.draw, now)
    drawn: dict[str, st.SearchStrategy[Any]] = {
        "number": pool.numbers,
        "boolean": st.booleans(),
        "date": pool.instants.map(lambda at: at.date().isoformat()),
        "datetime": pool.instants.map(lambda at: at.isoformat()),
        "string": pool.texts,
    }
    schema = Schema("customer", {"k": Definition(type=kind)})  # type: ignore[arg-type]
    stored = check(schema, {"k": data.draw(drawn[kind])})
    operand = data.draw(drawn[kind])
    asked = jsons.encode(operand).decode() if kind == "boolean" else operand
    wanted = check(schema, {"k": operand})["k"]
    raw = typed({"metadata.k": {"conditions": {"$is": [asked]}}}, Schemas({"customer": schema}))
    blank = Customer(id="", created_at=now, updated_at=now, metadata=stored)
    verdict = matches(parse(raw), Facts(blank, frozenset(), {}), now, data.draw(zones))
    assert verdict is (stored["k"] == wanted)
