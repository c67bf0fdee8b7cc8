"""Whose word on addresses is taken."""

from ipaddress import ip_address, ip_network

import pytest

from rapport.http.attempts.addresses import caller, counted_as, parse

OURS = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        # A stranger's header is not believed.
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        # What a caller wrote into the header stands before what our proxy added.
        ("10.0.0.1", ["198.51.100.99, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.99", "198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["nonsense, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", ["nonsense"], "10.0.0.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("fd00::1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("::ffff:10.0.0.1", ["198.51.100.1:80"], "198.51.100.1"),
    ],
)
def test_the_caller_is_the_nearest_address_that_is_no_proxy_of_ours(
    peer: str, forwarded: list[str], found: str
) -> None:
    assert caller(peer, forwarded, OURS) == ip_address(found)


def test_nobody_is_trusted_unless_named() -> None:
    assert caller("127.0.0.1", ["198.51.100.1"], ()) == ip_address("127.0.0.1")
    assert caller(None, ["198.51.100.1"], OURS) is None
    assert caller("", [], OURS) is None


def test_an_ipv6_subscriber_is_one_however_many_addresses_they_use() -> None:
    addresses = [parse(text) for text in ("2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1", "192.0.2.1")]
    assert [counted_as(one) for one in addresses if one] == [
        "2001:db8::/64",
        "2001:db8::/64",
        "2001:db8:0:1::/64",
        "192.0.2.1",
    ]


@pytest.mark.parametrize("text", ["", "x", "1.2.3", "1.2.3.4.5", "1.2.3.4, 5.6.7.8", "[", "\x00", "1.2.3.256"])
def test_what_is_no_address_is_none(text: str) -> None:
    assert parse(text) is None
