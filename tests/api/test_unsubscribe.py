"""Who said no gets no message; and every mail says how to say it."""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

import harness
from distribution_world import World, make_world, start_without_worker
from mail_server import MailServer, mail_server, text_of
from rapport.consents.links import LASTS

PUBLIC = "https://mail.example.com"


@pytest.fixture(scope="module")
def own_url(new_database: Callable[[str], str]) -> str:
    return new_database("unsubscribe")


@pytest.fixture(scope="module")
def own_server(start_server: Callable[..., harness.Server], own_url: str) -> harness.Server:
    return start_without_worker(start_server, own_url)


@pytest.fixture(scope="module")
def post() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
async def world(
    own_server: harness.Server, own_url: str, run_dir: Any, post: MailServer, request: pytest.FixtureRequest
) -> AsyncIterator[World]:
    async with make_world(own_server, own_url, run_dir, request.node.name) as made:
        made.smtp_url = post.url
        yield made


async def sent_link(world: World, post: MailServer, **settings: Any) -> str:
    """Send Ann a mail; return the link in its header, as this server serves it."""
    world.on_event(message={"text": "Leave: {{ unsubscribe_url }}", "html": '<a href="{{ unsubscribe_url }}">x</a>'})
    world.customer("ann")
    world.track("ann")
    await world.read_log()
    lane = world.lane(**{"public_url": PUBLIC, **settings})
    await world.send(lane)
    await lane.close()
    (mail,) = post.mails_to(world.address("ann"))
    (link,) = re.findall(r"<(.+)>", mail["List-Unsubscribe"])
    body = mail.get_body(("plain",))
    assert body is not None
    assert f"Leave: {link}" in text_of(body)
    return str(link)


def path_of(link: str) -> str:
    parts = urlsplit(link)
    return f"{parts.path}?{parts.query}"


def unsubscribed(world: World) -> Any:
    return world.api.call("GET", "/v1/customers/ann")["consents"].get("unsubscribed")


async def test_a_mail_says_how_to_unsubscribe_in_one_click(world: World, post: MailServer) -> None:
    link = await sent_link(world, post)
    assert link.startswith(f"{PUBLIC}/unsubscribe/email/cust_")
    raw = post.mails_to(world.address("ann"))[0]
    assert raw["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    done = httpx2.post(
        f"{world.api.base_url}{path_of(link)}", data={"List-Unsubscribe": "One-Click"}, follow_redirects=False
    )
    assert done.status_code == 200
    word = unsubscribed(world)["channels"]["email"]
    assert (word["given"], word["source"]) == (True, "one-click unsubscribe")
    (row,) = world.api.call("GET", "/v1/customers/ann/consents")["data"]
    assert row["event_source"] == {"channel": "USER_PORTAL"}
    world.track("ann")
    await world.work()
    assert len(post.mails_to(world.address("ann"))) == 1
    customer = world.api.call("GET", "/v1/customers/ann")
    assert customer["marketing"]["email"]["sent"]["count"] == 1
    assert world.activity(customer) == ["customer.email.sent", "customer.email.failed"]


async def test_looking_at_the_page_changes_nothing_and_its_buttons_do(world: World, post: MailServer) -> None:
    path = path_of(await sent_link(world, post))
    for method in ("GET", "GET", "HEAD"):
        page = httpx2.request(method, f"{world.api.base_url}{path}")
        assert page.status_code in {200, 405}
    page = httpx2.get(f"{world.api.base_url}{path}")
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["cache-control"] == "no-store"
    assert re.findall(r'value="(\w+)"', page.text) == ["channel", "all"]
    assert "<script" not in page.text
    assert unsubscribed(world) is None
    httpx2.post(f"{world.api.base_url}{path}", data={"scope": "channel"})
    assert unsubscribed(world)["channels"]["email"]["given"] is True
    httpx2.post(f"{world.api.base_url}{path}", data={"scope": "all"})
    assert (unsubscribed(world)["given"], unsubscribed(world)["source"]) == (True, "unsubscribe page")


async def test_a_link_that_was_changed_or_is_too_old_does_nothing(world: World, post: MailServer) -> None:
    path = path_of(await sent_link(world, post))
    bob = world.customer("bob")["id"]
    broken = [
        re.sub(r"cust_\w+", bob, path),
        path.replace("/email/", "/sms/"),
        path.replace("/email/", "/fax/"),
        path[:-1] + ("0" if path[-1] != "0" else "1"),
        re.sub(r"until=\d{4}", "until=9999", path),
        re.sub(r"project=\w+", "project=proj_x", path),
        re.sub(r"project=\w+", "project=%00", path),
        path.partition("?")[0],
        re.sub(r"cust_\w+", "%ff%00", path),
    ]
    for one in broken:
        for method in ("GET", "POST"):
            answer = httpx2.request(method, f"{world.api.base_url}{one}")
            assert (answer.status_code, "does not work" in answer.text) == (401, True), one
    assert unsubscribed(world) is None
    assert world.api.call("GET", "/v1/customers/bob")["consents"] == {}
    assert timedelta(days=30) < LASTS


async def test_a_link_of_a_customer_who_is_gone_says_the_same(world: World, post: MailServer) -> None:
    path = path_of(await sent_link(world, post))
    world.api.call("DELETE", "/v1/customers/ann", status=204)
    answer = httpx2.post(f"{world.api.base_url}{path}", data={"scope": "channel"})
    assert (answer.status_code, "You are unsubscribed" in answer.text) == (200, True)


async def test_without_a_public_address_the_links_lead_to_the_server_itself_or_are_left_out(
    world: World, post: MailServer
) -> None:
    link = await sent_link(world, post, public_url=None, host="127.0.0.1", port=8000)
    assert link.startswith("http://127.0.0.1:8000/unsubscribe/")
    assert post.mails_to(world.address("ann"))[0]["List-Unsubscribe-Post"] is None, "one click is for https"
    world.track("ann")
    await world.read_log()
    lane = world.lane(public_url=None, host="0.0.0.0")  # noqa: S104 (nothing is bound)
    await world.send(lane)
    await lane.close()
    mail = post.mails_to(world.address("ann"))[1]
    assert mail["List-Unsubscribe"] is None


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ({}, "consent_missing"),
        ({"news": {"given": True, "channels": ["sms"]}}, "consent_missing"),
        ({"news": True, "unsubscribed": True}, "customer_unsubscribed"),
        ({"news": True}, None),
        ({"news": {"given": True, "channels": ["email"]}}, None),
    ],
)
async def test_a_distribution_may_need_a_consent(world: World, post: MailServer, said: Any, key: str | None) -> None:
    consent = world.api.call("POST", "/v1/consents", {"name": "news"})["id"]
    distribution = world.on_event(consent="news")
    assert distribution["consent"] == consent
    world.customer("ann")
    if said:
        world.api.call("PUT", "/v1/customers/ann/consents", said)
    world.track("ann")
    await world.work()
    message = world.message(distribution)
    assert (message["state"], (message.get("error") or {}).get("key")) == ("FAILED" if key else "SENT", key)
    assert len(post.mails_to(world.address("ann"))) == (0 if key else 1)


def test_a_consent_that_is_needed_is_not_deleted(world: World) -> None:
    consent = world.api.call("POST", "/v1/consents", {"name": "news"})["id"]
    distribution = world.on_event(consent=consent)
    error = world.api.fails("DELETE", f"/v1/consents/{consent}", status=409, key="resource_in_use")
    assert distribution["id"] in error["details"]
    kept = world.api.call("PUT", f"/v1/distributions/{distribution['id']}", {"name": "x"})
    assert kept["consent"] == consent
    assert world.api.call("PUT", f"/v1/distributions/{distribution['id']}", {"consent": None})["consent"] is None
    world.api.call("DELETE", f"/v1/consents/{consent}", status=204)


@pytest.mark.parametrize(("consent", "status"), [("nothing", 404), ("unsubscribed", 400), ("", 400), ("texts", 400)])
def test_a_consent_that_cannot_be_needed_is_refused(world: World, consent: str, status: int) -> None:
    world.api.call("POST", "/v1/consents", {"name": "texts", "channels": ["sms"]})
    body = {
        "name": "x", "trigger": {"type": "customer.custom_event", "event": "e"}, "channel": "email",
        "message": {"subject": "x", "text": "x"}, "consent": consent,
    }  # fmt: skip
    key = "not_found" if status == 404 else "invalid_payload"
    world.api.fails("POST", "/v1/distributions", body, status=status, key=key)
