"""The official SDK imports a file of customers, and reads what came of it."""

import json
from pathlib import Path

import jsonschema
import pytest
import voucherify

import harness

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference" / "openapi" / "async-actions.json"


def import_file(sdk: voucherify.ApiClient, tmp_path: Path) -> str:
    """Import a file of which one row fails; return the id of the action."""
    path = tmp_path / "people.csv"
    path.write_text("source_id,name,birthdate\nann,Ann,2000-01-01\nbob,Bob,never\n")
    accepted = voucherify.CustomersApi(sdk).import_customers_using_csv(file=str(path))
    return str(accepted.async_action_id)


def test_the_sdk_imports_a_file_and_follows_it(sdk: voucherify.ApiClient, tmp_path: Path) -> None:
    actions = voucherify.AsyncActionsApi(sdk)
    action_id = import_file(sdk, tmp_path)
    done = harness.wait_for(lambda: (one := actions.get_async_action(action_id)).status == "DONE" and one)
    assert (done.type, done.operation_status, done.progress) == ("CUSTOMERS.IMPORT_CSV", "SUCCESS", 100)
    assert (done.result["done_count"], done.result["failed_count"]) == (1, 1)
    assert [one.id for one in actions.list_async_actions().async_actions] == [action_id]
    assert voucherify.CustomersApi(sdk).get_customer("ann").name == "Ann"


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference's documents are not there")
def test_the_result_fits_the_schema_of_the_reference(sdk: voucherify.ApiClient, tmp_path: Path) -> None:
    def schemas(value: object) -> list[dict[str, object]]:
        found = [value] if isinstance(value, dict) and value.get("title") == "CUSTOMERS.IMPORT_CSV" else []
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return found + [schema for one in inner for schema in schemas(one)]

    (schema, *_) = schemas(json.loads(REFERENCE.read_text()))
    actions = voucherify.AsyncActionsApi(sdk)
    action_id = import_file(sdk, tmp_path)
    done = harness.wait_for(lambda: (one := actions.get_async_action(action_id)).status == "DONE" and one)
    jsonschema.Draft202012Validator(schema).validate(done.result)
    assert schema["properties"].keys() == done.result.keys()
    assert done.result["failed"][0].keys() == {"source_id", "row", "reason"}
