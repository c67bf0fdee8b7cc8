"""Rows become pieces of CSV of bounded size, whatever is in them."""

import csv
import io
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.core.csv_cells import restore
from rapport.exports.objects.columns import Form, quoted_key
from rapport.exports.parameters import OBJECTS, REFERENCE, Selection
from rapport.exports.writing import MOST_ROWS, json_cell, pieces
from rapport.segments.fields import keys_of

CELLS = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))


def selection(*forms: Form) -> Selection:
    return Selection("", [], [f"h{number}" for number in range(len(forms))], list(forms), [()] * len(forms))


async def written(forms: Sequence[Form], rows: list[list[Any]], piece_bytes: int) -> tuple[list[bytes], list[int]]:
    """Write rows; return the pieces, and how many rows were asked for each time."""
    waiting, asked = list(rows), []

    async def read(number: int) -> list[list[Any]]:
        asked.append(number)
        taken, waiting[:] = waiting[:number], waiting[number:]
        return taken

    return [data async for data, _ in pieces(selection(*forms), read, piece_bytes=piece_bytes)], asked


@given(st.lists(st.lists(CELLS, min_size=2, max_size=2)), st.integers(1, 100))
async def test_every_table_comes_back(rows: list[list[str | None]], piece_bytes: int) -> None:
    found, _ = await written([Form.TEXT, Form.TEXT], rows, piece_bytes)
    assert all(len(piece) == piece_bytes for piece in found[:-1])
    read = list(csv.reader(io.StringIO(b"".join(found).decode(), newline=""), strict=True))
    assert read[0] == ["h0", "h1"]
    assert [[restore(cell) for cell in row] for row in read[1:]] == [[cell or "" for cell in row] for row in rows]


async def test_long_rows_are_read_few_at_a_time() -> None:
    _, asked = await written([Form.TEXT], [["x" * 10_000]] * 1_000, 100_000)
    assert asked[1:-1] == [2] * len(asked[1:-1])
    _, asked = await written([Form.TEXT], [["x"]] * 3_000, 1_000_000)
    assert max(asked) == MOST_ROWS


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        (True, "true"),
        (-5, "-5"),
        (Decimal("1.50"), "1.50"),
        ("text", "text"),
        ("=1", "'=1"),
        ([1, "=1"], '[1,"=1"]'),
        ({"a": {"b": None}}, '{"a":{"b":null}}'),
    ],
)
def test_json_is_compact_and_texts_in_it_are_plain(value: Any, cell: str) -> None:
    assert json_cell(value) == cell


@given(st.text(min_size=0))
def test_a_key_in_a_header_is_read_back_as_one(key: str) -> None:
    assert keys_of(quoted_key(key)) == (key,)


@pytest.mark.parametrize("name", REFERENCE)
def test_defaults_are_among_the_fields_and_orders_are_declared(name: str) -> None:
    exported = OBJECTS[name]
    assert set(exported.defaults) <= set(exported.fields)
    assert exported.default_order.removeprefix("-") in exported.orders
