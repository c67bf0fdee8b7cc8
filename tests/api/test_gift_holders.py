"""What a customer has on the gift cards that they hold, and the segments that look at it."""

from typing import Any

import pytest

import facts
import promotions
from promotions import publish
from shopping import gift_card, redeem

LEFT = "summary.redemptions.gift.amount_to_go"


def give(api: Any, code: str = "CARD", customer: str = "ann") -> dict[str, Any]:
    """Publish a code to a customer."""
    body = {"voucher": code, "customer": {"source_id": customer}}
    return api.call("POST", "/v1/publications", body)  # type: ignore[no-any-return]


def gift(api: Any, customer: str = "ann") -> tuple[int, int]:
    """Return what a customer has paid with cards, and what is left on theirs."""
    found = api.call("GET", f"/v1/customers/{customer}")["summary"]["redemptions"]["gift"]
    return found["redeemed_amount"], found["amount_to_go"]


def change(api: Any, amount: int, code: str = "CARD") -> None:
    api.call("POST", f"/v1/vouchers/{code}/balance", {"amount": amount})


@pytest.fixture
def rich(api: Any) -> str:
    """A segment of those with more than 10.00 left on their cards."""
    return str(facts.new_segment(api, facts.where(LEFT, "$more_than", 1000)))


def turns(api: Any, customer: str = "ann") -> list[str]:
    """Return whether the customer entered and left segments, in order."""
    params = {"limit": "100", "order": "created_at"}
    found = api.call("GET", f"/v1/customers/{customer}/activity", params=params)["data"]
    return [one["type"].rpartition(".")[2] for one in found if ".segment." in one["type"]]


def inside(api: Any, segment_id: str, customer: str = "ann") -> bool:
    """Return whether the customer is in a segment."""
    found = api.call("GET", f"/v1/customers/{customer}/segments")["data"]
    return segment_id in [one["id"] for one in found]


def test_what_is_left_follows_every_change_of_the_cards(api: Any, rich: str) -> None:
    gift_card(api, amount=1500)
    given = give(api)
    assert given["customer"]["summary"]["redemptions"]["gift"] == {"redeemed_amount": 0, "amount_to_go": 1500}
    assert (gift(api), inside(api, rich)) == ((0, 1500), True)
    change(api, -600)
    assert (gift(api), inside(api, rich)) == ((0, 900), False)
    change(api, 400)
    assert (gift(api), inside(api, rich)) == ((0, 1300), True)
    redeem(api, "CARD", order={"amount": 500})
    assert (gift(api), inside(api, rich)) == ((500, 800), False)
    gift_card(api, "OTHER", amount=700)
    give(api, "OTHER")
    assert (gift(api), inside(api, rich)) == ((500, 1500), True)
    api.call("DELETE", "/v1/vouchers/CARD", status=204)
    assert (gift(api), inside(api, rich)) == ((500, 700), False)
    entry = api.call("GET", "/v1/trash-bin")["data"][0]["id"]
    api.call("POST", f"/v1/trash-bin/{entry}/restore", status=204)
    assert (gift(api), inside(api, rich)) == ((500, 1500), True)
    api.call("DELETE", "/v1/vouchers/CARD", params={"force": "true"}, status=204)
    assert (gift(api), inside(api, rich)) == ((500, 700), False)
    assert turns(api) == ["entered", "left"] * 4


def test_a_card_of_a_campaign_counts_once_it_is_published(api: Any, rich: str) -> None:
    voucher = {"type": "GIFT_VOUCHER", "gift": {"amount": 1200}, "redemption": {"quantity": None}}
    body = {"name": "Cards", "campaign_type": "GIFT_VOUCHERS", "vouchers_count": 3, "voucher": voucher}
    api.call("POST", "/v1/campaigns", body)
    publish(api, "Cards")
    assert (gift(api), inside(api, rich)) == ((0, 1200), True)
    two = {"campaign": {"name": "Cards", "count": 2}, "customer": {"source_id": "ann"}}
    api.call("POST", "/v1/publications", two)
    assert gift(api) == (0, 3600)
    assert turns(api) == ["entered"]


def test_who_holds_a_card_has_less_when_somebody_else_pays_with_it(api: Any, rich: str) -> None:
    gift_card(api, amount=1500)
    give(api)
    done = redeem(api, "CARD", order={"amount": 600}, customer="bob")
    assert (gift(api), gift(api, "bob")) == ((0, 900), (600, 0))
    assert not inside(api, rich)
    api.call("POST", f"/v1/redemptions/{done['redemptions'][0]['id']}/rollback")
    assert (gift(api), gift(api, "bob")) == ((0, 1500), (0, 0))
    assert inside(api, rich)
    api.call("POST", "/v1/vouchers/CARD/redemption", {"gift": {"credits": 250}})
    assert gift(api) == (0, 1250)
    promotions.make_voucher(api, "SOME")
    stack = redeem(api, "SOME", "CARD", order={"source_id": "o1", "amount": 1000}, customer="bob")
    assert (gift(api), gift(api, "bob")) == ((0, 550), (700, 0))
    api.call("POST", f"/v1/redemptions/{stack['parent_redemption']['id']}/rollbacks")
    assert (gift(api), gift(api, "bob")) == ((0, 1250), (0, 0))
    api.call("DELETE", "/v1/customers/ann", status=204)
    redeem(api, "CARD", order={"amount": 100}, customer="bob")
    assert gift(api, "bob") == (100, 0)


def test_a_coupon_changes_nothing_of_it(api: Any) -> None:
    promotions.make_voucher(api, "SOME")
    give(api, "SOME")
    assert gift(api) == (0, 0)
    api.call("DELETE", "/v1/vouchers/SOME", status=204)
    entry = api.call("GET", "/v1/trash-bin")["data"][0]["id"]
    api.call("POST", f"/v1/trash-bin/{entry}/restore", status=204)
    assert gift(api) == (0, 0)
