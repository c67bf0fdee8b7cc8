"""The keys that a server finds or makes when it starts."""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from faults.servers import OwnDatabase
from rapport.core import migrations, preflight
from rapport.core.db import Database
from rapport.projects import actions, queries
from rapport.projects.models import Key
from rapport.serve import settle_keys
from rapport.settings import Bootstrap, Settings, StartError

SERVER = Bootstrap(kind="server", app_id="app-1", app_token="token-1")
KEYS = "SELECT project_id, app_id, kind, token_hash FROM api_keys ORDER BY app_id"


@pytest.fixture
def with_database(database: OwnDatabase) -> Callable[[Callable[[Database], Coroutine[Any, Any, Any]]], Any]:
    """Run something on a fresh, migrated database called `keys`."""
    url = database.fresh("keys")

    def during(work: Callable[[Database], Coroutine[Any, Any, Any]]) -> Any:
        async def whole() -> Any:
            await migrations.migrate(url)
            db = await preflight.open_database(url)
            try:
                return await work(db)
            finally:
                await db.close()

        return asyncio.run(whole())

    return during


def test_a_configured_key_is_added_once_and_only_its_hash_is_kept(with_database: Any, database: OwnDatabase) -> None:
    async def work(db: Database) -> None:
        await asyncio.gather(actions.bootstrap(db, [SERVER]), actions.bootstrap(db, [SERVER]))
        await actions.bootstrap(db, [SERVER])

    with_database(work)

    expected = {"project_id": 1, "app_id": "app-1", "kind": "server", "token_hash": hashlib.sha256(b"token-1").digest()}
    assert database.rows(KEYS, "keys") == [expected]
    assert [row["name"] for row in database.rows("SELECT name FROM projects", "keys")] == ["Default"]


def test_a_configured_token_that_changed_replaces_the_stored_one(with_database: Any) -> None:
    async def work(db: Database) -> Key | None:
        await actions.bootstrap(db, [SERVER])
        await actions.bootstrap(db, [Bootstrap(kind="server", app_id="app-1", app_token="token-2")])
        async with db.read() as conn:
            return await queries.find_key(conn, "app-1")

    key = with_database(work)

    assert key.token_hash == hashlib.sha256(b"token-2").digest()


def test_an_app_id_of_another_project_is_refused_and_nothing_changes(with_database: Any, database: OwnDatabase) -> None:
    async def work(db: Database) -> None:
        made = await actions.create_key(db, "Another", "server")
        taken = Bootstrap(kind="server", app_id=made.app_id, app_token="mine-now")
        with pytest.raises(StartError, match="belongs to another project"):
            await actions.bootstrap(db, [SERVER, taken])

    with_database(work)

    assert [row["app_id"] for row in database.rows(KEYS, "keys")] != ["app-1"]
    assert len(database.rows(KEYS, "keys")) == 1
    assert [row["name"] for row in database.rows("SELECT name FROM projects", "keys")] == ["Another"]


def test_an_app_id_of_another_kind_is_refused(with_database: Any) -> None:
    async def work(db: Database) -> None:
        await actions.bootstrap(db, [SERVER])
        with pytest.raises(StartError, match="is a server key, and a client key was asked for"):
            await actions.bootstrap(db, [Bootstrap(kind="client", app_id="app-1", app_token="token-1")])

    with_database(work)


def test_on_a_database_of_its_own_a_key_is_made_and_shown_only_once(
    with_database: Any, database: OwnDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(database_url=database.url("keys"))

    async def work(db: Database) -> list[list[Bootstrap]]:
        return [await settle_keys(db, settings), await settle_keys(db, settings)]

    first, second = with_database(work)

    assert [key.kind for key in first] == ["server"]
    assert second == []
    shown = capsys.readouterr().out
    assert shown.count("X-App-Token") == 1
    assert f"X-App-Id: {first[0].app_id}  X-App-Token: {first[0].app_token}" in shown
    assert [row["app_id"] for row in database.rows(KEYS, "keys")] == [first[0].app_id]
