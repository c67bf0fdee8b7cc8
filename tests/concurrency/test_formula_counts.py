"""Formulas that name how often a campaign was redeemed: whoever comes at once, each gets what its number gives."""

import asyncio
from typing import Any

import promotions
from harness import Server, async_client
from in_cart import make_promotion, tier
from promotions import codes_of, make_campaign, make_rule, make_voucher, percent, redeem
from rapport.core.db import Database
from rapport.rules import budgets
from shopping import basket

_RACERS = 24
_ORDER = {"amount": 10_000}
_BY_NUMBER = percent(1, percent_off_formula="CAMPAIGN_REDEMPTION_COUNT + 1")


async def totals(server: Server, api: Any, redeemables: list[Any], *, keys: bool = False) -> list[int]:
    """Redeem all at once, each by a customer of its own; return what is left to pay, sorted."""
    headers = {name: api.headers[name] for name in ("X-App-Id", "X-App-Token")}
    async with async_client(server.base_url, headers) as client:
        found = await asyncio.gather(
            *(
                client.post(
                    "/v1/redemptions",
                    json=basket(one, customer=f"c{number}", order=_ORDER),
                    headers={"Idempotency-Key": f"key-{number}"} if keys else {},
                )
                for number, one in enumerate(redeemables)
            )
        )
    assert {answer.status_code for answer in found} == {200}, [answer.text for answer in found]
    return sorted(answer.json()["order"]["total_amount"] for answer in found)


def expected(first: int, last: int) -> list[int]:
    """Return what is left to pay by those who come so many-th, 1 being the first."""
    return sorted(10_000 - 100 * number for number in range(first, last + 1))


async def counters(db: Database, project_id: int) -> list[tuple[Any, ...]]:
    """Return the stored counters: the object, by whom, how many."""
    async with db.read() as conn:
        rows = await conn.fetch(
            "SELECT object_id, counted_by, number FROM rule_counters WHERE project_id = $1", project_id
        )
    return [tuple(row) for row in rows]


async def test_codes_of_one_campaign_are_counted_one_after_another(
    server: Server, api: Any, db: Database, project_id: int
) -> None:
    campaign = make_campaign(api, discount=_BY_NUMBER, quantity=None, vouchers_count=6)
    codes = codes_of(api, campaign["id"])
    assert await totals(server, api, [codes[number % 6] for number in range(_RACERS)]) == expected(1, _RACERS)
    # A code that has a discount of its own counts as well, and what is rolled back does no more.
    make_voucher(api, "OWN", percent(5), campaign="Spring")
    own = redeem(api, "OWN", order=_ORDER)
    assert await counters(db, project_id) == [(campaign["id"], "all", _RACERS + 1)]
    api.call("POST", f"/v1/redemptions/{own['redemptions'][0]['id']}/rollback")
    assert redeem(api, codes[0], order=_ORDER)["order"]["total_amount"] == 10_000 - 100 * (_RACERS + 1)
    assert await counters(db, project_id) == [(campaign["id"], "all", _RACERS + 1)]


async def test_tiers_of_a_campaign_are_counted_together(server: Server, api: Any) -> None:
    campaign = make_promotion(api, *(tier(name, action={"discount": _BY_NUMBER}) for name in "AB"))
    tiers = [("promotion_tier", one["id"]) for one in campaign["promotion"]["tiers"]]
    assert await totals(server, api, [tiers[number % 2] for number in range(8)]) == expected(1, 8)


async def test_what_was_redeemed_before_a_formula_came_is_counted(
    server: Server, api: Any, db: Database, project_id: int
) -> None:
    campaign = make_campaign(api, discount=percent(5), quantity=None, vouchers_count=3)
    codes = codes_of(api, campaign["id"])
    for code in codes:
        redeem(api, code, order=_ORDER)
    assert await promotions.rows(db, project_id, "rule_counters") == 0
    api.call("PUT", f"/v1/campaigns/{campaign['id']}", {"discount": _BY_NUMBER})
    assert await totals(server, api, codes * 3, keys=True) == expected(4, 12)


async def test_codes_of_two_campaigns_are_counted_for_formulas_and_for_rules_at_once(server: Server, api: Any) -> None:
    rules = {
        "1": {"name": "redemption.count.daily", "conditions": {"$less_than_or_equal": [100]}},
        "2": {"name": "campaign.redemptions.count", "conditions": {"$less_than_or_equal": [100]}},
        "logic": "1 and 2",
    }
    rule = make_rule(api, rules)
    made = [
        make_campaign(api, name, _BY_NUMBER, None, vouchers_count=2, pattern=f"{name}-####", validation_rules=[rule])
        for name in ("Spring", "Summer")
    ]
    first, second = (codes_of(api, campaign["id"]) for campaign in made)
    headers = {name: api.headers[name] for name in ("X-App-Id", "X-App-Token")}
    pairs = [(first[number % 2], second[number % 2])[:: 1 if number % 4 < 2 else -1] for number in range(16)]
    async with async_client(server.base_url, headers) as client:
        found = await asyncio.gather(
            *(
                client.post("/v1/redemptions", json=basket(*pair, customer=f"c{number}", order=_ORDER))
                for number, pair in enumerate(pairs)
            )
        )
    assert {answer.status_code for answer in found} == {200}, [answer.text for answer in found]
    # The number of both campaigns is the same for each, whichever of the two came first in the request.
    left = sorted(10_000 - 100 * number for number in range(1, 17))
    firsts = [answer.json()["redemptions"][0]["order"]["total_amount"] for answer in found]
    assert sorted(firsts) == left


async def test_who_comes_second_to_count_a_campaign_leaves_what_is_counted(
    api: Any, db: Database, project_id: int
) -> None:
    campaign = make_campaign(api, discount=_BY_NUMBER, quantity=None)
    redeem(api, codes_of(api, campaign["id"])[0], order=_ORDER)
    counted = await counters(db, project_id)
    assert counted == [(campaign["id"], "all", 1)]
    await db.transaction(lambda conn: budgets.count_campaigns(conn, project_id, [campaign["id"]]))
    assert await counters(db, project_id) == counted
