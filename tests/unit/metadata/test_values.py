from decimal import Decimal
from typing import Any

import pytest

from rapport.metadata.models import Definition, Schema, link
from rapport.metadata.values import InvalidValue, MetadataInvalid, check, from_text


def schema(*, closed: bool = False, **definitions: Any) -> Schema:
    """Return a schema; a type alone stands for an optional single value."""
    properties = {
        key: Definition(**({"type": one} if isinstance(one, str) else one)) for key, one in definitions.items()
    }
    return Schema("customer", properties, closed)


def refusal(wanted: Schema, metadata: Any, **more: Any) -> str:
    """Return what is wrong with metadata that must be refused."""
    with pytest.raises(MetadataInvalid) as caught:
        check(wanted, metadata, **more)
    assert caught.value.key == "metadata_validation_failed"
    return caught.value.details


PNG = "https://example.com/a.PNG?w=1"


@pytest.mark.parametrize(
    ("definition", "given", "stored"),
    [
        ("string", "", ""),
        ({"type": "string", "min_length": 2, "max_length": 3}, "żó", "żó"),
        ({"type": "string", "exact_length": 1}, "ż", "ż"),
        ({"type": "string", "eq": ("a", "b")}, "b", "b"),
        ({"type": "string", "ne": ("a",)}, "A", "A"),
        ("number", 5, 5),
        ("number", Decimal("5.50"), Decimal("5.50")),
        ("number", 0.1, Decimal("0.1")),
        ({"type": "number", "gt": Decimal(1), "lt": Decimal(2)}, Decimal("1.5"), Decimal("1.5")),
        ({"type": "number", "gte": Decimal(1), "lte": Decimal(1)}, 1, 1),
        ({"type": "number", "eq": (1, Decimal("2.5"))}, Decimal("2.50"), Decimal("2.50")),
        ("boolean", False, False),
        ("date", "2026-01-31", "2026-01-31"),
        ("date", "2026-01-31T23:30:00-05:00", "2026-01-31"),
        ("datetime", "2026-01-31T12:00:00+02:00", "2026-01-31T10:00:00.000Z"),
        ("datetime", "2026-01-31", "2026-01-31T00:00:00.000Z"),
        ("datetime", "0007-01-31T12:00:00.1239Z", "0007-01-31T12:00:00.123Z"),
        ("image_url", PNG, PNG),
        ("geopoint", "37.786971,-122.399677", "37.786971, -122.399677"),
        ("geopoint", " +37.50 , -0.0 ", "37.5, 0"),
        ({"type": "number", "array": True}, [], []),
        ({"type": "date", "array": True}, ["2026-01-31T00:00Z"], ["2026-01-31"]),
        ({"type": "object", "object_type": "unknown"}, {"a": [None]}, {"a": [None]}),
    ],
)
def test_a_value_that_fits_is_stored_in_the_form_of_its_type(definition: Any, given: Any, stored: Any) -> None:
    found = check(schema(k=definition), {"k": given})
    assert found == {"k": stored}
    assert type(found["k"]) is type(stored)
    assert check(schema(k=definition), found) == found


@pytest.mark.parametrize(
    ("definition", "given", "reason"),
    [
        ("string", 5, "must be a text (is 5)"),
        ({"type": "string", "min_length": 2}, "a", 'must have at least 2 characters (is "a")'),
        ({"type": "string", "max_length": 1}, "ab", 'must have at most 1 characters (is "ab")'),
        ({"type": "string", "exact_length": 1}, "", 'must have exactly 1 characters (is "")'),
        ({"type": "string", "eq": ("a", "b")}, "c", 'must be one of a, b (is "c")'),
        ({"type": "string", "ne": ("a",)}, "a", 'must not be one of a (is "a")'),
        ("number", "5", 'must be a number (is "5")'),
        ("number", True, "must be a number (is true)"),
        ({"type": "number", "lt": Decimal(2)}, 2, "must be less than 2 (is 2)"),
        ({"type": "number", "lte": Decimal(2)}, Decimal("2.01"), "must be at most 2 (is 2.01)"),
        ({"type": "number", "gt": Decimal(2)}, 2, "must be more than 2 (is 2)"),
        ({"type": "number", "gte": Decimal(2)}, 1, "must be at least 2 (is 1)"),
        ({"type": "number", "ne": (1, 2)}, Decimal("1.0"), "must not be one of 1, 2 (is 1.0)"),
        ("boolean", "true", 'must be true or false (is "true")'),
        ("date", "31.01.2026", 'must be a date: YYYY-MM-DD (is "31.01.2026")'),
        ("date", "2026-02-30", 'must be a date: YYYY-MM-DD (is "2026-02-30")'),
        ("date", 5, "must be a date: YYYY-MM-DD (is 5)"),
        ("datetime", "noon", 'must be a date-time in ISO 8601 format (is "noon")'),
        ("datetime", None.__class__.__name__, 'must be a date-time in ISO 8601 format (is "NoneType")'),
        ("image_url", "http.com", 'must be a URL pointing to a JPG, JPEG or PNG image (is "http.com")'),
        ("image_url", "ftp://a/b.png", 'must be a URL pointing to a JPG, JPEG or PNG image (is "ftp://a/b.png")'),
        ("image_url", "http://[a/b.png", 'must be a URL pointing to a JPG, JPEG or PNG image (is "http://[a/b.png")'),
        ("geopoint", "1", 'must be a latitude and a longitude: "37.786971, -122.399677" (is "1")'),
        ("geopoint", "91,0", 'must have a latitude from -90 to 90 and a longitude from -180 to 180 (is "91,0")'),
        ({"type": "string", "array": True}, "a", 'must be a list (is "a")'),
        ({"type": "number", "array": True}, [1] * 1_001, "must have at most 1000 elements"),
        ({"type": "object", "object_type": "unknown"}, [], "must be an object (is [])"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_its_path(definition: Any, given: Any, reason: str) -> None:
    assert refusal(schema(k=definition), {"k": given}) == f"Property .metadata.k {reason}"


def test_an_element_of_a_list_is_named_by_its_place() -> None:
    wanted = schema(k={"type": "string", "array": True})
    assert refusal(wanted, {"k": ["a", None]}, path=".items[3].metadata") == (
        "Property .items[3].metadata.k[1] must be a text (is null)"
    )


def test_null_is_no_value() -> None:
    assert check(schema(k="number"), {"k": None, "x": None}) == {}


def test_without_a_schema_everything_stays_as_it_is() -> None:
    anything = {"a": [{"b": None}], "c": None}
    assert check(None, anything) is anything


def test_a_required_key_is_missed_at_creation_and_in_every_update_that_touches_metadata() -> None:
    wanted = schema(k={"type": "number", "optional": False}, n="number")
    missing = "Property .metadata.k is required"
    assert refusal(wanted, {}) == missing
    assert refusal(wanted, {"k": None}) == missing
    assert refusal(wanted, {"n": 1}, before={"n": 2}) == missing
    assert refusal(wanted, {}, before={"k": 1}) == missing
    # What was stored before the schema was there does not stand in the way of what does not touch it.
    assert check(wanted, {"n": 2}, before={"n": 2}) == {"n": 2}
    assert check(wanted, {"k": 1, "n": 2}, before={"n": 2}) == {"k": 1, "n": 2}


def test_an_old_value_is_left_alone_until_it_changes() -> None:
    wanted = schema(k="number", n="number", closed=True)
    before = {"k": "old", "x": "old"}
    assert check(wanted, {**before, "n": 1}, before=before) == {**before, "n": 1}
    assert refusal(wanted, {**before, "k": "new"}, before=before) == 'Property .metadata.k must be a number (is "new")'
    assert refusal(wanted, {**before, "x": "new"}, before=before) == (
        "Property .metadata.x is not defined in the metadata schema of customer"
    )
    # True is not the 1 that is stored.
    assert refusal(wanted, {"k": True}, before={"k": 1}) == "Property .metadata.k must be a number (is true)"


def test_only_defined_keys_may_be_asked_for_and_a_removed_one_is_not_defined() -> None:
    assert check(schema(k="number"), {"x": "any"}) == {"x": "any"}
    wanted = schema(k="number", gone={"type": "number", "deleted": True}, closed=True)
    for key in ("x", "gone"):
        assert (
            refusal(wanted, {key: 1}) == f"Property .metadata.{key} is not defined in the metadata schema of customer"
        )


def test_a_removed_definition_checks_nothing() -> None:
    wanted = schema(k={"type": "number", "deleted": True, "optional": False})
    assert check(wanted, {"k": "text"}) == {"k": "text"}
    assert check(wanted, {}) == {}


def test_a_key_that_is_being_purged_takes_no_new_values() -> None:
    wanted = schema(k={"type": "number", "deleted": True, "purge": "aa_1"})
    assert refusal(wanted, {"k": 1}) == "Property .metadata.k is being purged and takes no values until that is done"
    assert check(wanted, {"k": 1, "n": 2}, before={"k": 1}) == {"k": 1, "n": 2}
    assert check(wanted, {}, before={"k": 1}) == {}


def test_an_object_is_checked_by_the_schema_of_its_kind() -> None:
    size = Definition(type="number", optional=False)
    schemas = link(
        {
            "customer": ({"work": Definition(type="object", object_type="Company", array=True)}, False),
            "Company": ({"size": size, "since": Definition(type="date")}, True),
        }
    )
    wanted = schemas["customer"]
    given = {"work": [{"size": 5, "since": "2026-01-31T00:00Z"}, {"size": 6, "since": None}]}
    assert check(wanted, given) == {"work": [{"size": 5, "since": "2026-01-31"}, {"size": 6}]}
    assert refusal(wanted, {"work": [{"size": 5}, {}]}) == "Property .metadata.work[1].size is required"
    assert refusal(wanted, {"work": [{"size": 5, "x": 1}]}) == (
        "Property .metadata.work[0].x is not defined in the metadata schema of Company"
    )


@pytest.mark.parametrize(
    ("definition", "text", "value"),
    [
        ("string", " a,b ", " a,b "),
        ("number", " 5 ", 5),
        ("number", "-0.50", Decimal("-0.50")),
        ("number", "7.0", 7),
        ("boolean", "TRUE", True),
        ("boolean", " no", False),
        ("date", "2026-01-31", "2026-01-31"),
        ("datetime", "2026-01-31T12:00+01:00", "2026-01-31T11:00:00.000Z"),
        ("geopoint", "1.5,2", "1.5, 2"),
        ({"type": "string", "array": True}, "a, b", ["a", "b"]),
        ({"type": "string", "array": True}, "  ", []),
        ({"type": "number", "array": True}, "1,2.5", [1, Decimal("2.5")]),
        ({"type": "geopoint", "array": True}, "1,2,3,4", ["1, 2", "3, 4"]),
        ({"type": "number", "array": True}, "[1,2.5]", [1, Decimal("2.5")]),
        ({"type": "string", "array": True}, ' ["a,b","c"]', ["a,b", "c"]),
        ({"type": "string", "array": True}, "[a,b]", ["[a", "b]"]),
        ({"type": "boolean", "array": True}, "[]", []),
        ({"type": "geopoint", "array": True}, '["1, 2"]', ["1, 2"]),
        ({"type": "object", "object_type": "unknown"}, '{"a": 1}', {"a": 1}),
        ({"type": "object", "object_type": "unknown", "array": True}, "[{}]", [{}]),
        ({"type": "number", "deleted": True}, "5", "5"),
    ],
)
def test_a_cell_is_read_by_the_type_of_its_column(definition: Any, text: str, value: Any) -> None:
    wanted = schema(k=definition)
    found = from_text(wanted, "k", text)
    assert (found, type(found)) == (value, type(value))
    assert check(wanted, {"k": found}) == {"k": value}


def test_a_cell_of_an_unknown_column_is_text() -> None:
    assert from_text(schema(k="number"), "x", "5") == "5"
    assert from_text(None, "k", "true") == "true"


@pytest.mark.parametrize(
    ("definition", "text", "message"),
    [
        ("number", "5,5", "'5,5' must be a number in plain digits, such as 12.50"),
        ("number", "1e9", "'1e9' must be a number in plain digits, such as 12.50"),
        ("number", "٣", "'٣' must be a number in plain digits, such as 12.50"),
        ("boolean", "maybe", "'maybe' must be true or false"),
        ("date", "31/01/2026", "'31/01/2026' must be a date: YYYY-MM-DD"),
        ({"type": "geopoint", "array": True}, "1,2,3", "'3' must be a latitude and a longitude"),
        ({"type": "object", "object_type": "unknown"}, "[1]", "'[1]' must be an object written as JSON"),
        ({"type": "object", "object_type": "unknown"}, "{", "'{' must be an object written as JSON"),
    ],
)
def test_a_cell_that_does_not_fit_says_what_is_wanted(definition: Any, text: str, message: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        from_text(schema(k=definition), "k", text)
    assert str(caught.value).startswith(message)
