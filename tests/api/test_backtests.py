"""Back-tests: what a draft would have done is what redemptions of it do."""

from typing import Any

import pytest

import harness
import promotions
from bundles import bundle, part
from promotions import amount, make_campaign, make_rule, make_voucher, percent
from rapport.backtests import queries
from rapport.backtests.counting import Key
from rapport.core.db import Database
from rapport.rules.counters import Spent

DAY = "2026-01-{:02d}T12:00:00.000Z"


def at_least(number: int) -> dict[str, Any]:
    return {"name": "order.amount", "conditions": {"$more_than_equal": [number]}}


def at_most(name: str, number: int) -> dict[str, Any]:
    return {"name": name, "conditions": {"$less_than_equal": [number]}}


def in_metadata(key: str, value: Any) -> dict[str, Any]:
    return {"name": "customer.metadata", "property": key, "conditions": {"$is": [value]}}


def place(api: Any, customer: str | None, total: int, **more: Any) -> dict[str, Any]:
    """Make a paid order."""
    body: dict[str, Any] = {"status": "PAID", "amount": total, **more}
    if customer is not None:
        body["customer"] = {"source_id": customer}
    return api.call("POST", "/v1/orders", body)  # type: ignore[no-any-return]


def ask(api: Any, body: dict[str, Any]) -> dict[str, Any]:
    """Have a draft tried; return the back-test once it is done."""
    made = api.call("POST", "/v1/backtests", body, status=202)
    assert (made["status"], made["progress"], made["result"]) == ("ENQUEUED", 0, None)

    def done() -> Any:
        found = api.call("GET", f"/v1/backtests/{made['id']}")
        assert found["status"] != "FAILED", api.call("GET", f"/v1/async-actions/{made['async_action_id']}")
        return found if found["status"] == "DONE" else None

    return harness.wait_for(done, what="the back-test")  # type: ignore[no-any-return]


LIMITS: dict[str, dict[str, Any]] = {
    "an amount": {"1": at_least(500)},
    "twice per customer": {"1": at_most("redemption.count.per_customer", 2)},
    "twice per customer and day": {"1": at_most("redemption.count.per_customer.daily", 2)},
    "seven a month": {"1": at_most("redemption.count.monthly", 7)},
    "three customers": {"1": at_most("campaign.redemptions.customers_count", 3)},
    "a budget of discounts": {"1": at_most("campaign.orders.amount_discounted", 450)},
    "a budget of orders": {"1": at_most("campaign.orders.amount", 4000)},
    "all together": {
        "1": at_least(300),
        "2": at_most("redemption.count.per_customer.weekly", 3),
        "3": at_most("campaign.orders.amount_discounted", 700),
        "4": in_metadata("tier", "gold"),
        "logic": "1 and 2 and 3 and not 4",
    },
}


@pytest.mark.parametrize("rules", LIMITS.values(), ids=LIMITS.keys())
def test_the_replay_decides_as_real_redemptions_do(api: Any, rules: dict[str, Any]) -> None:
    for name, tier in (("ann", "gold"), ("bob", "red"), ("carl", "red"), ("dora", "red")):
        api.call("POST", "/v1/customers", {"source_id": name, "metadata": {"tier": tier}})
    totals = [200, 900, 500, 499, 1200, 705, 300, 333, 1000, 650, 800, 77, 1500, 410]
    people = ["ann", "bob", "bob", "carl", None, "dora", "bob", "ann", "carl", "bob", "dora", "bob", "carl", "bob"]
    made = [place(api, who, total) for who, total in zip(people, totals, strict=True)]
    discount = percent(12.5, amount_limit=110)
    found = ask(api, {"rules": rules, "discount": discount})["result"]
    make_voucher(api, "CODE", discount, validation_rules=[make_rule(api, rules)])
    redeemed: list[tuple[str, int | None, str | None]] = []
    for order in made:
        body = {"redeemables": [{"object": "voucher", "id": "CODE"}], "order": {"id": order["id"]}}
        answer = api.request("POST", "/v1/redemptions", json=body)
        done = answer.json()
        off = done["order"]["total_applied_discount_amount"] if answer.status_code == 200 else None
        redeemed.append((order["id"], off, None if off is not None else done["key"]))
    qualified = [(one["order_id"], one["discount_amount"], None) for one in found["sample"]["qualified"]]
    refused = [(one["order_id"], None, one["reason"]["key"]) for one in found["sample"]["refused"]]
    assert qualified == [one for one in redeemed if one[1] is not None]
    counts: dict[str, int] = {}
    for _, off, key in redeemed:
        if off is None:
            counts[str(key)] = counts.get(str(key), 0) + 1
    by_key: dict[str, int] = {}
    for reason in found["reasons"]:
        by_key[reason["key"]] = by_key.get(reason["key"], 0) + reason["count"]
    assert by_key == counts
    assert set(refused) <= set(redeemed)
    assert refused
    assert found["orders"]["qualified"] == len(qualified)
    assert found["orders"]["refused"] == sum(counts.values())
    assert found["discount"]["total"] == sum(off or 0 for _, off, _ in redeemed)


def test_a_discount_on_items_is_worked_out_as_in_a_redemption(api: Any) -> None:
    product = api.call("POST", "/v1/products", {"source_id": "mug", "name": "Mug"})
    items = [{"product_id": product["id"], "quantity": 2, "price": 500}, {"product_id": "x", "amount": 900}]
    order = api.call("POST", "/v1/orders", {"status": "PAID", "items": items, "customer": {"source_id": "ann"}})
    applicable = {"included": [{"object": "product", "id": product["id"], "quantity_limit": 1}]}
    discount = percent(50, effect="APPLY_TO_ITEMS")
    draft = {"rules": {}, "applicable_to": applicable, "discount": discount}
    found = ask(api, draft)["result"]
    rule = make_rule(api, {}, applicable_to=applicable)
    make_voucher(api, "CODE", discount, validation_rules=[rule])
    assert ask(api, {"validation_rule": rule, "discount": discount})["result"] == found
    body = {"redeemables": [{"object": "voucher", "id": "CODE"}], "order": {"id": order["id"]}}
    done = api.call("POST", "/v1/redemptions", body)
    assert found["discount"] == {"total": 250, "average": 250}
    assert done["order"]["total_applied_discount_amount"] == 250


def test_a_draft_may_ask_for_a_bundle(api: Any) -> None:
    wanted = bundle(part("product", "mug", 2), limit=3)
    for number in (1, 2, 7):
        items = [{"product_id": "mug", "quantity": number, "price": 500}]
        api.call("POST", "/v1/orders", {"status": "PAID", "items": items})
    draft = {"rules": {}, "bundle_rules": wanted, "discount": amount(100)}
    found = ask(api, draft)
    assert found["draft"]["bundle_rules"] == wanted
    assert (found["result"]["orders"]["qualified"], found["result"]["discount"]["total"]) == (2, 100 + 300)
    assert [(one["key"], one["count"]) for one in found["result"]["reasons"]] == [("order_rules_violated", 1)]
    rule = make_rule(api, {}, bundle_rules=wanted)
    assert ask(api, {"validation_rule": rule, "discount": amount(100)})["result"] == found["result"]
    body = {"validation_rule": rule, "bundle_rules": wanted}
    assert "bundle_rules" in api.fails("POST", "/v1/backtests", body, status=400, key="invalid_payload")["details"]


def test_the_result_says_who_would_have_qualified_and_which_rules_kept_the_others_out(api: Any) -> None:
    first = place(api, "ann", 1000, created_at="2026-01-31T23:30:00.000Z")
    place(api, "ann", 400, created_at=DAY.format(2))
    place(api, "bob", 300, created_at="2026-02-03T12:00:00.000Z")
    place(api, None, 2000, created_at="2026-02-04T12:00:00.000Z")
    place(api, "bob", 5000, created_at="2026-03-01T00:00:00.000Z")
    api.call("POST", "/v1/orders", {"status": "CREATED", "amount": 9000, "created_at": DAY.format(3)})
    rules = {
        "1": at_least(500),
        "2": at_most("redemption.count.per_customer", 5),
        "3": {"name": "order.amount", "conditions": {"$less_than": [350]}},
        "logic": "1 and 2 and not 3",
    }
    found = ask(
        api,
        {"rules": rules, "discount": amount(70), "since": DAY.format(1), "until": "2026-03-01T00:00:00.000Z"},
    )
    assert (found["progress"], found["order_statuses"]) == (100, ["FULFILLED", "PAID"])
    result = found["result"]
    assert result["orders"] == {
        "total": 4,
        "qualified": 1,
        "refused": 3,
        "without_customer": 1,
        "amount": 3700,
        "qualified_amount": 1000,
    }
    assert result["customers"] == {"total": 2, "qualified": 1}
    assert result["discount"] == {"total": 70, "average": 70}
    months = {one["month"]: (one["orders"], one["qualified"], one["discount_amount"]) for one in result["months"]}
    assert months == {"2026-01": (2, 1, 70), "2026-02": (2, 0, 0)}
    assert [(one["number"], one["refused"], one["refused_alone"]) for one in result["rules"]] == [
        ("1", 2, 1),
        ("2", 1, 1),
        ("3", 1, 0),
    ]
    assert [(one["key"], one["number"], one["count"]) for one in result["reasons"]] == [
        ("order_rules_violated", "1", 2),
        ("missing_customer", "2", 1),
    ]
    assert [one["order_id"] for one in result["sample"]["qualified"]] == [first["id"]]
    both = next(one for one in result["sample"]["refused"] if one["amount"] == 300)
    assert (both["rules"], both["rules_alone"]) == (["1", "3"], [])
    assert [one["key"] for one in result["caveats"]] == ["orders_as_of_now"]
    assert result["comparison"] is None


def test_periods_are_those_of_the_time_of_the_order(api: Any) -> None:
    for day in (1, 1, 2, 2, 2, 9):
        place(api, "ann", 100, created_at=DAY.format(day))
    found = ask(api, {"rules": {"1": at_most("redemption.count.per_customer.daily", 1)}})["result"]
    assert found["orders"]["qualified"] == 3
    found = ask(api, {"rules": {"1": at_most("redemption.count.per_customer.weekly", 1)}})["result"]
    assert found["orders"]["qualified"] == 2
    assert found["discount"] == {"total": 0, "average": 0}


def test_segments_are_as_of_now_and_the_answer_says_so(api: Any) -> None:
    leaf = {"metadata.tier": {"conditions": {"$is": ["gold"]}}}
    segment = api.call(
        "POST", "/v1/segments", {"name": "Gold", "type": "auto-update", "filter": {"junction": "and", **leaf}}
    )
    api.call("POST", "/v1/customers", {"source_id": "ann", "metadata": {"tier": "gold"}})
    api.call("POST", "/v1/customers", {"source_id": "bob"})
    place(api, "ann", 100, created_at=DAY.format(1))
    place(api, "bob", 100, created_at=DAY.format(1))
    rules = {"1": {"name": "customer.segment", "conditions": {"$is": [segment["id"]]}}}
    result = ask(api, {"rules": rules})["result"]
    assert (result["orders"]["qualified"], result["orders"]["refused"]) == (1, 1)
    assert [one["key"] for one in result["caveats"]] == ["segments_as_of_now", "orders_as_of_now"]


def test_a_draft_is_compared_with_what_was_redeemed_of_a_campaign(api: Any) -> None:
    campaign = make_campaign(api, "Spring", amount(100), quantity=None)
    code = harness.wait_for(lambda: promotions.codes_of(api, campaign["id"]), what="codes")[0]
    small, large, other = (place(api, name, total) for name, total in (("a", 300), ("b", 1000), ("c", 2000)))
    redeemed = []
    for order in (small, large):
        body = {"redeemables": [{"object": "voucher", "id": code}], "order": {"id": order["id"]}}
        redeemed.append(api.call("POST", "/v1/redemptions", body)["redemptions"][0]["id"])
    found = ask(api, {"rules": {"1": at_least(500)}, "discount": percent(20), "campaign": "Spring"})
    assert found["campaign"] == {"id": campaign["id"], "name": "Spring"}
    compared = found["result"]["comparison"]
    sample = compared.pop("sample")
    assert compared == {
        "redemptions": 2,
        "unchanged": 0,
        "would_be_refused": 1,
        "amount_changes": 1,
        "discount_amount": 200,
        "draft_discount_amount": 200,
        "newly_qualified_orders": 1,
    }
    assert [(one["order_id"], one["redemptions"], one["change"], one["discount_amount"]) for one in sample] == [
        (small["id"], [redeemed[0]], "would_be_refused", 0),
        (large["id"], [redeemed[1]], "amount_changes", 200),
    ]
    assert [one["order_id"] for one in found["result"]["sample"]["qualified"]] == [large["id"], other["id"]]
    same = ask(api, {"rules": {}, "campaign": campaign["id"]})["result"]["comparison"]
    assert (same["unchanged"], same["would_be_refused"], same["amount_changes"]) == (2, 0, 0)


async def test_nothing_is_written_but_the_result(api: Any, db: Database, project_id: int) -> None:
    place(api, "ann", 1000)
    place(api, "bob", 100)
    tables = ("orders", "customers", "redemptions", "rule_counters", "rule_counted", "activity", "vouchers")

    async def all_rows() -> list[list[str]]:
        async with db.read() as conn:
            return [
                [
                    row[0]
                    for row in await conn.fetch(f"SELECT t::text FROM {name} AS t WHERE project_id = $1", project_id)
                ]
                for name in tables
            ]

    before = await all_rows()
    rules = {
        "1": at_least(500),
        "2": at_most("campaign.redemptions.count", 5),
        "3": at_most("redemption.count.per_customer", 1),
    }
    ask(api, {"rules": rules, "discount": amount(10)})
    assert await all_rows() == before
    async with db.read() as conn:
        assert await conn.fetchval("SELECT count(*) FROM backtest_counts WHERE project_id = $1", project_id) == 0


def test_back_tests_are_listed_got_and_deleted(api: Any) -> None:
    first, second = (ask(api, {"rules": {"1": at_least(number)}}) for number in (1, 2))
    listed = api.call("GET", "/v1/backtests", params={"limit": "1"})
    assert (listed["total"], listed["has_more"], listed["backtests"][0]["id"]) == (2, True, second["id"])
    assert "result" not in listed["backtests"][0]
    action = api.call("GET", f"/v1/async-actions/{first['async_action_id']}")
    assert (action["type"], action["status"], action["progress"]) == ("BACKTEST", "DONE", 100)
    assert action["result"]["url"].endswith(f"/v1/backtests/{first['id']}")
    api.call("DELETE", f"/v1/backtests/{first['id']}", status=204)
    api.fails("GET", f"/v1/backtests/{first['id']}", status=404, key="not_found")
    api.fails("DELETE", f"/v1/backtests/{first['id']}", status=404, key="not_found")
    assert [one["id"] for one in api.call("GET", "/v1/backtests")["backtests"]] == [second["id"]]


BAD: dict[str, tuple[dict[str, Any], int, str]] = {
    "nothing": ({}, 400, "invalid_payload"),
    "mistyped": ({"rules": {}, "discuont": {"type": "PERCENT", "percent_off": 10}}, 400, "invalid_payload"),
    "both": ({"rules": {}, "validation_rule": "val_1"}, 400, "invalid_payload"),
    "no such rule": ({"validation_rule": "val_1"}, 404, "not_found"),
    "no such campaign": ({"rules": {}, "campaign": "Nothing"}, 404, "not_found"),
    "no such segment": (
        {"rules": {"1": {"name": "customer.segment", "conditions": {"$is": ["seg_1"]}}}},
        404,
        "not_found",
    ),
    "unknown rule": ({"rules": {"1": {"name": "x"}}}, 400, "invalid_validation_rules"),
    "logic": ({"rules": {"1": at_least(1), "logic": "1 and 2"}}, 400, "invalid_validation_rules"),
    "rules are a list": ({"rules": []}, 400, "invalid_payload"),
    "discount": ({"rules": {}, "discount": {"type": "PERCENT"}}, 400, "invalid_payload"),
    "discount is empty": ({"rules": {}, "discount": {}}, 400, "invalid_payload"),
    "applicable_to": ({"rules": {}, "applicable_to": {"x": 1}}, 400, "invalid_validation_rules"),
    "since": ({"rules": {}, "since": "yesterday"}, 400, "invalid_payload"),
    "until before since": ({"rules": {}, "since": DAY.format(2), "until": DAY.format(1)}, 400, "invalid_payload"),
    "since is to come": ({"rules": {}, "since": "2999-01-01T00:00:00Z"}, 400, "invalid_payload"),
    "status": ({"rules": {}, "order_statuses": ["LOST"]}, 400, "invalid_payload"),
    "no status": ({"rules": {}, "order_statuses": []}, 400, "invalid_payload"),
    "a NUL": ({"rules": {"1": {"name": "order.metadata", "property": "a\x00"}}}, 400, "invalid_payload"),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD.keys())
def test_a_draft_that_makes_no_sense_is_refused_and_leaves_nothing(
    api: Any, case: tuple[dict[str, Any], int, str]
) -> None:
    body, status, key = case
    api.fails("POST", "/v1/backtests", body, status=status, key=key)
    assert api.call("GET", "/v1/backtests")["total"] == 0
    assert api.call("GET", "/v1/async-actions")["async_actions"] == []


def test_who_is_erased_or_merged_is_so_in_samples_too(api: Any) -> None:
    people = {name: api.call("POST", "/v1/customers", {"source_id": name}) for name in ("ann", "bob", "carl")}
    for name in people:
        place(api, name, 1000)
    made = ask(api, {"rules": {"1": at_least(500)}})

    def who() -> list[str]:
        found = api.call("GET", f"/v1/backtests/{made['id']}")["result"]["sample"]["qualified"]
        return [one["customer_id"] for one in found]

    ids = {name: one["id"] for name, one in people.items()}
    assert who() == list(ids.values())
    held = api.call("GET", f"/v1/customers/{ids['carl']}/data")["backtests"]
    assert [(one["backtest_id"], one["kind"], one["discount_amount"]) for one in held] == [(made["id"], "qualified", 0)]
    merge = api.call("POST", f"/v1/customers/{ids['ann']}/merge", {"source": ids["bob"]})
    assert who() == [ids["ann"], ids["ann"], ids["carl"]]
    api.call("POST", f"/v1/merges/{merge['merge']['id']}/undo")
    assert who() == [ids["ann"], ids["bob"], ids["carl"]]
    api.call("POST", f"/v1/customers/{ids['carl']}/permanent-deletion")
    assert who() == [ids["ann"], ids["bob"]]


async def test_who_is_erased_or_merged_is_so_in_what_a_replay_has_counted_so_far(
    api: Any, db: Database, project_id: int
) -> None:
    ann, bob = (api.call("POST", "/v1/customers", {"source_id": name})["id"] for name in ("ann", "bob"))
    made = ask(api, {"rules": {}})["id"]
    async with db.read() as conn:
        for who, seen, number in ((ann, 0, 2), (bob, 1, 3)):
            counts = {("seen", who, ""): Spent(seen), ("customer", who, "total"): Spent(number, 10, 1)}
            await queries.write_counts(conn, project_id, made, counts)
        everybody = {("all", "", "total"): Spent(5, 20, 2)}
        await queries.write_counts(conn, project_id, made, everybody)

    async def stored() -> dict[Key, Spent]:
        keys = {(by, who, period) for who in (ann, bob) for by, period in (("seen", ""), ("customer", "total"))}
        async with db.read() as conn:
            return await queries.read_counts(conn, project_id, made, keys | everybody.keys())

    api.call("POST", f"/v1/customers/{ann}/merge", {"source": bob})
    of_ann = {("seen", ann, ""): Spent(1), ("customer", ann, "total"): Spent(5, 20, 2)}
    assert await stored() == of_ann | everybody
    api.call("POST", f"/v1/customers/{ann}/permanent-deletion")
    assert await stored() == everybody


@pytest.mark.parametrize(
    "formula",
    [
        "10 * VOUCHER_REDEMPTION_COUNT + 3 * VOUCHER_CUSTOMER_REDEMPTION_COUNT + 1",
        "5 + CAMPAIGN_REDEMPTION_COUNT - CAMPAIGN_CUSTOMER_REDEMPTION_COUNT",
    ],
)
def test_formulas_count_what_the_draft_itself_redeemed(api: Any, formula: str) -> None:
    """As a campaign of one code would have done, had it been there."""
    discount = percent(2, percent_off_formula=formula)
    orders = [place(api, customer, 10_000) for customer in ("ann", "bob", "ann", None, "bob", "ann")]
    found = ask(api, {"rules": {}, "discount": discount})["result"]
    make_campaign(api, discount=discount, quantity=None, vouchers_count=1)
    [code] = promotions.codes_of(api, api.call("GET", "/v1/campaigns/Spring")["id"])
    off = []
    for order in orders:
        body = {"redeemables": [{"object": "voucher", "id": code}], "order": {"id": order["id"]}}
        off.append(api.call("POST", "/v1/redemptions", body)["order"]["total_applied_discount_amount"])
    assert len(set(off)) > 3
    assert found["discount"]["total"] == sum(off)
    sampled = {one["order_id"]: one["discount_amount"] for one in found["sample"]["qualified"]}
    assert [sampled[order["id"]] for order in orders] == off
