"""The bin under races: a redemption comes before a deletion or is refused, and each entry has one fate."""

import asyncio
from collections import Counter
from typing import Any

import promotions
from concurrency.test_promotions import all_at_once
from harness import Server, async_client
from promotions import codes_of, make_campaign, make_voucher, stack, used
from racing import until_waiting
from rapport.core.db import Database
from rapport.rules import budgets


async def call(server: Server, api: Any, *requests: tuple[str, str]) -> Counter[int]:
    """Send requests without bodies at the same moment; count the statuses."""
    headers = {name: api.headers[name] for name in ("X-App-Id", "X-App-Token")}
    async with async_client(server.base_url, headers) as client:
        answers = await asyncio.gather(*(client.request(method, path) for method, path in requests))
    return Counter(answer.status_code for answer in answers)


def entry_of(api: Any) -> str:
    """Return the only entry of the bin."""
    (entry,) = api.call("GET", "/v1/trash-bin")["data"]
    return str(entry["id"])


async def test_redemptions_racing_with_a_deletion_succeed_before_it_or_are_refused(
    server: Server, api: Any, db: Database, project_id: int
) -> None:
    make_voucher(api, "CODE", redemption={"quantity": 1_000})
    requests = [("/v1/redemptions", stack("CODE", customer=f"c{number}")) for number in range(40)]
    (outcome, _), deleted = await asyncio.gather(
        all_at_once(server, api, requests), call(server, api, ("DELETE", "/v1/vouchers/CODE"))
    )
    assert deleted == {204: 1}
    assert set(outcome) <= {(200, None), (404, "not_found")}
    async with db.read() as conn:
        ledger = await conn.fetchval(
            "SELECT count(*) FROM redemptions WHERE project_id = $1 AND result = 'SUCCESS'", project_id
        )
    assert ledger == outcome[200, None]
    api.fails("POST", "/v1/redemptions", stack("CODE"), status=404, key="not_found")
    api.call("POST", f"/v1/trash-bin/{entry_of(api)}/restore", status=204)
    assert used(api, "CODE") == ledger


async def test_rollbacks_racing_with_the_bin_give_back_what_they_undo(server: Server, api: Any) -> None:
    make_voucher(api, "CODE", redemption={"quantity": 20})
    ids = [promotions.redeem(api, "CODE", customer=f"c{number}")["redemptions"][0]["id"] for number in range(12)]
    to_and_fro = asyncio.create_task(asyncio.to_thread(_to_and_fro, api))
    outcome, _ = await all_at_once(server, api, [(f"/v1/redemptions/{one}/rollback", {}) for one in ids])
    await to_and_fro
    assert outcome == {(200, None): 12}
    assert used(api, "CODE") == 0


def _to_and_fro(api: Any) -> None:
    for _ in range(4):
        api.call("DELETE", "/v1/vouchers/CODE", status=204)
        api.call("POST", f"/v1/trash-bin/{entry_of(api)}/restore", status=204)


async def test_of_many_who_restore_or_delete_an_entry_one_does(
    server: Server, api: Any, db: Database, project_id: int
) -> None:
    campaign = make_campaign(api)
    api.call("DELETE", "/v1/campaigns/Spring", status=202)
    path = f"/v1/trash-bin/{entry_of(api)}"
    requests = [("DELETE", path), ("POST", f"{path}/restore")] * 8
    assert await call(server, api, *requests) == {204: 1, 404: 15}
    there = api.get(f"/v1/campaigns/{campaign['id']}").status_code
    left = await promotions.rows(db, project_id, "vouchers")
    assert (there, left) in {(200, 3), (404, 0)}


async def test_deleting_a_campaign_and_its_vouchers_at_once_leaves_nothing_half(
    server: Server, api: Any, db: Database, project_id: int
) -> None:
    campaign = make_campaign(api, vouchers_count=20)
    codes = codes_of(api, campaign["id"])
    requests = [("DELETE", f"/v1/vouchers/{code}") for code in codes]
    outcome = await call(server, api, *requests, ("DELETE", f"/v1/campaigns/{campaign['id']}?force=true"))
    assert outcome[202] == 1
    assert set(outcome) <= {202, 204, 404}
    for table in ("vouchers", "campaigns", "trash_bin_entries"):
        assert await promotions.rows(db, project_id, table) == 0, table


async def test_a_name_wanted_by_a_new_campaign_and_by_one_that_comes_back_is_given_once(
    server: Server, api: Any
) -> None:
    make_voucher(api, "CODE")
    api.call("DELETE", "/v1/vouchers/CODE", status=204)
    path = f"/v1/trash-bin/{entry_of(api)}/restore"
    body = {"type": "DISCOUNT_VOUCHER", "discount": promotions.amount(1)}
    outcome, _ = await all_at_once(server, api, [("/v1/vouchers/CODE", body)] * 5)
    assert outcome == {(200, None): 1, (409, "duplicate_found"): 4}
    assert await call(server, api, *[("POST", path)] * 5) == {409: 5}
    assert api.call("GET", "/v1/vouchers")["total"] == 1


async def test_a_code_that_comes_back_with_its_limits_waits_for_redemptions_before_it_locks_anything(
    api: Any, db: Database, project_id: int
) -> None:
    limit = promotions.one_rule("redemption.count", "$less_than_or_equal", 5)
    body = {"type": "GIFT_VOUCHER", "gift": {"amount": 500}, "validation_rules": [promotions.make_rule(api, limit)]}
    api.call("POST", "/v1/vouchers/CARD", body)
    api.call("POST", "/v1/publications", {"voucher": "CARD", "customer": {"source_id": "ann"}})
    api.call("DELETE", "/v1/vouchers/CARD", status=204)
    path = f"/v1/trash-bin/{entry_of(api)}/restore"
    async with db.read() as conn:
        async with conn.transaction():
            await budgets.begin(conn, project_id)  # as a redemption or a rollback does, which goes on to lock rows
            restoring = asyncio.create_task(asyncio.to_thread(api.call, "POST", path, status=204))
            await until_waiting(db, restoring)
            for table in ("customers", "vouchers"):
                free = f"SELECT count(*) FROM (SELECT FROM {table} WHERE project_id = $1 FOR UPDATE SKIP LOCKED) AS one"
                assert await conn.fetchval(free, project_id) == 1, table
        await restoring
    promotions.redeem(api, "CARD")
