"""What one change means for all segments, and all that is written of it; each small enough to name one mistake."""

from typing import Any

import pytest

from facts import where
from rapport.customers.writes import Writer
from rapport.segments.membership import SegmentDecider
from segment_checks import assert_exact, read
from segment_world import SECOND, START, SegmentWorld

OSLO = where("address.city", "$is", "Oslo")


def lives_in(city: str) -> dict[str, Any]:
    """Return what a request says of a customer who moves."""
    return {"address": {"city": city}}


async def moves(world: SegmentWorld) -> list[tuple[str, str]]:
    """Return who entered and left, in the order of the log."""
    rows = await world.fetch(
        "SELECT replace(type, 'customer.segment.', ''), payload #>> '{customer,source_id}' FROM activity "
        "WHERE project_id = $1 AND type LIKE 'customer.segment.%' ORDER BY seq",
        world.project_id,
    )
    return [(row[0], row[1]) for row in rows]


async def test_a_negated_condition_turns_like_any_other(world: SegmentWorld) -> None:
    elsewhere = await world.segment(where("address.city", "$is_not", "Oslo"))
    unknown = await world.segment(where("email", "$is_unknown", True))  # noqa: FBT003 (the operand)
    await world.save("c", **lives_in("Oslo"), email="c@example.com")
    assert (await world.inside(elsewhere), await world.inside(unknown)) == (set(), set())
    await world.save("c", **lives_in("Rome"), email="")
    assert (await world.inside(elsewhere), await world.inside(unknown)) == ({"c"}, {"c"})
    await assert_exact(world.db, world.project_id)


@pytest.mark.parametrize("operator", ["$more_than", "$more_than_equal", "$less_than", "$less_than_equal"])
async def test_a_number_turns_exactly_at_its_threshold(world: SegmentWorld, operator: str) -> None:
    for threshold in range(4):
        await world.segment(where("metadata.n", operator, threshold), settled=False)
    await world.settle()
    for number in (0, 1, 2, 3, 4, 2, 0, 3, -1, 1):
        await world.save("c", metadata={"n": number})
        await assert_exact(world.db, world.project_id)


@pytest.mark.parametrize("operator", ["$count", "$count_more", "$count_less"])
async def test_the_number_of_events_turns_exactly_at_its_threshold(world: SegmentWorld, operator: str) -> None:
    for number in range(4):
        for narrowed in ({}, {"$less_than_ago": 1}):
            conditions = {operator: [number], **narrowed}
            if conditions != {"$count_less": [0]}:
                await world.segment({"events.seen": {"conditions": conditions}}, settled=False)
    await world.settle()
    customer = await world.save("c")
    for _ in range(5):
        await world.track(customer.id, "seen")
        await assert_exact(world.db, world.project_id)


async def test_a_new_customer_is_in_the_segments_of_those_who_have_nothing(world: SegmentWorld) -> None:
    nowhere = await world.segment(where("address.city", "$is_unknown", True))  # noqa: FBT003 (the operand)
    never = await world.segment({"events.seen": {"conditions": {"$count_less": [1]}}})
    none = await world.segment(where("summary.orders.total_count", "$is", 0))
    await world.save("c")
    assert [await world.inside(one) for one in (nowhere, never, none)] == [{"c"}] * 3
    await assert_exact(world.db, world.project_id)


async def test_who_follows_a_segment_turns_with_it(world: SegmentWorld) -> None:
    oslo = await world.segment(OSLO)
    elsewhere = await world.segment(where("segments", "$is_not", oslo))
    last = await world.segment(where("segments", "$is", elsewhere))
    customer = await world.save("c", **lives_in("Oslo"))
    static = await world.static(customer)
    chosen = await world.segment(where("segments", "$is", static))
    followers = (elsewhere, last, chosen)
    assert [await world.inside(one) for one in followers] == [set(), set(), {"c"}]
    await world.save("c", **lives_in("Rome"))
    await world.place(static, customer, member=False)
    assert [await world.inside(one) for one in followers] == [{"c"}, {"c"}, set()]
    await assert_exact(world.db, world.project_id, {static: set()})


async def test_a_membership_that_has_ended_stays_in_the_past(world: SegmentWorld) -> None:
    oslo, passive = await world.segment(OSLO), await world.segment(OSLO, "passive")
    customer = await world.save("c", **lives_in("Oslo"))
    static = await world.static(customer)
    left_at = await world.advance(SECOND)
    await world.save("c", **lives_in("Rome"))
    await world.place(static, customer, member=False)
    picture = await read(world.db, world.project_id)
    assert picture.past == {(one, customer.id): [(START, left_at)] for one in (oslo, passive, static)}
    assert picture.members == {}
    await world.remove("c")
    assert (await read(world.db, world.project_id)).past == picture.past


async def test_a_deleted_customer_leaves_every_segment(world: SegmentWorld) -> None:
    await world.segment(OSLO)
    customer = await world.save("c", **lives_in("Oslo"))
    static = await world.static(customer)
    await world.remove("c")
    assert (await read(world.db, world.project_id)).members == {}
    await assert_exact(world.db, world.project_id, {static: set()})


async def test_a_deleted_segment_leaves_no_rows(world: SegmentWorld) -> None:
    oslo = await world.segment(OSLO)
    await world.save("c", **lives_in("Oslo"))
    await world.save("d", **lives_in("Oslo"))
    await world.save("d", **lives_in("Rome"))
    await world.drop(oslo)
    await world.settle()
    picture = await read(world.db, world.project_id)
    assert (picture.segments, picture.members, picture.past) == ({}, {}, {})
    assert await moves(world) == [("entered", "c"), ("entered", "d"), ("left", "d")]


async def test_an_edit_moves_only_those_for_whom_it_makes_a_difference(world: SegmentWorld) -> None:
    for source_id, city, number in (("a", "Oslo", 1), ("b", "Oslo", 2), ("c", "Rome", 2), ("d", "Rome", 1)):
        await world.save(source_id, **lives_in(city), metadata={"n": number})
    segment = await world.segment(OSLO)
    before = await read(world.db, world.project_id)
    at = await world.advance(SECOND)
    await world.edit(segment, filter=where("metadata.n", "$is", 2))
    assert await world.inside(segment) == {"a", "b"}, "the old filter is in force until the new one is filled"
    await world.settle()
    assert await world.inside(segment) == {"b", "c"}
    assert sorted(await moves(world)) == [("entered", "a"), ("entered", "b"), ("entered", "c"), ("left", "a")]
    picture = await assert_exact(world.db, world.project_id)
    b = next(one.id for one in picture.customers.values() if one.source_id == "b")
    assert picture.members[segment, b] == before.members[segment, b]
    assert {entered_at for entered_at, _ in picture.members.values()} == {START, at}


async def test_a_passive_segment_that_turns_active_logs_each_member_once(world: SegmentWorld) -> None:
    await world.save("a", **lives_in("Oslo"))
    segment = await world.segment(OSLO, "passive")
    await world.save("b", **lives_in("Oslo"))
    assert await moves(world) == []
    await world.edit(segment, type="auto-update")
    await world.save("b", metadata={"n": 1})
    await world.save("c", **lives_in("Oslo"))
    await world.settle()
    await world.save("a", **lives_in("Rome"))
    assert sorted((await moves(world))[:-1]) == [("entered", "a"), ("entered", "b"), ("entered", "c")]
    assert (await moves(world))[-1] == ("left", "a")
    await assert_exact(world.db, world.project_id, converted={segment})


async def test_every_process_hears_of_a_segment_before_its_next_write(world: SegmentWorld) -> None:
    other = Writer(world.db, SegmentDecider())
    await world.save("c", other, **lives_in("Rome"))
    oslo = await world.segment(OSLO)
    await world.save("c", other, **lives_in("Oslo"))
    assert await world.inside(oslo) == {"c"}
    rome = await world.segment(where("address.city", "$is", "Rome"))
    await world.drop(oslo)
    await world.settle()
    await world.save("c", other, **lives_in("Rome"))
    assert await world.inside(rome) == {"c"}
    await assert_exact(world.db, world.project_id)


async def test_what_only_looks_the_same_is_a_change_though_within_one_millisecond(world: SegmentWorld) -> None:
    true = await world.segment(where("metadata.n", "$is", "true"))
    for number, members in (
        (1, set()),
        (True, {"c"}),
        (1, set()),
        (1.0, set()),
        (True, {"c"}),
        (False, set()),
        (0, set()),
    ):
        await world.save("c", metadata={"n": number})
        assert await world.inside(true) == members, number
        await assert_exact(world.db, world.project_id)
