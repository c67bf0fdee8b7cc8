import time
from typing import Any

import pytest

import facts


@pytest.fixture
def people(api: Any) -> list[dict[str, Any]]:
    """Five customers, oldest first, each a few milliseconds after the other."""
    found = []
    for number, (name, city) in enumerate(
        [("Ann", "Warsaw"), ("Bob", "Oslo"), ("Cid", "Oslo"), ("Dan", ""), ("Eve", "Rome")]
    ):
        body = {"source_id": f"s-{4 - number}", "name": name, "email": f"{name}@example.com".lower()}
        found.append(api.call("POST", "/v1/customers", {**body, "address": {"city": city} if city else None}))
        time.sleep(0.005)
    return found


def names(api: Any, **params: Any) -> list[str]:
    """Return the names on one page of customers."""
    found = api.call("GET", "/v1/customers", params=params)
    assert (found["object"], found["data_ref"]) == ("list", "customers")
    return [one["name"] for one in found["customers"]]


@pytest.mark.usefixtures("people")
def test_the_newest_come_first_and_a_list_says_how_many_there_are(api: Any) -> None:
    found = api.call("GET", "/v1/customers")
    assert [one["name"] for one in found["customers"]] == ["Eve", "Dan", "Cid", "Bob", "Ann"]
    assert set(found) == {"object", "data_ref", "customers", "total", "has_more"}
    assert (found["total"], found["has_more"]) == (5, False)


def test_a_listed_customer_is_the_same_object_as_a_read_one(api: Any, people: list[dict[str, Any]]) -> None:
    assert api.call("GET", "/v1/customers", params={"order": "created_at"})["customers"] == people


def test_an_empty_list_is_a_list(api: Any) -> None:
    assert api.call("GET", "/v1/customers") == {
        "object": "list",
        "data_ref": "customers",
        "customers": [],
        "total": 0,
        "has_more": False,
    }


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(
    ("page", "expected", "more"),
    [(1, ["Eve", "Dan"], True), (2, ["Cid", "Bob"], True), (3, ["Ann"], False), (4, [], False), (99, [], False)],
)
def test_pages_follow_each_other(api: Any, page: int, expected: list[str], more: bool) -> None:
    found = api.call("GET", "/v1/customers", params={"limit": 2, "page": page})
    assert [one["name"] for one in found["customers"]] == expected
    assert (found["total"], found["has_more"]) == (5, more)


def test_ten_is_the_page_size_and_a_hundred_the_largest(api: Any) -> None:
    for number in range(11):
        api.call("POST", "/v1/customers", {"source_id": f"n{number}"})
    first = api.call("GET", "/v1/customers")
    assert (len(first["customers"]), first["total"], first["has_more"]) == (10, 11, True)
    whole = api.call("GET", "/v1/customers", params={"limit": 100})
    assert (len(whole["customers"]), whole["total"], whole["has_more"]) == (11, 11, False)


def test_every_order_works_both_ways(api: Any, people: list[dict[str, Any]]) -> None:
    api.call("PUT", f"/v1/customers/{people[1]['id']}", {"phone": "1"})
    assert names(api, order="created_at") == ["Ann", "Bob", "Cid", "Dan", "Eve"]
    assert names(api, order="-created_at") == ["Eve", "Dan", "Cid", "Bob", "Ann"]
    assert names(api, order="updated_at") == ["Ann", "Cid", "Dan", "Eve", "Bob"]
    assert names(api, order="-updated_at") == ["Bob", "Eve", "Dan", "Cid", "Ann"]
    assert names(api, order="source_id") == ["Eve", "Dan", "Cid", "Bob", "Ann"]
    assert names(api, order="-source_id") == ["Ann", "Bob", "Cid", "Dan", "Eve"]


@pytest.mark.usefixtures("people")
def test_email_city_and_name_keep_exact_matches_only(api: Any) -> None:
    assert names(api, email="bob@example.com") == ["Bob"]
    assert names(api, email="BOB@example.com") == []
    assert names(api, city="Oslo") == ["Cid", "Bob"]
    assert names(api, city="Osl") == []
    assert names(api, name="Eve") == ["Eve"]
    assert names(api, name="Bob", city="Rome") == []
    found = api.call("GET", "/v1/customers", params={"city": "Oslo", "limit": 1})
    assert (found["total"], found["has_more"]) == (2, True)


def test_dates_bound_a_list_exclusively(api: Any, people: list[dict[str, Any]]) -> None:
    api.call("PUT", f"/v1/customers/{people[0]['id']}", {"phone": "1"})
    at = people[2]["created_at"]
    for field, before, after in (
        ("created_at", ["Bob", "Ann"], ["Eve", "Dan"]),
        ("updated_at", ["Bob"], ["Eve", "Dan", "Ann"]),
    ):
        found = api.call("GET", "/v1/customers", params={f"{field}[before]": at})
        assert [one["name"] for one in found["customers"]] == before
        found = api.call("GET", "/v1/customers", params={f"{field}[after]": at})
        assert [one["name"] for one in found["customers"]] == after
        found = api.call("GET", "/v1/customers", params={f"{field}[after]": at, f"{field}[before]": at})
        assert found["customers"] == []


def test_starting_after_goes_on_behind_a_moment_in_both_orders(api: Any, people: list[dict[str, Any]]) -> None:
    at = people[2]["created_at"]
    found = api.call("GET", "/v1/customers", params={"starting_after": at, "limit": 1})
    assert [one["name"] for one in found["customers"]] == ["Bob"]
    assert (found["total"], found["has_more"]) == (5, True)
    assert names(api, starting_after=at, order="created_at") == ["Dan", "Eve"]
    assert names(api, starting_after=at.replace("Z", "+00:00")) == ["Bob", "Ann"]


def test_walking_with_starting_after_meets_everybody_once(api: Any, people: list[dict[str, Any]]) -> None:
    met: list[str] = []
    params: dict[str, Any] = {"limit": 2}
    while True:
        found = api.call("GET", "/v1/customers", params=params)
        met += [one["id"] for one in found["customers"]]
        if not found["has_more"]:
            break
        params["starting_after"] = found["customers"][-1]["created_at"]
    assert met == [one["id"] for one in reversed(people)]


def test_segment_id_keeps_the_members_and_goes_with_the_other_filters(api: Any, people: list[dict[str, Any]]) -> None:
    segment_id = facts.new_segment(api, facts.where("address.city", "$is", "Oslo"))
    assert names(api, segment_id=segment_id) == ["Cid", "Bob"]
    assert names(api, segment_id=segment_id, name="Bob") == ["Bob"]
    assert names(api, segment_id=segment_id, order="created_at", limit=1) == ["Bob"]
    static = api.call("POST", "/v1/segments", {"name": "Two", "customers": [people[0]["id"], people[4]["id"]]})
    assert names(api, segment_id=static["id"]) == ["Eve", "Ann"]
    assert names(api, segment_id="seg_unknown") == []


def test_the_members_of_a_deleted_segment_are_not_listed(api: Any, people: list[dict[str, Any]]) -> None:
    static = api.call("POST", "/v1/segments", {"name": "All", "customers": [one["id"] for one in people]})
    api.call("DELETE", f"/v1/segments/{static['id']}", status=204)
    assert names(api, segment_id=static["id"]) == []


BAD = {
    "limit": ["0", "101", "-1", "abc", "1.5", "1e1", "٣", "99999999999999999999", "null", "1 "],
    "page": ["0", "100", "-1", "x"],
    "order": ["name", "created_at;drop table customers", "--created_at", "-", "CREATED_AT"],
    "created_at[before]": [
        "yesterday",
        "2026-02-30",
        "2026-13-01T00:00:00Z",
        "1700000000",
        "10000-01-01",
        "2026-01-01T25:00:00Z",
    ],
    "created_at[after]": ["x"],
    "updated_at[before]": ["x"],
    "updated_at[after]": ["x"],
    "starting_after": ["x", "cust_1"],
    "email": ["a\x00b", "x" * 1001],
    "name": ["a\x00b"],
    "city": ["a\x00b"],
    "segment_id": ["a\x00b"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_a_bad_parameter_is_named(api: Any, name: str, value: str) -> None:
    error = api.fails("GET", "/v1/customers", params={name: value}, status=400, key="invalid_query_params")
    assert name in error["details"]


@pytest.mark.usefixtures("people")
def test_parameters_nobody_knows_and_empty_ones_are_ignored(api: Any) -> None:
    expected = ["Eve", "Dan", "Cid", "Bob", "Ann"]
    assert names(api, colour="red", limit="", page="", order="", email="") == expected
