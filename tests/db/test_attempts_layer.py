"""The layer of attempts: what it asks of the database, and what it answers when there is none."""

import json
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from rapport.core.db import Database
from rapport.http.attempts.budgets import Budgets
from rapport.http.attempts.layer import Attempts
from rapport.http.caller import KeyRing
from rapport.projects.actions import create_key
from rapport.projects.models import NewKey
from rapport.projects.queries import find_key
from rapport.vouchers.guessing import Guesses

MISSING = {"code": 404, "key": "not_found", "resource_id": "NO", "resource_type": "voucher", "request_id": "v-1"}


class Counted(Database):
    """A database that counts statements, and can be gone."""

    def __init__(self, db: Database) -> None:
        super().__init__(db._pool, db.clock_offset)
        self.asked: list[str] = []
        self.gone = False

    def note(self, record: Any) -> None:
        """Take down a statement."""
        self.asked.append(record.query)

    @asynccontextmanager
    async def read(self) -> Any:
        """As usual, unless it is gone."""
        if self.gone:
            raise ConnectionRefusedError
        async with super().read() as conn, self._noted(conn):
            yield conn

    async def transaction(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        """As usual, unless it is gone."""
        if self.gone:
            raise ConnectionRefusedError

        async def noted(conn: Any) -> Any:
            async with self._noted(conn):
                return await work(conn)

        return await super().transaction(noted)

    @asynccontextmanager
    async def _noted(self, conn: Any) -> Any:
        with conn.query_logger(self.note):
            yield


class Around:
    """The layer around an application that answers with one status and body."""

    def __init__(self, db: Counted, **budgets: int) -> None:
        self.db = db
        limits = dict.fromkeys(Budgets.__slots__, 100) | budgets
        app = SimpleNamespace(state=SimpleNamespace(db=db, key_ring=KeyRing(db, find_key)))
        self.answer: tuple[int, Any] = (200, {"redemptions": []})
        self.bodies: list[bytes] = []
        self.layer = Attempts(
            self._app,
            app,  # type: ignore[arg-type]
            Guesses(),
            Budgets(**limits),
            trusted_proxies=(),
            max_body_bytes=1_000,
        )

    async def _app(self, _scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        body = message["body"]
        while message["more_body"]:
            message = await receive()
            body += message["body"]
        self.bodies.append(body)
        status, content = self.answer
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": json.dumps(content).encode()})

    async def call(self, key: NewKey, *parts: bytes) -> tuple[int, dict[str, Any], dict[bytes, bytes]]:
        """Send a redemption in these parts; return status, body and headers."""
        names = (b"x-app-id", b"x-app-token")
        path = "/v1/redemptions"
        if key.kind == "client":
            names, path = (b"x-client-application-id", b"x-client-token"), "/client/v1/redemptions"
        scope = {
            "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
            "headers": [(names[0], key.app_id.encode()), (names[1], key.app_token.encode())],
            "client": ("192.0.2.1", 1), "state": {},
        }  # fmt: skip
        pending = [
            {"type": "http.request", "body": part, "more_body": number < len(parts)}
            for number, part in enumerate(parts, start=1)
        ]
        sent: list[Any] = []

        async def receive() -> Any:
            return pending.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        await self.layer(scope, receive, send)  # type: ignore[arg-type]
        body = b"".join(message["body"] for message in sent[1:])
        headers = dict(sent[0]["headers"])
        assert headers.get(b"content-length", b"0") in {b"0", str(len(body)).encode()}
        return sent[0]["status"], json.loads(body), headers


ASKED = json.dumps({"redeemables": [{"object": "voucher", "id": "NO"}], "customer": {"source_id": "ann"}}).encode()


@pytest.fixture
def counted(db: Database) -> Counted:
    return Counted(db)


async def test_a_success_asks_nothing_for_a_server_key_and_once_for_a_client_key(
    counted: Counted, db: Database, key: NewKey
) -> None:
    around = Around(counted)
    client = await create_key(db, key.project, "client")
    for one, statements in ((key, 0), (client, 1)):
        await around.call(one, ASKED)  # the ring of keys knows it from now on
        counted.asked.clear()
        assert (await around.call(one, ASKED))[0] == 200
        assert len(counted.asked) == statements


async def test_a_failure_is_one_statement_more(counted: Counted, key: NewKey) -> None:
    around = Around(counted)
    around.answer = (404, MISSING)
    await around.call(key, ASKED)
    # The driver asks about types once on each connection.
    ours = [asked for asked in counted.asked if "typeinfo" not in asked and "'jit'" not in asked]
    counted.asked.clear()
    assert (await around.call(key, ASKED))[0] == 404
    (asked,) = counted.asked
    assert "INSERT INTO failed_attempts" in asked
    assert ours[-1] == asked


async def test_who_is_known_to_have_to_wait_costs_nothing(counted: Counted, key: NewKey) -> None:
    around = Around(counted, per_server_key=1)
    around.answer = (404, MISSING)
    assert [(await around.call(key, ASKED))[0] for _ in range(3)] == [404, 429, 429]
    counted.asked.clear()
    done = len(around.bodies)
    around.answer = (200, {"redemptions": []})
    status, body, headers = await around.call(key, ASKED)
    assert (status, body["key"]) == (429, "too_many_requests")
    assert 0 < int(headers[b"retry-after"]) <= 3600
    assert (counted.asked, len(around.bodies)) == ([], done)


async def test_another_process_knows_a_client_key_s_budget_at_once(counted: Counted, db: Database, key: NewKey) -> None:
    client = await create_key(db, key.project, "client")
    one, other = Around(counted, per_client_key=1), Around(counted, per_client_key=1)
    one.answer = (404, MISSING)
    assert (await one.call(client, ASKED))[0] == 404
    assert (await other.call(client, ASKED))[0] == 429
    assert other.bodies == []


async def test_without_budgets_nothing_is_counted_and_answers_are_uniform_all_the_same(
    counted: Counted, db: Database, key: NewKey
) -> None:
    client = await create_key(db, key.project, "client")
    around = Around(counted, **dict.fromkeys(Budgets.__slots__, 0))
    around.answer = (400, {"code": 400, "key": "voucher_disabled", "details": "NO", "request_id": "v-1"})
    await around.call(client, ASKED)
    counted.asked.clear()
    status, body, _ = await around.call(client, ASKED)
    assert (status, body["key"], body["resource_id"]) == (404, "not_found", "NO")
    assert counted.asked == []


async def test_without_a_database_the_answer_is_503(counted: Counted, db: Database, key: NewKey) -> None:
    client = await create_key(db, key.project, "client")
    around = Around(counted)
    await around.call(client, ASKED)
    counted.gone = True
    status, body, _ = await around.call(client, ASKED)
    assert (status, body["key"]) == (503, "service_unavailable")


async def test_a_body_comes_through_as_it_was_sent(counted: Counted, key: NewKey) -> None:
    around = Around(counted)
    long = b"x" * 700
    for parts in ((ASKED,), (ASKED[:7], ASKED[7:]), (long, long, long), (b"",)):
        assert (await around.call(key, *parts))[0] == 200
        assert around.bodies[-1] == b"".join(parts)
