"""Limits and budgets of validation rules under many requests at one moment: a limit of N is N."""

import asyncio
from typing import Any

import msgspec
import pytest

import promotions
from books import Books, by_one, units
from harness import Server, async_client
from promotions import amount, codes_of, make_campaign, make_rule, one_rule, redeem, stack, used
from racing import attack, sizes, until_waiting
from rapport.activity.log import Internal, Source
from rapport.core.db import Database
from rapport.customers.writes import Writer
from rapport.redemptions import actions
from rapport.redemptions.schemas import RedeemInput
from rapport.rules.counted import queries as counted
from rapport.segments.membership import SegmentDecider


async def stored(db: Database, project_id: int) -> list[tuple[Any, ...]]:
    async with db.read() as conn:
        rows = await conn.fetch(
            "SELECT counted_by, period, number, orders_amount, discount_amount FROM rule_counters "
            "WHERE project_id = $1 ORDER BY counted_by, period",
            project_id,
        )
    return [tuple(row) for row in rows]


# Rounds, attempts in each, and how many of them succeed.
SIZES = sizes((1, 40, 7), (10, 2_000, 150))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("name", "each"),
    [
        ("campaign.redemptions.count", 1),
        ("redemption.count.daily", 1),
        ("redemption.count.per_api_key", 1),
        ("campaign.redemptions.customers_count.weekly", 1),
        ("campaign.orders.amount", 1_000),
        ("campaign.orders.amount_discounted", 300),
    ],
)
async def test_a_limit_of_a_campaign_holds_over_all_customers_and_codes(
    server: Server,
    api: Any,
    db: Database,
    project_id: int,
    name: str,
    each: int,
    size: tuple[int, int, int],
) -> None:
    rounds, attempts, allowed = size
    rule = make_rule(api, one_rule(name, "$less_than_or_equal", (allowed + 1) * each - 1))
    for number in range(rounds):
        campaign = make_campaign(
            api, f"C{number}", amount(300), quantity=None, vouchers_count=4, validation_rules=[rule], pattern="#" * 12
        )
        codes = codes_of(api, campaign["id"])
        requests = [("/v1/redemptions", stack(codes[place % 4], customer=f"c{place}")) for place in range(attempts)]
        outcome = await attack(server, api, requests)
        assert outcome == {(200, None): allowed, (400, "redemption_rules_violated"): attempts - allowed}
    await check_books(db, project_id, redeemed=rounds * allowed)


async def check_books(db: Database, project_id: int, redeemed: int) -> None:
    """Assert that the ledger has so many redemptions, and that all that is counted is what it says."""
    found = await Books.read(db, project_id)
    found.check()
    assert len(found.standing) == redeemed


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["redemption.count", "redemption.count.daily"])
async def test_a_limit_of_a_code_holds_for_that_code_alone(
    server: Server, api: Any, db: Database, project_id: int, name: str, size: tuple[int, int, int]
) -> None:
    rounds, attempts, allowed = size
    rule = make_rule(api, one_rule(name, "$less_than_or_equal", allowed))
    for number in range(rounds):
        campaign = make_campaign(api, f"C{number}", quantity=None, vouchers_count=2, pattern="#" * 12)
        limited, free = codes_of(api, campaign["id"])
        body = {"related_object_type": "voucher", "related_object_id": limited}
        api.call("POST", f"/v1/validation-rules/{rule}/assignments", body)
        requests = [
            ("/v1/redemptions", stack((free, limited)[place % 2], customer=f"c{place}")) for place in range(attempts)
        ]
        outcome = await attack(server, api, requests)
        succeeded = attempts // 2 + allowed
        assert outcome == {(200, None): succeeded, (400, "redemption_rules_violated"): attempts - succeeded}
        assert (used(api, limited), used(api, free)) == (allowed, attempts // 2)
    await check_books(db, project_id, redeemed=rounds * (attempts // 2 + allowed))


@pytest.mark.parametrize("size", sizes((1, 48, 4), (10, 2_000, 50)))
@pytest.mark.parametrize("name", ["redemption.count.per_customer", "redemption.count.per_customer.daily"])
async def test_each_customer_has_as_many_redemptions_as_the_limit_says(
    server: Server, api: Any, db: Database, project_id: int, name: str, size: tuple[int, int, int]
) -> None:
    rounds, attempts, people = size
    rule = make_rule(api, one_rule(name, "$less_than_or_equal", 3))
    for number in range(rounds):
        campaign = make_campaign(
            api, f"C{number}", quantity=None, vouchers_count=5, validation_rules=[rule], pattern="#" * 12
        )
        codes = codes_of(api, campaign["id"])
        requests = [
            ("/v1/redemptions", stack(codes[place % 5], customer=f"c{place % people}")) for place in range(attempts)
        ]
        outcome = await attack(server, api, requests)
        assert outcome == {(200, None): 3 * people, (400, "redemption_rules_violated"): attempts - 3 * people}
        found = await Books.read(db, project_id)
        assert by_one(found.by_object[campaign["id"]]) == 3
    await check_books(db, project_id, redeemed=rounds * 3 * people)


async def test_stacks_and_rollbacks_leave_the_counters_as_the_ledger_says(
    server: Server, api: Any, db: Database, project_id: int
) -> None:
    rules = {
        "1": {"name": "campaign.redemptions.count", "conditions": {"$less_than_or_equal": [12]}},
        "2": {"name": "campaign.redemptions.customers_count", "conditions": {"$less_than_or_equal": [9]}},
        "logic": "1 and 2",
    }
    rule = make_rule(api, rules)
    campaign = make_campaign(api, discount=amount(100), quantity=None, vouchers_count=2, validation_rules=[rule])
    first, second = codes_of(api, campaign["id"])
    done = [redeem(api, first, second, customer=f"c{number}")["parent_redemption"]["id"] for number in range(4)]
    requests: list[tuple[str, Any]] = [(f"/v1/redemptions/{one}/rollbacks", {}) for one in done for _ in range(3)]
    requests += [("/v1/redemptions", stack(first, second, customer=f"d{number}")) for number in range(12)]
    requests += [("/v1/redemptions", stack(second, first, customer="c0")) for _ in range(4)]
    outcome = await attack(server, api, requests)
    assert outcome[200, None] >= 4 + 2
    assert outcome[400, "already_rolled_back"] == 8
    assert set(outcome) == {(200, None), (400, "already_rolled_back"), (400, "redemption_rules_violated")}
    async with db.read() as conn:
        standing = await conn.fetchrow(
            "SELECT count(*), count(DISTINCT customer_id), sum((amounts ->> 'amount')::bigint), "
            "sum((amounts ->> 'total_applied_discount_amount')::bigint) FROM redemptions WHERE project_id = $1 "
            "AND object = 'redemption' AND result = 'SUCCESS' AND rollback_id IS NULL AND voucher_id IS NOT NULL",
            project_id,
        )
    number, people, orders, discounts = standing
    assert 0 < number <= 12
    found = await stored(db, project_id)
    assert found[0] == ("all", "total", number, orders, discounts)
    assert found[1][:3] == ("customers", "total", people)


async def test_a_rule_assigned_while_redemptions_go_on_misses_none(
    server: Server, api: Any, db: Database, project_id: int
) -> None:
    campaign = make_campaign(api, quantity=None, vouchers_count=2)
    codes = codes_of(api, campaign["id"])
    rule = make_rule(api, one_rule("campaign.redemptions.count", "$less_than_or_equal", 30))
    body = {"related_object_type": "campaign", "related_object_id": campaign["id"]}
    requests = [("/v1/redemptions", stack(codes[number % 2], customer=f"c{number}")) for number in range(60)]
    requests.insert(15, (f"/v1/validation-rules/{rule}/assignments", body))
    outcome = await attack(server, api, requests)
    succeeded = outcome[200, None] - 1
    assert outcome == {(200, None): succeeded + 1, (400, "redemption_rules_violated"): 60 - succeeded}
    assert succeeded >= 30
    after = await attack(server, api, [("/v1/redemptions", stack(codes[0]))])
    assert after == {(400, "redemption_rules_violated"): 1}
    counted = await stored(db, project_id)
    assert [row[2] for row in counted if row[0] == "all"] in ([], [succeeded])
    assert await promotions.rows(db, project_id, "rule_counted") == 1


async def test_without_a_rule_that_counts_nothing_is_counted(api: Any, db: Database, project_id: int) -> None:
    rule = make_rule(api, one_rule("redemption.count.per_customer", "$less_than", 5))
    campaign = make_campaign(api, quantity=None, validation_rules=[rule])
    redeem(api, codes_of(api, campaign["id"])[0])
    assert await stored(db, project_id) == []
    assert await promotions.rows(db, project_id, "rule_counted") == 0


async def test_a_rule_that_gets_a_limit_while_it_is_assigned_is_counted(
    server: Server, api: Any, db: Database, project_id: int
) -> None:
    """Of the two, one comes first; either way the campaign's redemptions are counted afterwards."""
    limit = one_rule("campaign.redemptions.count", "$less_than_or_equal", 1)
    headers = {name: api.headers[name] for name in ("X-App-Id", "X-App-Token")}
    async with async_client(server.base_url, headers) as client:
        for number in range(8):
            rule = make_rule(api, one_rule("order.amount", "$more_than", 0))
            campaign = make_campaign(api, name=f"C{number}", quantity=None)
            body = {"related_object_type": "campaign", "related_object_id": campaign["id"]}
            changed, assigned = await asyncio.gather(
                client.put(f"/v1/validation-rules/{rule}", json={"rules": limit}),
                client.post(f"/v1/validation-rules/{rule}/assignments", json=body),
            )
            assert (changed.status_code, assigned.status_code) == (200, 200)
            assert await promotions.rows(db, project_id, "rule_counted") == number + 1


@pytest.mark.parametrize("size", sizes((1, 30), (30, 600)))
@pytest.mark.parametrize("per_product", [False, True])
async def test_no_unit_more_than_the_limit_is_discounted(
    server: Server, api: Any, db: Database, project_id: int, *, per_product: bool, size: tuple[int, int]
) -> None:
    name = "product_in_collection_campaign_quantity_limit" if per_product else "product_campaign_quantity_limit"
    entry = {"object": "product", "id": "mug", name: 25, "product_customer_campaign_quantity_limit": 4}
    rule = make_rule(api, {}, applicable_to={"included": [entry]})
    half = {"type": "PERCENT", "percent_off": 50, "effect": "APPLY_TO_ITEMS"}
    order = {"items": [{"product_id": "mug", "quantity": 3, "price": 100}]}
    rounds, attempts = size
    for number in range(rounds):
        campaign = make_campaign(
            api, f"C{number}", half, quantity=None, vouchers_count=3, validation_rules=[rule], pattern="#" * 12
        )
        codes = codes_of(api, campaign["id"])
        done = [redeem(api, codes[0], order=order, customer=f"x{place}")["redemptions"][0]["id"] for place in range(3)]
        requests: list[tuple[str, Any]] = [(f"/v1/redemptions/{one}/rollback", {}) for one in done]
        requests += [
            ("/v1/redemptions", stack(codes[place % 3], order=order, customer=f"c{place % 8}"))
            for place in range(attempts)
        ]
        requests += [("/v1/redemptions", stack(codes[0], codes[1], order=order, customer="both")) for _ in range(3)]
        assert await attack(server, api, requests) == {(200, None): attempts + 6}
        found = await Books.read(db, project_id)
        found.check()
        lines = found.by_object[campaign["id"]]
        assert units(lines) == 25
        assert max(units([line for line in lines if line["customer_id"] == one["customer_id"]]) for one in lines) <= 4


@pytest.mark.parametrize("by_customer", [False, True])
async def test_sessions_and_redemptions_together_discount_no_unit_more_than_the_limit(
    server: Server, api: Any, db: Database, project_id: int, *, by_customer: bool
) -> None:
    kind = "customer_" * by_customer
    entry = {"object": "product", "id": "mug", f"product_{kind}campaign_quantity_limit": 25}
    rule = make_rule(api, {}, applicable_to={"included": [entry]})
    half = {"type": "PERCENT", "percent_off": 50, "effect": "APPLY_TO_ITEMS"}
    campaign = make_campaign(api, discount=half, quantity=None, vouchers_count=3, validation_rules=[rule])
    codes = codes_of(api, campaign["id"])
    order = {"items": [{"product_id": "mug", "quantity": 3, "price": 100}]}
    for number in range(1 if by_customer else 10):
        api.call("POST", "/v1/customers", {"source_id": f"c{number}"})

    def body(number: int, **more: Any) -> Any:
        customer = "c0" if by_customer else f"c{number % 10}"
        return stack(codes[number % 3], order=order, customer=customer, **more)

    # So few at a time that nobody comes too late eight times over.
    held: dict[int, int] = {}
    headers = {name: api.headers[name] for name in ("X-App-Id", "X-App-Token")}
    turn = asyncio.Semaphore(6)
    async with async_client(server.base_url, headers) as client:

        async def one(path: str, said: Any) -> int:
            async with turn:
                answer = await client.post(path, json=said)
            assert answer.status_code == 200, answer.text
            return answer.json()["order"].get("total_applied_discount_amount", 0) // 50  # type: ignore[no-any-return]

        async def session(number: int) -> None:
            lock = {"type": "LOCK", "key": f"k{number}"}
            held[number] = await one("/v1/validations", body(number, session=lock))

        work = [session(number) for number in range(12)]
        *redeemed, _ = await asyncio.gather(
            *(one("/v1/redemptions", body(number)) for number in range(6)), asyncio.gather(*work)
        )
        assert sum(redeemed) + sum(held.values()) == 25
        later = await asyncio.gather(*(one("/v1/redemptions", body(0)) for _ in range(3)))
        assert later == [0, 0, 0]
        for number, units in held.items():
            assert await one("/v1/redemptions", body(number, session={"key": f"k{number}"})) == units
    assert await promotions.rows(db, project_id, "unit_locks") == 0


async def test_limits_of_goods_with_two_names_hold_together(
    server: Server, api: Any, db: Database, project_id: int
) -> None:
    mug = api.call("POST", "/v1/products", {"source_id": "mug", "name": "Mug"})["id"]
    products = [{"object": "product", "id": mug}]
    made = api.call("POST", "/v1/product-collections", {"type": "STATIC", "name": "All", "products": products})
    limit = "product_campaign_quantity_limit"
    named = [
        {"object": "products_collection", "id": made["id"], limit: 40},
        {"object": "product", "id": mug, limit: 25, "quantity_limit": 2},
    ]
    rules = [make_rule(api, {}, applicable_to={"included": [one]}) for one in named]
    half = {"type": "PERCENT", "percent_off": 50, "effect": "APPLY_TO_ITEMS"}
    campaign = make_campaign(api, discount=half, quantity=None, vouchers_count=3, validation_rules=rules)
    codes = codes_of(api, campaign["id"])
    order = {"items": [{"product_id": mug, "quantity": 3, "price": 100}]}
    done = [redeem(api, codes[0], order=order, customer=f"x{number}")["redemptions"][0]["id"] for number in range(3)]
    requests: list[tuple[str, Any]] = [(f"/v1/redemptions/{one}/rollback", {}) for one in done]
    requests += [
        ("/v1/redemptions", stack(codes[number % 3], order=order, customer=f"c{number}")) for number in range(30)
    ]
    assert await attack(server, api, requests) == {(200, None): 33}
    # What a rollback gave back at the very end is used up.
    assert await attack(server, api, [("/v1/redemptions", stack(codes[0], order=order))] * 4) == {(200, None): 4}
    async with db.read() as conn:
        units = await conn.fetchval(
            "SELECT sum((effect ->> 'units')::int) FROM redemptions, jsonb_array_elements(effects) AS effect "
            "WHERE project_id = $1 AND object = 'redemption' AND result = 'SUCCESS' AND rollback_id IS NULL "
            "AND voucher_id IS NOT NULL",
            project_id,
        )
        counted = await conn.fetch(
            "SELECT number FROM rule_counters WHERE project_id = $1 AND counted_by = 'units'", project_id
        )
    assert units == 25
    assert [row["number"] for row in counted] == [25, 25]


async def test_customers_who_become_one_while_a_counter_begins_are_one(
    api: Any, db: Database, project_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = make_campaign(api, quantity=None, vouchers_count=1)
    (code,) = codes_of(api, campaign["id"])
    for name in ("ann", "bob"):
        redeem(api, code, customer=name)
    rule = make_rule(api, one_rule("campaign.redemptions.customers_count", "$less_than_or_equal", 5))
    body = {"related_object_type": "campaign", "related_object_id": campaign["id"]}
    api.call("POST", f"/v1/validation-rules/{rule}/assignments", body)
    said, go = asyncio.Event(), asyncio.Event()
    look = counted.count_in_ledger

    async def slow(conn: Any, project_id: int, wanted: list[Any]) -> Any:
        found = await look(conn, project_id, wanted)
        # The second time, when the redemption is in the ledger and the counter is about to be made.
        if [one.counted_by for one in wanted] == ["customers"] and found[wanted[0]].number == 3:
            said.set()
            await go.wait()
        return found

    monkeypatch.setattr(counted, "count_in_ledger", slow)
    signature = Internal(project_id, "v-test", Source("API", {"app_id": "key", "name": "key"}))
    data = msgspec.convert(stack(code, customer="eve"), RedeemInput)
    redeeming = asyncio.create_task(actions.redeem(Writer(db, SegmentDecider()), signature, data))
    await said.wait()
    merging = asyncio.create_task(asyncio.to_thread(api.call, "POST", "/v1/customers/ann/merge", {"source": "bob"}))
    await until_waiting(db, merging)
    go.set()
    await asyncio.gather(redeeming, merging)
    (await Books.read(db, project_id)).check()
    assert [row[:3] for row in await stored(db, project_id)] in ([], [("customers", "total", 2)])
