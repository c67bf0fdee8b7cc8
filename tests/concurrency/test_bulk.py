"""Bulk requests beside others who write to the same customers, and what is left of a person who is erased."""

import asyncio
import random
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from rapport.async_actions import queries as actions
from rapport.async_actions.models import Action
from rapport.async_actions.tasks import MAX_FAILURES, ActionSteps
from rapport.bulk import actions as bulk
from rapport.bulk import queries
from rapport.bulk.holding import holding
from rapport.bulk.kinds import BULK_UPDATE, EVENTS_IMPORT, KINDS, METADATA_UPDATE, ORDERS_IMPORT
from rapport.bulk.models import Asked
from rapport.bulk.steps import BulkStep
from rapport.bulk.tasks import Tidying
from rapport.core import jsons
from rapport.core.clock import iso
from rapport.core.db import Connection, StatementTimeout
from rapport.customers.models import Customer
from rapport.customers.schemas import CustomerInput
from rapport.customers.writes import Unit
from rapport.orders.schemas import OrderInput
from segment_checks import assert_exact
from segment_world import DAY, SegmentWorld

ANN = {"source_id": "ann@x.com", "email": "ann.b@example.com", "phone": "+48600100200"}


def worker(world: SegmentWorld) -> ActionSteps:
    """Return a worker of bulk requests."""
    return ActionSteps("test", world.writer, dict.fromkeys(KINDS, BulkStep(timedelta(0))), in_order=True)


async def ask(world: SegmentWorld, kind: str, *things: Any, **parameters: Any) -> str:
    """Ask for a bulk action of structs."""
    asked = [Asked(getattr(one, "source_id", None), one) for one in things]
    return (await bulk.accept(world.caller, kind, asked, parameters)).async_action_id


async def work_off(world: SegmentWorld) -> None:
    """Do all bulk requests of the project."""
    steps = worker(world)
    while await steps.run(world.db):
        pass


async def find(world: SegmentWorld, action_id: str) -> Action:
    """Return an action."""
    async with world.db.read() as conn:
        found = await actions.find(conn, world.project_id, action_id)
    assert found is not None
    return found


def person(**fields: Any) -> CustomerInput:
    """Return a customer of a request."""
    return msgspec.convert(fields, CustomerInput)


def order(source_id: str, **fields: Any) -> OrderInput:
    """Return an order of a request."""
    return msgspec.convert({"source_id": source_id, "status": "PAID", "amount": 1, **fields}, OrderInput)


async def test_live_writes_to_the_same_customers_go_on(world: SegmentWorld) -> None:
    """Two workers with bulk requests and imports in all orders, beside live upserts and orders: nothing is lost."""
    rng = random.Random(7)
    names = [f"c{number}" for number in range(12)]
    await world.segment({"junction": "and", "orders": {"conditions": {"$count_more": [3]}}})
    for number in range(4):
        order_of = rng.sample(names, 12)
        await ask(world, BULK_UPDATE, *(person(source_id=one, metadata={f"b{number}": 1}) for one in order_of))
        await ask(
            world, ORDERS_IMPORT, *(order(f"o{number}.{one}", customer=person(source_id=one)) for one in order_of)
        )

    async def live(number: int) -> None:
        for one in rng.sample(names, 6):
            await world.commit(lambda unit, one=one: upsert(unit, one, number))

    async def upsert(unit: Unit, name: str, number: int) -> None:
        await unit.upsert(person(source_id=name, metadata={f"l{number}": 1}), person(source_id=rng.choice(names)))

    def steps() -> ActionSteps:
        kinds = dict.fromkeys(KINDS, BulkStep(timedelta(0)))
        return ActionSteps("test", world.writer, kinds)

    async def work(one: ActionSteps) -> None:
        while await one.run(world.db):
            pass

    jobs: list[Awaitable[None]] = [work(steps()), work(steps()), *(live(number) for number in range(6))]
    await asyncio.gather(*jobs)
    await work_off(world)
    rows = await world.fetch("SELECT * FROM customers WHERE project_id = $1", world.project_id)
    assert len(rows) == 12
    assert all({f"b{number}" for number in range(4)} <= set(row["metadata"]) for row in rows)
    assert sum(name.startswith("l") for row in rows for name in row["metadata"]) == 36
    assert {(row["orders_count"], row["orders_amount"]) for row in rows} == {(4, 4)}
    unfinished = await world.fetchval(
        "SELECT count(*) FROM async_actions WHERE project_id = $1 AND (status <> 'DONE' OR failed_count > 0)",
        world.project_id,
    )
    assert unfinished == 0
    await assert_exact(world.db, world.project_id)


async def test_a_thing_that_meets_a_mistake_of_ours_fails_alone(
    world: SegmentWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    action_id = await ask(world, BULK_UPDATE, *(person(source_id=f"c{number}") for number in range(4)))
    change = Unit.change

    def broken(unit: Unit, customer_id: str, data: CustomerInput) -> None:
        if data.source_id == "c2":
            raise KeyError(customer_id)
        change(unit, customer_id, data)

    monkeypatch.setattr(Unit, "change", broken)
    await work_off(world)
    action = await find(world, action_id)
    assert (action.status, action.done_count, action.failed_count, action.failures) == ("DONE", 3, 1, 0)
    assert action.result is not None
    assert action.result["errors"] == [
        {
            "key": "internal_error",
            "message": "Internal error",
            "details": "Something went wrong on our side",
            "source_id": "c2",
        }
    ]
    rows = await world.fetch("SELECT source_id FROM customers WHERE project_id = $1 ORDER BY 1", world.project_id)
    assert [row["source_id"] for row in rows] == ["c0", "c1", "c3"]


async def test_what_is_left_of_an_action_that_is_given_up_is_told_and_not_kept(
    world: SegmentWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is too slow for the step, once more than it may be."""

    async def slow(*_arguments: object) -> None:
        raise StatementTimeout("too slow")

    action_id = await ask(world, BULK_UPDATE, *(person(source_id=f"c{number}", name="Secret") for number in range(2)))
    with monkeypatch.context() as patched:
        patched.setattr(Unit, "upsert", slow)
        await world.execute(
            "UPDATE async_actions SET failures = $2 WHERE project_id = $1", world.project_id, MAX_FAILURES - 1
        )
        await work_off(world)
    assert (await find(world, action_id)).status == "FAILED"
    while await Tidying().run(world.db):
        pass
    async with world.db.read() as conn:
        items = await queries.all_items(conn, world.project_id, action_id)
    assert [(one.status, one.error and one.error["details"]) for one in items] == [
        ("FAILED", "The action was given up before its turn came")
    ] * 2
    assert "Secret" not in await everything(world)


@pytest.fixture
async def ann(world: SegmentWorld) -> Customer:
    """The person who is to be erased."""

    async def work(unit: Unit) -> Customer:
        return (await unit.upsert(person(**ANN)))[0]

    found: Customer = await world.commit(work)
    return found


async def erase(world: SegmentWorld, ann: Customer) -> int:
    """Erase a person's part in bulk requests."""

    async def work(conn: Connection) -> int:
        return await holding.erase(conn, world.project_id, ann)

    return await world.db.transaction(work)


async def everything(world: SegmentWorld) -> str:
    """Return the text of all that actions hold in the project."""
    texts = [
        await world.fetchval(
            f"SELECT string_agg(to_jsonb({table})::text, ' ') FROM {table} WHERE project_id = $1", world.project_id
        )
        for table in ("bulk_items", "async_actions")
    ]
    return " ".join(filter(None, texts))


async def fill(world: SegmentWorld) -> list[str]:
    """Ask for everything there is about Ann and about somebody else."""
    past = iso(await world.now() - DAY)
    mention = {"note": f"friend of {ANN['email']}, call {ANN['phone']}"}
    event = {"event": "seen", "created_at": past}
    reading = KINDS[EVENTS_IMPORT].read
    return [
        await ask(world, BULK_UPDATE, person(**ANN), person(source_id="bob", metadata=mention)),
        await ask(world, METADATA_UPDATE, person(source_id=ANN["source_id"]), person(source_id="b"), metadata=mention),
        await ask(
            world, ORDERS_IMPORT,
            order("o1", customer=person(source_id="ann@x.com")), order("o2", metadata=mention),
            order("o3", referrer=person(email=ANN["email"], source_id="x")), order("o4", customer_id="cust_none"),
        ),
        await ask(
            world, EVENTS_IMPORT,
            *(
                reading(queries.Waiting(1, None, {**event, "customer": {"source_id": one}}), {})
                for one in ("ann@x.com", "bob")
            ),
        ),
    ]  # fmt: skip


async def test_what_waits_about_an_erased_person_is_not_done(world: SegmentWorld, ann: Customer) -> None:
    ids = await fill(world)
    assert await erase(world, ann) > 0
    left = await everything(world)
    assert [value for value in (*ANN.values(), ann.id) if value in left] == []

    async def delete(unit: Unit) -> None:
        await unit.delete(await unit.get_locked(ann.id))

    await world.commit(delete)
    await work_off(world)
    found = [await find(world, one) for one in ids]
    assert [(one.status, one.done_count, one.failed_count) for one in found] == [
        ("DONE", 1, 1),
        ("DONE", 1, 1),
        ("DONE", 1, 3),
        ("DONE", 1, 1),
    ]
    assert found[0].result is not None
    assert found[0].result["errors"][0]["key"] == "customer_deleted"
    rows = await world.fetch("SELECT source_id, metadata FROM customers WHERE project_id = $1", world.project_id)
    assert {row["source_id"] for row in rows} == {"bob", "b"}
    assert not any(value in jsons.encode([dict(row) for row in rows]).decode() for value in ANN.values())


async def test_nothing_of_an_erased_person_is_left_in_what_is_done(world: SegmentWorld, ann: Customer) -> None:
    await fill(world)
    await ask(world, ORDERS_IMPORT, order("o9", customer_id=ann.id), order("o10", id=f"ord {ann.id}"))
    await work_off(world)
    async with world.db.read() as conn:
        gathered = [one async for one in holding.gather(conn, world.project_id, ann)]
    assert sorted((one["type"], one["number"]) for one in gathered) == [
        ("CUSTOMERS.BULK_UPDATE", 1),
        ("CUSTOMERS.METADATA_UPDATE", 1),
        ("EVENTS.IMPORT", 1),
        ("ORDERS.IMPORT", 1),
        ("ORDERS.IMPORT", 1),
    ]
    assert ann.id in await everything(world)
    before = await world.fetchval("SELECT count(*) FROM bulk_items WHERE project_id = $1", world.project_id)
    assert await erase(world, ann) > 0
    left = await everything(world)
    assert [value for value in (*ANN.values(), ann.id) if value in left] == []
    assert await world.fetchval("SELECT count(*) FROM bulk_items WHERE project_id = $1", world.project_id) == before
    assert "bob" in await everything(world)
    assert await erase(world, ann) == 0


async def test_a_short_source_id_takes_nobody_elses_data(world: SegmentWorld) -> None:
    async def work(unit: Unit) -> Customer:
        return (await unit.upsert(person(source_id="1")))[0]

    one: Customer = await world.commit(work)
    action_id = await ask(world, BULK_UPDATE, person(source_id="1"), person(source_id="2", metadata={"a": "1"}))
    orders = await ask(world, ORDERS_IMPORT, order("1", customer=person(source_id="2")))
    await erase(world, one)
    await work_off(world)
    assert ((await find(world, action_id)).done_count, (await find(world, orders)).done_count) == (1, 1)


async def test_what_came_of_things_goes_over_to_another_customer_and_back(world: SegmentWorld, ann: Customer) -> None:
    await ask(world, BULK_UPDATE, person(**ANN), person(source_id="bob"))
    await work_off(world)
    bob = await world.fetchval("SELECT id FROM customers WHERE project_id = $1 AND source_id = 'bob'", world.project_id)

    async def whose() -> list[str]:
        rows = await world.fetch(
            "SELECT customer_id FROM bulk_items WHERE project_id = $1 ORDER BY number", world.project_id
        )
        return [row["customer_id"] for row in rows]

    moved = await world.db.transaction(lambda conn: holding.move(conn, world.project_id, ann.id, bob))
    assert (await whose(), len(moved)) == ([bob, bob], 1)
    assert await world.db.transaction(lambda conn: holding.move(conn, world.project_id, bob, ann.id, moved)) == moved
    assert await whose() == [ann.id, bob]


async def test_an_erasure_and_a_step_at_once_leave_no_trace(world: SegmentWorld) -> None:
    """Whoever is first: the person is not made again by what waited."""
    for number in range(6):
        name = f"person-{number}"

        async def make(unit: Unit, name: str = name) -> Customer:
            return (await unit.upsert(person(source_id=name)))[0]

        one: Customer = await world.commit(make)
        await ask(world, BULK_UPDATE, *(person(source_id=f"{other}{number}") for other in "ab"), person(source_id=name))

        async def remove(unit: Unit, one: Customer = one) -> None:
            await unit.delete(await unit.get_locked(one.id))
            await holding.erase(unit.conn, unit.project_id, one)

        await asyncio.gather(world.commit(remove), work_off(world))
        await work_off(world)
        known = await world.fetch("SELECT source_id FROM customers WHERE project_id = $1", world.project_id)
        assert name not in {row["source_id"] for row in known}
        assert name not in await everything(world)
