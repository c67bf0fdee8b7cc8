"""What a customer has on the gift cards that they hold, and the segments that look at it."""

from typing import Any

import pytest

import facts
import harness
import promotions
from promotions import publish
from rapport.core.db import Database
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


def make_cards(api: Any, count: int = 3) -> str:
    """Make a campaign of cards with 12.00 each; return its id."""
    voucher = {"type": "GIFT_VOUCHER", "gift": {"amount": 1200}, "redemption": {"quantity": None}}
    body = {"name": "Cards", "campaign_type": "GIFT_VOUCHERS", "vouchers_count": count, "voucher": voucher}
    return str(api.call("POST", "/v1/campaigns", body)["id"])


def done(api: Any, action_id: str) -> dict[str, Any]:
    """Return what an action came to, once it is over."""

    def over() -> Any:
        found = api.call("GET", f"/v1/async-actions/{action_id}")
        return found if found["status"] in ("DONE", "FAILED") else None

    return harness.wait_for(over)["result"]  # type: ignore[no-any-return]


def entry_of(api: Any) -> str:
    return str(api.call("GET", "/v1/trash-bin")["data"][0]["id"])


def test_what_is_left_follows_the_deletion_of_a_whole_campaign(api: Any, rich: str) -> None:
    make_cards(api)
    gift_card(api, amount=500)
    give(api)
    for customer in ("ann", "bob"):
        publish(api, "Cards", customer)
    assert (gift(api), gift(api, "bob"), inside(api, rich)) == ((0, 1700), (0, 1200), True)
    api.call("DELETE", "/v1/campaigns/Cards", status=202)
    assert (gift(api), gift(api, "bob"), inside(api, rich)) == ((0, 500), (0, 0), False)
    redeem(api, "CARD", order={"amount": 100})
    assert gift(api) == (100, 400)
    api.call("POST", f"/v1/trash-bin/{entry_of(api)}/restore", status=204)
    assert (gift(api), gift(api, "bob"), inside(api, rich)) == ((100, 1600), (0, 1200), True)
    api.call("DELETE", "/v1/campaigns/Cards", params={"force": "true"}, status=202)
    assert (gift(api), gift(api, "bob"), inside(api, rich)) == ((100, 400), (0, 0), False)
    assert turns(api) == ["entered", "left"] * 2


def test_cards_in_the_bin_do_not_count_when_a_customer_is_merged(api: Any) -> None:
    make_cards(api)
    publish(api, "Cards", "bob")
    gift_card(api, amount=500)
    give(api)
    api.call("DELETE", "/v1/campaigns/Cards", status=202)
    api.call("POST", "/v1/customers/ann/merge", {"source": "bob"})
    assert gift(api) == (0, 500)
    api.call("POST", f"/v1/trash-bin/{entry_of(api)}/restore", status=204)
    assert gift(api) == (0, 1700)


async def test_what_is_left_follows_the_deletion_of_a_campaign_with_many_holders(
    api: Any, db: Database, project_id: int
) -> None:
    made = make_cards(api, 1_050)
    harness.wait_for(lambda: api.call("GET", "/v1/campaigns/Cards")["creation_status"] == "DONE")
    publish(api, "Cards")
    async with db.read() as conn:
        # Of most there is no customer any more: they come before and after the one there is.
        await conn.execute(
            "UPDATE vouchers SET holder_id = 'cust_' || right(id, 20), gift_amount = 1200, balance = 1200 "
            "WHERE project_id = $1 AND campaign_id = $2 AND holder_id IS NULL",
            project_id,
            made,
        )
    assert gift(api) == (0, 1200)
    action = api.call("DELETE", "/v1/campaigns/Cards", status=202)["async_action_id"]
    assert done(api, action) == {"message": "Moved 1050 vouchers to the bin.", "done_count": 1050}
    assert gift(api) == (0, 0)
    api.call("POST", f"/v1/trash-bin/{entry_of(api)}/restore", status=204)
    action = api.call("GET", "/v1/async-actions")["async_actions"][0]
    assert action["type"] == "CAMPAIGN.VOUCHERS_UPDATE"
    assert done(api, action["id"]) == {"message": "Restored 1050 vouchers.", "done_count": 1050}
    assert gift(api) == (0, 1200)
    action = api.call("DELETE", "/v1/campaigns/Cards", params={"force": "true"}, status=202)["async_action_id"]
    assert done(api, action) == {"message": "Deleted 1050 vouchers.", "done_count": 1050}
    assert gift(api) == (0, 0)
    assert await promotions.rows(db, project_id, "vouchers") == 0


def test_a_card_of_a_campaign_counts_once_it_is_published(api: Any, rich: str) -> None:
    make_cards(api)
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
