"""One truth: the SQL meaning of a filter equals the Python meaning, and neither changes before `until` says so.

`RAPPORT_SOAK=1` runs many times as many examples.
"""

import os
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from filter_store import Store, facts, numbered, verdicts
from filter_worlds import NASTY, NUMBERS, World, worlds
from rapport.core import jsons
from rapport.segments.evaluate import evaluate, matches
from rapport.segments.filters import parse

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
            assert one.time_dependent or verdict.until is None
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


def test_what_is_drawn_is_what_the_api_lets_in() -> None:
    for value in (*NUMBERS, *NASTY):
        jsons.check_limits(value)
