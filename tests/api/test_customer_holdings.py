"""What these features hold on a person is found, erased and moved whole."""

from typing import Any

import pytest

from rapport.consents.holding import holding as consents
from rapport.consents.interactions.holding import holding as interactions
from rapport.core.db import Database
from rapport.customers import queries
from rapport.customers.holdings import Holding
from rapport.devices.holding import holding as devices

HOLDINGS = (consents, interactions, devices)


def fill(api: Any, name: str) -> None:
    api.call("POST", "/v1/customers", {"source_id": name})
    api.call("PUT", f"/v1/customers/{name}/consents", {"unsubscribed": True})
    api.call("PUT", f"/v1/customers/{name}/consents", {"unsubscribed": False})
    for number in range(2):
        body = {"id": f"{name}-{number}", "channel": "email", "type": "opened"}
        api.call("POST", f"/v1/customers/{name}/interactions", body)
        api.call("POST", f"/v1/customers/{name}/devices", {"id": f"{name}-{number}", "token": f"{name}-{number}"})


async def gathered(db: Database, project_id: int, holding: Holding, name: str) -> list[Any]:
    async with db.read() as conn:
        customer = await queries.get(conn, project_id, name)
        return [row async for row in holding.gather(conn, project_id, customer)]


@pytest.mark.parametrize("holding", HOLDINGS, ids=lambda one: one.name)
async def test_what_is_held_is_gathered_moved_back_and_forth_and_erased(
    api: Any, db: Database, project_id: int, holding: Holding
) -> None:
    for name in ("ann", "bob"):
        fill(api, name)
    before = [await gathered(db, project_id, holding, name) for name in ("ann", "bob")]
    assert [len(rows) for rows in before] == [2, 2]
    ids = [api.call("GET", f"/v1/customers/{name}")["id"] for name in ("ann", "bob")]
    async with db.read() as conn:
        moved = await holding.move(conn, project_id, ids[0], ids[1])
    assert len(await gathered(db, project_id, holding, "ann")) == 0
    assert len(await gathered(db, project_id, holding, "bob")) == 4
    async with db.read() as conn:
        assert sorted(await holding.move(conn, project_id, ids[1], ids[0], moved)) == sorted(moved)
    assert [await gathered(db, project_id, holding, name) for name in ("ann", "bob")] == before
    async with db.read() as conn:
        assert await holding.erase(conn, project_id, await queries.get(conn, project_id, "ann")) == 2
    assert await gathered(db, project_id, holding, "ann") == []
    assert await gathered(db, project_id, holding, "bob") == before[1]


async def test_more_than_one_page_is_gathered(
    api: Any, db: Database, project_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(api, "ann")
    whole = await gathered(db, project_id, consents, "ann")
    monkeypatch.setattr("rapport.customers.held.queries.GATHERED_AT_ONCE", 1)
    assert await gathered(db, project_id, consents, "ann") == whole
