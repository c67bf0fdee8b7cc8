import email
import email.policy
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

import harness
from distribution_world import World, make_world, start_without_worker
from mail_server import MailServer, mail_server, text_of


@pytest.fixture(scope="module")
def own_url(new_database: Callable[[str], str]) -> str:
    return new_database("distribution_mails")


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
