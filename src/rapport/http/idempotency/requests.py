"""Requests that carry an idempotency key: the key itself, the whole body, and what makes two of them the same."""

import hashlib
import re
from typing import Any, Final

from litestar.enums import ScopeType
from litestar.types import HTTPScope, Receive, ReceiveMessage, Scope

from rapport.core.errors import PayloadTooLarge
from rapport.http.idempotency.errors import BadKey

MAX_KEY: Final = 255
_METHODS: Final = frozenset({"POST", "PUT"})
_PRINTABLE: Final = re.compile(rb"[\x20-\x7e]+")
_BOUNDARY: Final = re.compile(rb'multipart/form-data\s*;.*boundary="?([^";,]+)"?', re.IGNORECASE)


def header(scope: Scope, name: bytes) -> bytes | None:
    """Return the first header of this (lower-case) name."""
    return next((value for found, value in scope["headers"] if found == name), None)


def carries_key(scope: Scope) -> bool:
    """Tell whether this is a request that idempotency is about."""
    if scope["type"] != ScopeType.HTTP or scope["method"] not in _METHODS:
        return False
    return any(name == b"idempotency-key" for name, _ in scope["headers"])


def read_key(scope: Scope) -> str:
    """Return the key. Raises BadKey."""
    values = [value for name, value in scope["headers"] if name == b"idempotency-key"]
    if len(values) > 1:
        raise BadKey("The header Idempotency-Key should be given once")
    if not 1 <= len(values[0]) <= MAX_KEY or not _PRINTABLE.fullmatch(values[0]):
        raise BadKey(f"The header Idempotency-Key should have 1 to {MAX_KEY} printable ASCII characters")
    return values[0].decode("ascii")


async def read_whole(receive: Receive, most: int) -> bytes | None:
    """Return the body, or None if the caller left before its end. Raises PayloadTooLarge over `most` bytes."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            raise PayloadTooLarge(f"With an Idempotency-Key, a body may have at most {most} bytes")
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def fingerprint(scope: HTTPScope, body: bytes) -> bytes:
    """Return the SHA-256 of method, path, query and body; the boundary of a form, made anew each time, is left out."""
    found = _BOUNDARY.match(header(scope, b"content-type") or b"")
    if found is not None:
        body = body.replace(found[1].strip(), b"")
    head = b"\n".join((scope["method"].encode(), scope["raw_path"], scope["query_string"], b""))
    return hashlib.sha256(head + body).digest()


def replayed(body: bytes, receive: Receive) -> Receive:
    """Return a channel that gives a body which has been read already, then whatever else comes."""
    pending: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> ReceiveMessage:
        message: ReceiveMessage = pending.pop() if pending else await receive()
        return message

    return again
