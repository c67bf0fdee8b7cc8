"""Many requests at one moment: a limit of N is N, a stack is whole, nothing is undone or given away twice."""

import asyncio
from collections import Counter
from typing import Any

import httpx2

import promotions
from harness import Server, async_client
from promotions import codes_of, make_campaign, make_rule, make_voucher, one_rule, publish, redeem, stack, summary, used
from rapport.core.db import Database


async def all_at_once(
    server: Server, api: Any, requests: list[tuple[str, Any]]
) -> tuple[Counter[tuple[int, str | None]], list[httpx2.Response]]:
    """Send POST requests at the same moment; return how often each (status, key) was answered, and the answers."""
    headers = {name: api.headers[name] for name in ("X-App-Id", "X-App-Token")}
    async with async_client(server.base_url, headers) as client:
        answers = await asyncio.gather(*(client.post(path, json=body) for path, body in requests))
    return Counter((answer.status_code, answer.json().get("key")) for answer in answers), answers


async def test_a_single_use_code_is_used_once_by_fifty_racers(
    server: Server, api: Any, db: Database, project_id: int
) -> None:
    code = codes_of(api, make_campaign(api)["id"])[0]
    requests = [("/v1/redemptions", stack(code, customer=f"c{number}")) for number in range(50)]
    outcome, answers = await all_at_once(server, api, requests)
    assert outcome == {(200, None): 1, (400, "quantity_exceeded"): 49}
    assert used(api, code) == 1
    kept = api.call("GET", f"/v1/vouchers/{code}/redemption", params={"limit": "100"})
    results = Counter(one["result"] for one in kept["redemption_entries"])
    assert results == {"SUCCESS": 1, "FAILURE": 49}
    errors = {answer.json()["resource_id"] for answer in answers if answer.status_code == 400}
    assert errors == {one["id"] for one in kept["redemption_entries"] if one["result"] == "FAILURE"}
    assert await promotions.rows(db, project_id, "orders") == 1
    winner = next(one for one in kept["redemption_entries"] if one["result"] == "SUCCESS")
    for number in range(50):
        name = f"c{number}"
        won = winner["customer"]["source_id"] == name
        assert summary(api, name) == ({"total_redeemed": 1, "total_succeeded": 1} if won else {"total_failed": 1})


async def test_fifty_racers_of_one_customer_use_a_single_use_code_once(server: Server, api: Any) -> None:
    code = codes_of(api, make_campaign(api)["id"])[0]
    outcome, _ = await all_at_once(server, api, [("/v1/redemptions", stack(code))] * 50)
    assert outcome == {(200, None): 1, (400, "quantity_exceeded"): 49}
    assert summary(api) == {"total_redeemed": 1, "total_succeeded": 1, "total_failed": 49}
    assert api.call("GET", "/v1/customers/ann")["summary"]["orders"]["total_count"] == 1


async def test_a_code_for_twenty_is_used_twenty_times_by_a_hundred_racers(server: Server, api: Any) -> None:
    make_voucher(api, "TWENTY", redemption={"quantity": 20})
    requests = [("/v1/redemptions", stack("TWENTY", customer=f"c{number}")) for number in range(100)]
    outcome, _ = await all_at_once(server, api, requests)
    assert outcome == {(200, None): 20, (400, "quantity_exceeded"): 80}
    assert used(api, "TWENTY") == 20
    assert api.call("GET", "/v1/redemptions", params={"result": "SUCCESS"})["total"] == 20


async def test_the_limit_of_a_customer_holds_over_all_codes_of_a_campaign(server: Server, api: Any) -> None:
    rule = make_rule(api, one_rule("redemption.count.per_customer", "$less_than_or_equal", 3))
    campaign = make_campaign(api, quantity=None, vouchers_count=5, validation_rules=[rule])
    codes = codes_of(api, campaign["id"])
    requests = [("/v1/redemptions", stack(codes[number % 5])) for number in range(30)]
    outcome, _ = await all_at_once(server, api, requests)
    assert outcome == {(200, None): 3, (400, "redemption_rules_violated"): 27}
    assert summary(api) == {"total_redeemed": 3, "total_succeeded": 3, "total_failed": 27}


async def test_stacks_in_opposite_orders_end_whole_and_without_a_deadlock(server: Server, api: Any) -> None:
    make_voucher(api, "A", redemption={"quantity": 10})
    make_voucher(api, "B", redemption={"quantity": 15})
    make_voucher(api, "C", redemption={"quantity": 20})
    orders = (("A", "B", "C"), ("C", "B", "A"), ("B", "C", "A"))
    requests = [("/v1/redemptions", stack(*orders[number % 3], customer=f"c{number}")) for number in range(30)]
    outcome, _ = await all_at_once(server, api, requests)
    assert outcome == {(200, None): 10, (400, "quantity_exceeded"): 20}
    assert [used(api, code) for code in "ABC"] == [10, 10, 10]


async def test_racing_rollbacks_give_a_use_back_once(server: Server, api: Any) -> None:
    make_voucher(api, "CODE", redemption={"quantity": 5})
    redeem(api, "CODE")
    done = redeem(api, "CODE")["redemptions"][0]["id"]
    outcome, _ = await all_at_once(server, api, [(f"/v1/redemptions/{done}/rollback", {})] * 20)
    assert outcome == {(200, None): 1, (400, "already_rolled_back"): 19}
    assert used(api, "CODE") == 1
    counted = {"total_rolled_back": 1, "total_rollback_succeeded": 1, "total_rollback_failed": 19}
    assert summary(api) == {"total_redeemed": 2, "total_succeeded": 2, **counted}


async def test_racing_rollbacks_of_an_anonymous_redemption_give_a_use_back_once(server: Server, api: Any) -> None:
    make_voucher(api, "CODE", redemption={"quantity": 5})
    done = api.call("POST", "/v1/vouchers/CODE/redemption", {})["id"]
    outcome, _ = await all_at_once(server, api, [(f"/v1/redemptions/{done}/rollback", {})] * 20)
    assert outcome == {(200, None): 1, (400, "already_rolled_back"): 19}
    assert used(api, "CODE") == 0


async def test_redemptions_and_rollbacks_side_by_side_leave_the_counter_right(server: Server, api: Any) -> None:
    make_voucher(api, "CODE", redemption={"quantity": 10})
    first = [redeem(api, "CODE", customer=f"a{number}")["redemptions"][0]["id"] for number in range(10)]
    requests = [(f"/v1/redemptions/{one}/rollback", {}) for one in first]
    requests += [("/v1/redemptions", stack("CODE", customer=f"b{number}")) for number in range(30)]
    await all_at_once(server, api, requests)
    succeeded = api.call("GET", "/v1/redemptions", params={"result": "SUCCESS", "limit": "100"})["redemptions"]
    standing = [one for one in succeeded if one["object"] == "redemption" and one["status"] == "SUCCEEDED"]
    assert used(api, "CODE") == len(standing) <= 10
    assert sum(one["object"] == "redemption_rollback" for one in succeeded) == 10


async def test_a_customer_who_joins_once_gets_one_code_however_often_asked(
    server: Server, api: Any, db: Database, project_id: int
) -> None:
    for kind in ("STATIC", "AUTO_UPDATE"):
        make_campaign(api, kind, type=kind, join_once=True, vouchers_count=10, pattern=f"{kind}-######")
        body = {"campaign": {"name": kind}, "customer": {"source_id": f"new-{kind}"}}
        outcome, answers = await all_at_once(server, api, [("/v1/publications", body)] * 20)
        assert outcome == {(200, None): 20}
        assert len({answer.json()["voucher"]["code"] for answer in answers}) == 1
    assert await promotions.rows(db, project_id, "publications") == 2


async def test_the_last_codes_are_given_to_as_many_customers(server: Server, api: Any) -> None:
    make_campaign(api, vouchers_count=5)
    requests = [
        ("/v1/publications", {"campaign": {"name": "Spring"}, "customer": {"source_id": f"c{number}"}})
        for number in range(30)
    ]
    outcome, answers = await all_at_once(server, api, requests)
    assert outcome == {(200, None): 5, (400, "no_voucher_suitable_for_publication"): 25}
    assert len({answer.json()["voucher"]["code"] for answer in answers if answer.status_code == 200}) == 5


async def test_a_source_id_is_taken_once_by_many_racers(
    server: Server, api: Any, db: Database, project_id: int
) -> None:
    make_campaign(api, vouchers_count=20)
    requests = [
        (
            "/v1/publications",
            {"campaign": {"name": "Spring"}, "customer": {"source_id": f"c{number}"}, "source_id": "p"},
        )
        for number in range(20)
    ]
    outcome, _ = await all_at_once(server, api, requests)
    assert outcome == {(200, None): 1, (400, "duplicate_source_id"): 19}
    assert await promotions.rows(db, project_id, "publications") == 1


async def test_a_growing_campaign_gives_every_racer_a_code(server: Server, api: Any) -> None:
    make_campaign(api, type="AUTO_UPDATE", vouchers_count=3)
    requests = [
        ("/v1/publications", {"campaign": {"name": "Spring"}, "customer": {"source_id": f"c{number}"}})
        for number in range(40)
    ]
    outcome, answers = await all_at_once(server, api, requests)
    assert outcome == {(200, None): 40}
    assert len({answer.json()["voucher"]["code"] for answer in answers}) == 40


async def test_one_name_and_one_code_are_taken_by_one_of_many(server: Server, api: Any) -> None:
    voucher = {"discount": {"type": "AMOUNT", "amount_off": 1}}
    outcome, _ = await all_at_once(server, api, [("/v1/vouchers/CODE", voucher)] * 10)
    assert outcome == {(200, None): 1, (409, "duplicate_found"): 9}
    campaign = {"name": "Spring", "voucher": {"type": "DISCOUNT_VOUCHER", **voucher}, "vouchers_count": 20}
    outcome, _ = await all_at_once(server, api, [("/v1/campaigns", campaign)] * 10)
    assert outcome == {(200, None): 1, (409, "duplicate_found"): 9}
    assert len(codes_of(api, api.call("GET", "/v1/campaigns/Spring")["id"])) == 20


async def test_publishing_while_the_campaign_is_deleted_leaves_no_orphans(
    server: Server, api: Any, db: Database, project_id: int
) -> None:
    campaign = make_campaign(api, type="AUTO_UPDATE", vouchers_count=2)
    publish(api)

    async def delete() -> int:
        headers = {name: api.headers[name] for name in ("X-App-Id", "X-App-Token")}
        async with async_client(server.base_url, headers) as client:
            return (await client.delete(f"/v1/campaigns/{campaign['id']}?force=true")).status_code

    requests = [
        ("/v1/publications", {"campaign": {"name": "Spring"}, "customer": {"source_id": f"c{number}"}})
        for number in range(30)
    ]
    (outcome, _), deleted = await asyncio.gather(all_at_once(server, api, requests), delete())
    assert deleted == 202
    assert set(outcome) <= {(200, None), (404, "not_found")}
    assert await promotions.rows(db, project_id, "vouchers") == 0
    assert await promotions.rows(db, project_id, "campaigns") == 0
