"""Consents, devices and messages at the same moment: no word is lost, and nothing is sent after a no was answered."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import harness
from distribution_world import World, make_world, start_without_worker
from mail_server import MailServer, mail_server

PEOPLE = 24


@pytest.fixture(scope="module")
def own_url(new_database: Callable[[str], str]) -> str:
    return new_database("consent_races")


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


def keys(world: World) -> dict[str, str]:
    return {name: world.api.headers[name] for name in ("X-App-Id", "X-App-Token")}


async def test_an_unsubscribe_is_answered_when_what_was_begun_is_handed_over(world: World, post: MailServer) -> None:
    distribution = world.on_event()
    world.customer("ann")
    world.track("ann")
    await world.read_log()
    post.data_answers[world.address("ann")].append("SLOW")
    post.stalled = False
    lane = world.lane()
    sending = asyncio.create_task(world.send(lane))
    while not post.stalled:
        await asyncio.sleep(0.01)
    assert post.mails_to(world.address("ann")) == []
    async with harness.async_client(str(world.api.base_url), keys(world)) as client:
        answer = await client.put("/v1/customers/ann/consents", json={"unsubscribed": True})
    at_answer = len(post.mails_to(world.address("ann")))
    await sending
    await lane.close()
    assert answer.json()["messages_in_flight"] == 0
    assert at_answer == 1, "it was begun before, and is handed over before the answer"
    assert world.message(distribution)["state"] == "SENT"


@pytest.mark.parametrize("how", ["api", "inbound", "complaint"])
async def test_nothing_is_handed_over_after_an_unsubscribe_was_answered(
    world: World, post: MailServer, how: str
) -> None:
    world.on_event()
    names = [f"c{number}" for number in range(PEOPLE)]
    for name in names:
        world.customer(name)
        world.track(name)
    await world.read_log()
    at_answer: dict[str, int] = {}
    async with harness.async_client(str(world.api.base_url), keys(world)) as client:

        async def unsubscribe(number: int, name: str) -> None:
            await asyncio.sleep(number * 0.01)
            address = world.address(name)
            if how == "api":
                answer = await client.put(f"/v1/customers/{name}/consents", json={"unsubscribed": True})
            elif how == "inbound":
                body = {"channel": "email", "from": address, "text": "stop"}
                answer = await client.post("/v1/consents/inbound", json=body)
            else:
                body = {"id": f"i-{name}", "channel": "email", "type": "complained"}
                answer = await client.post(f"/v1/customers/{name}/interactions", json=body)
            at_answer[name] = len(post.mails_to(address))
            assert answer.status_code == 200, answer.text

        lanes = [world.lane() for _ in range(2)]
        await asyncio.gather(
            *(world.send(lane) for lane in lanes),
            *(unsubscribe(number, name) for number, name in enumerate(reversed(names))),
        )
        for name in names:
            world.track(name)
        await world.read_log()
        await world.send(lanes[0])
    for lane in lanes:
        await lane.close()
    assert {name: len(post.mails_to(world.address(name))) for name in names} == at_answer


async def all_at_once(world: World, requests: list[tuple[str, str, Any]]) -> None:
    async with harness.async_client(str(world.api.base_url), keys(world)) as client:
        answers = await asyncio.gather(*(client.request(method, path, json=body) for method, path, body in requests))
    assert {answer.status_code for answer in answers} == {200}


async def test_of_many_words_at_once_none_is_lost_and_the_newest_counts(world: World) -> None:
    a, b = (world.api.call("POST", "/v1/consents", {"name": name})["id"] for name in ("a", "b"))
    world.customer("ann")
    days = [f"2026-01-{day:02d}T00:00:00.000Z" for day in range(1, 21)]
    requests: list[tuple[str, str, Any]] = [
        ("PUT", "/v1/customers/ann/consents", {"a": {"given": day % 2 == 0, "at": at}, "b": {"given": True, "at": at}})
        for day, at in enumerate(days)
    ]
    events: list[tuple[str, str, Any]] = [
        ("POST", "/v1/events", {"event": "e", "customer": {"source_id": "ann"}, "location": {"id": "oslo"}})
    ] * 10
    await all_at_once(world, requests + events + requests)
    customer = world.api.call("GET", "/v1/customers/ann")
    assert customer["consents"] == {a: {"given": False, "at": days[-1]}, b: {"given": True, "at": days[-1]}}
    assert (customer["events"]["e"]["count"], customer["in_store"]["visits"]["count"]) == (10, 10)
    rows = world.api.call("GET", "/v1/customers/ann/consents", params={"limit": 100})["data"]
    assert sorted((row["at"], row["given"]) for row in rows) == sorted(
        [(at, day % 2 == 0) for day, at in enumerate(days)] + [(at, True) for at in days]
    )


async def test_a_token_that_everybody_claims_is_on_one_device_of_one_customer(world: World) -> None:
    names = [f"c{number}" for number in range(6)]
    for name in names:
        world.customer(name)
    requests: list[tuple[str, str, Any]] = []
    for number, name in enumerate(names * 3):
        device = {"token": "t"} if number % 3 else {"token": "t", "id": f"d{number % 2}"}
        requests.append(("POST", f"/v1/customers/{name}/devices", device))
        requests.append(("POST", "/v1/events", {"event": "e", "customer": {"source_id": name}, "device": device}))
    await all_at_once(world, requests)
    listed = [
        one
        for name in names
        for one in world.api.call("GET", f"/v1/customers/{name}/devices")["data"]
        if one["token"] == "t"
    ]
    shown = [one["id"] for name in names for one in world.api.call("GET", f"/v1/customers/{name}")["devices"]]
    assert len(listed) == 1
    assert sorted(shown) == sorted(
        one["id"] for name in names for one in world.api.call("GET", f"/v1/customers/{name}/devices")["data"]
    )
    assert all(world.api.call("GET", f"/v1/customers/{name}")["events"]["e"]["count"] == 3 for name in names)


async def test_a_token_that_goes_round_is_moved_by_every_request(world: World) -> None:
    names = [f"c{number}" for number in range(10)]
    for name in names:
        world.customer(name)
    await all_at_once(world, [("POST", f"/v1/customers/{name}/devices", {"token": "t"}) for name in names * 12])
    shown = [one for name in names for one in world.api.call("GET", f"/v1/customers/{name}")["devices"]]
    assert len(shown) == 1


async def test_what_is_told_twice_at_once_counts_once(world: World) -> None:
    world.customer("ann")
    body = {"id": "i", "channel": "email", "type": "opened"}
    await all_at_once(world, [("POST", "/v1/customers/ann/interactions", body)] * 12)
    assert world.api.call("GET", "/v1/customers/ann")["marketing"]["email"]["opened"]["count"] == 1
