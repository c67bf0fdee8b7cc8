"""A budget of N failed attempts is N, whatever comes at the same moment through however many processes."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from harness import Server, async_client
from promotions import stack
from rapport.core.db import Database
from rapport.projects.actions import create_key
from rapport.projects.models import NewKey

BUDGET = 40
CONNECTIONS = 64


@pytest.fixture(scope="module")
def strict(server: Server, start_server: Callable[..., Server], database_url: str) -> Iterator[Server]:
    """A Rapport of two API processes with one small budget."""
    _ = server
    env = {
        "RAPPORT_FAILED_CODES_PER_ADDRESS_PER_HOUR": "0",
        "RAPPORT_FAILED_CODES_PER_CUSTOMER_PER_HOUR": "0",
        "RAPPORT_FAILED_CODES_PER_CLIENT_KEY_PER_HOUR": str(BUDGET),
        "RAPPORT_FAILED_CODES_PER_SERVER_KEY_PER_HOUR": str(BUDGET),
    }
    started = start_server(database_url, "--workers", "2", "--no-worker", env=env)
    yield started
    started.stop()


async def attack(strict: Server, headers: dict[str, str], path: str, attempts: int) -> Counter[int]:
    """Try codes through 64 connections; return what was answered how often."""
    places = asyncio.Semaphore(CONNECTIONS)
    async with async_client(strict.base_url, headers) as client:

        async def one(number: int) -> int:
            body = stack(f"NO-{number}") | {"voucher": f"NO-{number}", "customer": {"source_id": f"c{number}"}}
            async with places:
                return (await client.post(path, json=body)).status_code

        return Counter(await asyncio.gather(*(one(number) for number in range(attempts))))


async def test_a_server_key_may_fail_exactly_so_often(strict: Server, key: NewKey) -> None:
    headers = {"X-App-Id": key.app_id, "X-App-Token": key.app_token}
    found = await attack(strict, headers, "/v1/redemptions", 400)
    assert found == {404: BUDGET, 429: 400 - BUDGET}


async def test_a_client_key_may_fail_exactly_so_often(strict: Server, key: NewKey, db: Database) -> None:
    made = await create_key(db, key.project, "client")
    headers = {"X-Client-Application-Id": made.app_id, "X-Client-Token": made.app_token}
    found = await attack(strict, headers, "/client/v1/publish", 400)
    assert found == {404: BUDGET, 429: 400 - BUDGET}
