"""What a project lets pages and apps do, whose keys anybody can read: from which origins, and which operations."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, get_args

from rapport.core.errors import Forbidden
from rapport.http.origins import ANYBODY, Place, find_entry, find_page

Switch = Literal[
    "client_redeem_enabled",
    "client_publish_enabled",
    "client_list_vouchers_enabled",
    "client_create_customer_enabled",
    "client_loyalty_events_enabled",
    "client_set_voucher_expiration_date_enabled",
]
SWITCHES: Final[tuple[Switch, ...]] = get_args(Switch)


@dataclass(frozen=True, slots=True)
class ClientSide:
    """The settings that come with a key; `trusted` is None where pages of any origin may call."""

    trusted: tuple[Place, ...] | None
    disabled: frozenset[Switch]

    @classmethod
    def of(cls, domains: Iterable[str], disabled: Iterable[Switch]) -> "ClientSide":
        """Read what is stored. What is no entry lets nobody in."""
        given = list(domains)
        entries = tuple(entry for entry in map(find_entry, given) if entry is not None)
        return cls(None if not given or ANYBODY in given else entries, frozenset(disabled))

    def allows(self, switch: Switch) -> bool:
        """Whether a kind of operation is enabled."""
        return switch not in self.disabled

    def trusts(self, origin: str | None) -> bool:
        """Whether a page of this origin may call."""
        if self.trusted is None:
            return True
        page = None if origin is None else find_page(origin)
        return page is not None and any(entry.covers(page) for entry in self.trusted)

    def check(self, origin: str | None, switch: Switch | None) -> None:
        """Raise Forbidden where the origin is not trusted, or the operation of this switch is disabled."""
        if not self.trusts(origin):
            named = "without an Origin header" if origin is None else f"from the origin {origin[:300]}"
            raise Forbidden(f"Requests {named} are not allowed: the project has other client_trusted_domains")
        if switch is not None and not self.allows(switch):
            raise Forbidden(f"This operation is disabled for client keys: {switch} is false in the project's settings")
