"""Stacks are redeemed and rolled back whole or not at all, whichever statement fails and however many ask at once."""

import itertools
import random
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import msgspec
import pytest

from books import Books
from harness import Server
from in_cart import make_promotion, tier
from promotions import amount, codes_of, make_campaign, make_rule, make_voucher, one_rule, percent, used
from racing import attack, sizes
from rapport.activity.log import Internal, Source
from rapport.core.db import Database
from rapport.customers.writes import Writer
from rapport.redemptions import actions, rollback
from rapport.redemptions.schemas import RedeemInput, RollbackInput
from rapport.segments.membership import SegmentDecider
from shopping import balance, basket, gift_card, line

Work = Callable[[], Awaitable[Any]]


class Injected(Exception):
    """A failure that a test puts between two statements."""


class Statements:
    """Statements of this process, of which one can be made to fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._left: int | None = None
        self._error: type[Exception] = Injected
        for name in ("fetch", "fetchrow", "fetchval", "execute", "executemany"):
            monkeypatch.setattr(asyncpg.Connection, name, self._failing(getattr(asyncpg.Connection, name)))

    def _failing(self, original: Any) -> Any:
        async def wrapped(conn: Any, *args: Any, **more: Any) -> Any:
            if self._left == 0:
                self._left = None
                raise self._error
            if self._left is not None:
                self._left -= 1
            return await original(conn, *args, **more)

        return wrapped

    async def fail_after(self, number: int, work: Work) -> bool:
        """Run `work` with a failure after so many statements; return whether it came to that."""
        self._left, self._error = number, Injected
        try:
            await work()
        except Injected:
            return True
        finally:
            self._left = None
        return False

    async def deadlock_after(self, number: int, work: Work) -> None:
        """Run `work`, which after so many statements, if there are as many, is told once that it ends a deadlock."""
        self._left, self._error = number, asyncpg.DeadlockDetectedError
        try:
            await work()
        finally:
            self._left = None


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


class Redeeming:
    """Redeeming and undoing in this process, statement by statement."""

    def __init__(self, db: Database, project_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self._db, self._project_id = db, project_id
        self._writer = Writer(db, SegmentDecider())
        self._signature = Internal(project_id, "v-test", Source("API", {"app_id": "key", "name": "key"}))
        self.statements = Statements(monkeypatch)
        self.done: Any = None

    async def redeem(self, body: Any) -> None:
        """Redeem what a body says."""
        self.done = await actions.redeem(self._writer, self._signature, msgspec.convert(body, RedeemInput))

    async def undo(self) -> None:
        """Undo what was redeemed last."""
        root = self.done.parent or self.done.rows[0]
        await rollback.roll_back(self._writer, self._signature, root.id, RollbackInput(), stacked=True)

    async def fail_everywhere(self, work: Work) -> int:
        """Run `work` again and again, each time with a failure one statement later, until there is none.

        After each failure everything is as before. Returns the number of its statements.
        """
        before = await _state(self._db, self._project_id)
        for number in itertools.count():
            if not await self.statements.fail_after(number, work):
                return number
            assert await _state(self._db, self._project_id) == before, f"statement {number}"
        raise AssertionError


async def test_a_failure_between_any_two_statements_leaves_nothing_of_a_stack(
    api: Any, db: Database, project_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = make_rule(api, one_rule("redemption.count", "$less_than_or_equal", 5))
    make_voucher(api, "CODE", percent(10), redemption={"quantity": 5}, validation_rules=[rule])
    gift_card(api, amount=500)
    promotion = make_promotion(api, tier("Ten", 10))
    found = api.call("GET", f"/v1/promotions/{promotion['id']}/tiers")["tiers"][0]["id"]
    redeeming = Redeeming(db, project_id, monkeypatch)
    body = basket("CODE", ("promotion_tier", found), "CARD", order={"source_id": "o", "amount": 1_000})
    count = await redeeming.fail_everywhere(lambda: redeeming.redeem(body))
    assert count > 12, "too few statements: the test shows nothing"
    assert [row.amounts["total_amount"] for row in redeeming.done.rows] == [900, 810, 310]
    await redeeming.fail_everywhere(redeeming.undo)
    assert (used(api, "CODE"), used(api, "CARD"), balance(api)) == (0, 0, 500)


def make_things(api: Any) -> list[Any]:
    """Make things of every kind that is counted, each in another way, and more than enough of them."""

    def rules(*names: str) -> list[str]:
        return [make_rule(api, one_rule(name, "$less_than", 10**6)) for name in names]

    def campaign(name: str, *arguments: Any, count: int = 2, **more: Any) -> list[str]:
        made = make_campaign(api, name, *arguments, quantity=None, vouchers_count=count, pattern="#" * 12, **more)
        return codes_of(api, made["id"])

    counted = rules("redemption.count.daily", "redemption.count.per_customer", "redemption.count.per_api_key")
    make_voucher(api, "CODE", percent(7), redemption={"quantity": 10**6}, validation_rules=counted)
    counted = rules("campaign.orders.amount_discounted", "campaign.redemptions.customers_count.monthly")
    budget = campaign("Budget", amount(30), validation_rules=counted)
    entry = {"object": "product", "id": "mug", "product_campaign_quantity_limit": 10**6}
    goods = [make_rule(api, {}, applicable_to={"included": [entry]})]
    mugs = campaign("Mugs", percent(50, effect="APPLY_TO_ITEMS"), validation_rules=goods)
    gift_card(api, "CARD", amount=10**7)
    api.call("POST", "/v1/publications", {"voucher": "CARD", "customer": {"source_id": "bob"}})
    gift = {"type": "GIFT_VOUCHER", "discount": None, "gift": {"amount": 10**6}}
    cards = campaign("Cards", campaign_type="GIFT_VOUCHERS", voucher=gift)
    promotion = make_promotion(api, tier("Ten", 10, validation_rules=rules("campaign.orders.amount")))
    tiers = api.call("GET", f"/v1/promotions/{promotion['id']}/tiers")["tiers"]
    paid = [("voucher", code, 11) for code in ("CARD", cards[0])]
    return ["CODE", *budget, *mugs, *paid, *(("promotion_tier", one["id"]) for one in tiers)]


def a_stack(things: list[Any], rng: random.Random) -> dict[str, Any]:
    """Return the body of a redemption of up to five things."""
    customer = rng.choice(["ann", "bob", "eve"])
    order: dict[str, Any] = {"amount": 5_000}
    if rng.random() < 0.7:
        order = {"items": [line("mug", rng.randrange(1, 5), 700), line("tea", 3, 500)]}
    if rng.random() < 0.5:
        # One that an earlier rollback canceled, maybe.
        order |= {"source_id": f"{customer}-{rng.randrange(3)}", "status": "PAID"}
    return basket(*rng.sample(things, rng.randrange(1, 6)), customer=customer, order=order)


@pytest.mark.parametrize("rounds", sizes(1, 150))
async def test_a_failure_or_a_deadlock_anywhere_in_a_random_stack_leaves_nothing_half(
    api: Any, db: Database, project_id: int, monkeypatch: pytest.MonkeyPatch, rounds: int
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    rng, things = random.Random(seed), make_things(api)
    redeeming = Redeeming(db, project_id, monkeypatch)
    for number in range(rounds):
        body = a_stack(things, rng)

        async def redeem(body: Any = body) -> None:
            await redeeming.redeem(body)

        try:
            counts = [await redeeming.fail_everywhere(work) for work in (redeem, redeeming.undo)]
            for count, work in zip(counts, (redeem, redeeming.undo), strict=True):
                await redeeming.statements.deadlock_after(rng.randrange(count), work)
        except Exception as error:
            error.add_note(f"seed {seed}, round {number}: {body}")
            raise
        found = await Books.read(db, project_id)
        found.check(note=f"seed {seed}, round {number}")
        assert not found.standing, f"seed {seed}, round {number}"
        assert len(found.made("redemption")) == len(found.made("redemption_rollback")) == 2 * (number + 1)


async def test_racing_rollbacks_of_a_stack_give_everything_back_once(server: Server, api: Any) -> None:
    make_voucher(api, "CODE", percent(10), redemption={"quantity": 5})
    gift_card(api, amount=500)
    done = api.call("POST", "/v1/redemptions", basket("CODE", "CARD"))["parent_redemption"]["id"]
    outcome = await attack(server, api, [(f"/v1/redemptions/{done}/rollbacks", {})] * 20)
    assert outcome == {(200, None): 1, (400, "already_rolled_back"): 19}
    assert (used(api, "CODE"), used(api, "CARD"), balance(api)) == (0, 0, 500)


@pytest.mark.parametrize("rounds", sizes(1, 100))
async def test_racing_rollbacks_of_random_stacks_give_each_back_once(
    server: Server, api: Any, db: Database, project_id: int, rounds: int
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    rng, things = random.Random(seed), make_things(api)
    before = api.call("GET", "/v1/customers/bob")["summary"]["redemptions"]["gift"]["amount_to_go"]
    for number in range(rounds):
        answers = [api.call("POST", "/v1/redemptions", a_stack(things, rng)) for _ in range(8)]
        ids = [(done.get("parent_redemption") or done["redemptions"][0])["id"] for done in answers]
        racers = [(f"/v1/redemptions/{one}/rollbacks", {}) for one in ids for _ in range(8)]
        rng.shuffle(racers)
        outcome = await attack(server, api, racers)
        assert outcome == {(200, None): 8, (400, "already_rolled_back"): 56}, f"seed {seed}"
        found = await Books.read(db, project_id)
        found.check(note=f"seed {seed}, round {number}")
        assert not found.standing
        assert len(found.made("redemption_rollback")) == 8 * (number + 1)
    left = api.call("GET", "/v1/customers/bob")["summary"]["redemptions"]["gift"]["amount_to_go"]
    assert (left, used(api, "CODE")) == (before, 0)
