"""Redeemables of every kind under many requests at one moment: limits hold, stacks are whole, balances are ledgers."""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import msgspec
import pytest

from harness import Server, async_client
from in_cart import make_promotion, tier
from promotions import make_rule, make_voucher, one_rule, percent, used
from rapport.activity.log import Internal, Source
from rapport.core.db import Database
from rapport.customers.writes import Writer
from rapport.redemptions import actions, rollback
from rapport.redemptions.schemas import RedeemInput, RollbackInput
from rapport.segments.membership import SegmentDecider
from shopping import balance, basket, gift_card

CONNECTIONS = 64


async def attack(server: Server, api: Any, requests: list[tuple[str, Any]]) -> Counter[tuple[int, str | None]]:
    """Send POST requests over 64 connections; return how often each (status, key) was answered."""
    headers = {name: api.headers[name] for name in ("X-App-Id", "X-App-Token")}
    turn = asyncio.Semaphore(CONNECTIONS)
    async with async_client(server.base_url, headers) as client:

        async def one(path: str, body: Any) -> tuple[int, str | None]:
            async with turn:
                answer = await client.post(path, json=body)
            return answer.status_code, answer.json().get("key")

        return Counter(await asyncio.gather(*(one(path, body) for path, body in requests)))


async def _hold_quantity(server: Server, api: Any, code: str, quantity: int, attempts: int) -> None:
    make_voucher(api, code, redemption={"quantity": quantity})
    requests = [("/v1/redemptions", basket(code, customer=f"c{number % 97}")) for number in range(attempts)]
    outcome = await attack(server, api, requests)
    assert outcome == {(200, None): quantity, (400, "quantity_exceeded"): attempts - quantity}
    assert used(api, code) == quantity


async def test_a_quantity_of_fifty_attacked_by_two_hundred_is_fifty(server: Server, api: Any) -> None:
    await _hold_quantity(server, api, "HOT", 50, 200)


@pytest.mark.soak
@pytest.mark.timeout(7_200)
async def test_a_quantity_of_a_thousand_attacked_by_twenty_thousand_is_a_thousand(server: Server, api: Any) -> None:
    for number in range(50):
        await _hold_quantity(server, api, f"HOT{number}", 1_000, 20_000)


async def _race_for_one(server: Server, api: Any, rounds: int) -> None:
    for number in range(rounds):
        await _hold_quantity(server, api, f"ONE{number}", 1, 64)


async def test_of_sixty_four_racers_for_one_use_one_wins(server: Server, api: Any) -> None:
    await _race_for_one(server, api, 2)


@pytest.mark.soak
@pytest.mark.timeout(7_200)
async def test_of_sixty_four_racers_for_one_use_one_wins_five_hundred_times(server: Server, api: Any) -> None:
    await _race_for_one(server, api, 500)


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


async def test_a_gift_card_is_never_overdrawn(server: Server, api: Any) -> None:
    gift_card(api, amount=1_000)
    requests = [("/v1/redemptions", basket(("voucher", "CARD", 70), customer=f"c{n}")) for n in range(40)]
    outcome = await attack(server, api, requests)
    assert outcome == {(200, None): 14, (400, "gift_amount_exceeded"): 26}
    assert balance(api) == 20


async def test_the_budget_of_a_tier_is_held(server: Server, api: Any) -> None:
    rule = make_rule(api, one_rule("campaign.orders.amount_discounted", "$less_than_or_equal", 1_000))
    promotion = make_promotion(api, tier("Ten", 10, validation_rules=[rule]))
    found = api.call("GET", f"/v1/promotions/{promotion['id']}/tiers")["tiers"][0]["id"]
    requests = [("/v1/redemptions", basket(("promotion_tier", found), customer=f"c{n}")) for n in range(40)]
    outcome = await attack(server, api, requests)
    assert outcome == {(200, None): 10, (400, "redemption_rules_violated"): 30}
    shown = api.call("GET", f"/v1/promotions/tiers/{found}")["summary"]
    assert (shown["redemptions"]["total_redeemed"], shown["orders"]["total_discount_amount"]) == (10, 1_000)


async def test_racing_rollbacks_of_a_stack_give_everything_back_once(server: Server, api: Any) -> None:
    make_voucher(api, "CODE", percent(10), redemption={"quantity": 5})
    gift_card(api, amount=500)
    done = api.call("POST", "/v1/redemptions", basket("CODE", "CARD"))["parent_redemption"]["id"]
    outcome = await attack(server, api, [(f"/v1/redemptions/{done}/rollbacks", {})] * 20)
    assert outcome == {(200, None): 1, (400, "already_rolled_back"): 19}
    assert (used(api, "CODE"), used(api, "CARD"), balance(api)) == (0, 0, 500)


class Injected(Exception):
    """A failure that a test puts between two statements."""


class Statements:
    """Statements of this process, of which one can be made to fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._left: int | None = None
        for name in ("fetch", "fetchrow", "fetchval", "execute", "executemany"):
            monkeypatch.setattr(asyncpg.Connection, name, self._failing(getattr(asyncpg.Connection, name)))

    def _failing(self, original: Any) -> Any:
        async def wrapped(conn: Any, *args: Any, **more: Any) -> Any:
            if self._left is not None:
                if self._left == 0:
                    raise Injected
                self._left -= 1
            return await original(conn, *args, **more)

        return wrapped

    async def fail_after(self, number: int, work: Callable[[], Awaitable[Any]]) -> bool:
        """Run `work` with a failure after so many statements; return whether it came to that."""
        self._left = number
        try:
            await work()
        except Injected:
            return True
        finally:
            self._left = None
        return False


async def _state(db: Database, project_id: int) -> list[Any]:
    tables = ("customers", "orders", "redemptions", "voucher_transactions", "activity", "rule_counters", "vouchers")
    async with db.read() as conn:
        return [
            await conn.fetchval(
                f"SELECT coalesce(jsonb_agg(to_jsonb(one) ORDER BY to_jsonb(one)::text), '[]')::text "
                f"FROM {table} AS one WHERE project_id = $1",
                project_id,
            )
            for table in tables
        ]


async def test_a_failure_between_any_two_statements_leaves_nothing_of_a_stack(
    api: Any, db: Database, project_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = make_rule(api, one_rule("redemption.count", "$less_than_or_equal", 5))
    make_voucher(api, "CODE", percent(10), redemption={"quantity": 5}, validation_rules=[rule])
    gift_card(api, amount=500)
    promotion = make_promotion(api, tier("Ten", 10))
    found = api.call("GET", f"/v1/promotions/{promotion['id']}/tiers")["tiers"][0]["id"]
    writer = Writer(db, SegmentDecider())
    signature = Internal(project_id, "v-test", Source("API", {"app_id": "key", "name": "key"}))
    statements = Statements(monkeypatch)
    things = [{"object": "voucher", "id": "CODE"}, {"object": "promotion_tier", "id": found}]
    body = {
        "redeemables": [*things, {"object": "voucher", "id": "CARD"}],
        "customer": {"source_id": "ann"},
        "order": {"source_id": "o", "amount": 1_000},
    }
    done: list[Any] = []

    async def redeem() -> None:
        done.append(await actions.redeem(writer, signature, msgspec.convert(body, RedeemInput)))

    before = await _state(db, project_id)
    numbers = itertools.count()
    while await statements.fail_after(next(numbers), redeem):
        assert await _state(db, project_id) == before
    assert next(numbers) > 12, "too few statements: the test shows nothing"
    assert [row.amounts["total_amount"] for row in done[0].rows] == [900, 810, 310]

    async def undo() -> None:
        await rollback.roll_back(writer, signature, done[0].parent.id, RollbackInput(), stacked=True)

    between = await _state(db, project_id)
    numbers = itertools.count()
    while await statements.fail_after(next(numbers), undo):
        assert await _state(db, project_id) == between
    assert (used(api, "CODE"), used(api, "CARD"), balance(api)) == (0, 0, 500)


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
    await check_books(db, project_id, f"seed {seed}")


async def check_books(db: Database, project_id: int, note: str) -> None:
    """Assert that counters, balances, locks and summaries are what their ledgers say."""
    async with db.read() as conn:
        vouchers = await conn.fetch(
            """
            SELECT code, redeemed_quantity, balance, locked_quantity, locked_credits,
                (SELECT count(*) FROM redemptions AS r WHERE r.project_id = $1 AND r.voucher_id = v.id
                    AND r.object = 'redemption' AND r.result = 'SUCCESS' AND r.rollback_id IS NULL) AS standing,
                (SELECT sum(amount) FROM voucher_transactions AS t WHERE t.project_id = $1 AND t.voucher_id = v.id)
                    AS moved,
                (SELECT sum(amount) FROM voucher_transactions AS t WHERE t.project_id = $1 AND t.voucher_id = v.id
                    AND t.type = 'CREDITS_ADDITION') AS added,
                gift_amount,
                (SELECT coalesce(sum(quantity), 0) FROM voucher_locks AS l WHERE l.project_id = $1
                    AND l.voucher_id = v.id) AS locks,
                (SELECT coalesce(sum(credits), 0) FROM voucher_locks AS l WHERE l.project_id = $1
                    AND l.voucher_id = v.id) AS credits
            FROM vouchers AS v WHERE project_id = $1
            """,
            project_id,
        )
        people = await conn.fetch(
            """
            SELECT c.source_id, (c.redemptions ->> 'total_succeeded')::int AS counted,
                (SELECT count(*) FROM redemptions AS r WHERE r.project_id = $1 AND r.customer_id = c.id
                    AND r.object = 'redemption' AND r.result = 'SUCCESS' AND r.voucher_id IS NOT NULL) AS lines,
                coalesce((c.redemptions -> 'gift' ->> 'redeemed_amount')::bigint, 0) AS paid,
                (SELECT coalesce(sum(credits), 0) FROM redemptions AS r WHERE r.project_id = $1
                    AND r.customer_id = c.id AND r.object = 'redemption' AND r.result = 'SUCCESS'
                    AND r.rollback_id IS NULL) AS credits
            FROM customers AS c WHERE project_id = $1
            """,
            project_id,
        )
    for row in vouchers:
        assert row["redeemed_quantity"] == row["standing"], (row["code"], note)
        assert (row["locked_quantity"], row["locked_credits"]) == (row["locks"], row["credits"]), (row["code"], note)
        if row["gift_amount"] is not None:
            first = row["gift_amount"] - (row["added"] or 0)
            assert row["balance"] == first + (row["moved"] or 0) >= 0, (row["code"], note)
    for row in people:
        assert (row["counted"], row["paid"]) == (row["lines"], row["credits"]), (row["source_id"], note)


async def test_after_many_operations_the_books_are_right(
    server: Server, api: Any, db: Database, project_id: int
) -> None:
    await _operate(server, api, db, project_id, 250, random.randrange(2**32))


@pytest.mark.soak
@pytest.mark.timeout(7_200)
async def test_after_fifty_thousand_operations_the_books_are_right(
    server: Server, api: Any, db: Database, project_id: int
) -> None:
    await _operate(server, api, db, project_id, 50_000, random.randrange(2**32))
