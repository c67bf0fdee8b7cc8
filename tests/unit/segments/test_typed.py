from decimal import Decimal
from typing import Any

import pytest

from rapport.metadata.models import TYPES, Definition, Schema, Schemas, link
from rapport.segments.filters import InvalidFilter, parse
from rapport.segments.operators import OPERATORS
from rapport.segments.typed import APPLY, typed

SCALARS = ("string", "number", "boolean", "date", "datetime", "image_url", "geopoint")
KINDS = {name: Definition(type=name) for name in SCALARS}  # type: ignore[arg-type]
SCHEMAS = Schemas(
    link({
        "customer": (
            {
                **KINDS,
                "box": Definition(type="object", object_type="Box"),
                "numbers": Definition(type="number", array=True),
                "gone": Definition(type="number", deleted=True),
            },
            False,
        ),
        "order": (KINDS, False),
        "order_item": ({"size": Definition(type="number")}, False),
        "Box": ({"size": Definition(type="number")}, False),
    }),
    {"review": Schema("review", {"stars": Definition(type="number")})},
)  # fmt: skip


def where(field: str, operator: str, operands: Any) -> dict[str, Any]:
    """Return a filter of one condition, its operands as they stand."""
    return {field: {"conditions": {operator: operands}}}


def one(field: str, operator: str, operand: Any) -> Any:
    """Return what the operands of a condition become."""
    found = typed(where(field, operator, operand), SCHEMAS)
    parse(found)
    return found[field]["conditions"][operator]


def refused(raw: Any) -> str:
    """Return why a filter is refused."""
    with pytest.raises(InvalidFilter) as caught:
        typed(raw, SCHEMAS)
    return caught.value.details


@pytest.mark.parametrize(
    ("field", "operator", "given", "kept"),
    [
        ("number", "$is", ["5", 5, "05", "5.50", Decimal("0.1")], [5, 5, 5, Decimal("5.50"), Decimal("0.1")]),
        ("number", "$more_than", ["5"], [5]),
        ("numbers", "$not_in", ["5"], [5]),
        ("box.size", "$is", ["5"], [5]),
        ("boolean", "$is", ["true", "false", True], [True, False, True]),
        ("date", "$is", ["2026-01-31", "2026-01-31T12:00:00Z"], ["2026-01-31", "2026-01-31"]),
        ("date", "$before", ["2026-01-31"], ["2026-01-31"]),
        ("date", "$more_than_ago", ["7"], ["7"]),
        ("datetime", "$is", ["2026-01-31T12:00:00+01:00"], ["2026-01-31T11:00:00.000Z"]),
        ("geopoint", "$is", ["1.50,2"], ["1.5, 2"]),
        ("string", "$is", ["5", 5, Decimal("5.0")], ["5", "5", "5"]),
        ("string", "$contains", ["a"], ["a"]),
        ("string", "$is_unknown", [True], [True]),
        ("box", "$has_value", [True], [True]),
        ("gone", "$contains", ["a"], ["a"]),
        ("unknown", "$is", ["5", 5, True], ["5", 5, True]),
        ("box.other", "$is", ["5"], ["5"]),
        ("box.size.more", "$is", ["5"], ["5"]),
        ("number.more", "$is", ["5"], ["5"]),
    ],
)
def test_operands_take_the_form_of_the_stored_values(field: str, operator: str, given: Any, kept: Any) -> None:
    found = one(f"metadata.{field}", operator, given)
    assert [(value, type(value)) for value in found] == [(value, type(value)) for value in kept]
    assert one(f"metadata.{field}", operator, found) == found


def test_a_single_operand_stays_single() -> None:
    assert one("metadata.number", "$is", "5") == 5


@pytest.mark.parametrize(
    ("field", "operator", "given", "reason"),
    [
        ("number", "$is", ["five"], "takes a number"),
        ("number", "$more_than", [True], "takes a number"),
        ("number", "$contains", ["5"], "does not apply to metadata of type number"),
        ("number", "$before", ["2026-01-31"], "does not apply to metadata of type number"),
        ("boolean", "$is", ["yes"], "takes true or false"),
        ("boolean", "$is", [1], "takes true or false"),
        ("boolean", "$more_than", [0], "does not apply to metadata of type boolean"),
        ("date", "$is", ["tomorrow"], "takes a date: 2026-01-31"),
        ("date", "$starts_with", ["2026"], "does not apply to metadata of type date"),
        ("date", "$more_than", [7], "does not apply to metadata of type date"),
        ("datetime", "$is", ["2026-01-31"], "takes a date-time (2026-01-31T12:00:00Z); for whole days there are"),
        ("datetime", "$is", ["2026-01-31T25:00"], "takes a date-time: 2026-01-31T12:00:00Z"),
        ("geopoint", "$is", ["here"], "takes a latitude and a longitude"),
        ("string", "$is", [True], "takes a text"),
        ("string", "$more_than", [1], "does not apply to metadata of type string"),
        ("box", "$is", ["a"], "does not apply to metadata of type object"),
        ("box.size", "$is", ["a"], "takes a number"),
    ],
)
def test_what_does_not_fit_the_type_is_refused_by_its_place(field: str, operator: str, given: Any, reason: str) -> None:
    details = refused({"groups": [where(f"metadata.{field}", operator, given)]})
    assert details.startswith(f"filter.groups[0].metadata.{field}.conditions.{operator}: {reason}")


def test_conditions_on_events_and_orders_go_by_their_own_schemas() -> None:
    raw = {
        "events.review": {"where": where("metadata.stars", "$is", ["5"])},
        "events.other": {"where": where("metadata.stars", "$is", ["5"])},
        "orders": {
            "where": {
                **where("metadata.number", "$is", ["5"]),
                **where("items.metadata.size", "$is", ["5"]),
                **where("items.quantity", "$is", ["5"]),
            }
        },
    }
    found = typed(raw, SCHEMAS)
    parse(found)
    assert found["events.review"]["where"] == where("metadata.stars", "$is", [5])
    assert found["events.other"] == raw["events.other"]
    assert found["orders"]["where"] == {
        **where("metadata.number", "$is", [5]),
        **where("items.metadata.size", "$is", [5]),
        **where("items.quantity", "$is", ["5"]),
    }
    details = refused({"events.review": {"where": where("metadata.stars", "$contains", ["5"])}})
    place = "filter.events.review.where.metadata.stars.conditions.$contains"
    assert details == f"{place}: does not apply to metadata of type number"


def test_other_fields_are_no_business_of_schemas() -> None:
    raw = {**where("system_metadata.number", "$is", ["5"]), **where("name", "$is", ["5"])}
    assert typed(raw, SCHEMAS) == raw


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        {"metadata.number": 5},
        {"metadata.number": {"conditions": 5}},
        {"metadata.number": {"conditions": {"$what": [5]}}},
        {"metadata.": {"conditions": {"$is": [5]}}},
        {"groups": {"a": 1}},
        {"groups": [5]},
        {"events.review": {"where": 5}},
    ],
)
def test_what_is_no_filter_is_left_to_be_refused_as_ever(raw: Any) -> None:
    assert typed(raw, SCHEMAS) == raw


def test_every_type_knows_its_operators() -> None:
    assert set(APPLY) == set(TYPES)
    known = {operator.name for operator in OPERATORS}
    assert all(names <= known for names in APPLY.values())
