"""Metadata schemas cost the hot path no round trip."""

from collections.abc import Awaitable, Callable
from typing import Any

from rapport.activity.log import internal
from rapport.core.db import Database
from rapport.customers.schemas import CustomerInput
from rapport.customers.writes import Unit, Writer
from rapport.metadata import actions
from rapport.metadata.schemas import DefinitionInput, SchemaInput
from rapport.segments.membership import SegmentDecider

KEYS = {f"k{number}": number for number in range(20)}


async def statements(writer: Writer, project_id: int, work: Callable[[Unit], Awaitable[Any]]) -> list[str]:
    """Return what a unit asks the database."""
    asked: list[str] = []
    over = False

    def note(record: Any) -> None:
        if not over:
            asked.append(record.query)

    async def logged(unit: Unit) -> None:
        unit.conn.add_query_logger(note)
        await work(unit)

    await writer.commit(internal(project_id), logged)
    over = True
    return asked


async def test_an_upsert_with_a_schema_of_twenty_keys_asks_what_one_without_does(db: Database, project_id: int) -> None:
    writer = Writer(db, SegmentDecider())

    async def upsert(unit: Unit, more: int) -> None:
        await unit.upsert(CustomerInput(source_id="ann", metadata={**KEYS, "k0": more}))

    await writer.commit(internal(project_id), lambda unit: upsert(unit, 0))
    without = await statements(writer, project_id, lambda unit: upsert(unit, 1))
    properties = {key: DefinitionInput(type="number", optional=False, gte=0) for key in KEYS}
    await actions.create(db, project_id, SchemaInput(related_object="customer", properties=properties))
    first = await statements(writer, project_id, lambda unit: upsert(unit, 2))
    then = await statements(writer, project_id, lambda unit: upsert(unit, 3))
    assert len(without) > 3
    assert then == without
    # Only the first write of a process after a change reads what was changed.
    assert len(first) == len(without) + 1
