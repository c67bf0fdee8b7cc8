from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import voucherify

import harness
from distribution_world import GOLD, World, make_world, start_without_worker
from mail_server import MailServer, mail_server, text_of


@pytest.fixture(scope="module")
def own_url(new_database: Callable[[str], str]) -> str:
    return new_database("distribution_messages")


@pytest.fixture(scope="module")
def own_server(start_server: Callable[..., harness.Server], own_url: str) -> harness.Server:
    return start_without_worker(start_server, own_url)


@pytest.fixture(scope="module")
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


async def test_a_customer_who_enters_a_segment_gets_exactly_one_mail(world: World, post: MailServer) -> None:
    distribution = await world.on_gold(message={"from": "The Shop <shop@example.org>", "reply_to": "help@example.org"})
    world.customer("ann", name="Ann")
    ann = world.gold("ann")
    world.gold("ann", phone="1")
    await world.work()
    await world.work()
    (mail,) = post.mails_to(world.address("ann"))
    assert mail["Subject"] == "Hello Ann"
    assert mail["From"] == "The Shop <shop@example.org>"
    assert mail["Reply-To"] == "help@example.org"
    assert mail["To"] == f"Ann <{world.address('ann')}>"
    assert text_of(mail) == "Dear Ann!\n"
    message = world.message(distribution)
    entry = world.api.call("GET", f"/v1/customers/{ann['id']}/activity", params={"type": "customer.segment.entered"})
    assert message == {
        "id": message["id"],
        "distribution_id": distribution["id"],
        "customer_id": ann["id"],
        "trigger": {"id": entry["data"][0]["id"], "type": "customer.segment.entered"},
        "channel": "email",
        "state": "SENT",
        "provider": "smtp",
        "campaign_id": None,
        "publication_id": None,
        "voucher": None,
        "from": "shop@example.org",
        "to": world.address("ann"),
        "subject": "Hello Ann",
        "message_id": f"<{message['id']}@example.org>",
        "attempts": 1,
        "next_attempt_at": None,
        "error": None,
        "created_at": message["created_at"],
        "sent_at": message["sent_at"],
        "object": "message",
        "text": "Dear Ann!",
        "html": None,
    }
    assert mail["Message-ID"] == message["message_id"]
    assert message["sent_at"] >= message["created_at"]
    assert world.activity(ann) == ["customer.email.sent"]


async def test_the_activity_of_a_sent_mail_has_the_shape_of_the_reference(world: World) -> None:
    distribution = await world.on_gold()
    ann = world.gold("ann", name="Ann")
    await world.work()
    (entry,) = world.api.call("GET", f"/v1/customers/{ann['id']}/activity", params={"type": "customer.email.sent"})[
        "data"
    ]
    message = world.message(distribution)
    assert entry["data"]["data"] == {
        "customer": {
            "id": ann["id"],
            "source_id": "ann",
            "name": "Ann",
            "email": world.address("ann"),
            "metadata": {"tier": "gold"},
            "object": "customer",
        },
        "distribution": {"id": distribution["id"], "name": "Welcome", "channel": "email", "object": "distribution"},
        "message": {"id": message["id"], "object": "message"},
        "sent_at": message["sent_at"],
    }
    parsed = voucherify.CustomersApi(world.sdk()).list_customer_activity(ann["id"])
    assert "customer.email.sent" in [one.type for one in parsed.data or []]


async def test_a_custom_event_sends_one_mail_for_each_time_it_is_tracked(world: World, post: MailServer) -> None:
    distribution = world.on_event(message={"text": "{{ event.type }}: {{ event.metadata.stars }} of 5"})
    world.customer("ann")
    world.track("ann", stars=4)
    world.track("ann", "other")
    await world.work()
    world.track("ann", stars=5)
    await world.work()
    assert [text_of(mail) for mail in post.mails_to(world.address("ann"))] == [
        "review_written: 4 of 5\n",
        "review_written: 5 of 5\n",
    ]
    assert [message["state"] for message in world.messages(distribution)] == ["SENT", "SENT"]


async def test_a_customer_who_leaves_and_enters_again_gets_another_mail(world: World, post: MailServer) -> None:
    await world.on_gold()
    world.gold("ann")
    await world.work()
    world.customer("ann", metadata={"tier": "silver"})
    await world.work()
    assert len(post.mails_to(world.address("ann"))) == 1
    world.gold("ann")
    await world.work()
    assert len(post.mails_to(world.address("ann"))) == 2


async def test_what_happened_before_a_distribution_was_made_does_not_fire_it(world: World, post: MailServer) -> None:
    segment = await world.segment()
    world.gold("early")
    world.distribution({"type": "customer.segment.entered", "segment_id": segment})
    world.gold("late")
    await world.work()
    assert post.mails_to(world.address("early")) == []
    assert len(post.mails_to(world.address("late"))) == 1


async def test_filling_a_new_segment_sends_nothing_but_who_enters_meanwhile_is_sent_a_mail(
    world: World, post: MailServer
) -> None:
    world.gold("early")
    made = world.api.call("POST", "/v1/segments", {"name": "Gold", "type": "auto-update", "filter": GOLD})
    world.distribution({"type": "customer.segment.entered", "segment_id": made["id"]})
    world.gold("meanwhile")
    await world.read_log()
    await world.fill_segments()
    await world.work()
    world.gold("after")
    await world.work()
    assert post.mails_to(world.address("early")) == []
    assert len(post.mails_to(world.address("meanwhile"))) == 1
    assert len(post.mails_to(world.address("after"))) == 1


async def test_a_segment_entered_by_the_passing_of_time_sends_a_mail(world: World, post: MailServer) -> None:
    quiet = {"junction": "and", "created_at": {"conditions": {"$more_than_ago": [30]}}}
    made = world.api.call("POST", "/v1/segments", {"name": "Old", "type": "auto-update", "filter": quiet})
    await world.fill_segments()
    world.distribution({"type": "customer.segment.entered", "segment_id": made["id"]})
    world.customer("ann")
    await world.work()
    assert post.mails_to(world.address("ann")) == []
    async with world.later(timedelta(days=31)) as db:
        await world.pass_time(db)
        await world.read_log()
        await world.send(db=db)
    assert len(post.mails_to(world.address("ann"))) == 1


async def test_a_segment_entered_by_the_passing_of_time_while_it_is_being_filled_sends_a_mail(
    world: World, post: MailServer
) -> None:
    quiet = {"junction": "and", "created_at": {"conditions": {"$more_than_ago": [30]}}}
    async with world.db.read() as conn, world.later(timedelta(days=31)) as db:
        async with conn.transaction():
            await conn.fetchval("SELECT pg_current_xact_id()")
            made = world.api.call("POST", "/v1/segments", {"name": "Old", "type": "auto-update", "filter": quiet})
            distribution = world.distribution({"type": "customer.segment.entered", "segment_id": made["id"]})
            world.customer("ann")
            await world.fill_segments()
            shown = world.api.call("GET", f"/v1/segments/{made['id']}")
            assert shown["initial_sync_status"] == "IN_PROGRESS"
            await world.pass_time(db)
        await world.fill_segments()
        await world.read_log()
        await world.send(db=db)
    assert [one["state"] for one in world.messages(distribution)] == ["SENT"]
    assert len(post.mails_to(world.address("ann"))) == 1


async def test_an_inactive_distribution_sends_nothing_and_later_nothing_for_the_time_between(
    world: World, post: MailServer
) -> None:
    distribution = world.on_event()
    path = f"/v1/distributions/{distribution['id']}"
    world.customer("ann")
    world.track("ann")
    await world.work()
    assert world.api.call("PUT", path, {"active": False})["active"] is False
    world.track("ann")
    await world.work()
    world.track("ann")
    assert world.api.call("PUT", path, {"active": True})["active"] is True
    await world.work()
    assert len(post.mails_to(world.address("ann"))) == 1
    world.track("ann")
    await world.work()
    assert len(post.mails_to(world.address("ann"))) == 2


async def test_switching_a_distribution_off_takes_back_what_was_not_sent_yet(world: World, post: MailServer) -> None:
    distribution = world.on_event()
    world.customer("ann")
    world.track("ann")
    await world.read_log()
    assert [message["state"] for message in world.messages(distribution)] == ["QUEUED"]
    world.api.call("PUT", f"/v1/distributions/{distribution['id']}", {"active": False})
    await world.work()
    (message,) = world.messages(distribution)
    assert (message["state"], message["error"]["key"]) == ("CANCELED", "distribution_inactive")
    assert post.mails_to(world.address("ann")) == []


async def test_a_deleted_distribution_sends_nothing_and_its_messages_can_still_be_read(
    world: World, post: MailServer
) -> None:
    distribution = world.on_event()
    path = f"/v1/distributions/{distribution['id']}"
    world.customer("ann")
    world.track("ann")
    await world.work()
    world.track("ann")
    await world.read_log()
    world.api.call("DELETE", path, status=204)
    world.track("ann")
    await world.work()
    world.api.fails("GET", path, status=404, key="not_found")
    assert [message["state"] for message in world.messages(distribution)] == ["SENT", "CANCELED"]
    assert len(post.mails_to(world.address("ann"))) == 1


async def test_a_failed_message_can_be_sent_again_after_its_cause_is_mended(world: World, post: MailServer) -> None:
    distribution = world.on_event(message={"text": "{{ 1 | divided_by: 0 }}"})
    world.customer("ann")
    world.track("ann")
    await world.work()
    message = world.message(distribution)
    path = f"/v1/distributions/{distribution['id']}"
    world.api.call("PUT", path, {"message": {"text": "Good"}})
    again = world.api.call("POST", f"{path}/messages/{message['id']}/resend")
    assert (again["state"], again["error"]) == ("QUEUED", None)
    world.api.fails("POST", f"{path}/messages/{message['id']}/resend", status=409, key="message_not_resendable")
    await world.work()
    assert [text_of(mail) for mail in post.mails_to(world.address("ann"))] == ["Good\n"]
    assert world.message(distribution)["attempts"] == 2
    world.api.fails("POST", f"{path}/messages/{message['id']}/resend", status=409, key="message_not_resendable")


async def test_messages_of_an_inactive_distribution_are_not_sent_again(world: World) -> None:
    distribution = world.on_event()
    world.customer("ann", email=None)
    world.track("ann")
    await world.work()
    path = f"/v1/distributions/{distribution['id']}"
    world.api.call("PUT", path, {"active": False})
    resend = f"{path}/messages/{world.message(distribution)['id']}/resend"
    world.api.fails("POST", resend, status=409, key="message_not_resendable")


async def test_messages_are_listed_by_state_and_customer_in_pages(world: World) -> None:
    distribution = world.on_event()
    ann = world.customer("ann")
    world.customer("bob", email=None)
    for source_id in ("ann", "bob", "ann"):
        world.track(source_id)
    await world.work()
    assert [one["customer_id"] for one in world.messages(distribution, state="SENT")] == [ann["id"], ann["id"]]
    assert [one["state"] for one in world.messages(distribution, customer_id=ann["id"])] == ["SENT", "SENT"]
    path = f"/v1/distributions/{distribution['id']}/messages"
    page = world.api.call("GET", path, params={"limit": 2, "page": 2})
    assert (page["total"], page["has_more"], len(page["data"])) == (3, False, 1)
    assert "text" not in page["data"][0]


async def test_one_project_does_not_see_the_messages_of_another(
    world: World, own_server: harness.Server, own_url: str, run_dir: Path
) -> None:
    distribution = world.on_event()
    world.customer("ann")
    world.track("ann")
    await world.work()
    message = world.message(distribution)
    path = f"/v1/distributions/{distribution['id']}"
    async with make_world(own_server, own_url, run_dir, "another") as other:
        for method, place in (
            ("GET", path),
            ("PUT", path),
            ("DELETE", path),
            ("GET", f"{path}/messages"),
            ("GET", f"{path}/messages/{message['id']}"),
            ("POST", f"{path}/messages/{message['id']}/resend"),
        ):
            other.api.fails(method, place, {} if method == "PUT" else None, status=404, key="not_found")
        assert other.api.call("GET", "/v1/distributions")["total"] == 0


async def test_a_long_queue_of_one_project_does_not_hold_up_another(
    world: World, own_server: harness.Server, own_url: str, run_dir: Path, post: MailServer
) -> None:
    world.on_event()
    world.customer("ann")
    for _ in range(60):
        world.track("ann")
    async with make_world(own_server, own_url, run_dir, "another") as other:
        other.smtp_url = post.url
        other.on_event()
        other.customer("bob")
        other.track("bob")
        await world.read_log()
        lane = world.lane()
        before = 0
        while not post.mails_to(other.address("bob")):
            before = len(post.mails_to(world.address("ann")))
            assert await lane.run(world.db)
        assert before <= 50, "bob waited for the whole queue of ann's project"
        await world.send(lane)
        await lane.close()
    assert len(post.mails_to(world.address("ann"))) == 60
