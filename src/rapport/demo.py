"""The demo shop: a few hundred made-up customers with orders, events, segments, a campaign and a distribution.

Everything goes in through the HTTP API, as a shop would do it, and is the same at every place: the random numbers are
seeded. Safe to run again after it was interrupted: what is there already is not sent twice.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final

import httpx2
import structlog

from rapport.core.clock import iso
from rapport.settings import Bootstrap, Settings

log = structlog.get_logger()

SEED: Final = 1997
CUSTOMERS: Final = 300
PARALLEL: Final = 8
CAMPAIGN: Final = "Thank you 10%"
DISTRIBUTION: Final = "A code for new big spenders"

_FIRST: Final = ("Ada", "Ben", "Chloe", "David", "Ewa", "Finn", "Grace", "Hugo", "Ines", "Jan", "Kaja", "Leo", "Maja")
_LAST: Final = (
    "Adler",
    "Berg",
    "Costa",
    "Dale",
    "Evans",
    "Fischer",
    "Grant",
    "Hall",
    "Jones",
    "Lund",
    "Meyer",
    "Novak",
)
_PLACES: Final = (
    ("Warsaw", "Poland"), ("Krakow", "Poland"), ("Berlin", "Germany"), ("London", "United Kingdom"),
    ("Lisbon", "Portugal"), ("Oslo", "Norway"), ("New York", "United States"),
)  # fmt: skip
_PRODUCTS: Final = (
    ("macbook-air", "MacBookAir", 119_900), ("headphones", "Headphones", 24_900), ("mug", "Coffee mug", 1_400),
    ("beans", "Coffee beans 1 kg", 2_900), ("grinder", "Grinder", 8_900), ("notebook", "Notebook", 900),
)  # fmt: skip
_STARTED: Final = "demo_started"
_EVENTS: Final = ("review_written", "product_viewed", "newsletter_opened")

SEGMENTS: Final[dict[str, dict[str, Any]]] = {
    "New customers": {"created_at": {"conditions": {"$less_than_ago": [7]}}},
    "Customers in Poland": {"address.country": {"conditions": {"$is": ["Poland"]}}},
    "Big spenders": {"summary.orders.total_amount": {"conditions": {"$more_than": [150_000]}}},
    "Bought in the last 30 days": {"summary.orders.last_order_date": {"conditions": {"$less_than_ago": [30]}}},
    "No order for 30 days": {"summary.orders.last_order_date": {"conditions": {"$more_than_ago": [30]}}},
    "Last order contains a MacBookAir": {
        "summary.orders.last_order_products": {"conditions": {"$contains": ["MacBookAir"]}}
    },
    "At least two reviews in 90 days": {
        "events.review_written": {"conditions": {"$count_more": [1], "$less_than_ago": [90]}}
    },
    "Birthday next month": {"birthdate": {"conditions": {"$next_month": [True]}}},
}

Call = tuple[str, dict[str, Any]]


def customer(number: int, draw: random.Random) -> dict[str, Any]:
    """Return a made-up customer."""
    first, last = draw.choice(_FIRST), draw.choice(_LAST)
    city, country = draw.choice(_PLACES)
    return {
        "source_id": f"demo-{number}",
        "name": f"{first} {last}",
        "email": f"{first}.{last}.{number}@example.com".lower(),
        "birthdate": f"{draw.randint(1950, 2005)}-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}",
        "address": {"city": city, "country": country},
        "metadata": {"tier": draw.choice(["bronze", "silver", "gold"]), "children": draw.randint(0, 3)},
        "source": draw.choice(["API", "MailChimp", "Shop"]),
    }


def history(number: int, now: datetime, draw: random.Random) -> list[Call]:
    """Return the calls that give a customer orders of the last year and some events."""
    calls: list[Call] = []
    for order in range(min(8, int(draw.expovariate(1 / 2.5)))):
        items = [
            {"source_id": source_id, "related_object": "product", "quantity": draw.randint(1, 2), "price": price,
             "product": {"name": name}}
            for source_id, name, price in draw.sample(_PRODUCTS, draw.randint(1, 3))
        ]  # fmt: skip
        at = now - timedelta(days=draw.random() ** 2 * 365)
        calls.append(
            (
                "/v1/orders",
                {
                    "source_id": f"demo-order-{number}-{order}",
                    "customer": {"source_id": f"demo-{number}"},
                    "status": draw.choices(["PAID", "FULFILLED", "CANCELED"], [5, 4, 1])[0],
                    "created_at": iso(at),
                    "items": items,
                },
            )
        )
    for _ in range(draw.choice([0, 0, 1, 2, 3])):
        event = {"event": draw.choice(_EVENTS), "customer": {"source_id": f"demo-{number}"}}
        calls.append(("/v1/events", {**event, "metadata": {"stars": draw.randint(1, 5)}}))
    return calls


async def _in_parallel(jobs: list[Callable[[], Awaitable[None]]]) -> None:
    queue = iter(jobs)

    async def run() -> None:
        for job in queue:
            await job()

    async with asyncio.TaskGroup() as group:
        for _ in range(PARALLEL):
            group.create_task(run())


@asynccontextmanager
async def _client(address: str, key: Bootstrap) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"X-App-Id": key.app_id, "X-App-Token": key.app_token}
    async with httpx2.AsyncClient(base_url=address, headers=headers, timeout=60) as client:
        yield client


async def _post(client: httpx2.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


async def _named(client: httpx2.AsyncClient, path: str, items: str) -> dict[str, str]:
    found = (await client.get(path, params={"limit": "100"})).raise_for_status().json()
    return {one["name"]: one["id"] for one in found[items]}


async def _tracked(client: httpx2.AsyncClient, number: int) -> list[dict[str, Any]]:
    """Return the custom events of a customer who is there, as the activity log shows them, oldest first."""
    query = {"type": "customer.custom_event", "order": "created_at", "limit": "100"}
    found = await client.get(f"/v1/customers/demo-{number}/activity", params=query)
    return [entry["data"]["data"]["event"] for entry in found.raise_for_status().json()["data"]]


async def _load_history(client: httpx2.AsyncClient, number: int, calls: list[Call]) -> None:
    """Send a customer's history, without the events that an earlier load has sent: orders have source ids."""
    done = sum(event["type"] in _EVENTS for event in await _tracked(client, number))
    events = [call for call in calls if call[0] == "/v1/events"]
    for path, body in [call for call in calls if call[0] != "/v1/events"] + events[done:]:
        await _post(client, path, body)


async def _load_people(client: httpx2.AsyncClient, now: datetime) -> None:
    def job(number: int) -> Callable[[], Awaitable[None]]:
        draw = random.Random(SEED * CUSTOMERS + number)  # noqa: S311 (made-up people)

        async def run() -> None:
            await _post(client, "/v1/customers", customer(number, draw))
            await _load_history(client, number, history(number, now, draw))

        return run

    await _in_parallel([job(number) for number in range(1, CUSTOMERS + 1)])


async def _load_segments(client: httpx2.AsyncClient) -> dict[str, str]:
    known = await _named(client, "/v1/segments", "data")
    for name, conditions in SEGMENTS.items():
        if name not in known:
            body = {"name": name, "type": "auto-update", "filter": {"junction": "and", **conditions}}
            known[name] = (await _post(client, "/v1/segments", body))["id"]
    return known


async def _until_filled(client: httpx2.AsyncClient) -> None:
    while True:
        found = (await client.get("/v1/segments", params={"limit": "100"})).raise_for_status().json()
        if all(segment["initial_sync_status"] == "DONE" for segment in found["data"]):
            return
        await asyncio.sleep(0.1)


async def _load_promotion(client: httpx2.AsyncClient, segment_id: str) -> None:
    if CAMPAIGN not in await _named(client, "/v1/campaigns", "campaigns"):
        campaign = {
            "name": CAMPAIGN,
            "campaign_type": "DISCOUNT_COUPONS",
            "type": "AUTO_UPDATE",
            "vouchers_count": 20,
            "voucher": {
                "type": "DISCOUNT_VOUCHER",
                "discount": {"type": "PERCENT", "percent_off": 10, "effect": "APPLY_TO_ORDER"},
                "redemption": {"quantity": 1},
                "code_config": {"pattern": "THANKS-######"},
            },
        }
        await _post(client, "/v1/campaigns", campaign)
    if DISTRIBUTION not in await _named(client, "/v1/distributions", "data"):
        distribution = {
            "name": DISTRIBUTION,
            "trigger": {"type": "customer.segment.entered", "segment_id": segment_id},
            "campaign": {"name": CAMPAIGN},
            "channel": "email",
            "message": {
                "subject": "{{ customer.name }}, ten percent for you",
                "text": "Hello {{ customer.name }},\n\nyour code is {{ voucher.code }}.\n",
            },
        }
        await _post(client, "/v1/distributions", distribution)


async def _started_at(client: httpx2.AsyncClient) -> datetime:
    """Return when the load began for the first time, by the server's clock: so orders keep their dates."""
    await _post(client, "/v1/customers", {"source_id": "demo-1"})
    known = [event for event in await _tracked(client, 1) if event["type"] == _STARTED]
    event = (
        known[0]
        if known
        else await _post(client, "/v1/events", {"event": _STARTED, "customer": {"source_id": "demo-1"}})
    )
    return datetime.fromisoformat(event["created_at"])


async def load(settings: Settings, address: str, key: Bootstrap) -> list[str]:
    """Load the shop into the server at `address`; return three calls worth trying, one a line."""
    _ = settings
    async with _client(address, key) as client:
        log.info("loading the demo shop", customers=CUSTOMERS)
        await _load_people(client, await _started_at(client))
        segments = await _load_segments(client)
        await _until_filled(client)
        await _load_promotion(client, segments["Big spenders"])
        distributions = await _named(client, "/v1/distributions", "data")
    keys = f"-H 'X-App-Id: {key.app_id}' -H 'X-App-Token: {key.app_token}'"
    you = {"source_id": "you", "name": "You", "email": "you@example.com"}
    order = json.dumps({"customer": you, "status": "PAID", "amount": 200_000})
    return [
        "Try: who is a big spender; buy something big; a second later, the email with your own code that it causes",
        f"  curl {keys} '{address}/v1/customers?segment_id={segments['Big spenders']}&limit=2'",
        f"  curl {keys} {address}/v1/orders -d '{order}'",
        f"  curl {keys} {address}/v1/distributions/{distributions[DISTRIBUTION]}/messages",
    ]
