"""Workers that die, or are many: no message is handed over twice, none is lost."""

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
from rapport.core.db import Connection, Database, connect
from rapport.core.queries import read_now
from rapport.customers.writes import Writer
from rapport.distributions import queries as distributions
from rapport.distributions.messages import queries as messages
from rapport.distributions.messages.models import MAX_ATTEMPTS, PREPARING_LEASE, Claimed
from rapport.distributions.messages.providers import Outcome
from rapport.distributions.messages.sending import Sending
from rapport.distributions.messages.tasks import Recovery
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
        await Recovery(world.outbox).run(db)
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
        await Recovery(world.outbox).run(db)
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
        at = await read_now(conn, used.clock_offset)
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
            await Recovery(world.outbox).run(db)
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
        if found is not None and message.customer_id == ann["id"]:
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


@pytest.mark.parametrize(
    ("provider", "by", "state"),
    [("outbox", 1, "SENDING"), ("outbox", 3, "QUEUED"), ("smtp", 3, "SENDING"), ("smtp", 6, "UNCERTAIN")],
)
async def test_a_file_in_the_outbox_is_waited_for_less_long_than_a_mail_server(
    world: World, provider: str, by: int, state: str
) -> None:
    distribution = world.on_event()
    world.customer("ann")
    world.track("ann")
    await world.read_log()
    sending = Sending(Writer(world.db, SegmentDecider()), provider, "shop@example.org")
    assert await sending.prepare(world.project_id, await claim_one(world)) is not None
    async with world.later(timedelta(minutes=by)) as db:
        await Recovery(world.outbox).run(db)
    assert world.message(distribution)["state"] == state
