"""Client-side operations are called from web pages of other origins: what browsers want to hear before they do."""

from typing import Final

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

PREFIX: Final = "/client/"
# No cookies are involved: a client key is public, and works from any page that knows it.
_ANYONE: Final = (b"access-control-allow-origin", b"*")
_READABLE: Final = (b"access-control-expose-headers", b"idempotency-replayed, retry-after")
_PREFLIGHT: Final = [
    _ANYONE,
    (b"access-control-allow-methods", b"GET, POST, PUT, OPTIONS"),
    (b"access-control-allow-headers", b"content-type, x-client-application-id, x-client-token, idempotency-key"),
    (b"access-control-max-age", b"86400"),
]


def open_to_pages(app: ASGIApp) -> ASGIApp:
    """Return the app with its client-side operations open to pages of any origin."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or not scope["path"].startswith(PREFIX):
            await app(scope, receive, send)
            return
        if scope["method"] == "OPTIONS":
            await send({"type": "http.response.start", "status": 204, "headers": _PREFLIGHT})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return

        async def send_openly(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], _ANYONE, _READABLE]
            await send(message)

        await app(scope, receive, send_openly)

    return wrapped
