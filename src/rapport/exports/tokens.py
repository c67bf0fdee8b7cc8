"""Tokens that download a file without a key: a signed link (`http/links.py`) packed into one word."""

import base64
import binascii
import re
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl

from rapport.http.links import LinkRefused, check, signed

MAX_LENGTH: Final = 1_000
_BROKEN: Final = "The token is not complete, or was changed"
_PROJECT: Final = re.compile(r"\w{1,64}", re.ASCII)


def path_of(export_id: str) -> str:
    """Return where an export is read, and its file downloaded."""
    return f"/v1/exports/{export_id}"


def token_for(secret: bytes, export_id: str, project: str, until: datetime) -> str:
    """Return the token that opens one export's file until then; `project` is the project's public id."""
    _, _, query = signed(secret, path_of(export_id), project, until).partition("?")
    return base64.urlsafe_b64encode(query.encode()).decode().rstrip("=")


def _read(token: str) -> dict[str, str]:
    """Return what a token says, true or not. Raises LinkRefused."""
    if len(token) > MAX_LENGTH:
        raise LinkRefused(_BROKEN)
    try:
        query = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, UnicodeError, ValueError):
        raise LinkRefused(_BROKEN) from None
    return dict(parse_qsl(query))


def project_of(token: str) -> str:
    """Return the public id of the project that a token says it is of. Raises LinkRefused."""
    project = _read(token).get("project", "")
    if _PROJECT.fullmatch(project) is None:
        raise LinkRefused(_BROKEN)
    return project


def open_with(secret: bytes, export_id: str, token: str, now: datetime) -> None:
    """Raise LinkRefused unless the token was made by `token_for` for this export and is still in time."""
    check(secret, path_of(export_id), _read(token), now)
