"""Redemptions, rollbacks, sessions, and whatever else changes a code, all at once: at each moment the books are right.

`RAPPORT_SOAK=1` does it for half a minute each in many projects, each with other numbers.
"""

import asyncio
import os
import random
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

import books
from books import Books, Limit
from harness import Server, async_client
from in_cart import make_promotion, tier
from promotions import amount, codes_of, make_campaign, make_rule, make_voucher, one_rule, percent
from rapport.core.db import Database
from shopping import basket, gift_card

SOAK = bool(os.environ.get("RAPPORT_SOAK"))
LENGTH_S, SHOPPERS, ROUNDS = (30.0, 56, 20) if SOAK else (3.0, 24, 1)
ALLOWED = (200, 204, 400, 404, 409)
PEOPLE = [f"c{number}" for number in range(12)]
# Who is merged and deleted.
STRANGERS = [f"x{number}" for number in range(4)]
MUG = {"product_id": "mug", "price": 100}
TEA = {"product_id": "tea", "price": 500, "quantity": 1}
# What has to have happened for the test to show something.
EFFECTIVE = {"redeem", "undo", "hold", "off", "on", "bin", "restore", "gone", "anew"}


@dataclass
class World:
    """What is redeemed, and by which limits it is held."""

    codes: list[str]
    cards: list[str]
    tiers: list[str]
    campaigns: list[str]
    rules: list[str]
    limits: list[Limit]

    @property
    def things(self) -> list[Any]:
        """All that can be redeemed, as requests name it."""
        return [*self.codes, *self.cards, *(("promotion_tier", one) for one in self.tiers)]


def make_world(api: Any, rng: random.Random) -> World:
    """Make codes that each are limited in several ways."""
    limits = []

    def rule(name: str, most: int) -> str:
        return make_rule(api, one_rule(name, "$less_than_or_equal", most))

    ids = {api.call("POST", "/v1/customers", {"source_id": one})["id"] for one in PEOPLE}

    def by_one(lines: Sequence[Any]) -> int:
        return books.by_one([line for line in lines if line["customer_id"] in ids])

    single = [f"V{number}" for number in range(3)]
    for code in single:
        most = rng.randrange(3, 30)
        rules = [rule("redemption.count.daily", most), rule("redemption.count.per_customer", 3)]
        some = {"quantity": rng.randrange(2, 40)}
        made = make_voucher(api, code, percent(rng.randrange(1, 60)), redemption=some, validation_rules=rules)
        limits += [Limit(made["id"], books.number, most, code), Limit(made["id"], by_one, 3, code)]
    most, budget, crowd = rng.randrange(10, 60), rng.randrange(2_000, 20_000), rng.randrange(5, 11)
    rules = [
        rule("campaign.redemptions.count", most),
        rule("campaign.orders.amount_discounted", budget),
        rule("campaign.redemptions.customers_count.weekly", crowd),
    ]
    budgeted = make_campaign(api, "Budget", amount(300), quantity=None, vouchers_count=3, validation_rules=rules)["id"]
    limits += [
        Limit(budgeted, books.number, most, "redemptions of Budget"),
        Limit(budgeted, books.discounts, budget, "budget"),
        Limit(budgeted, books.people, crowd, "customers of Budget"),
    ]
    most = rng.randrange(10, 60)
    entry = {"object": "product", "id": "mug", "product_campaign_quantity_limit": most}
    rules = [make_rule(api, {}, applicable_to={"included": [entry]})]
    half = percent(50, effect="APPLY_TO_ITEMS")
    mugs = make_campaign(api, "Mugs", half, quantity=None, vouchers_count=2, validation_rules=rules)["id"]
    limits.append(Limit(mugs, books.units, most, "units of Mugs"))
    numbered = percent(1, percent_off_formula="CAMPAIGN_REDEMPTION_COUNT + 1")
    formula = make_campaign(api, "Formula", numbered, quantity=None, vouchers_count=2)["id"]
    most = rng.randrange(500, 5_000)
    ten = tier("Ten", 10, validation_rules=[rule("campaign.orders.amount_discounted", most)])
    deals = make_promotion(api, ten)["id"]
    limits.append(Limit(deals, books.discounts, most, "budget of Deals"))
    cards = [f"G{number}" for number in range(3)]
    for card, holder in zip(cards, PEOPLE, strict=False):
        gift_card(api, card, amount=rng.randrange(1_000, 20_000))
        api.call("POST", "/v1/publications", {"voucher": card, "customer": {"source_id": holder}})
    voucher = {"type": "GIFT_VOUCHER", "discount": None, "gift": {"amount": 2_000}, "redemption": {"quantity": None}}
    gifts = make_campaign(api, "Cards", campaign_type="GIFT_VOUCHERS", voucher=voucher, vouchers_count=2)["id"]
    loose = [rule(name, 10**9) for name in ("redemption.count.weekly", "redemption.count")]
    return World(
        codes=[*single, *(code for one in (budgeted, mugs, formula) for code in codes_of(api, one))],
        cards=[*cards, *codes_of(api, gifts)],
        tiers=[one["id"] for one in api.call("GET", f"/v1/promotions/{deals}/tiers")["tiers"]],
        campaigns=[budgeted, mugs, formula, deals, gifts],
        rules=loose,
        limits=limits,
    )


@dataclass
class Chaos:
    """Everything that goes on at once."""

    http: httpx2.AsyncClient
    world: World
    stopped: bool = False
    answers: Counter[tuple[str, int, str | None]] = field(default_factory=Counter)
    # The ids of what was redeemed, and of redemptions that were rolled back, as they were answered.
    redeemed: list[str] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)
    samples: int = 0

    async def send(self, what: str, method: str, path: str, body: Any = None) -> Any:
        """Make a call that may be refused; return the answer or None."""
        answer = await self.http.request(method, path, json=body)
        shown = answer.json() if answer.content else {}
        self.answers[what, answer.status_code, shown.get("key") if answer.status_code >= 400 else None] += 1
        assert answer.status_code in ALLOWED, f"{what} {method} {path} {body}: {answer.status_code} {answer.text}"
        return shown if answer.status_code < 400 else None

    async def shop(self, rng: random.Random) -> None:
        """Redeem, undo, hold back and change until told to stop."""
        while not self.stopped:
            await rng.choices((self.redeem, self.undo, self.hold, self.change), (10, 5, 2, 4))[0](rng)

    async def redeem(self, rng: random.Random) -> None:
        """Redeem up to three things for an order, that may be there already."""
        things = rng.sample(self.world.things, rng.choice((1, 1, 2, 3)))
        done = await self.send("redeem", "POST", "/v1/redemptions", self._basket(rng, things))
        if done is not None:
            self.redeemed.append((done.get("parent_redemption") or done["redemptions"][0])["id"])

    def _basket(self, rng: random.Random, things: list[Any]) -> dict[str, Any]:
        order: dict[str, Any] = {"amount": rng.randrange(100, 3_000)}
        if rng.random() < 0.6:
            order = {"items": [{**MUG, "quantity": rng.randrange(1, 6)}, TEA]}
        customer = rng.choice(PEOPLE + STRANGERS)
        if rng.random() < 0.3:
            order |= {"source_id": f"{customer}-{rng.randrange(4)}", "status": "PAID"}
        more = {"session": {"key": f"k{rng.randrange(6)}"}} if rng.random() < 0.5 else {}
        return basket(*things, customer=None if rng.random() < 0.05 else customer, order=order, **more)

    async def undo(self, rng: random.Random) -> None:
        """Roll something back, perhaps several times at once."""
        if not self.redeemed:
            return
        one = rng.choice(self.redeemed[-40:])
        racers = [self._undo(one) for _ in range(rng.choice((1, 1, 3)))]
        await asyncio.gather(*racers)

    async def _undo(self, one: str) -> None:
        if await self.send("undo", "POST", f"/v1/redemptions/{one}/rollbacks", {}) is not None:
            self.undone.append(one)

    async def hold(self, rng: random.Random) -> None:
        """Hold something back for a session, or let go of it."""
        key, thing = f"k{rng.randrange(6)}", rng.choice(self.world.codes + self.world.cards)
        if rng.random() < 0.5:
            await self.send("release", "DELETE", f"/v1/vouchers/{thing}/sessions/{key}")
            return
        ttl = {"ttl": rng.choice((0.05, 5)), "ttl_unit": "SECONDS"}
        body = self._basket(rng, rng.sample(self.world.things, rng.choice((1, 2))))
        await self.send("hold", "POST", "/v1/validations", body | {"session": {"type": "LOCK", "key": key, **ttl}})

    async def change(self, rng: random.Random) -> None:
        """Change what is redeemed, or who does."""
        code, card = rng.choice(self.world.codes), rng.choice(self.world.cards)
        campaign, rule = rng.choice(self.world.campaigns), rng.choice(self.world.rules)
        match rng.randrange(11):
            case 0 | 1:
                body = {"redemption": {"quantity": rng.randrange(1, 40)}}
                await self.send("resize", "PUT", f"/v1/vouchers/{code}", body)
            case 2 | 3:
                body = {"amount": rng.choice((-50, 20, 300))}
                await self.send("balance", "POST", f"/v1/vouchers/{card}/balance", body)
            case 4:
                await self.send("disable", "POST", f"/v1/campaigns/{campaign}/disable")
                await self.send("enable", "POST", f"/v1/campaigns/{campaign}/enable")
            case 5:
                body = {"source_id": rng.choice(PEOPLE), "metadata": {"n": rng.randrange(9)}}
                await self.send("customer", "POST", "/v1/customers", body)
            case 6:
                one, other = rng.sample(STRANGERS, 2)
                await self.send("merge", "POST", f"/v1/customers/{one}/merge", {"source": other})
            case 7:
                await self.send("delete", "DELETE", f"/v1/customers/{rng.choice(STRANGERS)}")
            case 8:
                body = {"voucher": card, "customer": {"source_id": rng.choice(PEOPLE + STRANGERS)}}
                await self.send("publish", "POST", "/v1/publications", body)
            case _:
                body = {"related_object_type": "campaign", "related_object_id": campaign}
                made = await self.send("assign", "POST", f"/v1/validation-rules/{rule}/assignments", body)
                if made is not None and rng.random() < 0.7:
                    await self.send("unassign", "DELETE", f"/v1/validation-rules/{rule}/assignments/{made['id']}")

    async def switch(self, code: str, rng: random.Random, *, bins: bool) -> None:
        """Disable a code and delete it by turns (`bins`: first), and bring it back: in between nobody redeems it."""
        off = bins
        while not self.stopped:
            await asyncio.sleep(rng.uniform(0, 0.2))
            off = not off
            if off:
                await self.send("off", "POST", f"/v1/vouchers/{code}/disable")
                assert await self.send("redeem off", "POST", "/v1/redemptions", basket(code)) is None
                await self.send("on", "POST", f"/v1/vouchers/{code}/enable")
                continue
            await self.send("bin", "DELETE", f"/v1/vouchers/{code}")
            assert await self.send("redeem binned", "POST", "/v1/redemptions", basket(code)) is None
            entries = (await self.send("bins", "GET", "/v1/trash-bin?limit=100"))["data"]
            (entry,) = (one["id"] for one in entries if one["resource_name"] == code)
            await self.send("restore", "POST", f"/v1/trash-bin/{entry}/restore")

    async def replace(self, code: str, rng: random.Random) -> None:
        """Delete a code for good, and make another one of the same name."""
        while not self.stopped:
            await asyncio.sleep(rng.uniform(0, 0.2))
            await self.send("gone", "DELETE", f"/v1/vouchers/{code}?force=true")
            assert await self.send("redeem gone", "POST", "/v1/redemptions", basket(code)) is None
            body = {"type": "DISCOUNT_VOUCHER", "discount": amount(50), "redemption": {"quantity": 5}}
            await self.send("anew", "POST", f"/v1/vouchers/{code}", body | {"validation_rules": self.world.rules})

    async def look(self, db: Database, project_id: int) -> None:
        """Hold the books against the ledger again and again."""
        while not self.stopped:
            (await Books.read(db, project_id)).check(self.world.limits)
            self.samples += 1
            await asyncio.sleep(0.05)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("turn", range(ROUNDS))
async def test_whatever_goes_on_the_books_are_right(
    server: Server, api: Any, db: Database, project_id: int, turn: int
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    rng = random.Random(seed)
    world = make_world(api, rng)
    headers = {name: api.headers[name] for name in ("X-App-Id", "X-App-Token")}
    async with async_client(server.base_url, headers) as http:
        chaos = Chaos(http, world)

        async def stop() -> None:
            await asyncio.sleep(LENGTH_S)
            chaos.stopped = True

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(stop())
                group.create_task(chaos.look(db, project_id))
                for place, code in enumerate(("V0", world.codes[3], "G0", world.cards[-1])):
                    group.create_task(chaos.switch(code, random.Random(rng.random()), bins=place % 2 == 0))
                group.create_task(chaos.replace("V2", random.Random(rng.random())))
                for _ in range(SHOPPERS):
                    group.create_task(chaos.shop(random.Random(rng.random())))
        except BaseExceptionGroup as failed:
            failed.add_note(f"seed {seed}, turn {turn}")
            raise
    found = await Books.read(db, project_id)
    found.check(world.limits)
    assert Counter(line["id"] for line in found.made("redemption")) == Counter(chaos.redeemed)
    assert Counter(line["redemption_id"] for line in found.made("redemption_rollback")) == Counter(chaos.undone)
    missing = EFFECTIVE - {what for what, status, _ in chaos.answers if status < 300}
    assert not missing, f"this never did anything: {missing}; seed {seed}"
    sys.stdout.write(f"seed {seed}: {chaos.samples} looks, {sorted(chaos.answers.items(), key=str)}\n")
