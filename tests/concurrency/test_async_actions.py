"""Asynchronous actions step by step: two workers, turns, order, steps that fail, by a clock that the test moves."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from rapport.activity.log import internal
from rapport.async_actions import queries
from rapport.async_actions.models import Action
from rapport.async_actions.tasks import KEPT, MAX_FAILURES, ActionSteps, OldActions
from rapport.core.errors import InvalidPayload
from rapport.core.ids import new_id
from rapport.customers.schemas import CustomerInput
from rapport.customers.writes import Unit
from segment_world import MILLISECOND, SECOND, SegmentWorld

Step = Callable[[Unit, Action], Awaitable[Action]]


class Counting:
    """A step that makes one customer, and writes down whose turn it was; `fail` may raise."""

    def __init__(self, fail: Callable[[Action], None] = lambda _action: None) -> None:
        self.turns: list[str] = []
        self.fail = fail

    async def __call__(self, unit: Unit, action: Action) -> Action:
        """Do a step."""
        self.turns.append(action.id)
        await unit.upsert(CustomerInput(source_id=f"{action.id} {action.done_count}"))
        self.fail(action)
        done = action.done_count + 1
        return msgspec.structs.replace(
            action, done_count=done, cursor={"done": done}, status="DONE" if done == action.total else action.status
        )


@pytest.fixture
def kind() -> str:
    """A type of action that no other test has."""
    return new_id("TEST")


async def ask(world: SegmentWorld, kind: str, steps: int = 1, **parameters: Any) -> str:
    """Ask for an action; time goes on."""

    async def work(conn: Any) -> str:
        signature = internal(world.project_id)
        return await queries.enqueue(conn, signature, kind, parameters, offset=timedelta(0), total=steps)

    action_id: str = await world.db.transaction(work)
    await world.advance(MILLISECOND)
    return action_id


async def find(world: SegmentWorld, action_id: str) -> Action:
    """Return an action."""
    async with world.db.read() as conn:
        found = await queries.find(conn, world.project_id, action_id)
    assert found is not None
    return found


async def work_off(world: SegmentWorld, steps: ActionSteps, most: int = 50) -> int:
    """Take steps until there is nothing to do; return how many were taken. Time goes on between them."""
    for taken in range(most):
        if not await steps.run(world.db):
            return taken
        await world.advance(MILLISECOND)
    raise AssertionError("there is always more to do")


async def names(world: SegmentWorld) -> list[str]:
    """Return the source ids of the customers."""
    rows = await world.fetch("SELECT source_id FROM customers WHERE project_id = $1 ORDER BY 1", world.project_id)
    return [row["source_id"] for row in rows]


async def test_actions_take_turns(world: SegmentWorld, kind: str) -> None:
    step = Counting()
    steps = ActionSteps("test", world.writer, {kind: step})
    first, second = await ask(world, kind, 3), await ask(world, kind, 2)
    assert await work_off(world, steps) == 5
    assert step.turns == [first, second, first, second, first]
    assert (await find(world, first)).status == (await find(world, second)).status == "DONE"


async def test_actions_in_order_come_one_after_another(world: SegmentWorld, kind: str) -> None:
    step = Counting()
    steps = ActionSteps("test", world.writer, {kind: step}, in_order=True)
    first, second = await ask(world, kind, 3), await ask(world, kind, 2)
    assert await work_off(world, steps) == 5
    assert step.turns == [first] * 3 + [second] * 2


async def test_a_second_worker_waits_for_the_order_and_takes_other_work_otherwise(
    world: SegmentWorld, kind: str
) -> None:
    """The first worker is in the middle of a step; whether the second may begin the next action depends."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(unit: Unit, action: Action) -> Action:
        await unit.upsert(CustomerInput(source_id="slow"))
        begun.set()
        await go_on.wait()
        return msgspec.structs.replace(action, status="DONE", done_count=1)

    for in_order in (True, False):
        begun.clear()
        go_on.clear()
        first, second = await ask(world, kind), await ask(world, kind)
        quick = Counting()
        busy = ActionSteps("busy", world.writer, {kind: slow}, in_order=in_order)
        other = ActionSteps("other", world.writer, {kind: quick}, in_order=in_order)
        running = asyncio.create_task(busy.run(world.db))
        await begun.wait()
        assert await other.run(world.db) is not in_order
        assert quick.turns == ([] if in_order else [second])
        go_on.set()
        assert await running
        await work_off(world, other)
        assert quick.turns == [second]
        assert (await find(world, first)).done_count == (await find(world, second)).done_count == 1


async def test_many_workers_take_each_step_once(world: SegmentWorld, kind: str) -> None:
    step = Counting()
    workers = [ActionSteps("test", world.writer, {kind: step}, in_order=number % 2 == 0) for number in range(4)]
    ids = [await ask(world, kind, 5) for _ in range(4)]
    for _ in range(60):
        await asyncio.gather(*(worker.run(world.db) for worker in workers))
        await world.advance(MILLISECOND)
    assert await names(world) == sorted(f"{action_id} {number}" for action_id in ids for number in range(5))
    assert {(await find(world, one)).status for one in ids} == {"DONE"}


async def test_a_step_that_is_refused_ends_the_action_and_nothing_of_it_stays(world: SegmentWorld, kind: str) -> None:
    def refuse(action: Action) -> None:
        if action.done_count == 1:
            raise InvalidPayload("Not like this")

    step = Counting(refuse)
    steps = ActionSteps("test", world.writer, {kind: step})
    action_id = await ask(world, kind, 3, secret="x")
    await work_off(world, steps)
    action = await find(world, action_id)
    assert (action.status, action.result, action.parameters) == ("FAILED", {"message": "Not like this"}, {})
    assert (action.done_count, action.progress) == (1, 33)
    assert await names(world) == [f"{action_id} 0"]
    assert len(step.turns) == 2


async def test_a_step_that_fails_for_a_while_is_tried_again_later(world: SegmentWorld, kind: str) -> None:
    failures = [OverflowError("a"), OverflowError("b")]

    def fail(action: Action) -> None:
        if action.done_count == 1 and failures:
            raise failures.pop()

    step = Counting(fail)
    steps = ActionSteps("test", world.writer, {kind: step})
    action_id = await ask(world, kind, 2, kept=True)
    other = await ask(world, kind, 1)
    await work_off(world, steps)
    waiting = await find(world, action_id)
    assert (waiting.status, waiting.failures, waiting.parameters) == ("IN_PROGRESS", 1, {"kept": True})
    assert (await find(world, other)).status == "DONE"
    assert await names(world) == sorted([f"{action_id} 0", f"{other} 0"])
    await world.advance(SECOND)
    await work_off(world, steps)
    assert (await find(world, action_id)).failures == 2
    await world.advance(SECOND)
    assert await work_off(world, steps) == 0
    await world.advance(SECOND)
    await work_off(world, steps)
    done = await find(world, action_id)
    assert (done.status, done.failures, done.done_count) == ("DONE", 0, 2)


async def test_a_step_that_always_fails_is_given_up(world: SegmentWorld, kind: str) -> None:
    def fail(_action: Action) -> None:
        raise OverflowError("a secret")

    step = Counting(fail)
    steps = ActionSteps("test", world.writer, {kind: step}, in_order=True)
    action_id, after = await ask(world, kind, 2), await ask(world, kind, 1)
    await world.execute(
        "UPDATE async_actions SET failures = $3 WHERE project_id = $1 AND id = $2",
        world.project_id,
        action_id,
        MAX_FAILURES - 2,
    )
    await work_off(world, steps)
    assert (await find(world, action_id)).status == "ENQUEUED"
    assert step.turns == [action_id]
    await world.advance(40 * SECOND)
    await steps.run(world.db)
    action = await find(world, action_id)
    assert (action.status, action.result) == ("FAILED", {"message": "Something went wrong on our side"})
    await work_off(world, steps)
    assert step.turns[:3] == [action_id, action_id, after]
    assert await names(world) == []


async def test_what_is_over_is_removed_after_thirty_days(world: SegmentWorld, kind: str) -> None:
    steps = ActionSteps("test", world.writer, {kind: Counting()})
    over = await ask(world, kind)
    await work_off(world, steps)
    await world.advance(SECOND)
    waiting = await ask(world, kind)
    remover = OldActions()
    await world.advance(KEPT - 2 * SECOND)
    await remover.run(world.db)
    assert (await find(world, over)).status == "DONE"
    await world.advance(3 * SECOND)
    await remover.run(world.db)
    rows = await world.fetch("SELECT id FROM async_actions WHERE project_id = $1", world.project_id)
    assert [row["id"] for row in rows] == [waiting]
