"""Many changes of a campaign's tiers at one moment: ranks stay different, stacks keep their tiers."""

import asyncio
import random
from collections import Counter
from typing import Any

import httpx2

import harness
from harness import Server, async_client
from in_cart import make_category, make_promotion, ranked, tier


async def all_at_once(server: Server, api: Any, requests: list[tuple[str, str, Any]]) -> list[httpx2.Response]:
    """Send requests at the same moment; return the answers."""
    headers = {name: api.headers[name] for name in ("X-App-Id", "X-App-Token")}
    async with async_client(server.base_url, headers) as client:
        return await asyncio.gather(*(client.request(method, path, json=body) for method, path, body in requests))


async def test_thirty_tiers_added_at_once_have_thirty_ranks(server: Server, api: Any) -> None:
    make_promotion(api)
    answers = await all_at_once(
        server, api, [("POST", "/v1/promotions/Deals/tiers", tier(f"T{number}")) for number in range(30)]
    )
    assert {answer.status_code for answer in answers} == {200}
    assert sorted(answer.json()["hierarchy"] for answer in answers) == list(range(1, 31))
    assert [rank for _, rank in ranked(api, "Deals")] == list(range(1, 31))


async def test_tiers_that_move_and_come_and_go_at_once_never_share_a_rank(server: Server, api: Any) -> None:
    rng = random.Random(harness.SEED)
    ids = [one["id"] for one in make_promotion(api, *map(tier, "ABCDEFGH"))["promotion"]["tiers"]]
    requests: list[tuple[str, str, Any]] = [
        ("PUT", f"/v1/promotions/tiers/{rng.choice(ids[2:])}", {"hierarchy": rng.randint(1, 10)}) for _ in range(40)
    ]
    requests += [
        ("POST", "/v1/promotions/Deals/tiers", tier(f"new {number}", hierarchy=rng.randint(1, 10)))
        for number in range(10)
    ]
    requests += [("DELETE", f"/v1/promotions/tiers/{one}", None) for one in ids[:2]]
    rng.shuffle(requests)
    answers = await all_at_once(server, api, requests)
    assert {answer.status_code for answer in answers} == {200, 204}
    ranks = [rank for _, rank in ranked(api, "Deals")]
    assert len(ranks) == 16
    assert len(set(ranks)) == 16, ranks


async def test_a_tier_is_deleted_or_stacked_but_never_both(server: Server, api: Any) -> None:
    for round_number in range(5):
        name = f"Deals {round_number}"
        first, second = (
            one["id"] for one in make_promotion(api, tier("A"), tier("B"), name=name)["promotion"]["tiers"]
        )
        campaign = api.call("GET", f"/v1/campaigns/{name}")["id"]
        body = {"name": "S", "tiers": {"ids": [first, second]}}
        requests = [("POST", f"/v1/promotions/{campaign}/stacks", body)] * 3
        requests.insert(round_number % 3, ("DELETE", f"/v1/promotions/tiers/{first}", None))
        answers = await all_at_once(server, api, requests)
        codes = Counter(answer.status_code for answer in answers)
        assert codes in (Counter({200: 3, 409: 1}), Counter({204: 1, 404: 3})), codes


async def test_a_category_is_deleted_or_used_but_never_both(server: Server, api: Any) -> None:
    campaign = make_promotion(api)["id"]
    for round_number in range(5):
        category = make_category(api, f"Category {round_number}")
        body = tier("A", category_id=category)
        requests: list[tuple[str, str, Any]] = [("POST", f"/v1/promotions/{campaign}/tiers", body)] * 3
        requests.insert(round_number % 3, ("DELETE", f"/v1/categories/{category}", None))
        answers = await all_at_once(server, api, requests)
        codes = Counter(answer.status_code for answer in answers)
        assert codes[500] == 0
        kept = api.call("GET", "/v1/categories")["data"]
        if codes[204]:
            assert codes == Counter({204: 1, 404: 3})
            assert category not in {one["id"] for one in kept}
        else:
            assert codes[409] == 1
            assert category in {one["id"] for one in kept}
