"""Everything that exports declare, and their page names, is SQL that the database takes."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from exports_world import conditions, table
from rapport.core.db import Database
from rapport.exports.parameters import OBJECTS, Parameters, check
from rapport.exports.reading import open_rows

PAGE = Path(__file__).resolve().parents[2] / "docs" / "exports.md"


def filters_of_the_page() -> dict[str, list[str]]:
    """Return the fields of filters that the page names, by object."""
    _, _, rest = PAGE.read_text().partition("| | Fields of filters |")
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", rest, re.MULTILINE)
    return {name: re.findall(r"`([\w.]+)`", cells) for name, cells in rows}


async def header(db: Database, project_id: int, name: str, parameters: Parameters) -> list[str]:
    """Export a project without rows; return the header."""
    async with db.snapshot() as conn:
        opened = await open_rows(conn, project_id, check(name, parameters), timedelta(0), counted=True)
        data = b"".join([piece async for piece, _ in opened.pieces])
    assert opened.total == 0
    (only,) = table(data)
    return only


@pytest.mark.parametrize("name", [name for name in OBJECTS if name != "segment_members"])
async def test_every_field_order_and_filter_is_valid(db: Database, project_id: int, name: str) -> None:
    exported = OBJECTS[name]
    fields = [*exported.fields]
    assert await header(db, project_id, name, Parameters(fields=[*fields, "metadata", "metadata.x"])) == [
        *fields,
        "metadata.x",
    ]
    for order in exported.orders:
        for sign in ("", "-"):
            await header(db, project_id, name, Parameters(order=sign + order))
    for field in filters_of_the_page().get(name, []):
        for held in (conditions(has_value=True), conditions(is_unknown=True)):
            await header(db, project_id, name, Parameters(filters={field: held, "metadata.x": held}))


def test_the_page_names_the_filters_of_every_object_but_customers() -> None:
    named = filters_of_the_page()
    assert set(named) == {name for name, exported in OBJECTS.items() if exported.find_filter is not None}
    assert all(len(fields) > 4 for fields in named.values())


def test_the_page_names_the_defaults_and_orders_of_every_object() -> None:
    text = PAGE.read_text()
    for name, exported in OBJECTS.items():
        line = next(line for line in text.splitlines() if line.startswith(f"| `{name}`"))
        cells = line.split("|")
        assert re.findall(r"`(\w+)`", cells[2]) == list(exported.defaults), name
        if name != "segment_members":
            assert sorted(re.findall(r"`(\w+)`", cells[3])) == sorted(exported.orders), name
