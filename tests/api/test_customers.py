import re
from typing import Any

import facts
from rapport.core.db import Database

NOTHING_BOUGHT = {"total_amount": 0, "total_count": 0, "average_amount": 0, "last_order_amount": 0}
ANN = {
    "source_id": "ann-1",
    "name": "Ann Example",
    "email": "ann@example.com",
    "phone": "+48 600 000 000",
    "description": "A customer",
    "birthdate": "1990-12-05",
    "address": {"city": "Warsaw", "country": "Poland", "postal_code": "00-001"},
    "metadata": {"tier": "gold", "sizes": [36, 38], "nested": {"score": 1.5}},
}


def test_a_customer_is_created_with_everything_the_payload_says(api: Any) -> None:
    created = api.call("POST", "/v1/customers", ANN)
    assert facts.plain({name: created[name] for name in ANN}) == ANN
    assert created["summary"]["orders"] == NOTHING_BOUGHT
    assert created["summary"]["redemptions"] == {
        "total_redeemed": 0,
        "total_failed": 0,
        "total_succeeded": 0,
        "total_rolled_back": 0,
        "total_rollback_failed": 0,
        "total_rollback_succeeded": 0,
        "gift": {"redeemed_amount": 0, "amount_to_go": 0},
        "loyalty_card": {"redeemed_points": 0, "points_to_go": 0},
    }
    assert created["loyalty"] == {"points": 0, "referred_customers": 0, "campaigns": {}}
    assert created["referrals"] == {"total": 0, "campaigns": []}
    assert created["system_metadata"] == {}
    assert created["source"] == "API"
    assert created["events"] == {}
    assert created["object"] == "customer"
    assert re.fullmatch(r"cust_[0-9A-Za-z]{24}", created["id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", created["created_at"])
    assert created["updated_at"] == created["created_at"]
    assert api.call("GET", f"/v1/customers/{created['id']}") == created
    assert api.call("GET", "/v1/customers/ann-1") == created


async def test_an_empty_payload_makes_an_anonymous_customer_each_time(api: Any, db: Database, project_id: int) -> None:
    first, second = api.call("POST", "/v1/customers", {}), api.call("POST", "/v1/customers", {})
    assert first["id"] != second["id"]
    assert {"source_id", "name", "email", "phone", "birthdate"} & set(first) == set()
    assert first["address"] is None
    assert await facts.counts(db, project_id) == {"customers": 2, "activity": 2}


async def test_a_second_post_with_the_same_source_id_updates_the_customer(
    api: Any, db: Database, project_id: int
) -> None:
    first = api.call("POST", "/v1/customers", ANN)
    second = api.call("POST", "/v1/customers", {"source_id": "ann-1", "name": "Ann B", "metadata": {"vip": True}})
    assert second["id"] == first["id"]
    assert second["name"] == "Ann B"
    assert second["email"] == ANN["email"]
    assert facts.plain(second["metadata"]) == {**ANN["metadata"], "vip": True}
    assert second["created_at"] == first["created_at"]
    assert second["updated_at"] > first["updated_at"]
    assert await facts.log_types(db, project_id) == ["customer.created", "customer.updated"]
    assert await facts.counts(db, project_id) == {"customers": 1, "activity": 2}


async def test_saying_the_same_again_changes_and_logs_nothing(api: Any, db: Database, project_id: int) -> None:
    first = api.call("POST", "/v1/customers", ANN)
    assert api.call("POST", "/v1/customers", ANN) == first
    assert api.call("PUT", f"/v1/customers/{first['id']}", {}) == first
    assert await facts.log_types(db, project_id) == ["customer.created"]


async def test_a_post_with_an_id_updates_that_customer_and_an_unknown_id_makes_none(
    api: Any, db: Database, project_id: int
) -> None:
    first = api.call("POST", "/v1/customers", {"name": "No source id"})
    assert api.call("POST", "/v1/customers", {"id": first["id"], "email": "a@b.c"})["email"] == "a@b.c"
    error = api.fails("POST", "/v1/customers", {"id": "cust_unknown", "name": "X"}, status=404, key="not_found")
    assert error["details"] == "Cannot find customer with id cust_unknown"
    assert (error["resource_id"], error["resource_type"]) == ("cust_unknown", "customer")
    assert await facts.counts(db, project_id) == {"customers": 1, "activity": 2}


async def test_a_source_id_is_given_once_and_stays(api: Any, db: Database, project_id: int) -> None:
    customer = api.call("POST", "/v1/customers", {"name": "Late"})
    named = api.call("POST", "/v1/customers", {"id": customer["id"], "source_id": "late"})
    assert named["source_id"] == "late"
    assert api.call("POST", "/v1/customers", {"id": customer["id"], "source_id": "other"}) == named
    assert api.call("PUT", "/v1/customers/late", {"source_id": "other", "id": "cust_x"}) == named
    assert await facts.counts(db, project_id) == {"customers": 1, "activity": 2}


async def test_a_source_id_of_another_customer_is_refused(api: Any, db: Database, project_id: int) -> None:
    api.call("POST", "/v1/customers", {"source_id": "taken"})
    nameless = api.call("POST", "/v1/customers", {"name": "Nameless"})
    body = {"id": nameless["id"], "source_id": "taken", "name": "Changed"}
    error = api.fails("POST", "/v1/customers", body, status=409, key="duplicate_found")
    assert (error["resource_id"], error["resource_type"]) == ("taken", "customer")
    assert api.call("GET", f"/v1/customers/{nameless['id']}") == nameless
    assert await facts.counts(db, project_id) == {"customers": 2, "activity": 2}


async def test_the_same_clash_through_orders_and_events_writes_nothing(api: Any, db: Database, project_id: int) -> None:
    api.call("POST", "/v1/customers", {"source_id": "taken"})
    nameless = api.call("POST", "/v1/customers", {"name": "Nameless"})
    person = {"id": nameless["id"], "source_id": "taken"}
    for path, body in (
        ("/v1/orders", {"source_id": "o-1", "amount": 1, "status": "PAID", "customer": person}),
        ("/v1/events", {"event": "seen", "customer": person}),
    ):
        error = api.fails("POST", path, body, status=409, key="duplicate_found")
        assert (error["resource_id"], error["resource_type"]) == ("taken", "customer")
    assert await facts.counts(db, project_id) == {"customers": 2, "activity": 2}


def test_an_empty_text_removes_a_value_and_what_is_absent_or_null_stays(api: Any) -> None:
    api.call("POST", "/v1/customers", ANN)
    body = {"name": "", "birthdate": "", "email": None, "address": {"city": "", "line_1": "Long 1"}}
    body["metadata"] = {"tier": None}
    changed = api.call("PUT", "/v1/customers/ann-1", body)
    assert "name" not in changed
    assert "birthdate" not in changed
    assert "birthday" not in changed
    assert changed["email"] == ANN["email"]
    assert changed["address"] == {"country": "Poland", "postal_code": "00-001", "line_1": "Long 1"}
    assert facts.plain(changed["metadata"]) == {"sizes": [36, 38], "nested": {"score": 1.5}}
    nulls = dict.fromkeys(["email", "phone", "address", "metadata", "description", "birthday", "birthdate"])
    assert api.call("PUT", "/v1/customers/ann-1", nulls) == changed
    gone = {"address": dict.fromkeys(["country", "postal_code", "line_1"], "")}
    assert api.call("PUT", "/v1/customers/ann-1", gone)["address"] is None


def test_metadata_is_merged_key_by_key_and_not_below(api: Any) -> None:
    api.call("POST", "/v1/customers", {"source_id": "m", "metadata": {"a": {"x": 1}, "b": [1]}})
    changed = api.call("POST", "/v1/customers", {"source_id": "m", "metadata": {"a": {"y": 2}, "c": "new"}})
    assert changed["metadata"] == {"a": {"y": 2}, "b": [1], "c": "new"}


def test_numbers_in_metadata_come_back_as_they_were(api: Any) -> None:
    metadata = '{"cent":0.10,"third":0.33333333333333333333333333,"big":123456789012345678901234567890,"zero":0.0}'
    numbers = f'{{"source_id":"n","metadata":{metadata}}}'
    answer = api.post("/v1/customers", content=numbers)
    assert answer.status_code == 200
    stored = api.get("/v1/customers/n").text
    for written in ('"cent":0.10', '"third":0.33333333333333333333333333', '"big":123456789012345678901234567890'):
        assert written in stored


async def test_true_is_not_one_and_one_is_one_point_zero(api: Any, db: Database, project_id: int) -> None:
    first = {"vip": True, "deep": [{"off": False}], "n": 1, "big": 1e30}
    for change, expected in (
        (first, "customer.created"),
        (first, None),
        ({"n": 1.0}, None),
        ({"vip": 1}, "customer.updated"),
        ({"deep": [{"off": 0}]}, "customer.updated"),
        ({"vip": True}, "customer.updated"),
    ):
        before = await facts.log_types(db, project_id)
        changed = api.call("POST", "/v1/customers", {"source_id": "x", "metadata": change})
        assert all(type(changed["metadata"][name]) is type(value) for name, value in change.items() if name == "vip")
        assert await facts.log_types(db, project_id) == before + ([expected] if expected else [])
    assert api.get("/v1/customers/x").json()["metadata"]["deep"] == [{"off": 0}]
    assert '"off":0' in api.get("/v1/customers/x").text


def test_text_of_any_script_survives(api: Any) -> None:
    body = {
        "source_id": "ünïcødé/żółć?&#% +",
        "name": "李小龙 👩‍👩‍👧 \u202e \u0001 \ufffe",
        "metadata": {"ключ.и знак": "é\u0301"},
    }
    created = api.call("POST", "/v1/customers", body)
    assert {name: created[name] for name in body} == body
    assert api.call("GET", f"/v1/customers/{created['id']}") == created


def test_birthday_is_an_older_name_of_birthdate(api: Any) -> None:
    created = api.call("POST", "/v1/customers", {"source_id": "b", "birthday": "2000-02-29"})
    assert (created["birthday"], created["birthdate"]) == ("2000-02-29", "2000-02-29")
    changed = api.call("POST", "/v1/customers", {"source_id": "b", "birthdate": "2000-03-01T22:00:00.000Z"})
    assert (changed["birthday"], changed["birthdate"]) == ("2000-03-01", "2000-03-01")


def test_where_a_customer_came_from_is_kept(api: Any) -> None:
    body = {"source_id": "mc", "source": "MailChimp", "system_metadata": {"list": "news"}}
    created = api.call("POST", "/v1/customers", body)
    assert (created["source"], created["system_metadata"]) == ("MailChimp", {"list": "news"})
    later = api.call("POST", "/v1/customers", {"source_id": "mc", "source": "CSV", "name": "X"})
    assert later["source"] == "MailChimp"


async def test_a_deleted_customer_is_gone_and_the_source_id_is_free_again(
    api: Any, db: Database, project_id: int
) -> None:
    first = api.call("POST", "/v1/customers", ANN)
    segment_id = facts.new_segment(api, facts.where("name", "$is", "Ann Example"))
    assert await facts.members(db, project_id, segment_id) == [first["id"]]
    assert api.call("DELETE", "/v1/customers/ann-1", status=204) is None
    for method, path in (
        ("GET", "/v1/customers/ann-1"),
        ("GET", f"/v1/customers/{first['id']}"),
        ("DELETE", "/v1/customers/ann-1"),
        ("PUT", f"/v1/customers/{first['id']}"),
        ("GET", f"/v1/customers/{first['id']}/segments"),
        ("GET", f"/v1/customers/{first['id']}/activity"),
    ):
        body = {"name": "X"} if method == "PUT" else None
        api.fails(method, path, body, status=404, key="not_found")
    assert await facts.members(db, project_id, segment_id) == []
    again = api.call("POST", "/v1/customers", {"source_id": "ann-1"})
    assert again["id"] != first["id"]
    assert await facts.log_types(db, project_id, first["id"]) == [
        "customer.created",
        "customer.segment.entered",
        "customer.deleted",
    ]
    assert await facts.log_types(db, project_id, again["id"]) == ["customer.created"]


async def test_orders_of_a_deleted_customer_stay_and_can_still_be_changed(
    api: Any, db: Database, project_id: int
) -> None:
    order = api.call(
        "POST", "/v1/orders", {"source_id": "o", "amount": 500, "status": "PAID", "customer": {"source_id": "c"}}
    )
    api.call("DELETE", "/v1/customers/c", status=204)
    assert api.call("GET", "/v1/orders/o") == order
    assert api.call("PUT", "/v1/orders/o", {"status": "CANCELED"})["status"] == "CANCELED"
    assert (await facts.counts(db, project_id))["orders"] == 1
    assert api.call("GET", "/v1/customers")["total"] == 0


def test_put_of_an_unknown_customer_creates_none(api: Any) -> None:
    api.fails("PUT", "/v1/customers/nobody", {"name": "X"}, status=404, key="not_found")
    assert api.call("GET", "/v1/customers")["total"] == 0


def test_an_id_wins_over_the_same_text_as_a_source_id(api: Any) -> None:
    first = api.call("POST", "/v1/customers", {"name": "First"})
    second = api.call("POST", "/v1/customers", {"source_id": first["id"], "name": "Second"})
    assert second["id"] != first["id"]
    assert api.call("GET", f"/v1/customers/{first['id']}")["name"] == "First"
    assert api.call("PUT", f"/v1/customers/{first['id']}", {"phone": "1"})["name"] == "First"


def test_a_source_id_with_slashes_is_found_by_its_encoded_path(api: Any) -> None:
    created = api.call("POST", "/v1/customers", {"source_id": "shop/eu/ann?1#2"})
    path = "/v1/customers/shop%2Feu%2fann%3F1%232"
    assert api.call("GET", path) == created
    assert api.call("GET", f"{path}/segments")["total"] == 0
    assert api.call("PUT", path, {"name": "Ann"})["id"] == created["id"]
    assert api.call("DELETE", path, status=204) is None
    api.fails("GET", path, status=404, key="not_found")
    api.fails("GET", "/v1/customers/shop/eu", status=404, key="not_found")
