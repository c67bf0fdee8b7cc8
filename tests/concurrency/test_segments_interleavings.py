"""Two at once, stopped and let go by hand where it matters: membership is exact in whatever order things happen."""

import asyncio
import random
from contextlib import suppress
from typing import Any

import pytest

from facts import where
from rapport.core.errors import NotFound
from rapport.customers.schemas import AddressInput, CustomerInput
from rapport.customers.writes import Unit, Writer
from rapport.segments.building import tasks
from rapport.segments.membership import SegmentDecider
from segment_checks import assert_exact, read
from segment_steps import SegmentTasks
from segment_world import DAY, SECOND, START, Paused, SegmentWorld, add_event, holding, waits

OSLO = where("address.city", "$is", "Oslo")
NOT_OSLO = where("address.city", "$is_not", "Oslo")
CITIES = ("Oslo", "Rome", "Lima")
NO_LOG = "LOCK TABLE activity IN EXCLUSIVE MODE"


def lives_in(city: str) -> dict[str, Any]:
    """Return what a request says of a customer who moves."""
    return {"address": {"city": city}}


async def exact(world: SegmentWorld) -> None:
    """Assert that all of the project's membership is exact once the worker is through."""
    await world.settle()
    await assert_exact(world.db, world.project_id)


def moving(world: SegmentWorld, paused: Paused, source_id: str, city: str, *, before_lock: bool = False) -> Any:
    """Return a unit of a writer of its own that moves a customer and stops before it decides."""

    async def work(unit: Unit) -> None:
        if before_lock:
            await paused.here()
        change = CustomerInput(source_id=source_id, address=AddressInput(city=city))
        await unit.upsert(change)
        if not before_lock:
            await paused.here()

    return world.commit(work, Writer(world.db, SegmentDecider()))


async def test_who_waited_for_a_customer_decides_on_what_the_other_wrote(world: SegmentWorld) -> None:
    oslo = await world.segment(OSLO)
    await world.save("c", **lives_in("Rome"))
    first = Paused()
    await first.start(moving(world, first, "c", "Oslo"))
    second = await waits(world, world.save("c", metadata={"seen": True}))
    await first.go_on()
    assert (await second).address == {"city": "Oslo"}
    assert await world.inside(oslo) == {"c"}
    await exact(world)


async def test_the_time_of_a_writer_is_that_after_its_lock(world: SegmentWorld) -> None:
    over = await world.segment(where("metadata.ends", "$more_than_ago", 0))
    await world.save("c")
    first = Paused()
    await first.start(moving(world, first, "c", "Oslo"))
    ends = {"ends": "2026-06-15T18:00:00Z"}
    second = await waits(world, world.save("c", metadata=ends))
    now = await world.advance(DAY)
    await first.go_on()
    assert (await second).updated_at == now
    # It has ended by then, which no tick has to tell.
    assert await world.inside(over) == {"c"}
    await exact(world)


async def test_the_back_fill_waits_for_writers_who_do_not_know_of_the_segment(world: SegmentWorld) -> None:
    await world.save("c", **lives_in("Rome"))
    writer = Paused()
    await writer.start(moving(world, writer, "c", "Oslo"))
    oslo = await world.segment(OSLO, settled=False)
    for _ in range(5):
        await world.tasks.settle(world.db)
    assert await world.state(oslo) == "building"
    await writer.go_on()
    await exact(world)
    assert await world.inside(oslo) == {"c"}


@pytest.mark.parametrize("kind", ["passive", "auto-update"])
async def test_the_back_fill_leaves_alone_what_a_writer_has_decided(world: SegmentWorld, kind: str) -> None:
    """It sees the customer in Oslo, whom a writer has moved already, and finds the writer's "out" in its way."""
    await world.save("c", **lives_in("Oslo"))
    oslo = await world.segment(OSLO, "passive", settled=False)
    if kind == "auto-update":
        await world.edit(oslo, type=kind)
    await world.tasks.settle(world.db)
    async with holding(world, NO_LOG):
        moved = await waits(world, world.save("c", **lives_in("Rome")))
        filled = await waits(world, world.settle_segments())
    await moved
    await filled
    assert await world.inside(oslo) == set()
    await exact(world)


async def test_a_writer_waits_for_the_back_fill_that_takes_the_customer_in(world: SegmentWorld) -> None:
    await world.save("c", **lives_in("Oslo"))
    oslo = await world.segment(OSLO, "passive", settled=False)
    await world.tasks.settle(world.db)
    # The back-fill has inserted its rows and waits to note how far it came.
    async with holding(world, "LOCK TABLE customers IN ACCESS SHARE MODE") as conn:
        await conn.execute("INSERT INTO segment_members VALUES ($1, $2, $3, $4, false)", *await row(world, oslo, "c"))
        moved = await waits(world, world.save("c", **lives_in("Rome")))
    await moved
    assert await world.inside(oslo) == set()
    await exact(world)


async def row(world: SegmentWorld, segment_id: str, source_id: str) -> tuple[Any, ...]:
    """Return the values of a membership."""
    query = "SELECT id FROM customers WHERE project_id = $1 AND source_id = $2"
    return world.project_id, segment_id, await world.fetchval(query, world.project_id, source_id), START


async def test_nobody_leaves_before_having_entered(world: SegmentWorld) -> None:
    """The writer has read the clock, then the back-fill takes the customer in, then the writer finds them out."""
    await world.save("c", **lives_in("Oslo"))
    oslo = await world.segment(OSLO, settled=False)
    writer = Paused()
    await world.tasks.settle(world.db)
    await writer.start(moving(world, writer, "c", "Rome"))
    await world.advance(SECOND)
    while await world.state(oslo) == "building":
        await world.tasks.settle(world.db)
    assert await world.inside(oslo) == {"c"}
    await writer.go_on()
    assert await world.inside(oslo) == set()
    await exact(world)


async def test_a_customer_deleted_while_a_segment_is_filled_is_not_in_it(world: SegmentWorld) -> None:
    await world.save("c", **lives_in("Oslo"))
    oslo = await world.segment(OSLO, "passive", settled=False)
    await world.tasks.settle(world.db)
    async with holding(world, NO_LOG):
        deleted = await waits(world, world.remove("c"))
        filled = await waits(world, world.settle_segments())
    await deleted
    await filled
    picture = await read(world.db, world.project_id)
    assert (picture.members, picture.inside(oslo)) == ({}, set())
    await exact(world)


async def test_a_customer_made_while_a_segment_is_filled_is_decided_about(world: SegmentWorld) -> None:
    await world.save("a", **lives_in("Rome"))
    segments = [await world.segment(raw, "passive", settled=False) for raw in (OSLO, NOT_OSLO)]
    await world.tasks.settle(world.db)
    async with holding(world, NO_LOG):
        made = await waits(world, world.save("c", **lives_in("Oslo")))
        await world.tasks.settle(world.db)
    await made
    await exact(world)
    assert [await world.inside(one) for one in segments] == [{"c"}, {"a"}]


async def test_who_enters_while_decisions_are_swept_away_stays_in(world: SegmentWorld) -> None:
    await world.save("c", **lives_in("Oslo"))
    oslo = await world.segment(OSLO, settled=False)
    await world.save("c", **lives_in("Rome"))
    while await world.state(oslo) != "sweeping":
        await world.tasks.settle(world.db)
    await world.tasks.settle(world.db)
    assert await world.fetchval("SELECT entered_at FROM segment_members WHERE segment_id = $1", oslo) is None
    async with holding(world, NO_LOG):
        moved = await waits(world, world.save("c", **lives_in("Oslo")))
        swept = await waits(world, world.settle_segments())
    await moved
    await swept
    assert await world.inside(oslo) == {"c"}
    await exact(world)


@pytest.mark.parametrize("city", ["Oslo", "Rome", "Lima"])
async def test_a_customer_who_moves_while_a_segment_changes_over_ends_in_the_right_one(
    world: SegmentWorld, city: str
) -> None:
    for source_id, where_ in (("a", "Oslo"), ("b", "Rome"), ("c", "Oslo")):
        await world.save(source_id, **lives_in(where_))
    segment = await world.segment(OSLO)
    follower = await world.segment(where("segments", "$is_not", segment))
    await world.edit(segment, filter=where("address.city", "$is", "Rome"))
    while await world.state(segment) != "switching":
        await world.tasks.settle(world.db)
    writer = Paused()
    await writer.start(moving(world, writer, "c", city))
    await world.tasks.settle(world.db)
    await writer.go_on()
    await exact(world)
    expected = {"b", "c"} if city == "Rome" else {"b"}
    assert (await world.inside(segment), await world.inside(follower)) == (expected, {"a", "b", "c"} - expected)


async def test_a_writer_who_goes_by_the_old_filter_is_waited_for(world: SegmentWorld) -> None:
    await world.save("c", **lives_in("Lima"))
    segment = await world.segment(OSLO)
    await world.edit(segment, filter=where("address.city", "$is", "Rome"))
    # The new filter is filled, and a writer who knows only the old one is on its way when it takes over.
    while (
        await world.fetchval(
            "SELECT state FROM segments WHERE project_id = $1 AND replaces = $2", world.project_id, segment
        )
        != "ready"
    ):
        await world.tasks.settle(world.db)
    writer = Paused()
    await writer.start(moving(world, writer, "c", "Oslo"))
    for _ in range(5):
        await world.tasks.settle(world.db)
    await writer.go_on()
    assert await world.state(segment) in ("live", "switching")
    await exact(world)
    assert await world.inside(segment) == set()


async def test_a_segment_deleted_while_somebody_enters_leaves_nothing_behind(world: SegmentWorld) -> None:
    oslo = await world.segment(OSLO)
    await world.save("a", **lives_in("Oslo"))
    await world.save("c")
    writer = Paused()
    await writer.start(moving(world, writer, "c", "Oslo"))
    await world.drop(oslo)
    for _ in range(5):
        await world.tasks.settle(world.db)
    assert await world.state(oslo) == "deleted"
    await writer.go_on()
    await exact(world)
    picture = await read(world.db, world.project_id)
    assert (picture.segments, picture.members, picture.past) == ({}, {}, {})


async def test_who_follows_a_segment_is_right_though_both_are_filled_at_once(world: SegmentWorld) -> None:
    for source_id, city in (("a", "Oslo"), ("b", "Rome"), ("c", "Oslo")):
        await world.save(source_id, **lives_in(city))
    oslo = await world.segment(OSLO, "passive", settled=False)
    other = await world.segment(where("segments", "$is_not", oslo), "passive", settled=False)
    last = await world.segment(where("segments", "$is", other), settled=False)
    await world.tasks.settle(world.db)
    async with holding(world, NO_LOG):
        moved = await waits(world, world.save("c", **lives_in("Rome")))
        filled = await waits(world, world.settle_segments())
    await moved
    await filled
    assert [await world.inside(one) for one in (oslo, other, last)] == [{"a"}, {"b", "c"}, {"b", "c"}]
    await exact(world)


async def test_a_decision_that_somebody_is_out_is_no_membership_for_who_follows(world: SegmentWorld) -> None:
    await world.save("c", **lives_in("Oslo"))
    oslo = await world.segment(OSLO, settled=False)
    await world.save("c", **lives_in("Rome"))
    other = await world.segment(where("segments", "$is_not", oslo))
    assert (await world.inside(oslo), await world.inside(other)) == (set(), {"c"})
    await exact(world)


async def test_an_event_counts_for_who_waited_behind_it(world: SegmentWorld) -> None:
    twice = await world.segment({"events.seen": {"conditions": {"$count_more": [1], "$less_than_ago": [30]}}})
    customer = await world.save("c")
    first = Paused()

    async def work(unit: Unit) -> None:
        await unit.lock_all([customer.id])
        await add_event(unit, customer.id, "seen", unit.now)
        await first.here()

    await first.start(world.commit(work, Writer(world.db, SegmentDecider())))
    second = await waits(world, world.track(customer.id, "seen"))
    await first.go_on()
    await second
    assert await world.inside(twice) == {"c"}
    await exact(world)


async def test_the_type_changed_in_the_middle_of_filling_loses_nobody_and_logs_each_once(world: SegmentWorld) -> None:
    for number in range(3):
        await world.save(f"c{number}", **lives_in("Oslo"))
    oslo = await world.segment(OSLO, "passive", settled=False)
    await world.tasks.settle(world.db)
    await world.save("c1", **lives_in("Rome"))
    await world.edit(oslo, type="auto-update")
    await world.save("c2", metadata={"n": 1})
    await exact(world)
    assert await world.inside(oslo) == {"c0", "c2"}


BETWEEN = ("moved", "deleted", "made", "passed", "dropped", "retyped", "edited", "filled twice")
ENDS: dict[str, Any] = {"metadata": {"ends": "2026-06-15T12:00:05Z"}}


async def do(world: SegmentWorld, what: str, segment: str, follower: str) -> None:
    """Do one of BETWEEN."""
    if what == "moved":
        await world.save("b", **lives_in("Rome"))
        await world.save("b", name="Bob")
    elif what == "deleted":
        await world.remove("b")
    elif what == "made":
        await world.save("d", **lives_in("Oslo"), **ENDS)
    elif what == "passed":
        await world.advance(5 * SECOND)
        await world.pass_time()
    elif what == "dropped":
        await world.drop(follower)
    elif what == "retyped":
        await world.edit(segment, type="passive")
    elif what == "edited":
        await world.edit(segment, filter=NOT_OSLO)
    else:
        await SegmentTasks(Writer(world.db, SegmentDecider())).settle(world.db)


@pytest.mark.parametrize("what", BETWEEN)
async def test_whatever_happens_between_the_reading_and_the_writing_of_a_back_fill(
    world: SegmentWorld, what: str
) -> None:
    """It has read who matches, and waits to write it."""
    for source_id in "abc":
        await world.save(source_id, **lives_in("Oslo"), **ENDS)
    segment = await world.segment({**OSLO, **where("metadata.ends", "$more_than_future", 0)}, settled=False)
    follower = await world.segment(where("segments", "$is", segment), settled=False)
    await world.tasks.settle(world.db)
    async with holding(world, f"SELECT FROM segments WHERE id = '{segment}' FOR NO KEY UPDATE"):
        filling = await waits(world, world.tasks.settle(world.db))
        doing = asyncio.ensure_future(do(world, what, segment, follower))
        if what in ("retyped", "edited"):
            # These change the row of the segment and wait in their turn.
            await asyncio.sleep(0.05)
        else:
            await doing
    await filling
    await doing
    await exact_though(world, segment)
    expected = {"moved": {"a", "c"}, "deleted": {"a", "c"}, "made": set("abcd"), "passed": set(), "edited": set()}
    assert await world.inside(segment) == expected.get(what, set("abc"))
    if what != "dropped":
        assert await world.inside(follower) == expected.get(what, set("abc"))


async def exact_though(world: SegmentWorld, retyped: str) -> None:
    """Assert as `exact` does, though one segment may have changed its type."""
    await world.settle()
    await assert_exact(world.db, world.project_id, converted={retyped})


@pytest.mark.parametrize("seed", range(6))
async def test_small_steps_of_several_workers_with_a_write_between_any_two(
    world: SegmentWorld, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """A new segment, one edited twice and one retyped: two customers at a time, by workers that come and go."""
    for name in ("DECIDED_AT_ONCE", "COMPARED_AT_ONCE", "REMOVED_AT_ONCE", "AT_FIRST", "AT_ONCE"):
        monkeypatch.setattr(tasks, name, 2)
    rng = random.Random(seed)

    async def write() -> None:
        await world.advance(SECOND)
        source_id = f"c{rng.randrange(25)}"
        if rng.random() < 0.1:
            with suppress(NotFound):
                await world.remove(source_id)
        else:
            change = {"metadata": {"n": rng.randrange(4)}} if rng.random() < 0.5 else lives_in(rng.choice(CITIES))
            await world.save(source_id, **change)

    for _ in range(30):
        await write()
    segments = [await world.segment(OSLO), await world.segment(where("metadata.n", "$more_than", 1), "passive")]
    segments.append(await world.segment(where("segments", "$is_not", *segments), settled=False))
    await world.edit(segments[0], filter=where("metadata.n", "$is", 1, 2))
    await world.edit(segments[1], type="auto-update")
    for number in range(10_000):
        worker = SegmentTasks(Writer(world.db, SegmentDecider()))
        await worker.settle(world.db)
        await write()
        if number == 12:
            await world.edit(segments[0], filter=where("metadata.n", "$is_not", 1))
        if number > 12 and await world.at_rest():
            break
    await exact_though(world, segments[1])
