"""The layer that counts failed attempts, around everything else: what it counts is kept whatever the request undid.

    budget used up? → 429 | the request → did it fail? → take it off the budgets → used up? → 429 | the answer

What succeeds costs a server key a look into this process's memory, and a client key one look-up by primary key.
"""

import asyncio
import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast
from urllib.parse import parse_qsl

import structlog
from litestar import Litestar, Request
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, ReceiveMessage, Scope, Send

from rapport.core.db import Connection, Database
from rapport.core.errors import InvalidPayload, Unauthorized
from rapport.http.attempts import addresses, queries
from rapport.http.attempts.addresses import Network
from rapport.http.attempts.budgets import Budgets, Subject, subjects
from rapport.http.attempts.errors import TooManyAttempts
from rapport.http.attempts.models import Asked, Reader
from rapport.http.caller import CLIENT_HEADERS, SERVER_HEADERS, Key, KeyRing
from rapport.http.cors import PREFIX
from rapport.http.errors import error_answer

# By which a server key says whom it asks for; without it, its requests are counted under no address.
SHOPPER_ADDRESS: Final = b"x-shopper-address"
# A client key is told of a failure only at full tenths of a second: how long it took says nothing.
ANSWER_EVERY_S: Final = 0.1
MAX_KNOWN: Final = 10_000
_SLASHES: Final = re.compile("/+")

log = structlog.get_logger(__name__)


class _Overdrawn(Exception):
    """A budget is used up: nothing is to be taken off the others."""


@dataclass(slots=True)
class _Answer:
    """An answer that waits to be sent."""

    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    parts: list[bytes] = field(default_factory=list)

    async def take(self, message: Message) -> None:
        """Take what the application sends."""
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message["headers"])
        elif message["type"] == "http.response.body":
            self.parts.append(message.get("body", b""))

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    @property
    def is_replayed(self) -> bool:
        """Whether it was given before: it tells nothing new."""
        return any(name == b"idempotency-replayed" for name, _ in self.headers)

    def closed(self) -> "_Answer":
        """Return it with its length."""
        self.headers.append((b"content-length", str(len(self.body)).encode()))
        return self

    async def send(self, send: Send) -> None:
        """Send it; where the caller has left, there is none."""
        if self.status:
            await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
            await send({"type": "http.response.body", "body": self.body, "more_body": False})


async def _peek(receive: Receive, most: int) -> tuple[bytes, Receive]:
    """Return the body as far as `most` bytes, and a channel that gives all of it again."""
    messages: list[ReceiveMessage] = []
    size = 0
    more = True
    while more and size <= most:
        message = await receive()
        messages.append(message)
        if message["type"] != "http.request":
            break
        size += len(message.get("body", b""))
        more = bool(message.get("more_body", False))
    pending = list(reversed(messages))

    async def again() -> ReceiveMessage:
        return pending.pop() if pending else await receive()

    if size > most:
        return b"", again
    return b"".join(one.get("body", b"") for one in messages if one["type"] == "http.request"), again


class _Known:
    """Who has to wait, as this process knows: a budget that is used up stays so for a while, whatever others do."""

    def __init__(self) -> None:
        self._until: dict[tuple[int, bytes], float] = {}
        self._latest = 0.0

    @property
    def is_empty(self) -> bool:
        """Whether nobody has to wait."""
        return time.monotonic() >= self._latest

    def wait_s(self, project_id: int, asked: Sequence[Subject]) -> float:
        now = time.monotonic()
        return max((self._until.get((project_id, one.digest), now) - now for one in asked), default=0.0)

    def add(self, project_id: int, subject: Subject, wait_s: float) -> None:
        if len(self._until) >= MAX_KNOWN:
            now = time.monotonic()
            self._until = {name: until for name, until in self._until.items() if until > now}
            if len(self._until) >= MAX_KNOWN:
                self._until.clear()
        until = time.monotonic() + wait_s
        self._until[project_id, subject.digest] = until
        self._latest = max(self._latest, until)


class Attempts:
    """The layer: an ASGI application around the one that does the work."""

    def __init__(
        self,
        app: ASGIApp,
        litestar: Litestar,
        reader: Reader,
        budgets: Budgets,
        *,
        trusted_proxies: Sequence[Network],
        max_body_bytes: int,
    ) -> None:
        """Pass on to `app`; `litestar` has the database and the ring of API keys, `reader` knows what codes are."""
        self._app = app
        self._litestar = litestar
        self._reader = reader
        self._budgets = budgets
        self._trusted = trusted_proxies
        self._max_body_bytes = max_body_bytes
        self._known = _Known()
        self._warned = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        # As it is routed: decoded, and without what the router leaves out of account.
        path = _SLASHES.sub("/", scope["path"]).rstrip("/") if scope["type"] == ScopeType.HTTP else ""
        if not path or not self._reader.covers(scope["method"], path):  # type: ignore[typeddict-item] # it is HTTP
            await self._app(scope, receive, send)
            return
        found = cast("HTTPScope", scope)
        try:
            key = await self._key(found, path)
            if key is not None:
                answer = await self._attempt(key, found, path, receive)
        except Exception as error:  # noqa: BLE001 (this is above the application: nobody else makes answers of errors)
            answer = self._refused(found, error)
        else:
            if key is None:
                await self._app(scope, receive, send)
                return
        await answer.send(send)

    def _refused(self, scope: HTTPScope, error: Exception) -> "_Answer":
        asked: Any = {**scope, "app": self._litestar}
        response = error_answer(Request(asked), error)
        headers = [(b"content-type", str(response.media_type).encode())]
        if isinstance(error, TooManyAttempts):
            headers.append((b"retry-after", str(error.retry_after_s).encode()))
        return _Answer(response.status_code or 500, headers, [response.content]).closed()

    async def _key(self, scope: HTTPScope, path: str) -> Key | None:
        """Return the API key of a request, or None where the application will refuse it."""
        ring: KeyRing = self._litestar.state.key_ring
        kind, names = ("client", CLIENT_HEADERS) if path.startswith(PREFIX) else ("server", SERVER_HEADERS)
        given = dict(reversed(list(scope["headers"])))
        app_id, token = (given.get(name.lower().encode()) for name in names)
        if app_id is None or token is None:
            return None
        try:
            key, _ = await ring.check(app_id.decode("latin-1"), token.decode("latin-1"))
        except Unauthorized:
            return None
        return key if key.kind == kind else None

    def _subjects(self, key: Key, asked: Asked, address: addresses.Address | None) -> list[Subject]:
        """Return whose budgets a failure would be taken off."""
        budgets = self._budgets
        of_key = budgets.per_client_key if asked.by_client else budgets.per_server_key
        counted = None if address is None else addresses.counted_as(address)
        customer = self._reader.customer(asked) if budgets.per_customer else None
        return subjects(
            [
                ("key", key.app_id, of_key),
                ("address", counted, budgets.per_address),
                ("customer", customer, budgets.per_customer),
            ]
        )

    def _caller(self, scope: HTTPScope) -> addresses.Address | None:
        client = scope.get("client")
        peer = client[0] if client else None
        forwarded = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
        if forwarded and not self._trusted and not self._warned:
            self._warned = True
            log.warning("a proxy forwards addresses, and RAPPORT_TRUSTED_PROXIES names none: shoppers share its budget")
        return addresses.caller(peer, forwarded, self._trusted)

    async def _attempt(self, key: Key, scope: HTTPScope, path: str, receive: Receive) -> "_Answer":
        """Do a request unless a budget is used up; return its answer. Raises TooManyAttempts, InvalidPayload."""
        body, receive = await _peek(receive, self._max_body_bytes)
        query = dict(reversed(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)))
        asked = Asked(scope["method"], path, query, body, by_client=key.kind == "client")
        address = self._caller(scope) if asked.by_client else _shopper(scope)
        # Most requests with a server key are never looked at: nobody has to wait, and they succeed.
        counted = self._subjects(key, asked, address) if asked.by_client or not self._known.is_empty else []
        wait_s = self._known.wait_s(key.project_id, counted)
        if wait_s <= 0 and asked.by_client:
            wait_s = await self._wait_s(key.project_id, counted)
        if wait_s > 0:
            raise TooManyAttempts(math.ceil(wait_s))
        started = time.monotonic()
        answer = _Answer()
        await self._app(scope, receive, answer.take)
        told = None
        if answer.status in {200, 400, 404} and not answer.is_replayed:
            told = self._reader.failed(asked, answer.status, answer.body)
        if told is None:
            return answer
        await self._spend(key.project_id, self._subjects(key, asked, address), told.attempts)
        if asked.by_client:
            spent_s = time.monotonic() - started
            await asyncio.sleep(math.ceil(spent_s / ANSWER_EVERY_S) * ANSWER_EVERY_S - spent_s)
        headers = [(name, value) for name, value in answer.headers if name != b"content-length"]
        return _Answer(told.status, headers, [told.body]).closed()

    async def _wait_s(self, project_id: int, counted: list[Subject], attempts: int = 1) -> float:
        """Return how long to wait until so many attempts may fail, and remember who has to."""
        if not counted:
            return 0.0
        db: Database = self._litestar.state.db
        async with db.read() as conn:
            left = await queries.left(conn, project_id, counted, db.clock_offset)
        longest_s = 0.0
        for one in counted:
            wait_s = one.wait_s(left.get(one.digest, 0.0), attempts)
            if wait_s > 0 and one.wait_s(left[one.digest]) > 0:
                self._known.add(project_id, one, one.wait_s(left[one.digest]))
            longest_s = max(longest_s, wait_s)
        return longest_s

    async def _spend(self, project_id: int, counted: list[Subject], attempts: int) -> None:
        """Take failed attempts off all budgets or none. Raises TooManyAttempts."""
        if not counted:
            return
        db: Database = self._litestar.state.db

        async def work(conn: Connection) -> None:
            if not await queries.spend(conn, project_id, counted, attempts, db.clock_offset):
                raise _Overdrawn

        try:
            await db.transaction(work)
        except _Overdrawn:
            wait_s = await self._wait_s(project_id, counted, attempts)
            raise TooManyAttempts(max(1, math.ceil(wait_s))) from None


def _shopper(scope: HTTPScope) -> addresses.Address | None:
    """Return the address that a shop's server says it asks for. Raises InvalidPayload."""
    given = [value for name, value in scope["headers"] if name == SHOPPER_ADDRESS]
    if not given:
        return None
    found = addresses.parse(given[0].decode("latin-1"))
    if found is None or len(given) > 1:
        raise InvalidPayload("The header X-Shopper-Address should be one IP address")
    return found
