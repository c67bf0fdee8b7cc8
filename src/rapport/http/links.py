"""Links that work without a key: signed with the project's secret, for one path, for a while."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from litestar import Request

from rapport.core.clock import iso, parse_instant
from rapport.core.errors import Unauthorized


class LinkRefused(Unauthorized):
    """The link is not one of ours, or its time is over."""


def _signature(secret: bytes, path: str, project: str, until: str) -> str:
    return hmac.new(secret, f"{path}\n{project}\n{until}".encode(), hashlib.sha256).hexdigest()


def signed(secret: bytes, path: str, project: str, until: datetime) -> str:
    """Return `path` with what makes it a link that works until then; `project` is the project's public id."""
    moment = iso(until)
    query = {"project": project, "until": moment, "signature": _signature(secret, path, project, moment)}
    return f"{path}?{urlencode(query)}"


def check(secret: bytes, path: str, query: Mapping[str, str], now: datetime) -> None:
    """Raise LinkRefused unless the query of a request for `path` was signed by `signed` and is still in time."""
    project, until = query.get("project", ""), query.get("until", "")
    wanted = _signature(secret, path, project, until)
    if not hmac.compare_digest(wanted.encode(), query.get("signature", "").encode()):
        raise LinkRefused("The link is not complete, or was changed")
    if parse_instant(until) <= now:
        raise LinkRefused("The time of this link is over")


def base_url(request: Request[Any, Any, Any]) -> str:
    """Return where this server is reached from outside, without a slash at the end: as configured, or as called."""
    configured: str | None = request.app.state.public_url
    return configured or str(request.base_url).rstrip("/")
