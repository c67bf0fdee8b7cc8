"""Offers for exactly one customer, made at the same moment."""

import asyncio
from collections import Counter

from harness import Server, async_client
from promotions import make_campaign, rows
from rapport.core.db import Database
from rapport.projects.models import NewKey


async def test_offers_for_one_customer_each_share_one_rule(
    server: Server, api: object, key: NewKey, db: Database, project_id: int
) -> None:
    make_campaign(api, type="AUTO_UPDATE", vouchers_count=1)
    headers = {"X-App-Id": key.app_id, "X-App-Token": key.app_token}
    async with async_client(server.base_url, headers) as client:

        async def offer(number: int) -> int:
            body = {"campaign": {"name": "Spring"}, "customer": {"source_id": f"c{number}"}, "holder_only": True}
            return (await client.post("/v1/publications", json=body)).status_code

        assert Counter(await asyncio.gather(*(offer(number) for number in range(32)))) == {200: 32}
    assert await rows(db, project_id, "validation_rules") == 1
    assert await rows(db, project_id, "validation_rule_assignments") == 32
    assert await rows(db, project_id, "publications") == 32
