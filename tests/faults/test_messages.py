"""What goes wrong between the activity log and a mail server: no message is handed over twice, none is lost."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import harness
from distribution_world import World, make_world, start_without_worker
from mail_server import MailServer, mail_server
from rapport.activity import queries as activity
from rapport.core.clock import parse_instant
from rapport.core.db import Connection, Database, connect
from rapport.customers.writes import Writer
from rapport.distributions import queries as distributions
from rapport.distributions.messages import queries as messages
from rapport.distributions.messages.models import MAX_ATTEMPTS, Claimed
from rapport.distributions.messages.providers import Outcome
from rapport.distributions.messages.sending import Sending
from rapport.distributions.messages.tasks import PREPARING_LEASE, Lane, Recovery
from rapport.distributions.tasks import trigger
from rapport.segments.membership import SegmentDecider

A_MINUTE = timedelta(minutes=1)
AFTER_ANY_LEASE = timedelta(minutes=6)


@pytest.fixture(scope="module")
def own_url(new_database: Callable[[str], str]) -> str:
    return new_database("message_faults")


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
        await Recovery().run(db)
        await world.send(db=db)


@contextmanager
def worker_process(world: World) -> Iterator[subprocess.Popen[bytes]]:
    """Run a real `rapport worker`; end it if the test did not."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAPPORT_")}
    environment |= {"RAPPORT_DATABASE_URL": world.database_url, "RAPPORT_DATA_DIR": str(world.outbox.parent)}
    if world.smtp_url:
        environment["RAPPORT_SMTP_URL"] = world.smtp_url
    command = [str(Path(sys.executable).with_name("rapport")), "worker"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


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


async def test_many_workers_at_once_send_each_message_once(world: World, post: MailServer) -> None:
    distribution = world.on_event()
    wanted = [f"c{number}" for number in range(40)]
    for source_id in wanted:
        world.customer(source_id)
        world.track(source_id)
    pools = [await connect(world.database_url, max_size=3) for _ in range(4)]
    lanes = [world.lane(db) for db in pools]
    try:
        for _ in range(3):
            await asyncio.gather(*(trigger(db) for db in pools))
            await asyncio.gather(*(world.send(lane, db) for lane, db in zip(lanes, pools, strict=True)))
    finally:
        for lane, db in zip(lanes, pools, strict=True):
            await lane.close()
            await db.close()
    assert sorted(to for to, _ in post.delivered) == sorted(world.address(one) for one in wanted)
    assert [message["state"] for message in world.messages(distribution)] == ["SENT"] * 40
    assert {message["attempts"] for message in world.messages(distribution)} == {1}


async def test_reading_the_log_again_from_the_start_queues_nothing_twice(world: World, post: MailServer) -> None:
    distribution = world.on_event()
    world.customer("ann")
    for _ in range(3):
        world.track("ann")
    await world.work()

    async def rewind(conn: Connection) -> None:
        await distributions.move_position(conn, world.project_id, (0, 0))

    await world.db.transaction(rewind)
    await world.work()
    assert len(world.messages(distribution)) == 3
    assert len(post.delivered) == 3


async def test_a_worker_killed_while_the_server_takes_the_mail_leaves_a_doubt_that_is_not_repeated(
    world: World, post: MailServer
) -> None:
    distribution = world.on_event()
    world.customer("ann")
    post.data_answers[world.address("ann")].append("STALL")
    world.track("ann")
    with worker_process(world) as worker:
        await until(lambda: post.stalled)
        assert world.message(distribution)["state"] == "SENDING"
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    assert world.message(distribution)["state"] == "SENDING"
    await send_later(world, A_MINUTE)
    assert world.message(distribution)["state"] == "SENDING"
    await send_later(world, AFTER_ANY_LEASE)
    message = world.message(distribution)
    assert (message["state"], message["error"]["key"]) == ("UNCERTAIN", "delivery_unknown")
    with worker_process(world):
        world.customer("bob")
        world.track("bob")
        await until(lambda: post.mails_to(world.address("bob")))
    await send_later(world, timedelta(days=2))
    assert post.mails_to(world.address("ann")) == []


async def test_a_worker_told_to_end_finishes_the_mail_it_is_handing_over(world: World, post: MailServer) -> None:
    distribution = world.on_event()
    world.customer("ann")
    post.data_answers[world.address("ann")].append("SLOW")
    world.track("ann")
    with worker_process(world) as worker:
        await until(lambda: post.stalled)
        worker.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(worker.wait, 30) == 0
    assert world.message(distribution)["state"] == "SENT"
    assert len(post.mails_to(world.address("ann"))) == 1


async def test_workers_killed_again_and_again_send_each_message_at_most_once_and_lose_none(world: World) -> None:
    world.smtp_url = None
    distribution = world.on_event()
    customers = [f"c{number}" for number in range(5)]
    for source_id in customers:
        world.customer(source_id)
    for number in range(60):
        world.track(customers[number % 5], number=number)
        if number % 20 == 10:
            with worker_process(world):
                for _ in range(30):
                    world.track(customers[number % 5])
                    if len(world.messages(distribution)) > number:
                        break
                    await asyncio.sleep(0.05)
                await asyncio.sleep(0.03 * (number % 7))
    async with world.later(AFTER_ANY_LEASE) as db:
        await world.read_log()
        await Recovery().run(db)
        await world.send(db=db)
    path = f"/v1/distributions/{distribution['id']}/messages"
    total = world.api.call("GET", path)["total"]
    async with world.db.read() as conn:
        tracked = await conn.fetchval(
            "SELECT count(*) FROM activity WHERE project_id = $1 AND type = 'customer.custom_event'", world.project_id
        )
    assert total == tracked
    assert world.api.call("GET", path, params={"state": "SENT"})["total"] == total
    assert len(list(world.outbox.glob("*.eml"))) == total


async def claim_one(world: World, db: Database | None = None) -> Claimed:
    """Take the one message that is due, as a lane would."""
    used = db or world.db

    async def claim(conn: Connection) -> list[Claimed]:
        at = await distributions.now(conn, used.clock_offset)
        return await messages.claim(conn, world.project_id, at, PREPARING_LEASE, 10)

    (claimed,) = await used.transaction(claim)
    return claimed


async def test_a_message_left_behind_before_it_was_written_is_sent_by_another(world: World, post: MailServer) -> None:
    distribution = world.on_event()
    world.customer("ann")
    world.track("ann")
    await world.read_log()
    left = await claim_one(world)
    await world.work()
    assert post.delivered == []
    await send_later(world, AFTER_ANY_LEASE)
    assert len(post.delivered) == 1
    sending = Sending(Writer(world.db, SegmentDecider()), "smtp", "shop@example.org")
    assert await sending.prepare(world.project_id, left) is None
    await sending.put_off(world.project_id, left, ("late", "late"))
    message = world.message(distribution)
    assert (message["state"], message["attempts"], message["error"]) == ("SENT", 2, None)


async def test_a_message_whose_worker_ends_each_time_is_given_up(world: World, post: MailServer) -> None:
    distribution = world.on_event()
    world.customer("ann")
    world.track("ann")
    await world.read_log()
    by = timedelta(0)
    for _ in range(MAX_ATTEMPTS):
        async with world.later(by) as db:
            await claim_one(world, db)
        by += AFTER_ANY_LEASE
        async with world.later(by) as db:
            await Recovery().run(db)
    await send_later(world, by)
    message = world.message(distribution)
    assert (message["state"], message["error"]["key"]) == ("FAILED", "worker_ended")
    assert post.delivered == []


async def test_a_result_that_comes_after_the_lease_settles_the_doubt(world: World) -> None:
    distribution = world.on_event()
    ann = world.customer("ann")
    world.track("ann")
    await world.read_log()
    claimed = await claim_one(world)
    sending = Sending(Writer(world.db, SegmentDecider()), "smtp", "shop@example.org")
    ready = await sending.prepare(world.project_id, claimed)
    assert ready is not None
    await send_later(world, AFTER_ANY_LEASE)
    assert world.message(distribution)["state"] == "UNCERTAIN"
    await sending.record(world.project_id, claimed, ready, Outcome("taken"))
    assert world.message(distribution)["state"] == "SENT"
    assert world.activity(ann) == ["customer.email.sent"]
    await sending.record(world.project_id, claimed, ready, Outcome("taken"))
    assert world.activity(ann) == ["customer.email.sent"]


async def test_a_message_that_cannot_be_prepared_is_put_off_and_holds_up_nobody(
    world: World, post: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    distribution = world.on_event()
    ann, bob = world.customer("ann"), world.customer("bob")
    prepare = Sending.prepare

    async def fail_for_ann(self: Sending, project_id: int, message: Claimed) -> Any:
        found = await prepare(self, project_id, message)
        if found is not None and found.customer.source_id == "ann":
            raise RuntimeError("a bug")
        return found

    world.track("ann")
    world.track("bob")
    monkeypatch.setattr(Sending, "prepare", fail_for_ann)
    await world.work()
    (to_ann,) = world.messages(distribution, customer_id=ann["id"])
    (to_bob,) = world.messages(distribution, customer_id=bob["id"])
    assert (to_ann["state"], to_ann["error"]["key"]) == ("QUEUED", "internal_error")
    assert to_bob["state"] == "SENT"
    monkeypatch.undo()
    await send_later(world, A_MINUTE)
    assert len(post.mails_to(world.address("ann"))) == 1


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


async def test_entries_are_read_in_the_order_of_their_transactions_also_where_a_digit_is_gained(world: World) -> None:
    async def add(conn: Connection) -> None:
        for xid in (1000, 99, 100, 999):
            await conn.execute(
                "INSERT INTO activity (project_id, id, xid, created_at, type, payload, source, group_id) "
                "VALUES ($1, $2, $2::text::xid8, $3, 'x', '{}', '{}', 'g')",
                world.project_id,
                str(xid),
                datetime.fromisoformat("2026-01-01T00:00:00+00:00"),
            )

    await world.db.transaction(add)
    async with world.db.read() as conn:
        read = await activity.read_after(conn, world.project_id, (0, 0), 2000, 3)
    assert [xid for xid, _ in read] == [99, 100, 999]
