from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import harness
from distribution_world import World, make_world, start_without_worker
from mail_server import MailServer, mail_server, text_of


@pytest.fixture(scope="module")
def own_url(new_database: Callable[[str], str]) -> str:
    return new_database("distribution_codes")


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
