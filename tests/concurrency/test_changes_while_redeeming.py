"""What is redeemed while its code, tier or campaign changes: decided on what is committed, never on what was before."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from harness import Server, async_client
from in_cart import make_promotion, tier
from promotions import codes_of, make_campaign, make_voucher, percent, stack, used
from rapport.core.db import Connection, Database
from shopping import basket

PAST = "2020-01-01T00:00:00.000Z"
FUTURE = "2100-01-01T00:00:00.000Z"
_WAITING = """
SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE NOT granted AND datname = current_database() AND state = 'active'
"""
_REDEEMED = "SELECT count(*) FROM redemptions WHERE project_id = $1 AND result = 'SUCCESS'"


@asynccontextmanager
async def holding(db: Database, statement: str, *values: object) -> AsyncIterator[Connection]:
    """Keep what a statement locks until the end of the block, and commit what else is written in it."""
    async with db.read() as conn, conn.transaction():
        await conn.execute(statement, *values)
        yield conn


async def waits_or_ends(db: Database, task: asyncio.Task[Any], waiting: int) -> None:
    """Return once so many connections wait for a lock, or the task is over."""
    async with db.read() as conn:
        while not task.done() and await conn.fetchval(_WAITING) < waiting:
            await asyncio.sleep(0.005)


def outcome(answer: httpx2.Response) -> tuple[int, str | None]:
    return answer.status_code, answer.json().get("key")


async def change_while_redeeming(
    server: Server, api: Any, db: Database, project_id: int, *, body: Any, change: tuple[str, str, Any]
) -> list[Any]:
    """Redeem, and change something while that waits for the lock of its customer, and redeem once more.

    Returns how many redemptions there were when the change was answered and in the end, and the two outcomes.
    """
    headers = {name: api.headers[name] for name in ("X-App-Id", "X-App-Token")}
    method, path, said = change
    async with async_client(server.base_url, headers) as client:

        async def changed() -> int:
            answer = await client.request(method, path, json=said)
            assert answer.status_code in (200, 202, 204), answer.text
            async with db.read() as conn:
                return int(await conn.fetchval(_REDEEMED, project_id))

        locked = "SELECT FROM customers WHERE project_id = $1 FOR UPDATE"
        async with holding(db, locked, project_id):
            first = asyncio.create_task(client.post("/v1/redemptions", json=body))
            await waits_or_ends(db, first, 1)
            changing = asyncio.create_task(changed())
            await waits_or_ends(db, changing, 2)
        by_then = await changing
        answers = [await first, await client.post("/v1/redemptions", json=body)]
    async with db.read() as conn:
        at_last = int(await conn.fetchval(_REDEEMED, project_id))
    return [by_then, at_last, *map(outcome, answers)]


@pytest.mark.parametrize(
    ("method", "path", "said", "error"),
    [
        ("POST", "/v1/campaigns/Spring/disable", None, (400, "campaign_not_active")),
        ("PUT", "/v1/campaigns/Spring", {"expiration_date": PAST}, (400, "voucher_expired")),
        ("PUT", "/v1/campaigns/Spring", {"start_date": FUTURE}, (400, "voucher_not_active")),
        ("DELETE", "/v1/campaigns/Spring", None, (404, "not_found")),
        ("DELETE", "/v1/campaigns/Spring?force=true", None, (404, "not_found")),
    ],
)
async def test_nothing_of_a_campaign_is_redeemed_after_a_change_that_forbids_it_was_answered(
    server: Server, api: Any, db: Database, project_id: int, method: str, path: str, said: Any, error: Any
) -> None:
    code = codes_of(api, make_campaign(api, quantity=None)["id"])[0]
    api.call("POST", "/v1/customers", {"source_id": "ann"})
    found = await change_while_redeeming(server, api, db, project_id, body=stack(code), change=(method, path, said))
    assert found == [1, 1, (200, None), error]


async def test_no_tier_is_redeemed_after_its_disabling_was_answered(
    server: Server, api: Any, db: Database, project_id: int
) -> None:
    promotion = make_promotion(api, tier("Ten", 10))
    found = api.call("GET", f"/v1/promotions/{promotion['id']}/tiers")["tiers"][0]["id"]
    api.call("POST", "/v1/customers", {"source_id": "ann"})
    done = await change_while_redeeming(
        server,
        api,
        db,
        project_id,
        body=basket(("promotion_tier", found)),
        change=("POST", f"/v1/promotions/tiers/{found}/disable", None),
    )
    assert done == [1, 1, (200, None), (400, "promotion_inactive")]


@pytest.mark.parametrize(
    "said", [{"discount": percent(5)}, {"validity_day_of_week": [0, 1, 2, 3, 4, 5, 6]}], ids=["discount", "window"]
)
async def test_a_change_of_what_a_voucher_takes_off_is_answered_after_the_redemptions_under_way(
    server: Server, api: Any, db: Database, project_id: int, said: Any
) -> None:
    make_voucher(api, "CODE", percent(50))
    api.call("POST", "/v1/customers", {"source_id": "ann"})
    change = ("PUT", "/v1/vouchers/CODE", said)
    found = await change_while_redeeming(server, api, db, project_id, body=stack("CODE"), change=change)
    assert found == [1, 2, (200, None), (200, None)]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ("active = false", (400, "voucher_disabled")),
        (f"expiration_date = '{PAST}'", (400, "voucher_expired")),
        (f"start_date = '{FUTURE}'", (400, "voucher_not_active")),
    ],
)
async def test_a_voucher_that_changes_while_a_redemption_waits_for_it_is_decided_about_anew(
    server: Server, api: Any, db: Database, project_id: int, change: str, error: Any
) -> None:
    make_voucher(api, "CODE")
    headers = {name: api.headers[name] for name in ("X-App-Id", "X-App-Token")}
    async with async_client(server.base_url, headers) as client:
        statement = f"UPDATE vouchers SET {change} WHERE project_id = $1"
        async with holding(db, statement, project_id):
            waiting = asyncio.create_task(client.post("/v1/redemptions", json=stack("CODE")))
            await waits_or_ends(db, waiting, 1)
        assert outcome(await waiting) == error
    assert used(api, "CODE") == 0
