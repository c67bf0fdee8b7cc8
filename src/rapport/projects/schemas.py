"""A project on the wire."""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rapport.core.errors import InvalidPayload
from rapport.http.client_side import SWITCHES
from rapport.http.origins import ANYBODY, find_entry
from rapport.projects.models import ProjectSettings

MAX_DOMAINS: Final = 100
# Codes that differ in case are different codes, everywhere.
CASE_SENSITIVE: Final = True

Domain = Annotated[str, Meta(min_length=1, max_length=255)]
Domains = Annotated[list[Domain], Meta(max_length=MAX_DOMAINS)]
Currency = Annotated[str, Meta(pattern="^(?:[A-Z]{3})?\\Z")]
DialCode = Annotated[str, Meta(pattern="^(?:\\+?[0-9]{1,7})?\\Z")]


class ProjectUpdate(msgspec.Struct, kw_only=True):
    """`ManagementProjectsUpdateRequestBody` of the reference, as far as there are such settings.

    What is left out or null stays, an empty text removes one. `id`, `timezone` and `case_sensitive_codes` cannot
    change, and may be given as they are.
    """

    name: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    description: Annotated[str, Meta(max_length=1_000)] | None = None
    currency: Currency | None = None
    dial_code: DialCode | None = None
    client_trusted_domains: Domains | None = None
    client_redeem_enabled: bool | None = None
    client_publish_enabled: bool | None = None
    client_list_vouchers_enabled: bool | None = None
    client_create_customer_enabled: bool | None = None
    client_loyalty_events_enabled: bool | None = None
    client_set_voucher_expiration_date_enabled: bool | None = None
    id: str | None = None
    timezone: str | None = None
    case_sensitive_codes: bool | None = None


class ProjectView(msgspec.Struct, kw_only=True):
    """`ManagementProject` of the reference; `currency` is there once it was set."""

    id: str
    name: str
    description: str
    timezone: str
    dial_code: str | None
    case_sensitive_codes: bool
    client_trusted_domains: list[str]
    client_redeem_enabled: bool
    client_publish_enabled: bool
    client_list_vouchers_enabled: bool
    client_create_customer_enabled: bool
    client_loyalty_events_enabled: bool
    client_set_voucher_expiration_date_enabled: bool
    currency: str | UnsetType = UNSET


class ProjectList(msgspec.Struct, kw_only=True):
    """The answer of `list-projects`: a key opens one."""

    object: Literal["list"] = "list"
    data_ref: Literal["data"] = "data"
    data: list[ProjectView]
    total: int


def view(project: ProjectSettings) -> ProjectView:
    """Return the project object of the API."""
    return ProjectView(
        id=project.id,
        name=project.name,
        description=project.description,
        currency=UNSET if project.currency is None else project.currency,
        timezone=project.time_zone,
        dial_code=project.dial_code,
        case_sensitive_codes=CASE_SENSITIVE,
        client_trusted_domains=project.client_trusted_domains,
        **{one: getattr(project, one) for one in SWITCHES},
    )


def check_known(raw: dict[str, Any]) -> None:
    """Raise InvalidPayload for a property that is no setting of a project here."""
    for name in raw:
        if name not in ProjectUpdate.__struct_fields__:
            raise InvalidPayload(f"Property .{name[:100]} is not a setting that a project has here")


def changes(data: ProjectUpdate, current: ProjectSettings) -> dict[str, Any]:
    """Return what a request sets, by the names of columns; None stays as it is. Raises InvalidPayload."""
    if data.id is not None and data.id != current.id:
        raise InvalidPayload("Property .id cannot be changed")
    if data.timezone is not None and data.timezone != current.time_zone:
        raise InvalidPayload(
            f"Property .timezone cannot be changed, it is {current.time_zone}: segments depend on where days begin. "
            "A project gets its time zone when it is made"
        )
    if data.case_sensitive_codes is not None and data.case_sensitive_codes is not CASE_SENSITIVE:
        raise InvalidPayload("Property .case_sensitive_codes cannot be changed: codes are case-sensitive")
    if data.name is not None and (not data.name.strip() or not data.name.isprintable()):
        raise InvalidPayload("Property .name should have characters that can be printed, and not only spaces")
    if data.client_trusted_domains is not None:
        for place, entry in enumerate(data.client_trusted_domains):
            if entry != ANYBODY and find_entry(entry) is None:
                raise InvalidPayload(
                    f"Property .client_trusted_domains[{place}] should be an origin as https://shop.example, a host as "
                    "shop.example, or *.shop.example for its subdomains, without a path"
                )
    names = ("description", "currency", "dial_code", "client_trusted_domains", *SWITCHES)
    return {"display_name": data.name, **{name: getattr(data, name) for name in names}}
