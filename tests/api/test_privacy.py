"""After a permanent deletion nothing tells of the person; an access request tells everything."""

import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

import harness
import promotions
from conftest import Api
from distribution_world import World, make_world, start_without_worker
from privacy_world import SECRET, busy, found_in_database, found_in_files, person, values_of
from rapport.app import HOLDINGS
from rapport.core import jsons
from rapport.core.db import Database
from rapport.projects.models import NewKey


@pytest.fixture(scope="module")
def own_url(new_database: Callable[[str], str]) -> str:
    """The database of a server whose files are searched."""
    return new_database("privacy")


@pytest.fixture(scope="module")
def own_server(start_server: Callable[..., harness.Server], own_url: str) -> harness.Server:
    """A server without a worker."""
    return start_without_worker(start_server, own_url)


@pytest.fixture
async def world(
    own_server: harness.Server, own_url: str, run_dir: Path, request: pytest.FixtureRequest
) -> AsyncIterator[World]:
    """A project whose mails lie in the server's outbox."""
    async with make_world(own_server, own_url, run_dir, request.node.name) as made:
        made.outbox = own_server.log_path.parent / "outbox"
        yield made


def erase(api: Any, reference: str) -> dict[str, Any]:
    """Delete a person for good; return the receipt."""
    return api.call("POST", f"/v1/customers/{reference}/permanent-deletion")  # type: ignore[no-any-return]


async def test_nothing_in_database_files_and_logs_tells_of_an_erased_person(
    world: World, own_server: harness.Server
) -> None:
    api = world.api
    on_event = world.on_event("seen", message={"text": "{{ customer.name }} saw {{ event.metadata.page }}"})
    statics = api.call("POST", "/v1/segments", {"name": "Static", "type": "static"})
    await world.segment()
    promotions.make_campaign(api, quantity=1)
    ann = busy(api, "Ann")
    other = busy(api, "Bob")
    api.call("POST", f"/v1/segments/{statics['id']}/customers", {"customers": [ann["id"], other["id"]]})
    await world.work()
    api.fails("POST", "/v1/customers", {"source_id": ann["source_id"], "email": 5}, status=400, key="invalid_payload")
    values = values_of("Ann", ann)
    assert len(await found_in_database(world.db, values)) > 20
    assert len(found_in_files(world.outbox, values)) >= 2
    assert found_in_files(own_server.log_path.parent, [SECRET.lower()]) != []
    receipt = erase(api, ann["id"])
    assert await found_in_database(world.db, values) == []
    assert found_in_files(own_server.log_path.parent, values) == []
    assert len(await found_in_database(world.db, values_of("Bob", other))) > 20
    assert len(found_in_files(world.outbox, values_of("Bob", other))) >= 2
    assert receipt["data_json"]["events"] == 2
    assert len(world.messages(on_event)) == 4
    assert {one["customer_id"] for one in world.messages(on_event)} == {None, other["id"]}


def test_the_receipt_counts_what_was_deleted(api: Api) -> None:
    promotions.make_campaign(api)
    ann = busy(api, "Ann")
    receipt = erase(api, ann["source_id"])
    counts = receipt["data_json"]
    holdings = counts.pop("holdings")
    assert counts == {
        "events": 2,
        "customer_events": 9,
        "daily_events": 0,
        "segments": 0,
        "orders": 4,
        "order_events": 9,
        "customer": 1,
    }
    assert holdings["redemptions"] == 4
    assert holdings["publications"] == 1
    assert holdings["vouchers"] == 1
    assert receipt["id"].startswith("del_")
    assert receipt["related_object_id"] == ann["id"]
    assert (receipt["status"], receipt["object"]) == ("DONE", "pernament_deletion")


def test_whoever_was_erased_is_unknown(api: Api) -> None:
    ann = api.call("POST", "/v1/customers", person("Ann"))
    erase(api, ann["id"])
    for reference in (ann["id"], ann["source_id"]):
        api.fails("GET", f"/v1/customers/{reference}", status=404, key="not_found")
        api.fails("POST", f"/v1/customers/{reference}/permanent-deletion", status=404, key="not_found")
    again = api.call("POST", "/v1/customers", {"source_id": ann["source_id"]})
    assert again["id"] != ann["id"]
    assert "email" not in again


async def test_the_ledger_keeps_its_amounts_without_a_name(api: Api, db: Database, project_id: int) -> None:
    promotions.make_campaign(api)
    ann = busy(api, "Ann")
    before = api.call("GET", "/v1/redemptions")
    vouchers = api.call("GET", "/v1/vouchers")
    erase(api, ann["id"])
    after = api.call("GET", "/v1/redemptions")
    assert [(one["id"], one["result"]) for one in after["redemptions"]] == [
        (one["id"], one["result"]) for one in before["redemptions"]
    ]
    assert {one["customer_id"] for one in after["redemptions"]} == {None}
    async with db.read() as conn:
        rows = await conn.fetch(
            "SELECT amounts FROM redemptions WHERE project_id = $1 AND result = 'SUCCESS'", project_id
        )
    assert sorted(row["amounts"]["applied_discount_amount"] for row in rows if row["amounts"]) == [0, 100, 100]
    used = {one["code"]: one["redemption"]["redeemed_quantity"] for one in api.call("GET", "/v1/vouchers")["vouchers"]}
    assert used == {one["code"]: one["redemption"]["redeemed_quantity"] for one in vouchers["vouchers"]}
    assert not any("holder_id" in one for one in api.call("GET", "/v1/vouchers")["vouchers"])
    assert api.call("GET", "/v1/publications")["publications"][0]["customer_id"] is None


def test_a_redemption_of_an_erased_person_can_still_be_rolled_back(api: Api) -> None:
    promotions.make_campaign(api)
    published = promotions.publish(api, customer="ann")
    code = published["voucher"]["code"]
    done = promotions.redeem(api, code, customer="ann")["redemptions"][0]
    erase(api, "ann")
    undone = api.call("POST", f"/v1/redemptions/{done['id']}/rollback", {"reason": "returned"})
    assert undone["customer_id"] is None
    assert promotions.used(api, code) == 0


def test_orders_that_the_person_referred_stay_without_them(api: Api) -> None:
    body = {"status": "PAID", "amount": 700, "customer": {"source_id": "bob"}, "referrer": {"source_id": "ann"}}
    order = api.call("POST", "/v1/orders", body)
    erase(api, "ann")
    assert api.call("GET", f"/v1/orders/{order['id']}")["referrer_id"] is None
    assert api.call("GET", "/v1/customers/bob")["summary"]["orders"]["total_amount"] == 700


async def test_whoever_was_deleted_in_the_plain_way_can_still_be_erased_by_id(world: World) -> None:
    api = world.api
    promotions.make_campaign(api)
    ann = busy(api, "Ann")
    order = next(one for one in api.call("GET", "/v1/orders")["orders"] if one["customer_id"] == ann["id"])
    api.call("DELETE", f"/v1/customers/{ann['id']}", status=204)
    api.call("PUT", f"/v1/orders/{order['id']}", {"metadata": {"late": f"{SECRET}Ann late"}})
    assert len(await found_in_database(world.db, values_of("Ann", ann))) > 10
    counts = erase(api, ann["id"])["data_json"]
    assert (counts["customer"], counts["orders"], counts["events"]) == (0, 4, 2)
    assert await found_in_database(world.db, values_of("Ann", ann)) == []
    api.fails("POST", f"/v1/customers/{ann['id']}/permanent-deletion", status=404, key="not_found")


async def test_whoever_was_merged_into_a_person_is_erased_with_them(world: World) -> None:
    api = world.api
    promotions.make_campaign(api)
    carl, dora = busy(api, "Carl"), busy(api, "Dora")
    api.call("POST", f"/v1/customers/{dora['id']}/merge", {"source": carl["id"]})
    erase(api, carl["id"])
    assert await found_in_database(world.db, values_of("Carl", carl) + values_of("Dora", dora)) == []


def test_an_access_request_holds_everything(api: Api) -> None:
    promotions.make_campaign(api)
    ann = busy(api, "Ann")
    busy(api, "Bob")
    answer = api.get(f"/v1/customers/{ann['source_id']}/data")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == 'attachment; filename="customer-data.json"'
    data = jsons.decode(answer.content)
    assert data["customer"] == ann
    counts = {name: len(rows) for name, rows in data.items() if isinstance(rows, list) and rows}
    assert counts == {"activity": 18, "events": 2, "orders": 4, "publications": 1, "redemptions": 4, "vouchers": 1}
    assert {one.name for one in HOLDINGS} == data.keys() - {"object", "created_at", "customer", "merged"}
    assert [one["metadata"]["page"] for one in data["events"]] == [f"{SECRET}Ann page 0", f"{SECRET}Ann page 1"]
    assert f"{SECRET}Bob" not in answer.text
    assert sorted(one["result"] for one in data["redemptions"]) == ["FAILURE", "SUCCESS", "SUCCESS", "SUCCESS"]


def test_a_deletion_of_nobody_touches_nothing(api: Api) -> None:
    made = api.call("POST", "/v1/exports", {"exported_object": "customer"})["id"]
    harness.wait_for(lambda: api.call("GET", f"/v1/exports/{made}")["status"] == "DONE", what="the export")
    before = api.call("GET", f"/v1/exports/{made}")
    headers = {"Idempotency-Key": "once"}
    for _ in range(2):
        answer = api.post("/v1/customers/cust_nobody/permanent-deletion", headers=headers)
        assert (answer.status_code, answer.json()["key"]) == (404, "not_found")
    assert api.call("GET", f"/v1/exports/{made}")["result"] == before["result"]


def test_an_access_request_for_nobody_is_an_error(api: Api) -> None:
    api.fails("GET", "/v1/customers/nobody/data", status=404, key="not_found")
    api.fails("POST", "/v1/customers/nobody/permanent-deletion", status=404, key="not_found")


def export(database_url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `rapport privacy export`."""
    command = [str(Path(sys.executable).with_name("rapport")), "privacy", "export", "--database-url", database_url]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)


def test_the_command_writes_the_same_file(api: Api, key: NewKey, database_url: str, tmp_path: Path) -> None:
    ann = api.call("POST", "/v1/customers", person("Ann"))
    file = tmp_path / "ann.json"
    chosen = ("--project", key.project, "--output", str(file), "--customer")
    done = export(database_url, *chosen, ann["source_id"])
    assert (done.returncode, done.stdout) == (0, "")
    written, told = jsons.decode(file.read_bytes()), api.call("GET", f"/v1/customers/{ann['id']}/data")
    assert {**written, "created_at": None} == {**told, "created_at": None}
    assert file.stat().st_mode & 0o077 == 0
    missing = export(database_url, *chosen, "nobody")
    assert (missing.returncode, missing.stderr) == (1, "rapport: Cannot find customer with id nobody\n")


async def test_a_merged_person_who_was_deleted_in_the_plain_way_is_erased_by_any_id(world: World) -> None:
    api = world.api
    promotions.make_campaign(api, vouchers_count=4)
    for number, chosen in enumerate(("source", "target")):
        source, target = (busy(api, f"{name}{number}m") for name in ("Erin", "Fay"))
        api.call("POST", f"/v1/customers/{target['id']}/merge", {"source": source["id"]})
        api.call("DELETE", f"/v1/customers/{target['id']}", status=204)
        assert erase(api, {"source": source, "target": target}[chosen]["id"])["data_json"]["orders"] == 8
        values = values_of(f"Erin{number}m", source) + values_of(f"Fay{number}m", target)
        assert await found_in_database(world.db, values) == []


@pytest.mark.parametrize("erased", ["source", "target"])
async def test_after_an_undone_merge_either_is_erased_without_a_trace_in_the_other(world: World, erased: str) -> None:
    api = world.api
    promotions.make_campaign(api)
    tags = {"source": f"Gus{erased}", "target": f"Hal{erased}"}
    both = {side: busy(api, tag) for side, tag in tags.items()}
    target = both["target"]["id"]
    choices = dict.fromkeys(("name", "email", "phone", "address"), "source")
    done = api.call("POST", f"/v1/customers/{target}/merge", {"source": both["source"]["id"], "fields": choices})
    distribution = world.on_event("seen", message={"text": "{{ customer.name }}"})
    api.call("POST", "/v1/events", {"event": "seen", "customer": {"id": target}})
    await world.work()
    assert world.message(distribution)["to"] == both["source"]["email"]
    api.call("POST", f"/v1/merges/{done['merge']['id']}/undo")
    erase(api, both[erased]["id"])
    assert await found_in_database(world.db, values_of(tags[erased], both[erased])) == []
    assert found_in_files(world.outbox, values_of(tags[erased], both[erased])) == []
    other = "target" if erased == "source" else "source"
    assert api.call("GET", f"/v1/customers/{both[other]['id']}")["name"] == both[other]["name"]


async def test_the_ledgers_of_gift_cards_keep_amounts_and_no_words_about_the_person(world: World) -> None:
    api = world.api
    mark, email = f"{SECRET}Ann", person("Ann")["email"]
    ann = api.call("POST", "/v1/customers", person("Ann"))
    for code, customer in (("HERS", ann["source_id"]), ("GONE", ann["source_id"]), ("BOBS", "bob"), ("FREE", None)):
        api.call("POST", f"/v1/vouchers/{code}", {"type": "GIFT_VOUCHER", "gift": {"amount": 500}})
        if customer is not None:
            body = {"voucher": code, "customer": {"source_id": customer}}
            api.call("POST", "/v1/publications", body)

    def change(code: str, amount: int, **words: str) -> None:
        api.call("POST", f"/v1/vouchers/{code}/balance", {"amount": amount, **words})

    change("HERS", 100, reason=f"{mark} was born", source_id=f"{mark}-1")
    change("HERS", -50, reason="no name at all")
    change("GONE", 100, reason=f"{mark} again")
    change("BOBS", 100, reason=f"for the friend of {email.upper()}", source_id="b-1")
    change("BOBS", 10, reason="birthday", source_id="b-2")
    change("FREE", 10, reason="x", source_id=ann["id"])
    api.call("DELETE", "/v1/vouchers/GONE", params={"force": "true"}, status=204)
    data = jsons.decode(api.get(f"/v1/customers/{ann['id']}/data").content)
    assert [(one["details"]["balance"]["amount"], one["reason"]) for one in data["voucher_transactions"]] == [
        (100, f"{mark} was born"), (-50, "no name at all"), (100, f"{mark} again"),
        (100, f"for the friend of {email.upper()}"), (10, "x"),
    ]  # fmt: skip
    assert erase(api, ann["id"])["data_json"]["holdings"]["voucher_transactions"] == 5
    assert await found_in_database(world.db, values_of("Ann", ann)) == []
    lines = {
        code: [
            (one["details"]["balance"]["amount"], one["reason"], one["source_id"])
            for one in api.call("GET", f"/v1/vouchers/{code}/transactions")["data"]
        ]
        for code in ("HERS", "BOBS", "FREE")
    }
    assert lines == {
        "HERS": [(-50, None, None), (100, None, None)],
        "BOBS": [(10, "birthday", "b-2"), (100, None, None)],
        "FREE": [(10, None, None)],
    }
