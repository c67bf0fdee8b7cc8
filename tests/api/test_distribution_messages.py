import email
import email.policy
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

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


async def test_a_changed_template_counts_for_what_is_not_sent_yet(world: World, post: MailServer) -> None:
    distribution = world.on_event()
    world.customer("ann", name="Ann")
    world.track("ann")
    await world.read_log()
    changed = {"message": {"subject": "New", "text": None, "html": "<p>{{ customer.name }}</p>"}}
    world.api.call("PUT", f"/v1/distributions/{distribution['id']}", changed)
    await world.work()
    (mail,) = post.mails_to(world.address("ann"))
    assert mail["Subject"] == "New"
    assert mail.get_content_type() == "text/html"
    assert text_of(mail) == "<p>Ann</p>\n"


async def test_hostile_data_is_data(world: World, post: MailServer) -> None:
    name = "<script>x</script>{{ customer.email }}{% raw %}\r\nBcc: victim@example.com\r\n\r\nbody"
    world.on_event(
        message={
            "subject": "Hi {{ customer.name }}",
            "text": "Hi {{ customer.name }}",
            "html": "<b>{{ customer.name }}</b>",
        }
    )
    world.customer("eve", name=name)
    world.track("eve")
    await world.work()
    (mail,) = post.mails_to(world.address("eve"))
    assert mail["Subject"] == "Hi <script>x</script>{{ customer.email }}{% raw %} Bcc: victim@example.com body"
    assert mail["Bcc"] is None
    assert [one.addr_spec for one in mail["To"].addresses] == [world.address("eve")]
    html = mail.get_body(("html",))
    assert html is not None
    assert "&lt;script&gt;x&lt;/script&gt;{{ customer.email }}{% raw %}" in text_of(html)
    assert "<script>" not in text_of(html)


async def test_a_mail_in_any_language_arrives_as_it_was_written(world: World, post: MailServer) -> None:
    text = "Zażółć gęślą jaźń 🎁\n.\n..leading dots\nFrom here\n" + "long " * 400
    world.on_event(message={"subject": "Dzień dobry, {{ customer.name }} 🎁", "text": "{{ event.metadata.text }}"})
    world.customer("zoë", name="Zoë Łąka", email=f"zoe.{world.project_id}@bücher.example")
    world.track("zoë", text=text)
    await world.work()
    (mail,) = post.mails_to(f"zoe.{world.project_id}@xn--bcher-kva.example")
    assert mail["Subject"] == "Dzień dobry, Zoë Łąka 🎁"
    assert mail["To"].addresses[0].display_name == "Zoë Łąka"
    assert text_of(mail).rstrip("\n") == text


@pytest.mark.parametrize(
    ("source_id", "address", "key"),
    [
        ("none", None, "missing_email"),
        ("blank", "  ", "missing_email"),
        ("word", "not an address", "invalid_email"),
        ("header", "a@b.example\r\nBcc: victim@example.com", "invalid_email"),
        ("two", "a@b.example, c@d.example", "invalid_email"),
    ],
)
async def test_a_customer_without_a_good_address_is_a_failed_message(
    world: World, source_id: str, address: str | None, key: str
) -> None:
    distribution = world.on_event()
    customer = world.customer(source_id, email=address)
    world.track(source_id)
    await world.work()
    message = world.message(distribution)
    assert (message["state"], message["error"]["key"]) == ("FAILED", key)
    assert world.activity(customer) == ["customer.email.failed"]


async def test_a_deleted_customer_is_a_failed_message(world: World) -> None:
    distribution = world.on_event()
    customer = world.customer("gone")
    world.track("gone")
    await world.read_log()
    world.api.call("DELETE", f"/v1/customers/{customer['id']}", status=204)
    await world.work()
    message = world.message(distribution)
    assert (message["state"], message["error"]["key"]) == ("FAILED", "customer_not_found")


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in (1..999) %}{% for b in (1..999) %}x{% endfor %}{% endfor %}",
        "{% assign a = 'x' %}" + "{% assign a = a | append: a %}" * 60,
        "{% for a in (1..999) %}{% for b in (1..10) %}"
        + "{% if 1 == 1 %}{% endif %}" * 3000
        + "{% endfor %}{% endfor %}",
        "{{ 1 | divided_by: 0 }}",
    ],
    ids=["loops", "growth", "time", "error"],
)
async def test_a_template_that_goes_too_far_is_cut_off(world: World, post: MailServer, template: str) -> None:
    bad = world.on_event(message={"text": template})
    good = world.on_event()
    customer = world.customer("ann")
    world.track("ann")
    await world.work()
    assert world.message(bad)["error"]["key"] == "template_error"
    assert world.message(bad)["state"] == "FAILED"
    assert world.message(good)["state"] == "SENT"
    assert len(post.mails_to(world.address("ann"))) == 1
    assert sorted(world.activity(customer)) == ["customer.email.failed", "customer.email.sent"]


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


async def test_without_an_smtp_server_the_mail_is_a_file_in_the_outbox(world: World) -> None:
    world.smtp_url = None
    distribution = world.on_event(message={"text": "Kept"})
    world.customer("ann")
    world.track("ann")
    await world.work()
    message = world.message(distribution)
    assert (message["state"], message["provider"]) == ("SENT", "outbox")
    (path,) = world.outbox.iterdir()
    assert path.name.endswith(f"Z_{message['id']}.eml")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(world.outbox.stat().st_mode) == 0o700
    mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    assert mail["To"] == world.address("ann")
    assert text_of(mail) == "Kept\n"


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


def make_campaign(world: World, count: int, kind: str = "STATIC", name: str = "Welcome") -> dict[str, Any]:
    """Make a campaign of codes that take 10.5 % off."""
    body = {
        "name": name,
        "campaign_type": "DISCOUNT_COUPONS",
        "type": kind,
        "vouchers_count": count,
        "voucher": {
            "type": "DISCOUNT_VOUCHER",
            "discount": {"type": "PERCENT", "percent_off": 10.5},
            "redemption": {"quantity": 1},
            "code_config": {"pattern": "HI-########"},
        },
    }
    return world.api.call("POST", "/v1/campaigns", body)  # type: ignore[no-any-return]


CODE = "{{ campaign.name }}: {{ voucher.code }} takes {{ voucher.discount.percent_off }} % off"


async def test_each_customer_gets_a_code_of_their_own_in_the_mail(world: World, post: MailServer) -> None:
    campaign = make_campaign(world, 3)
    distribution = await world.on_gold(campaign={"name": "Welcome"}, message={"text": CODE})
    assert distribution["campaign"] == {"id": campaign["id"]}
    ann, bob = world.gold("ann"), world.gold("bob")
    await world.work()
    codes = {}
    for customer in (ann, bob):
        (message,) = world.messages(distribution, customer_id=customer["id"])
        codes[customer["id"]] = code = message["voucher"]["code"]
        (mail,) = post.mails_to(customer["email"])
        assert text_of(mail) == f"Welcome: {code} takes 10.5 % off\n"
        voucher = world.api.call("GET", f"/v1/vouchers/{code}")
        assert (voucher["holder_id"], voucher["campaign_id"]) == (customer["id"], campaign["id"])
        assert message["campaign_id"] == campaign["id"]
        (publication,) = world.api.call("GET", "/v1/publications", params={"customer": customer["id"]})["publications"]
        assert (publication["id"], publication["source_id"]) == (message["publication_id"], message["id"])
        assert world.activity(customer, "customer.publication") == ["customer.publication.succeeded"]
    assert len(set(codes.values())) == 2


async def test_every_attempt_at_a_message_has_the_same_code(world: World, post: MailServer) -> None:
    make_campaign(world, 3)
    distribution = world.on_event(campaign={"name": "Welcome"}, message={"text": CODE})
    ann = world.customer("ann")
    world.track("ann")
    post.rcpt_answers[world.address("ann")].append("451 later")
    post.data_answers[world.address("ann")].append("HANG UP AFTER")
    await world.work()
    code = world.message(distribution)["voucher"]["code"]
    async with world.later(timedelta(minutes=1)) as db:
        await world.send(db=db)
    message = world.message(distribution)
    assert (message["state"], message["voucher"]["code"]) == ("UNCERTAIN", code)
    world.api.call("POST", f"/v1/distributions/{distribution['id']}/messages/{message['id']}/resend")
    await world.work()
    assert world.message(distribution)["voucher"]["code"] == code
    assert [code in text_of(mail) for mail in post.mails_to(world.address("ann"))] == [True, True]
    assert world.api.call("GET", "/v1/publications", params={"customer": ann["id"]})["total"] == 1


async def test_a_campaign_without_codes_left_fails_the_message_and_sends_nothing(
    world: World, post: MailServer
) -> None:
    make_campaign(world, 1)
    distribution = world.on_event(campaign={"name": "Welcome"}, message={"text": CODE})
    customers = {one["id"]: one for one in (world.customer("ann"), world.customer("bob"))}
    for customer in customers.values():
        world.track(customer["source_id"])
    await world.work()
    (failed,) = world.messages(distribution, state="FAILED")
    assert failed["error"]["key"] == "no_voucher_suitable_for_publication"
    loser = customers[failed["customer_id"]]
    assert post.mails_to(loser["email"]) == []
    assert world.activity(loser, "customer.publication") == ["customer.publication.failed"]
    assert world.activity(loser) == ["customer.email.failed"]
    assert len(world.messages(distribution, state="SENT")) == 1
    world.api.call("POST", f"/v1/campaigns/{failed['campaign_id'] or distribution['campaign']['id']}/vouchers")
    world.api.call("POST", f"/v1/distributions/{distribution['id']}/messages/{failed['id']}/resend")
    await world.work()
    assert len(post.mails_to(loser["email"])) == 1


async def test_a_message_that_cannot_be_written_takes_no_code(world: World) -> None:
    campaign = make_campaign(world, 1)
    world.on_event(campaign={"id": campaign["id"]}, message={"text": "{{ 1 | divided_by: 0 }}"})
    ann = world.customer("ann")
    world.track("ann")
    await world.work()
    assert world.activity(ann, "customer.publication") == []
    (voucher,) = world.api.call("GET", "/v1/vouchers", params={"campaign_id": campaign["id"]})["vouchers"]
    assert "holder_id" not in voucher
    assert world.activity(ann) == ["customer.email.failed"]


async def test_a_campaign_deleted_since_fails_the_message(world: World, post: MailServer) -> None:
    campaign = make_campaign(world, 1)
    distribution = world.on_event(campaign={"id": campaign["id"]}, message={"text": CODE})
    world.customer("ann")
    world.track("ann")
    world.api.call("DELETE", f"/v1/campaigns/{campaign['id']}", status=202)
    await world.work()
    message = world.message(distribution)
    assert (message["state"], message["error"]["key"]) == ("FAILED", "not_found")
    assert post.mails_to(world.address("ann")) == []
