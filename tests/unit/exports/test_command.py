"""What `rapport export` reads from its options."""

from decimal import Decimal

import pytest

from rapport.core.errors import InvalidPayload
from rapport.exports.command import read_filters, split_fields


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (None, None),
        ("", []),
        ("id", ["id"]),
        ("id, name ,", ["id", "name"]),
        ('id,"metadata.a,b"', ["id", "metadata.a,b"]),
    ],
)
def test_fields_stand_between_commas(text: str | None, fields: list[str] | None) -> None:
    assert split_fields(text) == fields


def test_filters_are_a_json_object() -> None:
    assert read_filters(None) is None
    assert read_filters('{"amount": {"conditions": {"$is": [1.5]}}}') == {
        "amount": {"conditions": {"$is": [Decimal("1.5")]}}
    }


@pytest.mark.parametrize("text", ["", "{", "[]", "5", "[" * 100_000, '{"a": 1e99999}'])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidPayload):
        read_filters(text)
