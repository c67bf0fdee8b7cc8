"""Identifiers in paths: one that holds a slash is written `%2F`, and must not be taken for two parts of the path."""

import re
from typing import Any, Final
from urllib.parse import unquote

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

# Stands for an encoded slash while a path is matched: a code point that no text may hold.
_PLACEHOLDER: Final = "\ufdd0"
_ENCODED: Final = re.compile("%2f", re.IGNORECASE)


def keep_slashes(app: ASGIApp) -> ASGIApp:
    """Return the app with encoded slashes kept apart from those between the parts of a path."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            raw = scope["raw_path"].decode("latin-1")
            if _ENCODED.search(raw):
                parts = (unquote(part) for part in _ENCODED.split(raw))
                scope["path"] = _PLACEHOLDER.join(parts)
        await app(scope, receive, send)

    return wrapped


def restored(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return path parameters with their slashes as the caller meant them."""
    return {
        name: value.replace(_PLACEHOLDER, "/") if isinstance(value, str) else value
        for name, value in parameters.items()
    }
