"""Where a request comes from. Pure: a forwarded address is believed only from a proxy that is trusted."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

# So much of an IPv6 address is one subscriber's; the rest is theirs to change at will.
IPV6_PREFIX = 64


def parse(text: str) -> Address | None:
    """Read an address as headers have it, `[…]:port` and `1.2.3.4:port` too, or None."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def is_trusted(address: Address, trusted: Sequence[Network]) -> bool:
    """Tell whether an address belongs to one of our own proxies."""
    return any(address in network for network in trusted)


def caller(peer: str | None, forwarded: Iterable[str], trusted: Sequence[Network]) -> Address | None:
    """Return who called: the peer, or, through trusted proxies, the nearest address that is none of them.

    `forwarded`: the values of `X-Forwarded-For`, in order. Each proxy adds at the end whom it was called by, so what
    stands before the first address that is not trusted may be anybody's invention.
    """
    found = parse(peer or "")
    if found is None or not is_trusted(found, trusted):
        return found
    for text in reversed([part for value in forwarded for part in value.split(",")]):
        hop = parse(text)
        if hop is None:
            break
        found = hop
        if not is_trusted(hop, trusted):
            break
    return found


def counted_as(address: Address) -> str:
    """Return what attempts from an address are counted under: all of an IPv6 subscriber's addresses are one."""
    if isinstance(address, IPv4Address):
        return str(address)
    return str(ip_network((address, IPV6_PREFIX), strict=False))
