"""The outermost layer of the application: what a request with an Idempotency-Key does and its answer commit together.

    claim the key → the request, its reads and writes in the same transaction → keep the answer → commit → answer

A second request with the key waits at the claim for the first one, and finds its answer or that nothing was done.
Cut short at any place, the request has either not happened or is kept with its answer.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, cast

from litestar import Litestar, Request
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from rapport.core.db import ATTEMPTS, Connection, Contention, Database, Held, Restart, StatementTimeout
from rapport.core.errors import Unauthorized
from rapport.http.caller import CLIENT_HEADERS, MANAGEMENT_HEADERS, SERVER_HEADERS, KeyRing
from rapport.http.errors import RUNS_AGAIN, Overtaken, error_answer
from rapport.http.idempotency import queries, requests
from rapport.http.idempotency.errors import AnswerErased, AnswerTooLarge, KeyInProgress, KeyReused
from rapport.http.idempotency.queries import Kept, Name
from rapport.http.origins import origin_of

MAX_ANSWER: Final = 4 * 1024 * 1024
MAX_WAIT_S: Final = 30.0
_REPLAYED: Final = (b"idempotency-replayed", b"true")


# Told by the transaction that keeps an answer: connection, project, answer.
NamesErased = Callable[[Connection, int, bytes], Awaitable[bool]]


@dataclass(slots=True)
class _Answer:
    """An answer that waits to be sent."""

    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    parts: list[bytes] = field(default_factory=list)
    size: int = 0
    complete: bool = False

    async def take(self, message: Message) -> None:
        """Take what the application sends."""
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message["headers"])
        elif message["type"] == "http.response.body":
            part = message.get("body", b"")
            self.size += len(part)
            if self.size <= MAX_ANSWER:
                self.parts.append(part)
            self.complete = not message.get("more_body", False)

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    @property
    def content_type(self) -> str | None:
        return next((value.decode("latin-1") for name, value in self.headers if name == b"content-type"), None)

    @property
    def is_private(self) -> bool:
        """Whether it says itself that nobody is to keep it: the receipt of a permanent deletion does."""
        return (b"cache-control", b"no-store") in self.headers

    async def send(self, send: Send) -> None:
        """Send it to the caller."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": False})


def _replay(kept: Kept, fingerprint: bytes) -> _Answer:
    """Return the answer that was given before. Raises KeyReused, AnswerErased."""
    if kept.fingerprint != fingerprint:
        raise KeyReused
    if kept.erased or kept.status is None or kept.answer is None:
        raise AnswerErased
    headers = [(b"content-length", str(len(kept.answer)).encode()), _REPLAYED]
    if kept.status == 204:
        headers = [_REPLAYED]
    if kept.content_type is not None:
        headers.insert(0, (b"content-type", kept.content_type.encode("latin-1")))
    return _Answer(kept.status, headers, [kept.answer], len(kept.answer), complete=True)


class _Claim:
    """What begins each transaction of a request: its key is taken, or somebody else's answer is found."""

    def __init__(self, name: Name, fingerprint: bytes, offset: timedelta) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self.found: Kept | None = None
        self.overtaken = False
        self._offset = offset

    async def __call__(self, conn: Connection) -> None:
        if not await queries.claim(conn, self.name, self.fingerprint, self._offset):
            self.overtaken = True
            self.found = await queries.find(conn, self.name)
            raise Overtaken


class _Turns:
    """Repeats of one request within this process wait here, so that only one of them holds a connection."""

    def __init__(self) -> None:
        self._waiting: dict[Name, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def take(self, name: Name) -> AsyncIterator[None]:
        """Wait for the turn. Raises KeyInProgress."""
        lock, number = self._waiting.get(name, (asyncio.Lock(), 0))
        self._waiting[name] = lock, number + 1
        try:
            try:
                async with asyncio.timeout(MAX_WAIT_S):
                    await lock.acquire()
            except TimeoutError as error:
                raise KeyInProgress from error
            try:
                yield
            finally:
                lock.release()
        finally:
            lock, number = self._waiting.pop(name)
            if number > 1:
                self._waiting[name] = lock, number - 1


class Idempotency:
    """The layer: an ASGI application around the one that does the work."""

    def __init__(self, app: ASGIApp, litestar: Litestar, *, max_body_bytes: int, names_erased: NamesErased) -> None:
        """Pass on to `app` whatever carries no key; `litestar` has the database and the ring of API keys.

        `names_erased`: tells whether an answer is about somebody who has been deleted for good meanwhile.
        """
        self._app = app
        self._names_erased = names_erased
        self._litestar = litestar
        self._max_body_bytes = max_body_bytes
        self._turns = _Turns()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if not requests.carries_key(scope):
            await self._app(scope, receive, send)
            return
        app_id = await self._app_id(scope)
        if app_id is None:
            await self._app(scope, receive, send)
            return
        try:
            answer = await self._answer(cast("HTTPScope", scope), receive, *app_id)
        except Exception as error:  # noqa: BLE001 (this is above the application: nobody else makes answers of errors)
            asked: Any = {**scope, "app": self._litestar}
            response = error_answer(Request(asked, receive, send), error)
            headers = [
                (b"content-type", str(response.media_type).encode()),
                (b"content-length", str(len(response.content)).encode()),
            ]
            answer = _Answer(response.status_code or 500, headers, [response.content])
        if answer is not None:
            await answer.send(send)

    async def _app_id(self, scope: Scope) -> tuple[int, str] | None:
        """Return the project and the API key of a request, or None where the application will refuse it."""
        ring: KeyRing = self._litestar.state.key_ring
        for names in (SERVER_HEADERS, CLIENT_HEADERS, MANAGEMENT_HEADERS):
            app_id, token = (requests.header(scope, name.lower().encode()) for name in names)
            if app_id is None or token is None:
                continue
            try:
                key, _ = await ring.check(app_id.decode("latin-1"), token.decode("latin-1"))
            except Unauthorized:
                return None
            if names is CLIENT_HEADERS and not key.client_side.trusts(origin_of(scope["headers"])):
                return None  # what was answered to a page is not said again to another
            return key.project_id, key.app_id
        return None

    async def _answer(self, scope: HTTPScope, receive: Receive, project_id: int, app_id: str) -> _Answer | None:
        name = Name(project_id, app_id, requests.read_key(scope))
        body = await requests.read_whole(receive, self._max_body_bytes)
        if body is None:
            return None
        db: Database = self._litestar.state.db
        fingerprint = requests.fingerprint(scope, body)
        async with self._turns.take(name):
            for attempt in range(ATTEMPTS):
                claim = _Claim(name, fingerprint, db.clock_offset)
                # The framework keeps in `state` what it has done with a request: each attempt is a new request to it.
                fresh = {**scope, "state": {**(scope.get("state") or {}), RUNS_AGAIN: True}}
                answer, again = await self._attempt(db, claim, fresh, requests.replayed(body, receive))
                if not again:
                    return answer
                await asyncio.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311 (jitter, not a secret)
        raise Restart  # whatever the last attempt answered was undone

    async def _attempt(self, db: Database, claim: _Claim, scope: Any, receive: Receive) -> tuple[_Answer | None, bool]:
        """Do the request once; return its answer, and whether it was undone and is to be done again."""
        answer = _Answer()
        async with db.hold(claim) as held:
            try:
                await self._open(held)
                await self._app(scope, receive, answer.take)
                if not claim.overtaken and not held.contended:
                    return await self._finish(held, claim, answer), False
            except Overtaken:
                await held.undo()
            except Contention:
                await held.undo()
                held.contended = True
        if claim.overtaken:
            return (None, True) if claim.found is None else (_replay(claim.found, claim.fingerprint), False)
        return answer, True

    async def _open(self, held: Held) -> None:
        try:
            await held.open()
        except StatementTimeout as error:
            raise KeyInProgress from error

    async def _finish(self, held: Held, claim: _Claim, answer: _Answer) -> _Answer | None:
        """Commit with the answer, or undo what is not to be kept: errors that changed nothing, and those of ours."""
        if not answer.complete:
            return None
        if answer.status >= 500 or (answer.status >= 400 and not held.kept):
            return answer
        if answer.size > MAX_ANSWER:
            raise AnswerTooLarge
        if held.broken:
            raise RuntimeError("a read failed and the request went on")
        conn = await held.open()
        if answer.is_private or await self._names_erased(conn, claim.name.project_id, answer.body):
            await queries.store_erased(conn, claim.name)
        else:
            await queries.store(conn, claim.name, answer.status, answer.content_type, answer.body)
        await held.commit()
        return answer
