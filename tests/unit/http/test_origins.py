"""Whose pages may call: entries of trusted domains against origins as browsers, and others, write them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.core.errors import Forbidden
from rapport.http.client_side import ClientSide
from rapport.http.origins import find_entry, find_page, origin_of

LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True).filter(
    lambda label: not label.startswith("xn--")
)
HOST = st.lists(LABEL, min_size=1, max_size=4).map(".".join).filter(lambda host: host != "null")
SCHEME = st.sampled_from(["http", "https", "capacitor", "chrome-extension"])
PORT = st.integers(1, 65_535)


def trusts(entry: str, origin: str | None) -> bool:
    assert entry == "*" or find_entry(entry) is not None, entry
    return ClientSide.of([entry], []).trusts(origin)


@pytest.mark.parametrize(
    ("entry", "covered", "others"),
    [
        (
            "https://shop.example",
            ["https://shop.example", "https://shop.example:443", "HTTPS://Shop.Example"],
            [
                "http://shop.example", "https://shop.example:8443", "https://www.shop.example",
                "https://shop.example.evil.test", "https://evilshop.example", "https://shop.example@evil.test",
                "shop.example", "https://shop.example/", "https://shop.example.", "https://shop.example:0443x",
            ],
        ),
        ("https://shop.example/", ["https://shop.example"], ["https://shop.example/"]),
        ("https://shop.example:8443", ["https://shop.example:8443"], ["https://shop.example", "https://shop.example:84433"]),
        ("http://shop.example:80", ["http://shop.example"], ["https://shop.example:80", "https://shop.example"]),
        (
            "Shop.Example",
            ["https://shop.example", "http://shop.example:8080", "capacitor://shop.example", "shop.example"],
            ["https://www.shop.example", "https://shop.example.evil.test", "https://myshop.example", "null"],
        ),
        ("shop.example:8443", ["https://shop.example:8443", "http://shop.example:8443"], ["https://shop.example"]),
        ("shop.example:443", ["https://shop.example"], ["http://shop.example"]),
        (
            "*.shop.example",
            ["https://www.shop.example", "https://a.b.shop.example:8443", "WWW.SHOP.EXAMPLE"],
            ["https://shop.example", "https://.shop.example", "https://evilshop.example", "https://*.shop.example"],
        ),
        (".shop.example", ["https://www.shop.example"], ["https://shop.example", ".shop.example"]),
        (
            "https://*.shop.example",
            ["https://www.shop.example"],
            ["http://www.shop.example", "https://www.shop.example:8443", "www.shop.example", "https://shop.example"],
        ),
        ("bücher.example", ["https://xn--bcher-kva.example", "https://BÜCHER.example"], ["https://bucher.example"]),
        ("xn--bcher-kva.example", ["https://bücher.example", "https://XN--BCHER-KVA.example"], ["https://bücher.test"]),
        ("*.straße.example", ["https://www.xn--strae-oqa.example"], ["https://www.strasse.example"]),
        ("localhost:3000", ["http://localhost:3000"], ["http://localhost"]),
        ("http://127.0.0.1:3000", ["http://127.0.0.1:3000"], ["http://127.0.0.1"]),
        ("http://[::1]:3000", ["http://[0:0:0:0:0:0:0:1]:3000"], ["http://[::2]:3000", "http://[:::]:3000"]),
        ("capacitor://localhost", ["capacitor://localhost"], ["http://localhost", "capacitor://localhost:1"]),
        ("*", ["https://a.test", "null", "x y"], []),
    ],
)  # fmt: skip
def test_an_entry_covers_these_origins_and_not_those(entry: str, covered: list[str], others: list[str]) -> None:
    assert [one for one in covered if not trusts(entry, one)] == []
    assert [one for one in others if trusts(entry, one)] == []


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "null", "NULL", "https://null", "https://", "://shop.example", "//shop.example", "shop.example/",
        "https://shop.example//", "https://shop.example/path", "https://shop.example?q", "https://shop.example#f",
        "https://me@shop.example", "https://me:pw@shop.example", "https://shop.example:", "https://shop.example:0",
        "https://shop.example:65536", "https://shop.example:80:80", " shop.example", "shop.example\n", "shop..example",
        "shop.example.", "*shop.example", "w*.shop.example", "**.shop.example", "*.", "*.*.shop.example",
        "-shop.example", "shop-.example", "https://[::1", "[::g]", "[1.2.3.4]", "https://shop.example, https://b.example",
        "a b.example", "sho\x00p.example", "%73hop.example", "shop\\.example", "1http://shop.example",
        f"{'a' * 64}.example", f"{'a.' * 127}aa", "\u200b.example", "\ud800.example",
        "https://shop.example:٤٤٣", "..shop.example",
    ],
)  # fmt: skip
def test_what_is_no_entry_is_refused_and_no_page_is_from_there(text: str) -> None:
    assert find_entry(text) is None
    assert find_page(text) is None


@given(SCHEME, HOST, st.none() | PORT)
def test_an_origin_trusts_itself_its_host_and_its_parent(scheme: str, host: str, port: int | None) -> None:
    origin = f"{scheme}://{host}" + ("" if port is None else f":{port}")
    assert trusts(origin, origin)
    assert trusts(origin.upper(), origin)
    assert trusts(host, origin.upper())
    assert not trusts(f"*.{host}", origin)
    assert trusts(f"*.{host}", f"{scheme}://a.{host}")
    assert not trusts(f"{host}.test", origin)
    if "." in host:
        assert trusts(f"*.{host.partition('.')[2]}", origin)


@given(HOST, HOST)
def test_hosts_that_differ_do_not_trust_each_other(one: str, other: str) -> None:
    assert trusts(one, f"https://{other}") == (one == other)
    assert trusts(f"*.{one}", f"https://{other}") == (one != other and other.endswith("." + one))


@given(st.text(max_size=320), st.lists(st.sampled_from(["https://shop.example", "*.shop.example", "localhost"])))
def test_no_text_is_a_failure_and_only_an_empty_list_is_for_all(text: str, entries: list[str]) -> None:
    side = ClientSide.of(entries, [])
    assert side.trusts(None) == (not entries)
    assert side.trusts("null") == (not entries)
    assert side.trusts(text) in ({True} if not entries else {True, False})
    find_entry(text)


def test_a_stored_entry_that_cannot_be_read_lets_nobody_in() -> None:
    side = ClientSide.of(["https://shop.example/path"], [])
    assert not side.trusts("https://shop.example")
    assert not side.trusts(None)


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ([], None),
        ([(b"origin", b"https://a.test")], "https://a.test"),
        ([(b"Origin", "https://bücher.test".encode())], "https://bücher.test"),
        ([(b"origin", "https://bücher.test".encode("latin-1"))], "https://bücher.test"),
        ([(b"origin", b"https://a.test"), (b"origin", b"https://b.test")], None),
        ([(b"x-origin", b"https://a.test")], None),
    ],
)
def test_the_header_of_a_request(headers: Any, found: str | None) -> None:
    assert origin_of(headers) == found


def test_a_refusal_says_what_is_wrong() -> None:
    side = ClientSide.of(["shop.example"], ["client_redeem_enabled"])
    for origin, switch, said in (
        (None, None, "without an Origin header"),
        ("https://evil.test", None, "https://evil.test"),
        ("https://shop.example", "client_redeem_enabled", "client_redeem_enabled is false"),
    ):
        with pytest.raises(Forbidden, match=said):
            side.check(origin, switch)  # type: ignore[arg-type]
    side.check("https://shop.example", "client_publish_enabled")
    side.check("https://shop.example", None)
