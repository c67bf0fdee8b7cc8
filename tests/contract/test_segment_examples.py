"""The reference's own examples about segments work."""

from typing import Any

import pytest

import facts
from contract.test_reference_schemas import document, misfits, schema_of

CREATE = "/v1/segments"
OPERANDS = {"$after": "2020-01-01", "$before": "2020-01-01", "$more_than": "1", "$less_than": "1"}


def examples() -> dict[str, Any]:
    """Return the bodies that the document shows for creating a segment, by name."""
    body = document("segments")["paths"][CREATE]["post"]["requestBody"]
    return {name: one["value"] for name, one in body["content"]["application/json"]["examples"].items()}


def test_every_example_of_a_new_segment_is_answered_as_the_document_says(api: Any) -> None:
    schema = schema_of("segments", "post", CREATE, "200")
    found = examples()
    assert {one["type"] for one in found.values()} == {"static", "auto-update"}
    for name, shown in found.items():
        people = [api.call("POST", "/v1/customers", {})["id"] for _ in shown.get("customers", ())]
        body = {**shown, "customers": people} if people else shown
        answer = api.call("POST", CREATE, body)
        assert misfits(facts.plain(answer), schema) == {}, name
        assert (answer["name"], answer["type"]) == (body["name"], body["type"])
        assert facts.plain(answer["filter"]) == body.get("filter")


@pytest.mark.parametrize("kind", ["static", "passive", "auto-update"])
def test_a_segment_of_each_type_fits_the_document(api: Any, kind: str) -> None:
    body = {"name": "S", "type": kind} | ({} if kind == "static" else {"filter": facts.OSLO})
    made = api.call("POST", CREATE, body)
    path = f"{CREATE}/{made['id']}"
    schema = schema_of("segments", "get", "/v1/segments/{segmentId}", "200")
    assert misfits(api.call("GET", path), schema) == {}
    assert misfits(api.call("PUT", path, {"name": "T"}), schema) == {}


def test_the_parameters_of_the_list_are_served(api: Any) -> None:
    names = {one.get("name") for one in document("segments")["paths"][CREATE]["get"]["parameters"]}
    served = {one["name"] for one in api.call("GET", "/openapi.json")["paths"][CREATE]["get"]["parameters"]}
    assert {name for name in names if name is not None} | {"limit"} <= served
    filters = document("segments")["components"]["schemas"]["ParameterFiltersListSegments"]["properties"]
    for field in sorted(filters.keys() - {"junction"}):
        conditions = filters[field]["properties"]["conditions"]
        if "$ref" in conditions:
            conditions = document("segments")["components"]["schemas"][conditions["$ref"].rsplit("/", 1)[-1]]
        for operator in conditions["properties"]:
            operand = {"$after": "2020-01-01", "$before": "2020-01-01", "$more_than": "1", "$less_than": "1"}.get(
                operator, ""
            )
            params = {f"filters[{field}][conditions][{operator}]": operand, "filters[junction]": "or"}
            found = api.call("GET", CREATE, params=params)
            assert found["total"] == 0, (field, operator)
