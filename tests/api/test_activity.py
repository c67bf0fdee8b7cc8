from typing import Any

import pytest

from promotions import make_campaign, publish, redeem
from rapport.activity.log import INTERNAL, Entry
from rapport.activity.queries import append
from rapport.core.db import Database
from rapport.core.queries import read_now
from rapport.projects.models import NewKey

TYPES = ["customer.created", *["customer.custom_event"] * 5, "customer.updated"]


@pytest.fixture
def customer(api: Any) -> dict[str, Any]:
    """A customer with seven entries."""
    for number in range(5):
        api.call("POST", "/v1/events", {"event": f"e{number}", "customer": {"source_id": "c"}})
    return api.call("PUT", "/v1/customers/c", {"name": "Cid"})  # type: ignore[no-any-return]


@pytest.mark.parametrize("path", ["activity", "activities"])
def test_both_spellings_list_what_happened_newest_first(
    api: Any, key: NewKey, customer: dict[str, Any], path: str
) -> None:
    api.call("POST", "/v1/customers", {"source_id": "someone else"})
    found = api.call("GET", f"/v1/customers/c/{path}")
    assert (found["object"], found["data_ref"], found["has_more"]) == ("list", "data", False)
    assert found.get("total") == (7 if path == "activities" else None)
    assert "more_starting_after" not in found
    assert [one["type"] for one in found["data"]] == TYPES[::-1]
    newest = found["data"][0]
    assert set(newest) == {"id", "type", "data", "created_at", "group_id"}
    assert newest["data"]["data"] == {"customer": customer}
    assert newest["data"]["event_source"] == {
        "channel": "API",
        "api_key": {"name": "server key", "app_id": key.app_id},
    }
    assert newest["created_at"] == customer["updated_at"]
    assert newest["id"].startswith("ev_")
    assert newest["group_id"].startswith("v-")
    assert api.call("GET", f"/v1/customers/{customer['id']}/{path}") == found


@pytest.mark.parametrize("path", ["activity", "activities"])
@pytest.mark.parametrize("order", ["created_at", "-created_at"])
@pytest.mark.usefixtures("customer")
def test_the_cursor_meets_every_entry_once(api: Any, path: str, order: str) -> None:
    met: list[dict[str, Any]] = []
    params: dict[str, Any] = {"limit": 3, "order": order}
    for expected in (3, 3, 1):
        found = api.call("GET", f"/v1/customers/c/{path}", params=params)
        assert len(found["data"]) == expected
        assert found.get("total") == (7 if path == "activities" else None)
        assert found["has_more"] is (expected == 3)
        assert found.get("more_starting_after") == (found["data"][-1]["id"] if expected == 3 else None)
        params["starting_after_id"] = found["data"][-1]["id"]
        met += found["data"]
    assert [one["type"] for one in met] == (TYPES if order == "created_at" else TYPES[::-1])
    assert len({one["id"] for one in met}) == 7
    assert api.call("GET", f"/v1/customers/c/{path}", params=params)["data"] == []


@pytest.mark.usefixtures("customer")
def test_type_and_dates_keep_what_was_asked_for(api: Any) -> None:
    def types(**params: Any) -> list[str]:
        return [one["type"] for one in api.call("GET", "/v1/customers/c/activity", params=params)["data"]]

    data = api.call("GET", "/v1/customers/c/activity", params={"order": "created_at"})["data"]
    assert types(type="customer.custom_event") == TYPES[1:6]
    assert types(type="customer.deleted") == []
    assert types(type="nonsense") == []
    assert types(campaign_id="camp_x") == []
    first, last = data[0]["created_at"], data[-1]["created_at"]
    assert types(end_date=first) == [one["type"] for one in reversed(data) if one["created_at"] <= first]
    assert types(start_date=last) == [one["type"] for one in reversed(data) if one["created_at"] >= last]
    assert types(start_date=first, end_date=last) == TYPES[::-1]
    assert types(start_date="2999-01-01") == []


@pytest.mark.usefixtures("customer")
def test_a_part_that_is_read_later_neither_misses_nor_repeats_what_was_there(api: Any) -> None:
    first = api.call("GET", "/v1/customers/c/activity", params={"limit": 4})
    for number in range(3):
        api.call("PUT", "/v1/customers/c", {"name": f"Cid {number}"})
    cursor = first["more_starting_after"]
    second = api.call("GET", "/v1/customers/c/activity", params={"limit": 4, "starting_after_id": cursor})
    assert [one["type"] for one in first["data"] + second["data"]] == TYPES[::-1]
    assert second["has_more"] is False


@pytest.mark.usefixtures("customer")
def test_the_older_form_goes_on_from_a_moment_and_has_the_references_orders(api: Any) -> None:
    path = "/v1/customers/c/activities"
    data = api.call("GET", path)["data"]
    after = api.call("GET", path, params={"starting_after": data[2]["created_at"]})["data"]
    assert after == [one for one in data if one["created_at"] < data[2]["created_at"]]
    for order in ("updated_at", "type", "code", "campaign", "category"):
        found = api.call("GET", path, params={"order": order})["data"]
        assert sorted(one["id"] for one in found) == sorted(one["id"] for one in data)
    by_category = api.call("GET", path, params={"order": "-category", "limit": 1})["data"]
    assert by_category[0]["type"] == "customer.updated"


def test_the_cursor_of_somebody_else_names_nothing(api: Any, customer: dict[str, Any]) -> None:
    other = api.call("POST", "/v1/customers", {"source_id": "other"})
    (entry,) = api.call("GET", f"/v1/customers/{other['id']}/activity")["data"]
    path = f"/v1/customers/{customer['id']}/activity"
    api.fails("GET", path, params={"starting_after_id": entry["id"]}, status=400, key="invalid_query_params")


def test_category_campaign_and_product_keep_what_is_about_them(api: Any) -> None:
    campaign = make_campaign(api, vouchers_count=1, quantity=1)
    code = publish(api)["voucher"]["code"]
    redeem(api, code, order={"items": [{"product_id": "prod_1", "quantity": 1, "price": 500}]})
    api.call("POST", "/v1/orders", {"customer": {"source_id": "ann"}, "items": [{"product_id": "prod_2"}]})

    def types(form: str = "activity", **params: Any) -> list[str]:
        page = api.call("GET", f"/v1/customers/ann/{form}", params={"order": "created_at", "limit": 100, **params})
        return [one["type"] for one in page["data"]]

    effects = ["customer.publication.succeeded"]
    about = [*effects, "customer.redemption.succeeded"]
    assert types(category="EFFECT") == effects
    assert types(category="ACTION") == [one for one in types() if one not in effects]
    for form in ("activity", "activities"):
        assert types(form, campaign_type="DISCOUNT_COUPONS") == about
        assert types(form, campaign_type="LOYALTY_PROGRAM") == []
        assert types(form, campaign_id=campaign["id"]) == about
    with_order = ["customer.order.created", "customer.order.paid", "customer.redemption.succeeded"]
    assert sorted(types("activities", product_id="prod_1")) == with_order
    assert types("activities", product_id="prod_2") == ["customer.order.created"]
    assert types("activities", product_id="prod_3") == []
    api.call("DELETE", f"/v1/campaigns/{campaign['id']}", status=202)
    assert types(campaign_type="DISCOUNT_COUPONS") == about


async def test_what_the_reference_does_not_know_is_shown_to_who_asks_for_it(
    api: Any, db: Database, project_id: int, customer: dict[str, Any]
) -> None:
    async with db.read() as conn:
        entry = Entry("customer.seen_elsewhere", customer["id"], {})
        await append(conn, project_id, await read_now(conn, db.clock_offset), "v-1", INTERNAL, [entry])

    def types(form: str, **params: Any) -> list[str]:
        return [one["type"] for one in api.call("GET", f"/v1/customers/c/{form}", params=params)["data"]]

    for form in ("activity", "activities"):
        assert types(form) == TYPES[::-1]
        assert types(form, additions="true") == ["customer.seen_elsewhere", *TYPES[::-1]]
        assert types(form, type="customer.seen_elsewhere") == ["customer.seen_elsewhere"]


@pytest.mark.usefixtures("customer")
def test_entries_of_one_request_share_its_group(api: Any) -> None:
    data = api.call("GET", "/v1/customers/c/activity", params={"order": "created_at"})["data"]
    groups = [one["group_id"] for one in data]
    assert groups[0] == groups[1]
    assert len(set(groups)) == 6


def test_an_unknown_cursor_and_an_unknown_customer(api: Any, customer: dict[str, Any]) -> None:
    path = f"/v1/customers/{customer['id']}/activity"
    error = api.fails("GET", path, params={"starting_after_id": "ev_x"}, status=400, key="invalid_query_params")
    assert "ev_x" in error["details"]
    api.fails("GET", "/v1/customers/nobody/activity", status=404, key="not_found")


@pytest.mark.parametrize(
    "params",
    [
        {"limit": 0},
        {"limit": 101},
        {"order": "id"},
        {"start_date": "x"},
        {"end_date": "2026-02-30"},
        {"starting_after_id": "a\x00"},
        {"type": "a\x00"},
        {"category": "action"},
        {"campaign_type": "COUPONS"},
        {"additions": "yes"},
    ],
)
@pytest.mark.usefixtures("customer")
def test_bad_parameters_are_refused(api: Any, params: dict[str, Any]) -> None:
    api.fails("GET", "/v1/customers/c/activity", params=params, status=400, key="invalid_query_params")


async def test_the_log_carries_the_transaction_and_is_never_rewritten(
    api: Any, db: Database, project_id: int, customer: dict[str, Any]
) -> None:
    async def rows() -> list[Any]:
        async with db.read() as conn:
            return await conn.fetch(
                "SELECT id, xid::text::bigint AS xid, seq, created_at, payload FROM activity "
                "WHERE project_id = $1 ORDER BY xid, seq",
                project_id,
            )

    before = await rows()
    assert [row["seq"] for row in before] == sorted(row["seq"] for row in before)
    assert len({row["xid"] for row in before}) == 6
    api.call("DELETE", f"/v1/customers/{customer['id']}", status=204)
    assert (await rows())[:7] == before
