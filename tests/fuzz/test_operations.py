"""Requests that nobody thought of: every answer is one that the document allows, and none is a 500.

`RAPPORT_SOAK=1` sends more than 20,000.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance

import facts
import harness
import promotions
from conftest import Api
from fuzzing import Fuzzer, operations, readable
from rapport.projects.models import NewKey

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference" / "openapi"
DOCUMENTS = (
    "async-actions",
    "bin",
    "campaigns",
    "customers",
    "events",
    "exports",
    "metadata-schemas",
    "orders",
    "publications",
    "redemptions",
    "segments",
    "validation-rules",
    "validations",
    "vouchers",
)
# Operation and a part of what does not fit the reference's document in its answer, and why it stays.
DEVIATIONS: dict[tuple[str, str], str] = {}
# How many, and of how many steps.
WALKS = (100, 40) if os.environ.get("RAPPORT_SOAK") else (3, 12)
EXAMPLES = 200 if os.environ.get("RAPPORT_SOAK") else 4


@pytest.fixture
def names(api: Api) -> Mapping[str, Sequence[str]]:
    """Make one of each thing; return their names, by the part of the path that is for them."""
    customer = api.call("POST", "/v1/customers", facts.ANN)
    order = api.call("POST", "/v1/orders", {"source_id": "o", "status": "PAID", "customer": facts.ANN, "amount": 100})
    api.call("POST", "/v1/events", {"event": "seen", "customer": facts.ANN})
    segment = api.call("POST", "/v1/segments", {"name": "S", "type": "auto-update", "filter": facts.OSLO})
    campaign = promotions.make_campaign(api)
    codes = promotions.codes_of(api, campaign["id"])
    return {
        "customers": [customer["id"], customer["source_id"]],
        "orders": [order["id"], "o"],
        "segments": [segment["id"]],
        "campaigns": [campaign["id"], campaign["name"]],
        "vouchers": codes,
        "redemptions": [promotions.redeem(api, codes[0])["redemptions"][0]["id"]],
    }


def test_every_operation_answers_as_our_document_says(
    server: harness.Server, key: NewKey, api: Api, names: Mapping[str, Sequence[str]]
) -> None:
    document = api.call("GET", "/openapi.json")
    headers = {"X-App-Id": key.app_id, "X-App-Token": key.app_token}
    fuzzer = Fuzzer(server.base_url, headers, names, harness.SEED)
    for operation in operations(document):
        fuzzer.fuzz(operation, EXAMPLES)
    assert not fuzzer.run.wrong, f"seed {harness.SEED}, {fuzzer.run.count} requests\n{fuzzer.run.report()}"


def test_walks_through_the_operations_are_answered_as_our_document_says(
    server: harness.Server, key: NewKey, api: Api
) -> None:
    headers = {"X-App-Id": key.app_id, "X-App-Token": key.app_token}
    fuzzer = Fuzzer(server.base_url, headers, {}, harness.SEED)
    fuzzer.walk(api.call("GET", "/openapi.json"), *WALKS)
    assert not fuzzer.run.wrong, f"seed {harness.SEED}, {fuzzer.run.count} requests\n{fuzzer.run.report()}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_operation_of_the_reference_answers_as_its_document_says(
    name: str, server: harness.Server, key: NewKey, api: Api, names: Mapping[str, Sequence[str]]
) -> None:
    path = REFERENCE / f"{name}.json"
    if not path.is_file():
        pytest.skip(f"the reference's documents are not in {REFERENCE}")
    ours = api.call("GET", "/openapi.json")["paths"]
    served = [(method.upper(), path) for path, methods in ours.items() for method in methods]
    headers = {"X-App-Id": key.app_id, "X-App-Token": key.app_token}
    checks = (not_a_server_error, response_schema_conformance)
    fuzzer = Fuzzer(server.base_url, headers, names, harness.SEED, checks, DEVIATIONS)
    for operation in operations(readable(json.loads(path.read_text())), served):
        fuzzer.fuzz(operation, EXAMPLES)
    assert not fuzzer.run.wrong, f"seed {harness.SEED}, {fuzzer.run.count} requests\n{fuzzer.run.report()}"
