"""Requests that nobody thought of: every answer is one that the document allows, and none is a 500.

`RAPPORT_SOAK=1` sends more than 20,000, and then nearly every operation has to do its work at least once.
"""

import json
import os
import random
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance

import harness
from conftest import Api
from fuzz_world import ACCEPTED, QUERIES, World, keys_of
from fuzzing import Fuzzer, Run, operations, readable
from rapport.core.db import Database, connect
from rapport.projects.actions import create_key

pytestmark = pytest.mark.timeout(3_600)
REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference" / "openapi"
DOCUMENTS = (
    "async-actions",
    "bin",
    "campaigns",
    "categories",
    "client-side",
    "customers",
    "events",
    "exports",
    "locations",
    "management",
    "metadata-schemas",
    "orders",
    "product-collections",
    "products",
    "promotions",
    "publications",
    "qualifications",
    "redemptions",
    "segments",
    "templates",
    "validation-rules",
    "validations",
    "vouchers",
)
# Operation and a part of its answer, or of what in it does not fit the reference's document, and why it stays.
DEVIATIONS: dict[tuple[str, str], str] = {
    ("GET /v1/metadata-schemas", '"data" is a required property'): "the SDK reads `schemas`, and has no `data`",
    ("POST /v1/exports", '"exported_object":"event"'): "exports that only Rapport has",
    ("POST /v1/promotions/validation", "/6_res_validate_promotion/"): "`valid` is true or false, as in the examples",
    (
        "POST /v1/campaigns/qualification",
        "/2_res_examine_qualification/",
    ): "a campaign as everywhere else: its length of codes is a number, its categories are a list",
    ("GET /v1/vouchers/{code}/transactions", "/VoucherTransactionBase/properties/campaign_id"): "a card of no campaign",
    (
        "GET /v1/templates/campaigns",
        '"campaign_template" is a required',
    ): "`data` has them, as data_ref and the SDK say",
    ("POST /v1/templates/campaigns/{campaignTemplateId}/tier-setup", '"campaign" is a required'): "it makes a tier",
    ("GET /v1/publications", "/properties/publications"): "the customer was deleted for good: no id is left to tell",
    **{
        (one, "/ManagementProjectBaseWithConfig:"): "what Rapport has nothing of is not there; see tests/contract"
        for one in (
            "GET /management/v1/projects",
            "GET /management/v1/projects/{projectId}",
            "PUT /management/v1/projects/{projectId}",
        )
    },
    **{
        (f"GET /v1/async-actions{one}", f"/properties/{part}"): "types that only Rapport has: the SDK takes any text"
        for one, part in (("", "async_actions"), ("", "type"), ("/{asyncActionId}", "type"))
    },
}
SOAK = bool(os.environ.get("RAPPORT_SOAK"))
# The long run is another one each time; the short one sends the same, so that a red run is of the change at hand.
NUMBER = int(os.environ.get("RAPPORT_FUZZ_SEED", harness.SEED if SOAK else 11))
# How many, and of how many steps.
WALKS = (100, 40) if SOAK else (2, 12)
# Of our document and of the reference's.
EXAMPLES, REFERENCE_EXAMPLES = (120, 120) if SOAK else (2, 2)
# How much of our operations may come to nothing in a long run: an import that is under way is hardly ever met.
NEVER_GOOD = 0.1
# Operations with these methods come in this order: first is made what others look at, last what ends it.
ORDER = ("POST", "PUT", "GET", "DELETE")
ENDS = ("undo", "disable", "merge", "permanent-deletion")


@pytest.fixture(scope="module")
def url(new_database: Callable[[str], str]) -> str:
    """The database of a server whose log tells of nothing else."""
    return new_database("fuzz")


@pytest.fixture(scope="module")
def server(start_server: Callable[..., harness.Server], url: str) -> Iterator[harness.Server]:
    """The server that is fuzzed."""
    # It tries codes in vain all the time.
    kinds = ("ADDRESS", "CUSTOMER", "CLIENT_KEY", "SERVER_KEY")
    started = start_server(
        url, "--workers", "2", env={f"RAPPORT_FAILED_CODES_PER_{kind}_PER_HOUR": "0" for kind in kinds}
    )
    yield started
    started.stop()


@pytest.fixture(scope="module")
async def db(server: harness.Server, url: str) -> AsyncIterator[Database]:
    """The server's database."""
    _ = server
    database = await connect(url, max_size=5)
    yield database
    await database.close()


@pytest.fixture(scope="function" if SOAK else "module")
async def world(server: harness.Server, db: Database) -> AsyncIterator[World]:
    """A project with several of everything."""
    key, keys = await keys_of(db, f"fuzz {os.urandom(8).hex()}")
    other = await create_key(db, f"other {os.urandom(4).hex()}", "management")
    with Api(base_url=server.base_url, headers=keys[""], timeout=60, verify=False) as api:
        yield World(api, key, keys, other)


@pytest.fixture(autouse=True)
def quiet_log(server: harness.Server) -> Iterator[None]:
    """Nothing that a request holds makes the server, or its worker, say that it failed."""
    before = len(server.log())
    yield
    said = server.log()[before:].splitlines()
    bad = ("unexpected error", "refused a value", "Traceback", "step failed", "statement timed out", "gave up")
    assert not [line for line in said if any(part in line for part in bad)][:5]


def _told(run: Run, name: str) -> str:
    counts = dict(sorted(run.statuses.items()))
    poor = {label: f"{run.good[label]}/{number}" for label, number in run.sent.items() if run.good[label] < number / 10}
    return f"{name}: seed {NUMBER}, {run.count} requests, {counts}; seldom good: {poor}"


def _judge(run: Run, name: str, *, good: bool = False) -> None:
    sys.stdout.write(f"{_told(run, name)}\n")
    assert not run.wrong, f"{_told(run, name)}\n{run.report()}"
    never = run.never_good()
    assert not good or len(never) <= NEVER_GOOD * len(run.sent), f"{_told(run, name)}\nnever good: {never}"


def _chosen(found: list[Any], share: float) -> list[Any]:
    """Return operations shuffled, but those that end things last; in the short run, a share of them."""
    rng = random.Random(NUMBER)
    chosen = found if SOAK else rng.sample(found, max(1, round(share * len(found))))
    rng.shuffle(chosen)
    return sorted(chosen, key=_when)


def _when(operation: Any) -> tuple[Any, ...]:
    """Return when an operation comes: what is part of something is deleted before that is, and people last."""
    method, parts = operation.method.upper(), operation.path.split("/")
    ends = ENDS.index(parts[-1]) if parts[-1] in ENDS else -1
    deleted = -len(parts) if method == "DELETE" else 0
    return parts[-1] == ENDS[-1], method == "DELETE", ends, deleted, ORDER.index(method)


def test_every_operation_answers_as_our_document_says(server: harness.Server, world: World) -> None:
    document = world.api.call("GET", "/openapi.json")
    fuzzer = Fuzzer(server.base_url, world.keys, world.names, NUMBER, world.links, ACCEPTED, QUERIES)
    for operation in _chosen(operations(document), 0.5):
        fuzzer.fuzz(operation, EXAMPLES)
    _judge(fuzzer.run, "our document", good=SOAK)


def test_walks_through_the_operations_are_answered_as_our_document_says(server: harness.Server, world: World) -> None:
    fuzzer = Fuzzer(server.base_url, world.keys, {}, NUMBER)
    fuzzer.walk(world.api.call("GET", "/openapi.json"), *WALKS)
    _judge(fuzzer.run, "walks")
    assert fuzzer.run.count > WALKS[0] * WALKS[1] / 4


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_operation_of_the_reference_answers_as_its_document_says(
    name: str, server: harness.Server, world: World
) -> None:
    path = REFERENCE / f"{name}.json"
    if not path.is_file():
        pytest.skip(f"the reference's documents are not in {REFERENCE}")
    ours = world.api.call("GET", "/openapi.json")["paths"]
    served = [(method.upper(), path) for path, methods in ours.items() for method in methods]
    checks = (not_a_server_error, response_schema_conformance)
    fuzzer = Fuzzer(
        server.base_url, world.keys, world.names, NUMBER, world.links, ACCEPTED, QUERIES, checks, DEVIATIONS
    )
    for operation in _chosen(operations(readable(json.loads(path.read_text())), served), 0.25):
        fuzzer.fuzz(operation, REFERENCE_EXAMPLES)
    _judge(fuzzer.run, name)
