"""The layer of idempotency keys around applications that do difficult things with the database."""

import asyncio
import contextvars
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from rapport.core.db import Connection, Contention, Database, Restart, connect
from rapport.http.caller import KeyRing
from rapport.http.idempotency.layer import MAX_ANSWER, Idempotency, NamesErased
from rapport.privacy.actions import names_erased
from rapport.projects.models import NewKey
from rapport.projects.queries import find_key

Work = Callable[[], Awaitable[tuple[int, Any]]]


async def add(conn: Connection, name: str) -> None:
    """Leave a trace: a row of a name."""
    await conn.execute("INSERT INTO traces (name) VALUES ($1)", name)


@pytest.fixture
async def traces(db: Database) -> AsyncIterator[Callable[[], Awaitable[list[str]]]]:
    """A table of what was done, and two rows to be locked."""
    async with db.read() as conn:
        await conn.execute("CREATE TABLE traces (name text); CREATE TABLE rows (id integer PRIMARY KEY)")
        await conn.execute("INSERT INTO rows VALUES (1), (2)")

    async def look() -> list[str]:
        async with db.read() as conn:
            return sorted(row["name"] for row in await conn.fetch("SELECT name FROM traces"))

    yield look
    async with db.read() as conn:
        await conn.execute("DROP TABLE traces; DROP TABLE rows")


async def nobody(_conn: Connection, _project_id: int, _answer: bytes) -> bool:
    """Tell that an answer is about nobody who was erased."""
    return False


class Caller:
    """Sends requests to a layer around an application that does `work`."""

    def __init__(self, db: Database, key: NewKey, work: Work, names_erased: NamesErased = nobody) -> None:
        self.key = key
        self.work = work
        around = SimpleNamespace(state=SimpleNamespace(db=db, key_ring=KeyRing(db, find_key)))
        self.layer = Idempotency(self._app, around, max_body_bytes=1_000, names_erased=names_erased)  # type: ignore[arg-type]

    async def _app(self, _scope: Any, receive: Any, send: Any) -> None:
        await receive()
        try:
            status, content = await self.work()
        except Contention:
            status, content = 503, "busy"
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": json.dumps(content).encode(), "more_body": False})

    async def send(self, idempotency_key: str = "k", *, leaves: bool = False) -> tuple[int, Any, bool]:
        """Send a request; return its status, its content, and whether it was replayed."""
        headers = {
            "x-app-id": self.key.app_id,
            "x-app-token": self.key.app_token,
            "idempotency-key": idempotency_key,
        }
        scope: dict[str, Any] = {
            "type": "http",
            "method": "POST",
            "path": "/x",
            "raw_path": b"/x",
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        sent: list[Any] = []

        incoming = [] if leaves else [{"type": "http.request", "body": b"{}"}]

        async def receive() -> Any:
            return incoming.pop() if incoming else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.layer(scope, receive, send)  # type: ignore[arg-type]
        if not sent:
            return 0, None, False
        replayed = (b"idempotency-replayed", b"true") in sent[0]["headers"]
        return sent[0]["status"], json.loads(sent[1]["body"]), replayed


async def test_what_several_transactions_did_commits_together(db: Database, key: NewKey, traces: Any) -> None:
    seen: list[Any] = []

    async def work() -> tuple[int, Any]:
        await db.transaction(lambda conn: add(conn, "a"))
        async with db.read() as conn:
            seen.append([row["name"] for row in await conn.fetch("SELECT name FROM traces")])
        seen.append(await traces())
        await db.transaction(lambda conn: add(conn, "b"))
        return 200, len(seen)

    caller = Caller(db, key, work)
    assert await caller.send() == (200, 2, False)
    assert await caller.send() == (200, 2, True)
    assert seen == [["a"], ["a"]]
    assert await traces() == ["a", "b"]


async def test_an_error_of_ours_undoes_what_was_done_before_it(db: Database, key: NewKey, traces: Any) -> None:
    answers = [500, 200]

    async def work() -> tuple[int, Any]:
        await db.transaction(lambda conn: add(conn, "a"))
        return answers.pop(0), "x"

    caller = Caller(db, key, work)
    assert await caller.send() == (500, "x", False)
    assert await traces() == []
    assert await caller.send() == (200, "x", False)
    assert await caller.send() == (200, "x", True)
    assert await traces() == ["a"]


async def test_a_transaction_that_fails_is_undone_and_the_ones_around_it_are_not(
    db: Database, key: NewKey, traces: Any
) -> None:
    async def fail(conn: Connection) -> None:
        await add(conn, "bad")
        await conn.execute("SELECT 1 / 0")

    async def work() -> tuple[int, Any]:
        failed = 0
        for name in ("first", None, "second", None):
            try:
                await db.transaction(fail if name is None else lambda conn, name=name: add(conn, name))
            except Exception:  # noqa: BLE001 (whatever it is)
                failed += 1
        return 400, failed

    caller = Caller(db, key, work)
    assert await caller.send() == (400, 2, False)
    assert await caller.send() == (400, 2, True)
    assert await traces() == ["first", "second"]


async def test_after_a_first_failure_the_key_is_claimed_again(db: Database, key: NewKey, traces: Any) -> None:
    async def fail(conn: Connection) -> None:
        await add(conn, "bad")
        raise LookupError

    async def work() -> tuple[int, Any]:
        with pytest.raises(LookupError):
            await db.transaction(fail)
        await db.transaction(lambda conn: add(conn, "good"))
        return 200, "x"

    caller = Caller(db, key, work)
    assert await caller.send() == (200, "x", False)
    assert await caller.send() == (200, "x", True)
    assert await traces() == ["good"]


async def test_somebody_who_took_the_key_meanwhile_is_believed(db: Database, key: NewKey, traces: Any) -> None:
    async def fail(_conn: Connection) -> None:
        raise LookupError

    async def quick() -> tuple[int, Any]:
        await db.transaction(lambda conn: add(conn, "quick"))
        return 200, "quick"

    rival = Caller(db, key, quick)

    async def work() -> tuple[int, Any]:
        with pytest.raises(LookupError):
            await db.transaction(fail)
        # A task of its own, in a context that holds nothing: as another process would.
        await asyncio.get_running_loop().create_task(rival.send(), context=outside)
        await db.transaction(lambda conn: add(conn, "slow"))
        return 200, "slow"

    outside = contextvars.copy_context()
    assert await Caller(db, key, work).send() == (200, "quick", True)
    assert await traces() == ["quick"]


async def test_a_deadlock_undoes_the_whole_request_and_runs_it_again(db: Database, key: NewKey, traces: Any) -> None:
    runs: list[str] = []
    both = asyncio.Barrier(2)

    def locking(name: str, order: tuple[int, int]) -> Work:
        async def lock(conn: Connection, row: int) -> None:
            await conn.execute("SELECT FROM rows WHERE id = $1 FOR UPDATE", row)
            await add(conn, f"{name}{row}")

        async def work() -> tuple[int, Any]:
            runs.append(name)
            await db.transaction(lambda conn: lock(conn, order[0]))
            if len(runs) <= 2:
                await both.wait()
            await db.transaction(lambda conn: lock(conn, order[1]))
            return 200, name

        return work

    callers = [Caller(db, key, locking("x", (1, 2))), Caller(db, key, locking("y", (2, 1)))]
    answers = await asyncio.gather(*(caller.send(name) for caller, name in zip(callers, "xy", strict=True)))
    assert answers == [(200, "x", False), (200, "y", False)]
    assert len(runs) == 3, "nobody had to run again: the test shows nothing"
    assert await traces() == ["x1", "x2", "y1", "y2"]
    assert [await caller.send(name) for caller, name in zip(callers, "xy", strict=True)] == [
        (200, "x", True),
        (200, "y", True),
    ]


async def test_a_restart_runs_the_request_again_and_gives_up_after_a_while(
    db: Database, key: NewKey, traces: Any
) -> None:
    restarts = [3]

    async def once(conn: Connection) -> None:
        await add(conn, "a")
        if restarts[0]:
            restarts[0] -= 1
            raise Restart

    async def work() -> tuple[int, Any]:
        await db.transaction(once)
        return 200, "done"

    caller = Caller(db, key, work)
    assert await caller.send() == (200, "done", False)
    assert await traces() == ["a"]
    restarts[0] = 100
    status, content, _ = await caller.send("other")
    assert (status, content["key"]) == (503, "service_unavailable")
    assert restarts == [68]
    assert await traces() == ["a"]


async def test_an_answer_too_large_to_be_kept_undoes_the_request(db: Database, key: NewKey, traces: Any) -> None:
    size = [MAX_ANSWER]

    async def work() -> tuple[int, Any]:
        await db.transaction(lambda conn: add(conn, "a"))
        return 200, "x" * size[0]

    caller = Caller(db, key, work)
    status, error, _ = await caller.send()
    assert (status, error["key"]) == (400, "idempotency_answer_too_large")
    assert await traces() == []
    size[0] -= 2
    assert [(await caller.send())[::2] for _ in range(2)] == [(200, False), (200, True)]
    assert await traces() == ["a"]


async def test_a_snapshot_sees_one_moment_before_anything_is_written(db: Database, key: NewKey, traces: Any) -> None:
    async def outside() -> None:
        await db.transaction(lambda conn: add(conn, "late"))

    free = contextvars.copy_context()

    async def work() -> tuple[int, Any]:
        async with db.snapshot() as conn:
            counts = [await conn.fetchval("SELECT count(*) FROM traces")]
            await asyncio.get_running_loop().create_task(outside(), context=free)
            counts.append(await conn.fetchval("SELECT count(*) FROM traces"))
        async with db.read() as conn:
            counts.append(await conn.fetchval("SELECT count(*) FROM traces"))
        return 200, counts

    caller = Caller(db, key, work)
    assert await caller.send() == (200, [0, 0, 1], False)
    assert await caller.send() == (200, [0, 0, 1], True)
    assert await traces() == ["late"]


async def test_things_done_side_by_side_take_turns(db: Database, key: NewKey, traces: Any) -> None:
    async def nested(name: str) -> None:
        async with db.read() as conn:
            await conn.fetchval("SELECT pg_sleep(0.01)")
            await db.transaction(lambda conn: add(conn, name))

    async def work() -> tuple[int, Any]:
        await asyncio.gather(*(nested(name) for name in "abc"))
        return 200, "x"

    assert await Caller(db, key, work).send() == (200, "x", False)
    assert await traces() == ["a", "b", "c"]


async def test_a_caller_who_leaves_before_the_body_has_done_nothing(db: Database, key: NewKey, traces: Any) -> None:
    async def work() -> tuple[int, Any]:
        await db.transaction(lambda conn: add(conn, "a"))
        return 200, "x"

    caller = Caller(db, key, work)
    assert await caller.send(leaves=True) == (0, None, False)
    assert await traces() == []
    assert await caller.send() == (200, "x", False)


async def test_other_databases_and_later_tasks_are_not_held(
    db: Database, key: NewKey, traces: Any, database_url: str
) -> None:
    other = await connect(database_url)
    left: list[asyncio.Task[None]] = []

    async def late() -> None:
        await asyncio.sleep(0.1)
        await db.transaction(lambda conn: add(conn, "late"))

    async def work() -> tuple[int, Any]:
        await db.transaction(lambda conn: add(conn, "undone"))
        await other.transaction(lambda conn: add(conn, "other"))
        left.append(asyncio.create_task(late()))
        return 500, "x"

    assert await Caller(db, key, work).send() == (500, "x", False)
    await left[0]
    assert await traces() == ["late", "other"]
    await other.close()


async def test_the_application_hears_of_a_caller_who_leaves(db: Database, key: NewKey, traces: Any) -> None:
    caller = Caller(db, key, lambda: asyncio.sleep(0, (200, "x")))

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await db.transaction(lambda conn: add(conn, "a"))
        heard = [(await receive())["type"] for _ in range(2)]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(heard).encode(), "more_body": False})

    caller.layer._app = app
    assert await caller.send() == (200, ["http.request", "http.disconnect"], False)
    assert await traces() == ["a"]


async def test_what_is_cancelled_in_the_middle_has_not_happened(db: Database, key: NewKey, traces: Any) -> None:
    async def work() -> tuple[int, Any]:
        await db.transaction(lambda conn: add(conn, "a"))

        async def sleep(conn: Connection) -> None:
            await add(conn, "b")
            await conn.execute("SELECT pg_sleep(20)")

        task = asyncio.ensure_future(db.transaction(sleep))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return 200, "left"

    caller = Caller(db, key, work)
    assert await caller.send() == (200, "left", False)
    assert await traces() == ["a"]
    assert await caller.send() == (200, "left", True)


async def test_an_answer_that_names_who_was_erased_meanwhile_is_not_kept(
    db: Database, key: NewKey, traces: Any, api: Any
) -> None:
    ann, bob = (api.call("POST", "/v1/customers", {"source_id": name}) for name in ("ann", "bob"))

    async def work() -> tuple[int, Any]:
        await db.transaction(lambda conn: add(conn, "a"))
        await asyncio.to_thread(api.call, "POST", f"/v1/customers/{ann['id']}/permanent-deletion")
        return 200, {"id": ann["id"]}

    caller = Caller(db, key, work, names_erased)
    assert await caller.send() == (200, {"id": ann["id"]}, False)
    status, content, _ = await caller.send()
    assert (status, content["key"]) == (410, "idempotency_answer_erased")
    assert await traces() == ["a"]

    async def kept() -> tuple[int, Any]:
        return 200, {"id": bob["id"]}

    caller = Caller(db, key, kept, names_erased)
    assert [await caller.send("b") for _ in range(2)] == [(200, {"id": bob["id"]}, again) for again in (False, True)]


async def test_who_is_named_in_an_answer_is_erased_after_it_is_kept(
    db: Database, key: NewKey, traces: Any, project_id: int, api: Any
) -> None:
    ann = api.call("POST", "/v1/customers", {"source_id": "ann"})
    path = f"/v1/customers/{ann['id']}/permanent-deletion"
    begun: list[asyncio.Task[Any]] = []

    async def late(conn: Connection, project: int, answer: bytes) -> bool:
        found = await names_erased(conn, project, answer)
        begun.append(asyncio.create_task(asyncio.to_thread(api.call, "POST", path)))
        await asyncio.sleep(0.3)
        assert not begun[0].done()
        return found

    async def work() -> tuple[int, Any]:
        return 200, {"id": ann["id"]}

    await Caller(db, key, work, late).send()
    await begun[0]
    async with db.read() as conn:
        rows = await conn.fetch("SELECT answer, erased FROM idempotency_keys WHERE project_id = $1", project_id)
    assert [tuple(row) for row in rows] == [(None, True)]
    assert await traces() == []


async def test_a_deadlock_while_the_answer_is_kept_runs_the_request_again(
    db: Database, key: NewKey, traces: Any
) -> None:
    looked: list[bytes] = []

    async def once(_conn: Connection, _project_id: int, answer: bytes) -> bool:
        looked.append(answer)
        if len(looked) == 1:
            raise Restart
        return False

    async def work() -> tuple[int, Any]:
        await db.transaction(lambda conn: add(conn, "a"))
        return 200, "done"

    assert await Caller(db, key, work, once).send() == (200, "done", False)
    assert (await traces(), len(looked)) == (["a"], 2)


async def test_an_answer_that_could_not_be_kept_is_never_sent(db: Database, key: NewKey, traces: Any) -> None:
    async def never(_conn: Connection, _project_id: int, _answer: bytes) -> bool:
        raise Restart

    async def work() -> tuple[int, Any]:
        await db.transaction(lambda conn: add(conn, "a"))
        return 200, "done"

    status, content, _ = await Caller(db, key, work, never).send()
    assert (status, content["key"]) == (503, "service_unavailable")
    assert await traces() == []


async def test_the_first_transaction_keeps_what_its_earlier_runs_have_learnt(
    db: Database, key: NewKey, traces: Any
) -> None:
    calls: list[str] = []

    async def work() -> tuple[int, Any]:
        calls.append("request")
        learnt: list[int] = []

        async def once(conn: Connection) -> None:
            await add(conn, f"run {len(learnt)}")
            learnt.append(1)
            if len(learnt) < 3:
                raise Restart

        await db.transaction(once)
        return 200, len(learnt)

    assert await Caller(db, key, work).send() == (200, 3, False)
    assert (calls, await traces()) == (["request"], ["run 2"])
