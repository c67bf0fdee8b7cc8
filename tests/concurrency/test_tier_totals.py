"""What tiers came to is what the ledger says, whoever redeems and rolls back at the same moment."""

import asyncio
from typing import Any

from harness import Server, async_client
from in_cart import add_tier, make_promotion, make_stack, tier
from rapport.core.db import Database
from rapport.promotions.models import Summary
from rapport.promotions.queries import summaries
from shopping import basket, redeem

_IN_LEDGER = """
SELECT promotion_tier_id, count(*), sum((amounts ->> 'total_amount')::bigint)::bigint,
    sum((amounts ->> 'total_applied_discount_amount')::bigint)::bigint
FROM redemptions WHERE project_id = $1 AND promotion_tier_id IS NOT NULL AND object = 'redemption'
    AND result = 'SUCCESS' AND rollback_id IS NULL
GROUP BY promotion_tier_id
"""


async def totals(db: Database, project_id: int, ids: list[str]) -> dict[str, Summary]:
    """Return what the tiers came to, having held it against the ledger."""
    async with db.read() as conn:
        kept = await summaries(conn, project_id, ids)
        counted = {row[0]: Summary(*row[1:]) for row in await conn.fetch(_IN_LEDGER, project_id)}
    assert {one: total for one, total in kept.items() if total != Summary()} == counted
    return kept


async def test_totals_are_those_of_the_ledger(server: Server, api: Any, db: Database, project_id: int) -> None:
    campaign = make_promotion(api, tier("A", 10), tier("B", 20))
    a, b = (one["id"] for one in campaign["promotion"]["tiers"])
    stack = make_stack(api, campaign["id"], b, a)["id"]
    wanted = [("promotion_tier", a), ("promotion_tier", b), ("promotion_stack", stack)]
    headers = {name: api.headers[name] for name in ("X-App-Id", "X-App-Token")}
    async with async_client(server.base_url, headers) as client:
        done = await asyncio.gather(
            *(
                client.post("/v1/redemptions", json=basket(wanted[number % 3], customer=f"c{number % 7}"))
                for number in range(30)
            )
        )
        assert {answer.status_code for answer in done} == {200}
        answers = [answer.json() for answer in done]
        assert (await totals(db, project_id, [a, b]))[a] == Summary(20, 9_000 + 7_200, 1_000 + 800)
        # Each is rolled back twice at once, while others are redeemed: once counts.
        undone = [
            f"/v1/redemptions/{one['parent_redemption']['id']}/rollbacks"
            if "parent_redemption" in one
            else f"/v1/redemptions/{one['redemptions'][0]['id']}/rollback"
            for one in answers[:18]
        ]
        await asyncio.gather(
            *(client.post(path) for path in undone * 2),
            *(client.post("/v1/redemptions", json=basket(one, customer="eve")) for one in wanted),
        )
    left = await totals(db, project_id, [a, b])
    assert (left[a].redeemed, left[b].redeemed) == (20 - 12 + 2, 20 - 12 + 2)
    shown = api.call("GET", f"/v1/promotions/tiers/{a}")["summary"]
    assert shown["redemptions"]["total_redeemed"] == left[a].redeemed
    assert shown["orders"] == {
        "total_amount": left[a].total_amount,
        "total_discount_amount": left[a].total_discount_amount,
    }


async def test_a_redemption_of_a_tier_that_is_gone_is_rolled_back(api: Any, db: Database, project_id: int) -> None:
    make_promotion(api)
    one = add_tier(api, "Deals")["id"]
    done = redeem(api, ("promotion_tier", one))["redemptions"][0]
    api.call("DELETE", f"/v1/promotions/tiers/{one}", status=204)
    assert api.call("POST", f"/v1/redemptions/{done['id']}/rollback")["result"] == "SUCCESS"
    assert await totals(db, project_id, [one]) == {}
