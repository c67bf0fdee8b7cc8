"""Two customers become one, exactly as the preview says; undone, each has what was theirs."""

from typing import Any

import pytest

import facts
import promotions
from conftest import Api
from privacy_world import busy, person
from rapport.core.db import Database, connect
from rapport.customers import queries as customers
from rapport.merges.counting import recounted

GOLD = {"junction": "and", "metadata.tier": {"conditions": {"$is": ["gold"]}}}
BUYERS = {"junction": "and", "summary.orders.total_amount": {"conditions": {"$more_than": [600]}}}
READERS = {"junction": "and", "events.seen.count": {"conditions": {"$more_than": [2]}}}


def merge(api: Any, target: dict[str, Any], source: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Merge source into target; return the answer."""
    body = {"source": source["id"], **more}
    return api.call("POST", f"/v1/customers/{target['id']}/merge", body)  # type: ignore[no-any-return]


def preview(api: Any, target: dict[str, Any], source: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Ask what a merge would come to."""
    body = {"source": source["id"], **more}
    return api.call("POST", f"/v1/customers/{target['id']}/merge/preview", body)  # type: ignore[no-any-return]


def undo(api: Any, done: dict[str, Any]) -> dict[str, Any]:
    """Undo a merge; return it."""
    return api.call("POST", f"/v1/merges/{done['merge']['id']}/undo")  # type: ignore[no-any-return]


def get(api: Any, customer: dict[str, Any]) -> dict[str, Any]:
    """Return a customer as they are now."""
    return api.call("GET", f"/v1/customers/{customer['id']}")  # type: ignore[no-any-return]


@pytest.fixture
def pair(api: Api) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two customers who have done everything: the one to keep, and the one to merge into them."""
    promotions.make_campaign(api)
    return busy(api, "Ann"), busy(api, "Bob")


async def counted_from_rows(database_url: str, project_id: int, customer_id: str) -> dict[str, Any]:
    """Return the counters of a customer, as they are stored and as their rows add up."""
    db = await connect(database_url)
    async with db.snapshot() as conn:
        stored = await customers.get(conn, project_id, customer_id)
        counted = await recounted(conn, project_id, stored)
    await db.close()
    assert stored == counted
    return stored.redemptions


def timeless(customer: dict[str, Any]) -> dict[str, Any]:
    """Return a customer without the time of the last change."""
    return {name: value for name, value in customer.items() if name != "updated_at"}


async def test_a_merge_adds_up_what_both_have(
    api: Api, pair: tuple[Any, Any], database_url: str, project_id: int
) -> None:
    ann, bob = pair
    done = merge(api, ann, bob)
    merged = done["customer"]
    assert merged == get(api, ann)
    assert merged["id"] == ann["id"]
    orders = merged["summary"]["orders"]
    assert (orders["total_count"], orders["total_amount"]) == (4, 2800)
    assert merged["events"]["seen"]["count"] == 4
    assert merged["events"]["seen"]["first_at"] == ann["events"]["seen"]["first_at"]
    assert merged["events"]["seen"]["last_at"] == bob["events"]["seen"]["last_at"]
    assert promotions.summary(api, ann["id"]) == {
        "total_redeemed": 4,
        "total_failed": 2,
        "total_succeeded": 4,
        "total_rolled_back": 2,
        "total_rollback_succeeded": 2,
    }
    assert (await counted_from_rows(database_url, project_id, ann["id"]))["total_redeemed"] == 4
    moved = {name: number for name, number in done["merge"]["moved"].items() if number}
    assert moved == {"activity": 18, "events": 2, "orders": 6, "publications": 1, "redemptions": 4, "vouchers": 1}


def test_the_profile_is_the_targets_filled_from_the_source_but_for_what_was_chosen(api: Api) -> None:
    ann = api.call("POST", "/v1/customers", {"source_id": "a", "name": "Ann", "metadata": {"tier": "gold", "old": 1}})
    bob = api.call("POST", "/v1/customers", facts.ANN | {"source_id": "b", "name": "Anne"})
    done = merge(api, ann, bob, fields={"name": "source", "phone": "target"}, metadata={"tier": "source"})
    merged = done["customer"]
    assert merged["name"] == "Anne"
    assert "phone" not in merged
    assert merged["source_id"] == "a"
    assert merged["email"] == "ann@example.com"
    assert merged["address"]["city"] == "Oslo"
    assert merged["metadata"] == facts.ANN["metadata"] | {"old": 1}


async def test_whoever_was_merged_is_reached_by_all_their_names(api: Api, db: Database, project_id: int) -> None:
    ann = api.call("POST", "/v1/customers", {"source_id": "a"})
    bob = api.call("POST", "/v1/customers", {"source_id": "b"})
    merge(api, ann, bob)
    for name in (bob["id"], "b", ann["id"], "a"):
        assert api.call("GET", f"/v1/customers/{name}")["id"] == ann["id"]
    assert api.call("POST", "/v1/customers", {"source_id": "b", "name": "B"})["id"] == ann["id"]
    api.call("PUT", f"/v1/customers/{bob['id']}", {"description": "by the old id"})
    order = api.call("POST", "/v1/orders", {"amount": 1, "customer": {"source_id": "b"}, "referrer": {"id": bob["id"]}})
    assert (order["customer_id"], order["referrer_id"]) == (ann["id"], ann["id"])
    assert await promotions.rows(db, project_id, "customers") == 1
    assert get(api, ann)["description"] == "by the old id"
    assert get(api, ann)["name"] == "B"


def test_lists_that_name_a_customer_take_the_names_of_the_merged(api: Api, pair: tuple[Any, Any]) -> None:
    ann, bob = pair
    merge(api, ann, bob)
    for name, total in (("redemptions", 8), ("publications", 2), ("vouchers", 2)):
        found = {api.call("GET", f"/v1/{name}", params={"customer": one})["total"] for one in (ann["id"], bob["id"])}
        assert found == {total}, name


def test_a_merge_in_a_row_leads_to_the_last(api: Api) -> None:
    a, b, c = (api.call("POST", "/v1/customers", {"source_id": name}) for name in "abc")
    first = merge(api, b, a)
    second = merge(api, c, b)
    for name in ("a", "b", a["id"], b["id"]):
        assert api.call("GET", f"/v1/customers/{name}")["id"] == c["id"]
    error = api.fails("POST", f"/v1/merges/{first['merge']['id']}/undo", status=409, key="merge_not_undoable")
    assert c["id"] in error["details"]
    undo(api, second)
    assert api.call("GET", "/v1/customers/a")["id"] == b["id"]
    assert api.call("GET", "/v1/customers/c")["id"] == c["id"]
    undo(api, first)
    assert api.call("GET", "/v1/customers/a")["id"] == a["id"]


def test_the_source_id_of_a_merged_customer_cannot_be_given_to_another(api: Api) -> None:
    ann = api.call("POST", "/v1/customers", {"source_id": "a"})
    bob = api.call("POST", "/v1/customers", {"source_id": "b"})
    carl = api.call("POST", "/v1/customers", {"name": "Carl"})
    merge(api, ann, bob)
    body = {"amount": 1, "customer": {"id": carl["id"], "source_id": "b"}}
    api.fails("POST", "/v1/orders", body, status=409, key="duplicate_found")


async def test_a_preview_changes_nothing_and_says_what_comes_out(
    api: Api, pair: tuple[Any, Any], db: Database, project_id: int
) -> None:
    ann, bob = pair
    before = await facts.counts(db, project_id)
    seen = preview(api, ann, bob)
    assert await facts.counts(db, project_id) == before
    assert (get(api, ann), get(api, bob)) == (ann, bob)
    done = merge(api, ann, bob, version=seen["version"])
    assert timeless(seen["customer"]) == timeless(done["customer"])
    assert seen["moved"] == done["merge"]["moved"]


async def test_a_preview_with_an_idempotency_key_changes_nothing_either(
    api: Api, db: Database, project_id: int
) -> None:
    ann = api.call("POST", "/v1/customers", {"source_id": "a"})
    bob = api.call("POST", "/v1/customers", {"source_id": "b"})
    before = await facts.counts(db, project_id)
    headers = {"Idempotency-Key": "once"}
    path = f"/v1/customers/{ann['id']}/merge"
    answers = [api.post(f"{path}/preview", json={"source": "b"}, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert await facts.counts(db, project_id) == before
    assert get(api, bob)["id"] == bob["id"]
    merges = [api.post(path, json={"source": "b"}, headers={"Idempotency-Key": "twice"}).json() for _ in range(2)]
    assert merges[0] == merges[1]
    assert get(api, bob)["id"] == ann["id"]


@pytest.mark.parametrize("change", ["target", "source", "order", "choices"])
def test_a_preview_that_is_out_of_date_is_refused(api: Api, change: str) -> None:
    ann = api.call("POST", "/v1/customers", {"source_id": "a", "name": "Ann"})
    bob = api.call("POST", "/v1/customers", {"source_id": "b", "name": "Bob"})
    version = preview(api, ann, bob)["version"]
    body: dict[str, Any] = {"source": "b", "version": version}
    if change == "order":
        api.call("POST", "/v1/orders", {"amount": 1, "customer": {"source_id": "b"}})
    elif change == "choices":
        body["fields"] = {"name": "source"}
    else:
        api.call("PUT", f"/v1/customers/{change[0].replace('t', 'a').replace('s', 'b')}", {"name": "Other"})
    api.fails("POST", "/v1/customers/a/merge", body, status=409, key="customers_changed")
    assert api.call("GET", "/v1/merges")["total"] == 0
    body["version"] = preview(api, ann, bob, fields=body.get("fields"))["version"]
    assert api.call("POST", "/v1/customers/a/merge", body)["customer"]["id"] == ann["id"]


async def test_segments_are_decided_anew_and_enter_and_leave_by_turns(api: Api, db: Database, project_id: int) -> None:
    static = api.call("POST", "/v1/segments", {"name": "Static", "type": "static"})
    made = [
        api.call("POST", "/v1/segments", {"name": name, "type": "auto-update", "filter": one})
        for name, one in (("Gold", GOLD), ("Buyers", BUYERS), ("Readers", READERS))
    ]
    ann = api.call("POST", "/v1/customers", {"source_id": "a"})
    bob = api.call("POST", "/v1/customers", {"source_id": "b", "metadata": {"tier": "gold"}})
    for name in "ab":
        api.call("POST", "/v1/orders", {"status": "PAID", "amount": 400, "customer": {"source_id": name}})
        for _ in range(2):
            api.call("POST", "/v1/events", {"event": "seen", "customer": {"source_id": name}})
    api.call("POST", f"/v1/segments/{static['id']}/customers", {"customers": [bob["id"]]})
    seen = preview(api, ann, bob)
    assert sorted(one["name"] for one in seen["entered"]) == ["Buyers", "Gold", "Readers", "Static"]
    assert seen["left"] == []
    done = merge(api, ann, bob)

    def names(customer: dict[str, Any]) -> list[str]:
        found = api.call("GET", f"/v1/customers/{customer['id']}/segments")["data"]
        return sorted(one["name"] for one in found)

    assert names(ann) == ["Buyers", "Gold", "Readers", "Static"]
    undo(api, done)
    assert names(ann) == []
    assert names(bob) == ["Gold", "Static"]
    gold, buyers, readers = [await facts.moves(db, project_id, one["id"]) for one in made]
    assert gold == {ann["id"]: ["entered", "left"], bob["id"]: ["entered", "left", "entered"]}
    assert buyers == readers == {ann["id"]: ["entered", "left"]}


async def test_an_undone_merge_leaves_both_as_they_were(
    api: Api, pair: tuple[Any, Any], database_url: str, project_id: int
) -> None:
    ann, bob = pair
    before = [api.get(f"/v1/customers/{one['id']}/data").json() for one in pair]
    done = merge(api, ann, bob, fields={"name": "source", "source_id": "source"})
    assert done["customer"]["source_id"] == bob["source_id"]
    assert undo(api, done)["status"] == "UNDONE"
    assert timeless(get(api, ann)) == timeless(ann)
    assert timeless(get(api, bob)) == timeless(bob)
    for customer, was in zip(pair, before, strict=True):
        data = api.get(f"/v1/customers/{customer['id']}/data").json()
        for name in ("orders", "events", "publications", "redemptions", "vouchers"):
            assert data[name] == was[name], name
        types = [one["type"] for one in data["activity"]]
        assert types[-2:] == ["customer.merged", "customer.merge.undone"]
        assert data["activity"][:-2] == was["activity"]
        await counted_from_rows(database_url, project_id, customer["id"])


async def test_devices_visits_interactions_and_consents_come_together_and_apart_again(
    api: Api, database_url: str, project_id: int
) -> None:
    people = [api.call("POST", "/v1/customers", {"source_id": name}) for name in "ab"]
    shop = {"id": "shop-1", "name": "Main Street"}
    for number, customer in enumerate(people):
        path = f"/v1/customers/{customer['id']}"
        api.call("POST", f"{path}/devices", {"id": f"phone-{number}", "platform": "ios"})
        who = {"source_id": customer["source_id"]}
        api.call("POST", "/v1/events", {"event": "visit", "customer": who, "location": shop})
        body = {"status": "PAID", "amount": 300, "customer": who, "location": shop}
        api.call("POST", "/v1/orders", body)
    before = [get(api, one) for one in people]
    done = merge(api, *people)
    merged = done["customer"]
    assert [one["id"] for one in merged["devices"]] == ["phone-0", "phone-1"]
    assert merged["in_store"]["visits"]["count"] == 2
    assert merged["in_store"]["purchases"] == {"count": 2, "amount": 600}
    await counted_from_rows(database_url, project_id, people[0]["id"])
    undo(api, done)
    assert [timeless(get(api, one)) for one in people] == [timeless(one) for one in before]


def test_what_happens_after_a_merge_stays_with_the_merged_when_it_is_undone(api: Api) -> None:
    ann = api.call("POST", "/v1/customers", {"source_id": "a", "metadata": {"x": 1}})
    bob = api.call("POST", "/v1/customers", {"source_id": "b", "email": "b@example.com", "metadata": {"x": 2, "y": 2}})
    api.call("POST", "/v1/events", {"event": "seen", "customer": {"source_id": "b"}})
    done = merge(api, ann, bob)
    api.call("POST", "/v1/events", {"event": "seen", "customer": {"source_id": "b"}})
    api.call("POST", "/v1/orders", {"status": "PAID", "amount": 9, "customer": {"source_id": "b"}})
    api.call("PUT", "/v1/customers/a", {"phone": "1", "metadata": {"y": 3}})
    undo(api, done)
    now_ann, now_bob = get(api, ann), get(api, bob)
    assert now_ann["events"]["seen"]["count"] == now_bob["events"]["seen"]["count"] == 1
    assert now_ann["summary"]["orders"]["total_count"] == 1
    assert now_bob["summary"]["orders"]["total_count"] == 0
    assert now_ann["metadata"] == {"x": 1, "y": 3}
    assert now_bob["metadata"] == {"x": 2, "y": 2}
    assert (now_ann["phone"], now_ann.get("email"), now_bob["email"]) == ("1", None, "b@example.com")


def test_an_undo_is_done_once(api: Api) -> None:
    ann, bob = (api.call("POST", "/v1/customers", {"source_id": name}) for name in "ab")
    done = merge(api, ann, bob)
    first = undo(api, done)
    api.call("POST", "/v1/events", {"event": "seen", "customer": {"source_id": "b"}})
    assert undo(api, done) == first
    assert get(api, bob)["events"]["seen"]["count"] == 1
    assert api.call("GET", f"/v1/merges/{done['merge']['id']}") == first


def test_merges_are_listed_and_found(api: Api) -> None:
    a, b, c = (api.call("POST", "/v1/customers", {"source_id": name}) for name in "abc")
    first, second = merge(api, a, b), merge(api, a, c)
    assert [one["id"] for one in api.call("GET", "/v1/merges")["merges"]] == [
        second["merge"]["id"],
        first["merge"]["id"],
    ]
    found = api.call("GET", "/v1/merges", params={"customer": b["id"]})["merges"]
    assert found == [first["merge"]]
    api.fails("GET", "/v1/merges/merge_none", status=404, key="not_found")
    api.fails("POST", "/v1/merges/merge_none/undo", status=404, key="not_found")


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"source": "a"}, 400, "invalid_payload"),
        ({"source": "nobody"}, 404, "not_found"),
        ({}, 400, "invalid_payload"),
        ({"source": "b", "fields": {"name": "both"}}, 400, "invalid_payload"),
        ({"source": "b", "metadata": {"x": 1}}, 400, "invalid_payload"),
    ],
)
async def test_a_merge_that_makes_no_sense_changes_nothing(
    api: Api, db: Database, project_id: int, body: Any, status: int, error: str
) -> None:
    for name in "ab":
        api.call("POST", "/v1/customers", {"source_id": name})
    before = await facts.counts(db, project_id)
    for path in ("/v1/customers/a/merge", "/v1/customers/a/merge/preview"):
        api.fails("POST", path, body, status=status, key=error)
    assert await facts.counts(db, project_id) == before


def test_a_merge_into_someone_deleted_since_cannot_be_undone(api: Api) -> None:
    ann, bob = (api.call("POST", "/v1/customers", {"source_id": name}) for name in "ab")
    done = merge(api, ann, bob)
    api.call("DELETE", f"/v1/customers/{ann['id']}", status=204)
    api.fails("POST", f"/v1/merges/{done['merge']['id']}/undo", status=409, key="merge_not_undoable")
    api.fails("GET", "/v1/customers/b", status=404, key="not_found")
    assert api.call("POST", "/v1/customers", {"source_id": "b"})["id"] not in (ann["id"], bob["id"])


def duplicates(api: Any, **query: Any) -> list[tuple[str, int, list[str]]]:
    """Return the groups: reason, count, source ids."""
    found = api.call("GET", "/v1/customer-duplicates", params=query)["data"]
    return [(one["reason"], one["count"], sorted(who["source_id"] for who in one["customers"])) for one in found]


def test_duplicates_are_found_with_their_reasons(api: Api) -> None:
    people = [
        {"source_id": "1", "email": "Ann@Example.com", "phone": "+48 600-100-200"},
        {"source_id": "2", "email": "ann@example.com"},
        {"source_id": "3", "phone": "0048 600 100 200", "name": "Bob Bee", "birthdate": "1990-01-02"},
        {"source_id": "4", "name": "bob bee", "birthdate": "1990-01-02"},
        {"source_id": "5", "name": "Carl", "address": {"postal_code": "00-1"}},
        {"source_id": "6", "name": "Carl", "address": {"postal_code": "00-1"}},
        {"source_id": "7", "name": "Carl", "address": {"postal_code": "00-2"}, "phone": "112"},
        {"source_id": "8", "email": "other@example.com", "phone": "112"},
    ]
    for one in people:
        api.call("POST", "/v1/customers", one)
    wanted = [
        ("email", 2, ["1", "2"]),
        ("phone", 2, ["1", "3"]),
        ("name_and_birthdate", 2, ["3", "4"]),
        ("name_and_postal_code", 2, ["5", "6"]),
    ]
    assert duplicates(api) == wanted
    assert duplicates(api, reason="phone") == wanted[1:2]
    seen, after = [], None
    while True:
        query = {"limit": "1"} | ({"starting_after_id": after} if after else {})
        page = api.call("GET", "/v1/customer-duplicates", params=query)
        seen += [one["reason"] for one in page["data"]]
        if not page["has_more"]:
            break
        after = page["more_starting_after"]
    assert seen == [one[0] for one in wanted]
    for bad in ({"reason": "nose"}, {"limit": "0"}, {"starting_after_id": "email:cust_none"}):
        api.fails("GET", "/v1/customer-duplicates", params=bad, status=400, key="invalid_query_params")


def test_groups_of_one_reason_are_paged(api: Api) -> None:
    for number in range(6):
        api.call("POST", "/v1/customers", person(f"P{number}") | {"email": f"p{number // 2}@example.com", "phone": ""})
    first = api.call("GET", "/v1/customer-duplicates", params={"reason": "email", "limit": "2"})
    rest = api.call(
        "GET",
        "/v1/customer-duplicates",
        params={"reason": "email", "limit": "2", "starting_after_id": first["more_starting_after"]},
    )
    emails = [{who["email"] for who in one["customers"]} for one in (*first["data"], *rest["data"])]
    assert emails == [{"p0@example.com"}, {"p1@example.com"}, {"p2@example.com"}]
    assert (first["has_more"], rest["has_more"]) == (True, False)
