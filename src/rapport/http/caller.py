"""Who calls: the key behind `X-App-Id` and `X-App-Token`, and what every handler needs to act for it."""

import hashlib
import hmac
import re
import time
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec
from litestar import Request
from litestar.datastructures import State

from rapport.activity.log import Channel, Source
from rapport.core.db import Connection, Database
from rapport.core.errors import InvalidPayload, Unauthorized
from rapport.http.client_side import ClientSide
from rapport.http.origins import origin_of

KEY_CACHE_S: Final = 5.0
MAX_CACHED_KEYS: Final = 10_000
SERVER_HEADERS: Final = ("X-App-Id", "X-App-Token")
CLIENT_HEADERS: Final = ("X-Client-Application-Id", "X-Client-Token")
MANAGEMENT_HEADERS: Final = ("X-Management-Id", "X-Management-Token")
_OWN_ID: Final = re.compile("cust_[0-9A-Za-z]{24}")


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

    @property
    def client_side(self) -> ClientSide:
        """What the project lets client keys do."""


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
    # Whether customers who are not known may be made in its name.
    makes_customers: bool = True


class KeyRing:
    """Checks keys, remembering each for a few seconds, with the settings of its project.

    A replaced token works for up to `KEY_CACHE_S` more, and a changed setting holds that much later.
    """

    def __init__(self, db: Database, find_key: FindKey) -> None:
        """Read keys with `find_key`."""
        self._db = db
        self._find_key = find_key
        self._known: dict[str, tuple[float, Key, Source]] = {}

    async def check(
        self, app_id: str | None, token: str | None, names: tuple[str, str] = SERVER_HEADERS
    ) -> tuple[Key, Source]:
        """Return the key that the two headers, called `names`, hold. Raises Unauthorized."""
        if not app_id or not token:
            raise Unauthorized(f"Missing {names[0]} or {names[1]} header")
        now = time.monotonic()
        known = self._known.get(app_id)
        if known is None or known[0] < now:
            async with self._db.read() as conn:
                key = await self._find_key(conn, app_id)
            if key is None:
                raise Unauthorized(f"Unknown {names[0]} or wrong {names[1]}")
            if len(self._known) >= MAX_CACHED_KEYS:
                self._known.clear()
            channel: Channel = "CLIENT_API" if key.kind == "client" else "API"
            source = Source(channel, {"name": key.name, "app_id": key.app_id})
            known = self._known[app_id] = (now + KEY_CACHE_S, key, source)
        _, key, source = known
        if not hmac.compare_digest(hashlib.sha256(token.encode()).digest(), key.token_hash):
            self._known.pop(app_id, None)
            raise Unauthorized(f"Unknown {names[0]} or wrong {names[1]}")
        return key, source


async def _checked(request: Request[None, None, State], kind: str, headers: tuple[str, str]) -> tuple[Key, Source]:
    ring: KeyRing = request.app.state.key_ring
    app_id, token = (request.headers.get(name) for name in headers)
    key, source = await ring.check(app_id, token, headers)
    if key.kind != kind:
        raise Unauthorized(f"A {key.kind} key may not call this operation")
    return key, source


async def _caller(request: Request[None, None, State], kind: str, headers: tuple[str, str]) -> Caller:
    key, source = await _checked(request, kind, headers)
    return Caller(key.project_id, request.app.state.db, request.scope["state"]["request_id"], source)


async def server_caller(request: Request[None, None, State]) -> Caller:
    """Authenticate a server-side request. Raises Unauthorized."""
    return await _caller(request, "server", SERVER_HEADERS)


async def client_caller(request: Request[None, None, State]) -> Caller:
    """Authenticate a request from a shop's web page or app, whose key anybody can read.

    Such a caller names a customer by source id only, and learns nothing about people from the answer.
    Raises Unauthorized; Forbidden where the project trusts other origins, or has disabled the operation.
    """
    key, source = await _checked(request, "client", CLIENT_HEADERS)
    key.client_side.check(origin_of(request.scope["headers"]), request.route_handler.opt["switch"])
    return Caller(
        key.project_id,
        request.app.state.db,
        request.scope["state"]["request_id"],
        source,
        makes_customers=key.client_side.allows("client_create_customer_enabled"),
    )


def check_client_name(source_id: str) -> str:
    """Return a source id that a client key may name a customer by. Raises InvalidPayload for one of our own ids."""
    if _OWN_ID.fullmatch(source_id):
        raise InvalidPayload("A client key names a customer by source_id, not by id")
    if not 1 <= len(source_id) <= 255 or "\x00" in source_id:
        raise InvalidPayload("A source_id has 1 to 255 characters, none of them NUL")
    return source_id


async def management_caller(request: Request[None, None, State]) -> Caller:
    """Authenticate a request of the management API. Raises Unauthorized."""
    return await _caller(request, "management", MANAGEMENT_HEADERS)


class Health(msgspec.Struct):
    """The answer of `GET /health`."""

    status: str
    version: str
