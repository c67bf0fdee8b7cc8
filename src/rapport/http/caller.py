"""Who calls: the key behind `X-App-Id` and `X-App-Token`, and what every handler needs to act for it."""

import hashlib
import hmac
import time
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec
from litestar import Request
from litestar.datastructures import State

from rapport.activity.log import Source
from rapport.core.db import Connection, Database
from rapport.core.errors import Unauthorized

KEY_CACHE_S: Final = 5.0
MAX_CACHED_KEYS: Final = 10_000


class Key(Protocol):
    """An API key as the projects feature stores it."""

    @property
    def project_id(self) -> int:
        """The project that the key opens."""

    @property
    def app_id(self) -> str:
        """The public half."""

    @property
    def kind(self) -> str:
        """What it may do: server, client or management."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def token_hash(self) -> bytes:
        """The SHA-256 of the secret half."""


class FindKey(Protocol):
    """Looks a key up by its public half."""

    async def __call__(self, conn: Connection, app_id: str) -> Key | None:
        """Return the key, or None."""


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated request: which project it may touch, and how its deeds are signed in the activity log."""

    project_id: int
    db: Database
    request_id: str
    source: Source


class KeyRing:
    """Checks keys, remembering each for a few seconds: a replaced token works for up to `KEY_CACHE_S` more."""

    def __init__(self, db: Database, find_key: FindKey) -> None:
        """Read keys with `find_key`."""
        self._db = db
        self._find_key = find_key
        self._known: dict[str, tuple[float, Key, Source]] = {}

    async def check(self, app_id: str | None, token: str | None, who: str = "App") -> tuple[Key, Source]:
        """Return the key that the two headers name; `who` is the middle of their names. Raises Unauthorized."""
        if not app_id or not token:
            raise Unauthorized(f"Missing X-{who}-Id or X-{who}-Token header")
        now = time.monotonic()
        known = self._known.get(app_id)
        if known is None or known[0] < now:
            async with self._db.read() as conn:
                key = await self._find_key(conn, app_id)
            if key is None:
                raise Unauthorized(f"Unknown X-{who}-Id or wrong X-{who}-Token")
            if len(self._known) >= MAX_CACHED_KEYS:
                self._known.clear()
            source = Source("API", {"name": key.name, "app_id": key.app_id})
            known = self._known[app_id] = (now + KEY_CACHE_S, key, source)
        _, key, source = known
        if not hmac.compare_digest(hashlib.sha256(token.encode()).digest(), key.token_hash):
            self._known.pop(app_id, None)
            raise Unauthorized(f"Unknown X-{who}-Id or wrong X-{who}-Token")
        return key, source


async def server_caller(request: Request[None, None, State]) -> Caller:
    """Authenticate a server-side request. Raises Unauthorized."""
    ring: KeyRing = request.app.state.key_ring
    key, source = await ring.check(request.headers.get("x-app-id"), request.headers.get("x-app-token"))
    if key.kind != "server":
        raise Unauthorized(f"A {key.kind} key may not call this operation")
    return Caller(key.project_id, request.app.state.db, request.scope["state"]["request_id"], source)


async def management_caller(request: Request[None, None, State]) -> Caller:
    """Authenticate a request of the management API. Raises Unauthorized."""
    ring: KeyRing = request.app.state.key_ring
    headers = request.headers
    key, source = await ring.check(headers.get("x-management-id"), headers.get("x-management-token"), "Management")
    if key.kind != "management":
        raise Unauthorized(f"A {key.kind} key may not call this operation")
    return Caller(key.project_id, request.app.state.db, request.scope["state"]["request_id"], source)


class Health(msgspec.Struct):
    """The answer of `GET /health`."""

    status: str
    version: str
