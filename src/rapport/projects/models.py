"""A project and its keys as values."""

from datetime import datetime
from typing import Literal

import msgspec

Kind = Literal["server", "client", "management"]
KINDS: tuple[Kind, ...] = ("server", "client", "management")
DEFAULT_PROJECT = "Default"


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """One project row; `time_zone` is an IANA name, what calendar days mean in its segments."""

    project_id: int
    id: str
    name: str
    time_zone: str
    created_at: datetime


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One API key row; of the token only the SHA-256 is kept."""

    project_id: int
    app_id: str
    kind: Kind
    token_hash: bytes
    name: str
    created_at: datetime


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key just made, with its token in clear: the only time it can be seen."""

    project_id: str
    project: str
    kind: Kind
    app_id: str
    app_token: str
