"""A project and its keys as values."""

from datetime import datetime
from typing import Literal

import msgspec

from rapport.http.client_side import ClientSide

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


class ProjectSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the management API shows of a project, most of which it can change."""

    id: str
    name: str
    description: str
    currency: str | None
    dial_code: str | None
    time_zone: str
    client_trusted_domains: list[str]
    client_redeem_enabled: bool
    client_publish_enabled: bool
    client_list_vouchers_enabled: bool
    client_create_customer_enabled: bool
    client_loyalty_events_enabled: bool
    client_set_voucher_expiration_date_enabled: bool


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One API key row; of the token only the SHA-256 is kept."""

    project_id: int
    app_id: str
    kind: Kind
    token_hash: bytes
    name: str
    created_at: datetime
    # What its project lets client keys do.
    client_side: ClientSide


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key just made, with its token in clear: the only time it can be seen."""

    project_id: str
    project: str
    kind: Kind
    app_id: str
    app_token: str
