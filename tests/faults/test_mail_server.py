"""A mail server that is away, refuses, hangs up or does not answer: the mail arrives once, or a doubt is shown."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import harness
from distribution_world import World, make_world, start_without_worker
from mail_server import MailServer, mail_server
from rapport.core.clock import parse_instant
from rapport.distributions.messages.models import MAX_ATTEMPTS
from rapport.distributions.messages.tasks import Lane, Recovery

A_MINUTE = timedelta(minutes=1)
AFTER_ANY_LEASE = timedelta(minutes=6)


@pytest.fixture(scope="module")
def own_url(new_database: Callable[[str], str]) -> str:
    return new_database("mail_server_faults")


@pytest.fixture(scope="module")
def own_server(start_server: Callable[..., harness.Server], own_url: str) -> harness.Server:
    return start_without_worker(start_server, own_url)


@pytest.fixture
def post() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
async def world(
    own_server: harness.Server, own_url: str, run_dir: Path, post: MailServer, request: pytest.FixtureRequest
) -> AsyncIterator[World]:
    async with make_world(own_server, own_url, run_dir, request.node.name) as made:
        made.smtp_url = post.url
        yield made


async def send_later(world: World, by: timedelta) -> None:
    """Settle what was left behind and send what is due, by a clock that is ahead."""
    async with world.later(by) as db:
        await Recovery(world.outbox).run(db)
        await world.send(db=db)


async def until(look: Callable[[], Any], timeout_s: float = 30.0) -> Any:
    """Wait until `look` returns something true, leaving the loop to others."""
    async with asyncio.timeout(timeout_s):
        while not (found := look()):
            await asyncio.sleep(0.05)
    return found


async def test_a_server_that_is_down_delays_the_mail_and_loses_nothing(world: World, post: MailServer) -> None:
    distribution = world.on_event()
    ann = world.customer("ann")
    world.track("ann")
    post.stop()
    await world.work()
    message = world.message(distribution)
    assert (message["state"], message["attempts"], message["error"]["key"]) == ("QUEUED", 1, "smtp_unreachable")
    created, again = parse_instant(message["created_at"]), parse_instant(message["next_attempt_at"])
    assert timedelta(seconds=10) <= again - created < timedelta(seconds=40)
    assert world.activity(ann) == []
    post.start()
    await world.work()
    assert post.delivered == []
    await send_later(world, A_MINUTE)
    assert len(post.mails_to(world.address("ann"))) == 1
    message = world.message(distribution)
    assert (message["state"], message["attempts"], message["error"]) == ("SENT", 2, None)
    assert world.activity(ann) == ["customer.email.sent"]


async def test_a_server_that_is_down_is_tried_with_one_message_and_the_others_stay_as_they_are(
    world: World, post: MailServer
) -> None:
    distribution = world.on_event()
    for source_id in ("ann", "bob", "cid"):
        world.customer(source_id)
        world.track(source_id)
    post.stop()
    await world.read_log()
    lane = world.lane()
    assert await lane.run(world.db) is False
    assert await lane.run(world.db) is False
    found = world.messages(distribution)
    assert sorted(message["error"] is not None for message in found) == [False, False, True]
    assert {message["state"] for message in found} == {"QUEUED"}
    post.start()
    await send_later(world, A_MINUTE)
    assert len(post.delivered) == 3


@pytest.mark.parametrize(
    "url", ["smtp://shop:secret@127.0.0.1:{}", "smtp://127.0.0.1:{}?starttls=1", "smtps://127.0.0.1:{}"]
)
async def test_a_server_that_offers_no_login_or_no_encryption_is_not_given_the_mail(
    world: World, post: MailServer, url: str
) -> None:
    distribution = world.on_event()
    world.customer("ann")
    world.track("ann")
    world.smtp_url = url.format(post.port)
    await world.work()
    message = world.message(distribution)
    assert (message["state"], message["error"]["key"]) == ("QUEUED", "smtp_unreachable")
    assert "secret" not in message["error"]["message"]
    assert post.delivered == []


@pytest.mark.parametrize("answers", ["rcpt_answers", "data_answers"])
async def test_a_temporary_refusal_is_tried_again_and_the_mail_arrives_once(
    world: World, post: MailServer, answers: str
) -> None:
    distribution = world.on_event()
    world.customer("ann")
    getattr(post, answers)[world.address("ann")].append("451 4.7.1 come back later")
    world.track("ann")
    await world.work()
    message = world.message(distribution)
    assert (message["state"], message["error"]["key"]) == ("QUEUED", "smtp_refused")
    assert message["error"]["message"] == "451 4.7.1 come back later"
    await send_later(world, A_MINUTE)
    assert len(post.mails_to(world.address("ann"))) == 1
    assert world.message(distribution)["state"] == "SENT"


@pytest.mark.parametrize("answers", ["rcpt_answers", "data_answers"])
async def test_a_refusal_for_good_fails_the_message_and_only_it(world: World, post: MailServer, answers: str) -> None:
    distribution = world.on_event()
    ann, bob = world.customer("ann"), world.customer("bob")
    getattr(post, answers)[world.address("ann")].append("550 5.1.1 no such user")
    world.track("ann")
    world.track("bob")
    await world.work()
    (to_ann,) = world.messages(distribution, customer_id=ann["id"])
    (to_bob,) = world.messages(distribution, customer_id=bob["id"])
    assert (to_ann["state"], to_ann["attempts"]) == ("FAILED", 1)
    assert to_ann["error"] == {"key": "smtp_refused", "message": "550 5.1.1 no such user"}
    assert to_bob["state"] == "SENT"
    assert post.sessions == 1
    assert world.activity(ann) == ["customer.email.failed"]
    assert world.activity(bob) == ["customer.email.sent"]
    await send_later(world, timedelta(days=2))
    assert post.mails_to(world.address("ann")) == []


async def test_a_message_is_given_up_after_eight_attempts_within_about_a_day(world: World, post: MailServer) -> None:
    distribution = world.on_event()
    ann = world.customer("ann")
    post.rcpt_answers[world.address("ann")].extend(["450 busy"] * (MAX_ATTEMPTS + 5))
    world.track("ann")
    await world.work()
    states = [(message := world.message(distribution))["state"]]
    created = parse_instant(message["created_at"])
    last = created
    while message["state"] == "QUEUED":
        last = parse_instant(message["next_attempt_at"])
        await send_later(world, last - created + A_MINUTE)
        message = world.message(distribution)
        states.append(message["state"])
    assert states == ["QUEUED"] * (MAX_ATTEMPTS - 1) + ["FAILED"]
    assert timedelta(hours=20) < last - created < timedelta(hours=28)
    assert message["attempts"] == MAX_ATTEMPTS == 8
    assert message["error"] == {"key": "smtp_refused", "message": "450 busy"}
    assert world.activity(ann) == ["customer.email.failed"]


@pytest.mark.parametrize(("answer", "arrived"), [("HANG UP AFTER", 1), ("HANG UP BEFORE", 0)])
async def test_a_connection_lost_after_the_content_leaves_a_doubt_that_is_shown_and_not_repeated(
    world: World, post: MailServer, answer: str, arrived: int
) -> None:
    distribution = world.on_event()
    ann = world.customer("ann")
    post.data_answers[world.address("ann")].append(answer)
    world.track("ann")
    await world.work()
    message = world.message(distribution)
    assert (message["state"], message["error"]["key"]) == ("UNCERTAIN", "smtp_lost")
    for by in (A_MINUTE, timedelta(days=2)):
        await send_later(world, by)
    assert len(post.mails_to(world.address("ann"))) == arrived
    assert world.activity(ann) == []
    world.api.call("POST", f"/v1/distributions/{distribution['id']}/messages/{message['id']}/resend")
    await world.work()
    mails = post.mails_to(world.address("ann"))
    assert len(mails) == arrived + 1
    assert {mail["Message-ID"] for mail in mails} == {message["message_id"]}
    assert world.message(distribution)["state"] == "SENT"


async def test_a_kept_connection_that_the_server_closed_is_made_anew(world: World, post: MailServer) -> None:
    distribution = world.on_event()
    lane = world.lane()
    for source_id in ("ann", "bob"):
        world.customer(source_id)
        world.track(source_id)
        await world.read_log()
        await world.send(lane)
        post.stop()
        post.start()
    await lane.close()
    assert [message["state"] for message in world.messages(distribution)] == ["SENT", "SENT"]
    assert [message["attempts"] for message in world.messages(distribution)] == [1, 1]
    assert len(post.delivered) == 2


async def test_a_server_that_does_not_answer_holds_up_its_lane_and_not_the_reading_of_the_log(
    world: World, post: MailServer
) -> None:
    distribution = world.on_event()
    world.customer("ann")
    world.customer("bob")
    post.data_answers[world.address("ann")].append("STALL")
    world.track("ann")
    await world.read_log()
    lane: Lane = world.lane()
    stuck = asyncio.create_task(lane.run(world.db))
    await until(lambda: post.stalled)
    world.track("bob")
    await world.work()
    assert [message["state"] for message in world.messages(distribution)] == ["SENDING", "SENT"]
    stuck.cancel()
    await asyncio.gather(stuck, return_exceptions=True)
    assert [message["state"] for message in world.messages(distribution)] == ["UNCERTAIN", "SENT"]
