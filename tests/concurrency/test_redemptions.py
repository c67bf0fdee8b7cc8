"""Redeemables of every kind under many requests at one moment: limits hold, stacks are whole, balances are ledgers."""

import asyncio
import random
from typing import Any

import pytest

from books import Books
from harness import Server, async_client
from in_cart import make_promotion, tier
from promotions import make_rule, make_voucher, one_rule, percent, used
from racing import CONNECTIONS, attack, sizes
from rapport.core.db import Database
from shopping import balance, basket, gift_card


# Rounds, attempts in each, and how many of them succeed.
@pytest.mark.parametrize("size", [*sizes((1, 200, 50), (50, 20_000, 1_000)), *sizes((2, 64, 1), (500, 64, 1))], ids=str)
async def test_a_code_is_used_as_often_as_its_quantity_says(
    server: Server, api: Any, size: tuple[int, int, int]
) -> None:
    rounds, attempts, quantity = size
    for number in range(rounds):
        code = f"HOT{number}"
        make_voucher(api, code, redemption={"quantity": quantity})
        requests = [("/v1/redemptions", basket(code, customer=f"c{place % 97}")) for place in range(attempts)]
        outcome = await attack(server, api, requests)
        assert outcome == {(200, None): quantity, (400, "quantity_exceeded"): attempts - quantity}
        assert used(api, code) == quantity


async def test_sessions_and_redemptions_together_never_pass_the_quantity(
    server: Server, api: Any, db: Database, project_id: int
) -> None:
    make_voucher(api, "TEN", redemption={"quantity": 10})
    requests: list[tuple[str, Any]] = [
        ("/v1/validations", basket("TEN", customer=f"c{number}", session={"type": "LOCK", "key": f"k{number}"}))
        for number in range(30)
    ]
    requests += [("/v1/redemptions", basket("TEN", customer=f"r{number}")) for number in range(30)]
    random.shuffle(requests)
    await attack(server, api, requests)
    async with db.read() as conn:
        row = await conn.fetchrow(
            "SELECT redeemed_quantity, locked_quantity, (SELECT count(*) FROM voucher_locks WHERE project_id = $1) "
            "FROM vouchers WHERE project_id = $1 AND code = 'TEN'",
            project_id,
        )
    redeemed, locked, rows = row
    assert (redeemed + locked, rows) == (10, locked)
    keys = [f"k{number}" for number in range(30)]
    outcome = await attack(
        server, api, [("/v1/redemptions", basket("TEN", customer=key, session={"key": key})) for key in keys]
    )
    assert outcome[200, None] == locked
    assert used(api, "TEN") == 10


@pytest.mark.parametrize("size", sizes((1, 40, 14), (50, 640, 100)))
async def test_a_gift_card_is_never_overdrawn(
    server: Server, api: Any, db: Database, project_id: int, size: tuple[int, int, int]
) -> None:
    rounds, attempts, allowed = size
    for number in range(rounds):
        card = f"CARD{number}"
        gift_card(api, card, amount=allowed * 70 + 20)
        requests = [("/v1/redemptions", basket(("voucher", card, 70), customer=f"c{n}")) for n in range(attempts)]
        outcome = await attack(server, api, requests)
        assert outcome == {(200, None): allowed, (400, "gift_amount_exceeded"): attempts - allowed}
        assert balance(api, card) == 20
    (await Books.read(db, project_id)).check()


@pytest.mark.parametrize("size", sizes((1, 40, 10), (30, 1_000, 100)))
async def test_the_budget_of_a_tier_is_held(
    server: Server, api: Any, db: Database, project_id: int, size: tuple[int, int, int]
) -> None:
    rounds, attempts, allowed = size
    rule = make_rule(api, one_rule("campaign.orders.amount_discounted", "$less_than_or_equal", allowed * 100))
    for number in range(rounds):
        promotion = make_promotion(api, tier("Ten", 10, validation_rules=[rule]), name=f"Deals {number}")
        found = api.call("GET", f"/v1/promotions/{promotion['id']}/tiers")["tiers"][0]["id"]
        requests = [("/v1/redemptions", basket(("promotion_tier", found), customer=f"c{n}")) for n in range(attempts)]
        outcome = await attack(server, api, requests)
        assert outcome == {(200, None): allowed, (400, "redemption_rules_violated"): attempts - allowed}
        shown = api.call("GET", f"/v1/promotions/tiers/{found}")["summary"]
        assert (shown["redemptions"]["total_redeemed"], shown["orders"]["total_discount_amount"]) == (
            allowed,
            allowed * 100,
        )
    (await Books.read(db, project_id)).check()


async def _operate(server: Server, api: Any, db: Database, project_id: int, count: int, seed: int) -> None:
    draw = random.Random(seed)
    codes = [f"V{number}" for number in range(4)]
    cards = [f"G{number}" for number in range(4)]
    for code in codes:
        make_voucher(api, code, percent(draw.randrange(1, 60)), redemption={"quantity": count // 8 + 1})
    for card in cards:
        gift_card(api, card, amount=draw.randrange(1_000, 50_000))
    headers = {name: api.headers[name] for name in ("X-App-Id", "X-App-Token")}
    standing: list[str] = []
    turn = asyncio.Semaphore(CONNECTIONS)
    async with async_client(server.base_url, headers) as client:

        async def one() -> None:
            async with turn:
                roll = draw.random()
                key = f"k{draw.randrange(10)}"
                things = draw.sample(codes + cards, draw.randrange(1, 4))
                body = basket(*things, customer=f"c{draw.randrange(12)}", order={"amount": draw.randrange(1, 9_000)})
                if roll < 0.15:
                    await client.post("/v1/validations", json=body | {"session": {"type": "LOCK", "key": key}})
                elif roll < 0.4 and standing:
                    answer = await client.post(f"/v1/redemptions/{draw.choice(standing)}/rollbacks", json={})
                    assert answer.status_code in (200, 400), answer.text
                elif roll < 0.5:
                    path = f"/v1/vouchers/{draw.choice(cards)}/balance"
                    answer = await client.post(path, json={"amount": draw.choice([-50, 20, 300])})
                    assert answer.status_code in (200, 400), answer.text
                else:
                    answer = await client.post("/v1/redemptions", json=body | {"session": {"key": key}})
                    assert answer.status_code in (200, 400), answer.text
                    if answer.status_code == 200:
                        shown = answer.json()
                        standing.append((shown.get("parent_redemption") or shown["redemptions"][0])["id"])

        await asyncio.gather(*(one() for _ in range(count)))
    assert standing, f"nothing was redeemed: seed {seed}"
    (await Books.read(db, project_id)).check(note=f"seed {seed}")


@pytest.mark.parametrize("count", sizes(250, 50_000))
async def test_after_many_operations_the_books_are_right(
    server: Server, api: Any, db: Database, project_id: int, count: int
) -> None:
    await _operate(server, api, db, project_id, count, random.randrange(2**32))
