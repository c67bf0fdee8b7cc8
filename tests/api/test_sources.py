"""How customers came in: their source, what it says of them, and lists by it."""

from typing import Any

import pytest

import facts

MAILCHIMP = {"source": "MailChimp", "system_metadata": {"list": "news", "members": {"id": 7}}}


def customer(api: Any, source_id: str, **more: Any) -> Any:
    """Create or update a customer."""
    return api.call("POST", "/v1/customers", {"source_id": source_id, **more})


def test_who_says_nothing_of_a_source_comes_in_through_the_api(api: Any) -> None:
    assert customer(api, "ann")["source"] == "API"
    assert customer(api, "ann")["system_metadata"] == {}


def test_a_source_is_said_once_and_stays(api: Any) -> None:
    assert customer(api, "ann", **MAILCHIMP)["source"] == "MailChimp"
    assert customer(api, "ann", source="Segment", name="Ann")["source"] == "MailChimp"
    assert api.call("PUT", "/v1/customers/ann", {"source": "CSV"})["source"] == "MailChimp"
    found = api.call("GET", "/v1/customers/ann")
    assert (found["source"], found["name"]) == ("MailChimp", "Ann")
    customer(api, "bob")
    assert customer(api, "bob", source="Segment")["source"] == "API"


def test_what_a_source_says_is_merged_key_by_key(api: Any) -> None:
    customer(api, "ann", **MAILCHIMP)
    changed = api.call("PUT", "/v1/customers/ann", {"system_metadata": {"list": None, "score": 3}})
    assert changed["system_metadata"] == {"members": {"id": 7}, "score": 3}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/orders", {"amount": 100}),
        ("/v1/events", {"event": "seen"}),
        ("/v1/redemptions", {"redeemables": [{"object": "voucher", "id": "CODE"}]}),
        ("/v1/publications", {"voucher": "CODE"}),
    ],
)
def test_who_comes_in_with_something_else_keeps_the_source_it_names(api: Any, path: str, body: dict[str, Any]) -> None:
    discount = {"type": "AMOUNT", "amount_off": 5}
    api.call("POST", "/v1/vouchers/CODE", {"type": "DISCOUNT_VOUCHER", "discount": discount})
    named = {"source_id": "ann", **MAILCHIMP}
    api.call("POST", path, {**body, "customer": named})
    found = api.call("GET", "/v1/customers/ann")
    assert {name: found[name] for name in MAILCHIMP} == MAILCHIMP
    customer(api, "bob")
    api.call("POST", "/v1/events", {"event": "seen", "customer": {"source_id": "bob", "source": "Segment"}})
    assert api.call("GET", "/v1/customers/bob")["source"] == "API"


def test_customers_are_listed_and_grouped_by_source(api: Any) -> None:
    customer(api, "a", **MAILCHIMP)
    customer(api, "b", source="Segment")
    customer(api, "c", source="MailChimp")
    customer(api, "d")

    def listed(**params: Any) -> list[str]:
        return [one["source_id"] for one in api.call("GET", "/v1/customers", params=params)["customers"]]

    assert listed(source="MailChimp") == ["c", "a"]
    assert listed(source="MailChimp", order="created_at") == ["a", "c"]
    assert listed(source="API") == ["d"]
    assert listed(source="mailchimp") == []
    for field, value, members in (
        ("source", "MailChimp", ["a", "c"]),
        ("system_metadata.list", "news", ["a"]),
        ("system_metadata.members.id", 7, ["a"]),
    ):
        segment = facts.new_segment(api, facts.where(field, "$is", value), name=field)
        assert sorted(listed(segment_id=segment)) == members


def test_every_order_of_the_reference_and_its_cursor(api: Any) -> None:
    made = [customer(api, name) for name in ("b", "a", "c")]
    updated = [made[1], made[2], api.call("PUT", "/v1/customers/b", {"name": "B"})]

    def listed(**params: Any) -> list[str]:
        return [one["source_id"] for one in api.call("GET", "/v1/customers", params=params)["customers"]]

    assert listed(order="created_at") == ["b", "a", "c"]
    assert listed(order="-created_at") == ["c", "a", "b"]
    assert listed(order="updated_at") == ["a", "c", "b"]
    assert listed(order="-updated_at") == ["b", "c", "a"]
    assert listed(order="source_id") == ["a", "b", "c"]
    assert listed(order="-source_id") == ["c", "b", "a"]
    assert listed(starting_after=made[2]["created_at"]) == [
        one["source_id"] for one in (made[1], made[0]) if one["created_at"] < made[2]["created_at"]
    ]
    last = updated[1]["updated_at"]
    assert listed(order="updated_at", starting_after=last) == [
        one["source_id"] for one in updated if one["updated_at"] > last
    ]
