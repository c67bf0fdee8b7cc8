"""The passing of time, tick by tick: to the millisecond, with writers on their way, restarts, floods and midnights."""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import facts
from facts import where
from rapport.core.clock import iso
from rapport.core.db import Database
from rapport.customers.models import Customer
from rapport.customers.schemas import CustomerInput
from rapport.customers.writes import Unit, Writer
from rapport.segments.membership import SegmentDecider
from rapport.segments.ticks import tasks
from segment_checks import assert_exact, next_turns, read
from segment_steps import SegmentTasks
from segment_world import DAY, MILLISECOND, SECOND, START, Paused, SegmentWorld, open_world

OVER = where("metadata.ends", "$more_than_ago", 0)
HOUR = timedelta(hours=1)
# At how many moments the days of a zone are looked at; `RAPPORT_SOAK=1` looks at all there are.
DAY_TURNS = 60 if os.environ.get("RAPPORT_SOAK") else 14
SPANS = ("$more_than_ago", "$less_than_ago", "$more_than_future", "$less_than_future")
DAYS = ("$is_days_ago", "$is_days_in_future")


def ends(at: datetime) -> dict[str, Any]:
    """Return what a request says of a customer whose something ends."""
    return {"metadata": {"ends": iso(at)}}


async def tick(world: SegmentWorld, at: datetime | None = None) -> None:
    """Let a tick happen at a moment, and assert that all is exact then."""
    if at is not None:
        await world.set_clock(at)
    await world.pass_time()
    await assert_exact(world.db, world.project_id)


async def step_through(world: SegmentWorld, most: int = 60) -> int:
    """Tick at every moment at which something turns, and a millisecond before and after; return how often it did."""
    turned = 0
    for _ in range(most):
        picture = await read(world.db, world.project_id)
        coming = [at for at in next_turns(picture, {}) if at > picture.now]
        if not coming:
            break
        before = picture.members.keys()
        for at in (coming[0] - MILLISECOND, coming[0], coming[0] + MILLISECOND):
            if at > picture.now:
                await tick(world, at)
        turned += (await read(world.db, world.project_id)).members.keys() != before
    return turned


def another_worker(world: SegmentWorld) -> None:
    """Put a worker that remembers nothing in the place of the one there was."""
    world.writer = Writer(world.db, SegmentDecider())
    world.tasks = SegmentTasks(world.writer)


async def test_a_date_written_while_the_tick_goes_by_is_found_by_a_later_one(world: SegmentWorld) -> None:
    over = await world.segment(OVER)
    await world.save("c")
    writer = Paused()

    async def work(unit: Unit) -> None:
        await unit.upsert(CustomerInput(source_id="c", metadata={"ends": iso(START + HOUR)}))
        await writer.here()

    await tick(world, START + SECOND)
    await writer.start(world.commit(work, Writer(world.db, SegmentDecider())))
    # The tick at which it ends does not see it yet.
    await tick(world, START + 2 * HOUR)
    await tick(world, START + 3 * HOUR)
    await writer.go_on()
    assert await world.inside(over) == set()
    await tick(world, START + 4 * HOUR)
    assert await world.inside(over) == {"c"}


@pytest.mark.parametrize("operator", SPANS)
@pytest.mark.parametrize("field", ["metadata.ends", "summary.orders.last_order_date", "created_at", "updated_at"])
async def test_a_span_of_time_ends_at_its_very_millisecond(world: SegmentWorld, field: str, operator: str) -> None:
    for span in (0, 1):
        await world.segment(where(field, operator, span))
    for number, at in enumerate((START - DAY, START, START + MILLISECOND, START + DAY, START + 2 * DAY)):
        await world.save(f"c{number}", **ends(at))
        await world.order(f"o{number}", f"c{number}", created_at=iso(at))
    await world.settle()
    await assert_exact(world.db, world.project_id)
    turned = await step_through(world)
    assert turned >= (1 if field.startswith(("metadata", "summary")) or operator.endswith("ago") else 0)


@pytest.mark.parametrize("source", ["events.seen", "orders"])
async def test_a_window_loses_and_gains_at_its_very_millisecond(world: SegmentWorld, source: str) -> None:
    for conditions in (
        {"$count_more": [1], "$less_than_ago": [1]},
        {"$count_less": [2], "$less_than_ago": [1]},
        {"$count": [1], "$less_than_ago": [2]},
        {"$count": [3]},
        {"$has_value": True, "$after": iso(START)},
    ):
        await world.segment({source: {"conditions": conditions}})
    if source == "orders":
        await world.segment({source: {"conditions": {"$sum_more_than": [2], "$less_than_ago": [1]}}})
    customer = await world.save("c")
    for number, at in enumerate((START - DAY, START, START, START + HOUR, START + 3 * DAY)):
        if source == "orders":
            await world.order(f"o{number}", "c", created_at=iso(at))
        else:
            await world.track(customer.id, "seen", at)
    await world.settle()
    await assert_exact(world.db, world.project_id)
    assert await step_through(world) >= 4


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("America/New_York", datetime(2026, 3, 6, 2, tzinfo=UTC)),
        ("America/Havana", datetime(2026, 10, 31, 2, tzinfo=UTC)),
        ("America/Sao_Paulo", datetime(2018, 11, 2, 2, tzinfo=UTC)),
        ("Pacific/Apia", datetime(2011, 12, 28, 9, tzinfo=UTC)),
        ("Pacific/Kiritimati", datetime(2026, 6, 14, 9, tzinfo=UTC)),
        ("Pacific/Niue", datetime(2026, 6, 15, 10, tzinfo=UTC)),
    ],
)
async def test_days_turn_at_midnight_of_the_project_however_long_they_are(
    held_db: tuple[str, Database], zone: str, start: datetime
) -> None:
    url, db = held_db
    world = await open_world(db, url, "days", zone)
    await world.set_clock(start)
    for field in ("birthdate", "metadata.day", "metadata.ends", "summary.orders.last_order_date"):
        for operator in DAYS:
            for days in (0, 1, 2):
                await world.segment(where(field, operator, days), settled=False)
        for operator in SPANS:
            await world.segment(where(field, operator, 1), settled=False)
        await world.segment(where(field, "$next_month", True), settled=False)  # noqa: FBT003 (the operand)
    await world.settle()
    for shift in range(-3, 5):
        at = start + shift * DAY + timedelta(minutes=shift)
        day = at.date().isoformat()
        metadata = {"day": day, "ends": iso(at)}
        await world.save(f"c{shift}", birthdate=day, metadata=metadata)
        await world.order(f"o{shift}", f"c{shift}", created_at=iso(at))
    assert await step_through(world, most=DAY_TURNS) > DAY_TURNS // 4
    await world.forget()


async def test_a_birthday_next_month_comes_every_year(world: SegmentWorld) -> None:
    await world.segment(where("birthdate", "$next_month", True))  # noqa: FBT003 (the operand)
    for month in range(1, 13):
        await world.save(f"c{month}", birthdate=f"199{month % 10}-{month:02}-28")
    assert await step_through(world, most=14) == 14


async def test_a_worker_that_takes_over_catches_up_also_on_what_came_and_went(world: SegmentWorld) -> None:
    shortly = await world.segment(where("metadata.ends", "$less_than_ago", "0.0001"))
    await world.segment(OVER)
    for number in range(5):
        await world.save(f"c{number}", **ends(START + number * 4 * SECOND))
    for seconds in (1, 5, 6, 9, 18, 1000):
        await tick(world, START + seconds * SECOND)
        if seconds in (5, 9, 18):
            another_worker(world)
    assert await world.inside(shortly) == set()


async def test_a_date_that_is_replaced_before_its_tick_is_judged_by_the_write(world: SegmentWorld) -> None:
    over = await world.segment(OVER)
    await world.save("c", **ends(START + HOUR))
    await tick(world, START + 2 * HOUR - SECOND)
    await world.save("d", **ends(START + 2 * HOUR))
    await world.set_clock(START + 3 * HOUR)
    # No tick has told that both have ended.
    await world.save("d", **ends(START + 4 * HOUR))
    await world.save("c", **ends(START + 4 * HOUR))
    assert await world.inside(over) == set()
    await tick(world)
    await tick(world, START + 5 * HOUR)
    assert await world.inside(over) == {"c", "d"}


async def test_a_short_span_that_is_replaced_when_it_is_over_and_before_its_tick(world: SegmentWorld) -> None:
    """It holds for less time than there is between two notes of how far the ticks have come."""
    shortly = await world.segment(where("metadata.ends", "$less_than_ago", "0.00002"))
    await world.save("c", **ends(START + SECOND))
    await tick(world, START + SECOND)
    assert await world.inside(shortly) == {"c"}
    await world.set_clock(START + 4 * SECOND)
    await world.save("c", **ends(START + DAY))
    await tick(world)
    await tick(world, START + 5 * SECOND)
    assert await world.inside(shortly) == set()


@pytest.mark.parametrize("field", ["birthdate", "metadata.day"])
async def test_a_day_that_has_just_begun_is_replaced_before_its_tick(held_db: tuple[str, Database], field: str) -> None:
    """In a zone to the west of Greenwich; by the new day the customer belongs in as well."""
    url, db = held_db
    world = await open_world(db, url, "days", "America/New_York")

    def on(day: str) -> dict[str, Any]:
        return {"birthdate": day} if field == "birthdate" else {"metadata": {"day": day}}

    await world.set_clock(datetime(2026, 6, 16, 2, tzinfo=UTC))
    lately = await world.segment(where(field, "$less_than_ago", 30))
    await world.save("c", **on("2026-06-16"))
    await tick(world)
    assert await world.inside(lately) == set()
    await world.set_clock(datetime(2026, 6, 16, 4, 0, 0, 100_000, UTC))
    await world.save("c", **on("2026-06-15"))
    await tick(world)
    assert await world.inside(lately) == {"c"}
    await world.forget()


async def test_an_order_ahead_of_its_time_that_is_changed_still_counts_when_it_comes(world: SegmentWorld) -> None:
    spent = await world.segment({"orders": {"conditions": {"$sum_more_than": [5], "$less_than_ago": [1]}}})
    bought = await world.segment(where("summary.orders.last_order_date", "$less_than_ago", 1))
    at = iso(START + HOUR)
    await world.order("o", "c", 3, created_at=at)
    await world.order("o", "c", 6, created_at=at)
    await tick(world, START + HOUR - MILLISECOND)
    await tick(world, START + HOUR)
    assert (await world.inside(spent), await world.inside(bought)) == ({"c"}, {"c"})


async def test_of_two_orders_ahead_of_their_time_one_is_taken_back(world: SegmentWorld) -> None:
    bought = await world.segment({"orders": {"conditions": {"$count_more": [0], "$less_than_ago": [1]}}})
    for number in range(2):
        await world.order(f"o{number}", "c", created_at=iso(START + HOUR))
    await world.order("o1", "c", status="CANCELED")
    await tick(world, START + HOUR)
    assert await world.inside(bought) == {"c"}


async def test_two_lists_of_dates_share_one_and_one_of_them_is_removed(world: SegmentWorld) -> None:
    over = await world.segment(OVER)
    await world.save("c", metadata={"ends": [iso(START + HOUR), iso(START + 2 * HOUR)]})
    await world.save("c", metadata={"ends": [iso(START + HOUR)]})
    await tick(world, START + HOUR + MILLISECOND)
    assert await world.inside(over) == {"c"}


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_flood_of_crossings_at_one_moment_is_dealt_with_to_the_last(
    world: SegmentWorld, monkeypatch: pytest.MonkeyPatch, restarted: bool
) -> None:
    monkeypatch.setattr(tasks, "FOUND_AT_ONCE", 400)
    monkeypatch.setattr(tasks, "FLOOD_PAGE", 300)
    over = await world.segment(OVER)
    template: Customer = await world.save("template")
    await facts.multiply(world.db, world.project_id, template.id, 1_234)
    due = iso(START + HOUR)
    await world.execute(
        "UPDATE customers SET metadata = jsonb_build_object('ends', $2::text) WHERE project_id = $1",
        world.project_id,
        due,
    )
    other = await world.segment(where("metadata.ends", "$more_than_future", 0))
    assert len(await world.inside(other)) == 1_235
    await world.set_clock(START + HOUR)
    await world.tasks.pass_time(world.db)
    await world.set_clock(START + HOUR + MILLISECOND)
    await world.tasks.pass_time(world.db)
    # In the middle of it one is written to, so that the last pages find somebody who has changed.
    await world.save("c1234", **ends(START + DAY))
    await world.save("c1233", metadata={"n": 1})
    if restarted:
        another_worker(world)
    await tick(world)
    assert await world.inside(other) == {"c1234"}
    assert len(await world.inside(over)) == 1_234
    await tick(world, START + 2 * DAY)
    assert await world.inside(other) == set()


async def test_a_segment_made_between_two_ticks_misses_nothing(world: SegmentWorld) -> None:
    await world.segment(where("metadata.other", "$more_than_ago", 0))
    await tick(world, START + SECOND)
    await world.save("c", **ends(START + HOUR))
    await world.save("d", **ends(START + 3 * HOUR))
    await world.set_clock(START + 2 * HOUR)
    over = await world.segment(OVER)
    assert await world.inside(over) == {"c"}
    await tick(world, START + 4 * HOUR)
    assert await world.inside(over) == {"c", "d"}


async def test_time_goes_on_while_a_segment_is_filled(world: SegmentWorld) -> None:
    for number in range(4):
        await world.save(f"c{number}", **ends(START + number * HOUR))
    over = await world.segment(OVER, "passive", settled=False)
    not_over = await world.segment(where("metadata.ends", "$more_than_future", 0), settled=False)
    for hours in (1, 2, 3):
        await world.set_clock(START + hours * HOUR + MILLISECOND)
        await world.pass_time()
        await world.tasks.settle(world.db)
    await world.settle()
    await assert_exact(world.db, world.project_id)
    assert (await world.inside(over), await world.inside(not_over)) == ({"c0", "c1", "c2", "c3"}, set())


@pytest.mark.parametrize("kind", ["metadata", "order", "event"])
async def test_a_date_that_comes_between_a_writer_and_the_back_fill(world: SegmentWorld, kind: str) -> None:
    """The writer decides about the segment, and touches none of the dates that the back-fill has still to note."""
    customer = await world.save("c", **ends(START + HOUR))
    await world.order("o", "c", created_at=iso(START + HOUR))
    await world.track(customer.id, "seen", START + HOUR)
    raw = {
        "metadata": where("metadata.ends", "$more_than_future", 0),
        "order": {"orders": {"conditions": {"$count": [0], "$less_than_ago": [1]}}},
        "event": {"events.seen": {"conditions": {"$count": [0]}}},
    }[kind]
    segment = await world.segment(raw, settled=False)
    await world.save("c", name="Ann")
    assert await world.inside(segment) == {"c"}
    await world.set_clock(START + 2 * HOUR)
    await world.pass_time()
    await world.settle()
    await assert_exact(world.db, world.project_id)
    assert await world.inside(segment) == set()
