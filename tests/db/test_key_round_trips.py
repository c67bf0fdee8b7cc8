"""How often the settings of a project cost a look-up: they come with the key."""

import pytest

from db.test_redemption_round_trips import Counted
from rapport.core.db import Connection, Database
from rapport.http.caller import CLIENT_HEADERS, KeyRing
from rapport.projects.actions import create_key
from rapport.projects.models import NewKey
from rapport.projects.queries import find_key


async def test_settings_come_with_the_key_and_are_remembered_with_it(
    db: Database, key: NewKey, project_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await create_key(db, key.project, "client")

    async def work(conn: Connection) -> None:
        await conn.execute(
            "UPDATE projects SET client_trusted_domains = $2, client_redeem_enabled = false WHERE project_id = $1",
            project_id,
            ["shop.example"],
        )

    await db.transaction(work)
    ring = KeyRing(db, find_key)
    counted = Counted(monkeypatch)
    for _ in range(3):
        found, _ = await ring.check(made.app_id, made.app_token, CLIENT_HEADERS)
        assert found.client_side.trusts("https://shop.example")
        assert not found.client_side.trusts("https://evil.test")
        assert found.client_side.disabled == {"client_redeem_enabled"}
    assert len(counted.said) == 1, counted.said
