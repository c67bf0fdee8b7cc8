"""Schemas that change while writers run: what is stored after the change was answered fits it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import httpx2
import pytest

import facts
import harness
from management import Management, managed
from rapport.activity.log import internal
from rapport.async_actions.tasks import ActionSteps
from rapport.core.db import Connection, Database
from rapport.core.errors import InvalidPayload
from rapport.customers import purge as customers
from rapport.customers.schemas import CustomerInput
from rapport.customers.writes import Unit, Writer
from rapport.metadata import actions, purge
from rapport.metadata.models import Definition
from rapport.metadata.schemas import DefinitionInput, SchemaInput, SchemaUpdate
from rapport.projects.models import NewKey
from rapport.segments.membership import SegmentDecider

LOOSE, TIGHT = {"k": DefinitionInput(type="string")}, {"k": DefinitionInput(type="string", eq=["a"])}


@pytest.fixture
async def http(server: harness.Server, key: NewKey) -> AsyncIterator[httpx2.AsyncClient]:
    """A client with many connections."""
    async with harness.async_client(server.base_url, {"X-App-Id": key.app_id, "X-App-Token": key.app_token}) as client:
        yield client


async def defined(db: Database, project_id: int, properties: dict[str, DefinitionInput]) -> str:
    """Create the schema of customers; return its id."""
    row = await actions.create(db, project_id, SchemaInput(related_object="customer", properties=properties))
    return row.id


async def stored(db: Database, project_id: int) -> list[Any]:
    """Return the metadata of all customers, in the order of their ids."""
    async with db.read() as conn:
        rows = await conn.fetch("SELECT metadata FROM customers WHERE project_id = $1 ORDER BY id", project_id)
    return [row["metadata"] for row in rows]


async def test_nothing_that_breaks_a_tightened_schema_is_stored_after_the_change_was_answered(
    http: httpx2.AsyncClient, server: harness.Server, db: Database, key: NewKey, project_id: int
) -> None:
    async with managed(server, db, key.project) as management:
        schema_id = management.define("customer", {"k": "string"})
        numbers, stop, answers = count(), asyncio.Event(), []

        async def write() -> None:
            while not stop.is_set():
                number = next(numbers)
                body = {"source_id": f"c{number % 7}", "metadata": {"k": f"b{number}"}}
                answers.append((await http.post("/v1/customers", json=body)).status_code)

        writers = [asyncio.create_task(write()) for _ in range(8)]
        while answers.count(200) < 40:
            await asyncio.sleep(0.01)
        tight = {"k": {"type": "string", "eq": ["a"]}}
        await asyncio.to_thread(management.change, schema_id, tight)
        before = await stored(db, project_id)
        seen = len(answers)
        while answers[seen:].count(400) < 20:
            await asyncio.sleep(0.01)
        stop.set()
        await asyncio.gather(*writers)
    assert await stored(db, project_id) == before
    assert set(answers) == {200, 400}


@pytest.mark.parametrize("wrote", [True, False], ids=["one that has written", "one that has only read"])
async def test_a_change_is_answered_only_when_writes_that_may_not_know_of_it_are_over(
    db: Database, project_id: int, *, wrote: bool
) -> None:
    schema_id = await defined(db, project_id, LOOSE)
    writer = Writer(db, SegmentDecider())
    opened, go_on = asyncio.Event(), asyncio.Event()

    async def work(unit: Unit) -> None:
        if wrote:
            await unit.upsert(CustomerInput(source_id="ann", metadata={"k": "b"}))
        else:
            await unit.open()  # no lock and no row would show that this one is about to write
        opened.set()
        await go_on.wait()

    slow = asyncio.create_task(writer.commit(internal(project_id), work))
    await opened.wait()
    update = SchemaUpdate(properties=TIGHT)
    tightened = asyncio.create_task(actions.update(db, project_id, schema_id, update))
    async with db.read() as conn:
        while (await actions.get_schema(conn, project_id, schema_id)).properties["k"].eq is None:
            await asyncio.sleep(0.01)
    assert not tightened.done()
    go_on.set()
    await slow
    await tightened
    assert await stored(db, project_id) == ([{"k": "b"}] if wrote else [])
    with pytest.raises(InvalidPayload):
        await writer.commit(
            internal(project_id), lambda unit: unit.upsert(CustomerInput(source_id="bob", metadata={"k": "b"}))
        )


async def test_two_changes_at_once_both_hold(db: Database, project_id: int) -> None:
    schema_id = await defined(db, project_id, {})
    given = [SchemaUpdate(properties={f"k{number}": DefinitionInput(type="string")}) for number in range(10)]
    await asyncio.gather(*(actions.update(db, project_id, schema_id, one) for one in given))
    async with db.read() as conn:
        row = await actions.get_schema(conn, project_id, schema_id)
        version = await conn.fetchval("SELECT metadata_version FROM projects WHERE project_id = $1", project_id)
    assert sorted(row.properties) == [f"k{number}" for number in range(10)]
    assert version == 11


async def test_of_two_schemas_of_one_name_one_is_made(db: Database, project_id: int) -> None:
    data = SchemaInput(related_object="customer", properties={})
    made = await asyncio.gather(*(actions.create(db, project_id, data) for _ in range(5)), return_exceptions=True)
    assert [getattr(one, "key", "made") for one in made].count("made") == 1
    assert [getattr(one, "key", "made") for one in made].count("duplicate_found") == 4


async def test_a_purge_leaves_nothing_behind_while_writers_run(
    http: httpx2.AsyncClient, server: harness.Server, db: Database, key: NewKey, api: Any, project_id: int
) -> None:
    for number in range(30):
        await http.post("/v1/customers", json={"source_id": f"c{number}", "metadata": {"gone": "x", "n": 0}})
    stop, answers = asyncio.Event(), []

    async def write(first: int) -> None:
        numbers = count(first)
        while not stop.is_set():
            number = next(numbers)
            metadata = {"gone": f"y{number}"} if number % 2 else {"n": number}
            answer = await http.post("/v1/customers", json={"source_id": f"c{number % 40}", "metadata": metadata})
            answers.append(answer.status_code)

    async with managed(server, db, key.project) as management:
        schema_id = management.define("customer", {"gone": {"type": "string", "deleted": True}, "n": "number"})
        writers = [asyncio.create_task(write(number * 5)) for number in range(6)]
        done = await asyncio.to_thread(_purged, management, schema_id, api)
        stop.set()
        await asyncio.gather(*writers)
    assert done["status"] == "DONE"
    assert 400 in answers
    left = [metadata for metadata in await stored(db, project_id) if metadata.get("gone") == "x"]
    assert left == []


def _purged(management: Management, schema_id: str, api: Any) -> Any:
    return management.purge(schema_id, "gone", server=api)


async def test_a_step_of_a_purge_that_is_cut_short_has_never_happened(db: Database, project_id: int) -> None:
    schema_id = await defined(db, project_id, {"gone": DefinitionInput(type="string", deleted=True)})
    writer = Writer(db, SegmentDecider())
    for number in range(3):
        change = CustomerInput(source_id=f"c{number}", metadata={"gone": "x"})
        await writer.commit(internal(project_id), lambda unit, change=change: unit.upsert(change))

    class Cut(Exception):
        """The step ends here."""

    cut = [True, True]

    async def remove(unit: Unit, gone: str, after: str) -> tuple[str | None, int]:
        result = await customers.remove_key(unit, gone, after)
        if cut and cut.pop():
            raise Cut
        return result

    action_id = await _request_without_worker(db, project_id, schema_id)
    steps = {f"TEST.{kind}": step for kind, step in purge.steps(db, {"customer": remove}).items()}
    runners = [ActionSteps(f"test {number}", writer, steps) for number in range(2)]
    for _ in range(200):
        with contextlib.suppress(Cut):
            await asyncio.gather(*(runner.run(db) for runner in runners))
        async with db.read() as conn:
            status = await conn.fetchval(
                "SELECT status FROM async_actions WHERE project_id = $1 AND id = $2", project_id, action_id
            )
            # A step that failed is tried again after a pause: not in this test.
            await conn.execute(
                "UPDATE async_actions SET next_step_at = clock_timestamp() WHERE project_id = $1", project_id
            )
        if status == "DONE":
            break
    assert not cut
    assert status == "DONE"
    assert await stored(db, project_id) == [{}] * 3
    assert (await facts.log_types(db, project_id)).count("customer.updated") == 3
    async with db.read() as conn:
        assert (await actions.get_schema(conn, project_id, schema_id)).properties == {}


async def test_a_purge_waits_for_writes_that_may_not_know_of_it(db: Database, project_id: int) -> None:
    schema_id = await defined(db, project_id, {"gone": DefinitionInput(type="string", deleted=True)})
    writer = Writer(db, SegmentDecider())
    written, go_on = asyncio.Event(), asyncio.Event()

    async def work(unit: Unit) -> None:
        await unit.upsert(CustomerInput(source_id="ann", metadata={"gone": "x"}))
        written.set()
        await go_on.wait()

    slow = asyncio.create_task(writer.commit(internal(project_id), work))
    await written.wait()
    action_id = await _request_without_worker(db, project_id, schema_id)
    found = purge.steps(db, {"customer": customers.remove_key})
    steps = ActionSteps("test", writer, {f"TEST.{kind}": step for kind, step in found.items()})
    for _ in range(5):
        assert await steps.run(db)
    go_on.set()
    await slow
    while await steps.run(db):
        pass
    async with db.read() as conn:
        action = await purge.async_actions.find(conn, project_id, action_id)
    assert action is not None
    assert (action.status, action.done_count) == ("DONE", 1)
    assert await stored(db, project_id) == [{}]


async def _request_without_worker(db: Database, project_id: int, schema_id: str) -> str:
    """Ask for a purge that the server's worker does not see, since its type is none of the worker's."""

    async def work(conn: Connection) -> str:
        signature = internal(project_id)
        parameters = {"schema_id": schema_id, "related_object": "customer", "key": "gone"}
        action_id = await purge.async_actions.enqueue(
            conn, signature, "TEST.CUSTOMERS.METADATA_KEY_PURGE", parameters, offset=db.clock_offset
        )
        marked = {"gone": Definition(type="string", deleted=True, purge=action_id)}
        await purge.queries.update_schema(
            conn, project_id, schema_id, marked, allow_defined_only=False, offset=db.clock_offset
        )
        return action_id

    return await db.transaction(work)
