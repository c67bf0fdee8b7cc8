from typing import Any

import msgspec
import pytest

from rapport.core.errors import InvalidPayload, ResourceInUse
from rapport.metadata.defining import check_name, check_object_name, merged
from rapport.metadata.models import Definition
from rapport.metadata.schemas import DefinitionInput

BOX = {"Box"}


def define(definition: Any, current: dict[str, Definition] | None = None, owner: str = "customer") -> Definition:
    """Return what comes of the definition of a key `k`."""
    data = msgspec.convert(definition, DefinitionInput)
    return merged(current or {}, {"k": data}, owner=owner, objects=BOX)["k"]


def test_what_is_left_out_has_its_default() -> None:
    assert define({"type": "string"}) == Definition(type="string")
    before = {"k": Definition(type="string", eq=("a",), optional=False, array=True)}
    assert define({"type": "string", "optional": True, "array": False}, before) == Definition(type="string")


@pytest.mark.parametrize(
    ("definition", "details"),
    [
        ({"type": "number", "min_length": 1}, "min_length applies to type string only"),
        ({"type": "string", "lt": 5}, "lt applies to type number only"),
        ({"type": "boolean", "eq": [True]}, "eq applies to strings and numbers only"),
        ({"type": "number", "eq": [1, "2"]}, "eq[1] must be a number"),
        ({"type": "string", "ne": [5]}, "ne[0] must be a text"),
        ({"type": "string", "eq": ["a" * 1_001]}, "eq[0] has more than 1000 characters"),
        ({"type": "string", "eq": ["a"] * 501}, "eq has more than 500 values"),
        ({"type": "string", "min_length": -1}, "min_length should be a number from 0 to 1000000"),
        ({"type": "string", "min_length": 3, "max_length": 2}, "min_length is more than .max_length"),
        ({"type": "string", "exact_length": 3, "max_length": 2}, "exact_length contradicts .min_length or .max_length"),
        ({"type": "string", "exact_length": 1, "min_length": 2}, "exact_length contradicts .min_length or .max_length"),
        ({"type": "string", "eq": ["abc"], "max_length": 2}, "eq[0] contradicts the definition: must have at most 2"),
        ({"type": "number", "eq": [1, 2], "ne": [2]}, "eq[1] contradicts the definition: must not be one of 2"),
        ({"type": "object"}, "object_type is required for a definition of type object"),
        ({"type": "string", "object_type": "Box"}, "object_type applies only to a definition of type object"),
        ({"type": "object", "object_type": "Bag"}, "object_type names no custom object of this project: Bag"),
        ({"type": "object", "object_type": "customer"}, "object_type names no custom object of this project: customer"),
    ],
)
def test_what_contradicts_itself_is_refused(definition: Any, details: str) -> None:
    with pytest.raises(InvalidPayload) as caught:
        define(definition)
    assert caught.value.details.startswith(f"Property .properties.k.{details}")


@pytest.mark.parametrize(
    "bounds", [{"gt": 2, "lt": 2}, {"gte": 2, "lt": 2}, {"gt": 2.5, "lte": 2.5}, {"gte": 3, "lte": 2}]
)
def test_bounds_that_no_number_is_between_are_refused(bounds: dict[str, Any]) -> None:
    with pytest.raises(InvalidPayload, match="k allows no number"):
        define({"type": "number", **bounds})


def test_bounds_that_one_number_is_between_are_taken() -> None:
    assert define({"type": "number", "gte": 2, "lte": 2}).gte == 2


def test_an_object_holds_no_objects() -> None:
    assert define({"type": "object", "object_type": "Box"}).object_type == "Box"
    assert define({"type": "object", "object_type": "unknown"}).object_type == "unknown"
    with pytest.raises(InvalidPayload, match=r"\.k\.type must not be object: Bag is itself an object"):
        define({"type": "object", "object_type": "Box"}, owner="Bag")


def test_a_type_cannot_be_changed_not_even_of_a_removed_definition() -> None:
    for known in (Definition(type="string"), Definition(type="string", deleted=True)):
        with pytest.raises(InvalidPayload, match=r"Property \.properties\.k\.type cannot be changed: it is string"):
            define({"type": "number"}, {"k": known})


def test_a_definition_is_removed_and_restored() -> None:
    removed = define({"type": "string", "deleted": True}, {"k": Definition(type="string")})
    assert removed.deleted
    assert define({"type": "string"}, {"k": removed}) == Definition(type="string")


def test_a_definition_whose_values_are_being_purged_cannot_be_touched() -> None:
    with pytest.raises(ResourceInUse):
        define({"type": "string"}, {"k": Definition(type="string", deleted=True, purge="aa_1")})


def test_a_schema_has_up_to_a_hundred_definitions_beside_removed_ones() -> None:
    many = {f"k{number}": DefinitionInput(type="string") for number in range(101)}
    with pytest.raises(InvalidPayload, match="more than 100 definitions"):
        merged({}, many, owner="customer", objects=())
    many["k0"] = DefinitionInput(type="string", deleted=True)
    assert len(merged({}, many, owner="customer", objects=())) == 101
    removed = {f"k{number}": DefinitionInput(type="string", deleted=True) for number in range(501)}
    with pytest.raises(InvalidPayload, match="more than 500 definitions, removed ones included"):
        merged({}, removed, owner="customer", objects=())


@pytest.mark.parametrize("name", ["", " ", "a" * 256, "a\x00"])
def test_names_have_limits(name: str) -> None:
    with pytest.raises(InvalidPayload):
        check_name(name, ".name")


def test_the_name_that_stands_for_any_object_is_taken() -> None:
    with pytest.raises(InvalidPayload, match="must not be unknown"):
        check_object_name("unknown")
