"""Whose pages may call: entries of a project's trusted domains, and the `Origin` header of a request against them.

https://shop.example        that origin; https://shop.example:8443 has a port of its own
shop.example                that host, with any scheme and port; shop.example:8443 with that port
*.shop.example              its subdomains at any depth, not itself; also written .shop.example
https://*.shop.example      the same, with that scheme and port
*                           anybody
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import idna

MAX_HOST: Final = 253
MAX_ORIGIN: Final = 300
ANYBODY: Final = "*"
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_SHAPE: Final = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,30})://)?(?P<wild>\*?\.)?"
    r"(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|[^\s/?#@\[\]:\\%*]+)(?::(?P<port>[0-9]{1,5}))?"
)
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page is from, or an entry that says so; without a scheme, the port is there only if it was written."""

    scheme: str | None
    host: str
    port: int | None
    # Of an entry: the subdomains of the host are meant, not the host.
    is_above: bool = False

    def covers(self, page: "Place") -> bool:
        """Whether this entry lets a page call."""
        if self.scheme is not None and (self.scheme, self.port) != (page.scheme, page.port):
            return False
        if self.scheme is None and self.port is not None and self.port != page.port:
            return False
        return page.host.endswith(f".{self.host}") if self.is_above else page.host == self.host


def _host(text: str) -> str | None:
    """Return a host as browsers write it: in lower case, names of other scripts in punycode; None for what is none."""
    if text.startswith("["):
        try:
            return f"[{ipaddress.IPv6Address(text[1:-1]).compressed}]"
        except ValueError:
            return None
    if not text.isascii():
        try:
            text = idna.encode(text, uts46=True).decode()
        except UnicodeError:
            return None
    host = text.lower()
    return host if len(host) <= MAX_HOST and all(map(_LABEL.fullmatch, host.split("."))) else None


def _read(text: str) -> Place | None:
    found = _SHAPE.fullmatch(text) if len(text) <= MAX_ORIGIN else None
    host = None if found is None else _host(found["host"])
    if found is None or host is None:
        return None
    scheme = None if found["scheme"] is None else found["scheme"].lower()
    port = _DEFAULT_PORTS.get(scheme or "") if found["port"] is None else int(found["port"])
    if port is not None and not 1 <= port <= 65_535:
        return None
    return Place(scheme, host, port, is_above=found["wild"] is not None)


def find_entry(text: str) -> Place | None:
    """Return what an entry of the trusted domains means, or None where it is none (`*` is no place: `ANYBODY`)."""
    # As addresses are copied; an origin has no path.
    found = _read(text.removesuffix("/") if "://" in text else text)
    # Such a page says only `null` of itself, or is of nobody in particular.
    return None if found is None or found.host == "null" else found


def find_page(origin: str) -> Place | None:
    """Return where a request says it is from, or None for `null` and for what no browser says.

    Callers that are no browsers may name a host alone, as the reference's examples do.
    """
    found = _read(origin)
    return None if found is None or found.is_above or found.host == "null" else found


def origin_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the `Origin` header of a request, or None where there is none, or more than one."""
    given = [value for name, value in headers if name.lower() == b"origin"]
    if len(given) != 1:
        return None
    try:
        return given[0].decode()
    except UnicodeDecodeError:
        return given[0].decode("latin-1")
