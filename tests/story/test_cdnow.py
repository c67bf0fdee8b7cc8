"""The whole story on the CDNOW sample: customers in, segments right, time passes, one email, one redemption."""

import asyncio
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import voucherify

import harness
from conftest import Api
from mail_server import MailServer, mail_server, text_of
from rapport.core import jsons

KEY = {"X-App-Id": "11111111-2222-3333-4444-555555555555", "X-App-Token": "66666666-7777-8888-9999-000000000000"}
BEFORE = datetime(1998, 7, 1, tzinfo=UTC)
AFTER = BEFORE + timedelta(days=14)
MONTH = timedelta(days=30)


class Purchase:
    """One line of CDNOW_sample.txt."""

    def __init__(self, line: str, number: int) -> None:
        master, _, date, discs, dollars = line.split()
        self.customer = f"cdnow-{master}"
        self.source_id = f"cdnow-{master}-{number}"
        self.at = datetime.strptime(date, "%Y%m%d").replace(tzinfo=UTC)
        self.discs = int(discs)
        self.amount = int(Decimal(dollars) * 100)

    def order(self) -> dict[str, Any]:
        """Return the body of the order."""
        return {
            "source_id": self.source_id,
            "status": "PAID",
            "created_at": self.at.isoformat(),
            "customer": {"source_id": self.customer, "email": f"{self.customer}@example.com"},
            "amount": self.amount,
            "items": [{"source_id": "cd", "related_object": "product", "quantity": self.discs, "amount": self.amount}],
        }


@pytest.fixture(scope="module")
def purchases(cdnow: Path) -> list[Purchase]:
    numbers: Counter[str] = Counter()
    found = []
    for line in (cdnow / "CDNOW_sample.txt").read_text().splitlines():
        numbers[line.split()[0]] += 1
        found.append(Purchase(line, numbers[line.split()[0]]))
    assert len(found) == 6_919
    assert len({one.customer for one in found}) == 2_357
    return found


@pytest.fixture(scope="module")
def post_office() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


def start(
    start_server: Callable[..., harness.Server], database_url: str, post_office: MailServer, at: datetime
) -> harness.Server:
    """Start a Rapport whose clock shows `at`."""
    offset = int((at - datetime.now(UTC)).total_seconds())
    environment = {
        "RAPPORT_CLOCK_OFFSET": f"{offset}s",
        "RAPPORT_SMTP_URL": post_office.url,
        "RAPPORT_SMTP_FROM": "shop@example.com",
        "RAPPORT_BOOTSTRAP_APP_ID": KEY["X-App-Id"],
        "RAPPORT_BOOTSTRAP_APP_TOKEN": KEY["X-App-Token"],
    }
    return start_server(database_url, "--workers", "2", env=environment)


async def send_all(base_url: str, path: str, bodies: list[dict[str, Any]], connections: int = 16) -> Counter[int]:
    """Send all bodies over several connections at once; return how often each status came."""
    statuses: Counter[int] = Counter()
    waiting = iter(bodies)
    async with harness.async_client(base_url, {**KEY, "Content-Type": "application/json"}) as client:

        async def run() -> None:
            for body in waiting:
                answer = await client.post(path, content=jsons.encode(body))
                statuses[answer.status_code] += 1

        await asyncio.gather(*(run() for _ in range(connections)))
    return statuses


def members(api: Api, segment_id: str) -> set[str]:
    """Return the source ids of a segment's members."""
    found: set[str] = set()
    page = 1
    while True:
        part = api.call("GET", "/v1/customers", params={"segment_id": segment_id, "limit": "100", "page": str(page)})
        found |= {customer["source_id"] for customer in part["customers"]}
        if not part["has_more"]:
            assert len(found) == part["total"]
            return found
        page += 1


def make_segment(api: Api, name: str, **conditions: Any) -> str:
    """Create an auto-update segment, wait until it is filled, return its id."""
    filters = {field: {"conditions": condition} for field, condition in conditions.items()}
    body = {"name": name, "type": "auto-update", "filter": {"junction": "and", **filters}}
    segment_id: str = api.call("POST", "/v1/segments", body)["id"]
    harness.wait_for(
        lambda: api.call("GET", f"/v1/segments/{segment_id}")["initial_sync_status"] == "DONE", what=f"filling {name}"
    )
    return segment_id


def facts(purchases: list[Purchase]) -> dict[str, list[Purchase]]:
    """Return the purchases of each customer."""
    by_customer: dict[str, list[Purchase]] = defaultdict(list)
    for purchase in purchases:
        by_customer[purchase.customer].append(purchase)
    return by_customer


async def test_the_main_job_end_to_end_on_real_customers(
    start_server: Callable[..., harness.Server],
    new_database: Callable[[str], str],
    post_office: MailServer,
    purchases: list[Purchase],
) -> None:
    database_url = new_database("story")
    server = start(start_server, database_url, post_office, BEFORE)
    by_customer = facts(purchases)

    with Api(base_url=server.base_url, headers=KEY, timeout=60) as api:
        # Segments that are there while the purchases come in, and segments that come after them.
        total, amount, last = (f"summary.orders.{name}" for name in ("total_count", "total_amount", "last_order_date"))
        early = make_segment(api, "5 purchases or more, from the start", **{total: {"$more_than_equal": [5]}})
        recent = make_segment(api, "Bought in the last 30 days", **{last: {"$less_than_ago": [30]}})

        assert await send_all(server.base_url, "/v1/orders", [one.order() for one in purchases]) == {200: 6_919}
        assert api.call("GET", "/v1/customers", params={"limit": "1"})["total"] == 2_357
        assert api.call("GET", "/v1/orders", params={"limit": "1"})["total"] == 6_919

        late = make_segment(api, "5 purchases or more", **{total: {"$more_than_equal": [5]}})
        assert members(api, early) == members(api, late) == {one for one, all_ in by_customer.items() if len(all_) >= 5}
        assert len(members(api, late)) == 388
        assert len(members(api, make_segment(api, "more than $100", **{amount: {"$more_than": [10_000]}}))) == 615
        small = {total: {"$is": [1]}, amount: {"$less_than": [5_000]}}
        assert len(members(api, make_segment(api, "one small purchase", **small))) == 1_039
        assert len(members(api, make_segment(api, "gone", **{last: {"$before": ["1998-06-01"]}}))) == 2_219

        def bought_since(now: datetime) -> set[str]:
            return {one for one, all_ in by_customer.items() if max(each.at for each in all_) > now - MONTH}

        assert members(api, recent) == bought_since(BEFORE) != set()

    # Two weeks pass, and nobody writes anything.
    assert server.stop() == 0
    server = start(start_server, database_url, post_office, AFTER)
    with Api(base_url=server.base_url, headers=KEY, timeout=60) as api:
        gone, staying = bought_since(BEFORE) - bought_since(AFTER), bought_since(AFTER)
        assert gone, "the data must tell the two moments apart"
        assert staying
        harness.wait_for(lambda: members(api, recent) == staying, what="leaving by time")
        for customer in sorted(gone):
            left = api.call("GET", f"/v1/customers/{customer}/activity", params={"type": "customer.segment.left"})
            assert [one["data"]["data"]["segment"]["id"] for one in left["data"]] == [recent]
        for customer in sorted(staying):
            left = api.call("GET", f"/v1/customers/{customer}/activity", params={"type": "customer.segment.left"})
            assert left["data"] == []
        # What else is in the project must not have moved.
        assert len(members(api, late)) == 388

        await promote(
            api, server, post_office, make_segment(api, "Spent $1,000", **{amount: {"$more_than": [100_000]}})
        )
    assert server.stop() == 0


async def promote(api: Api, server: harness.Server, post_office: MailServer, segment_id: str) -> None:
    """Let customers enter a segment: each gets one email with a code of their own, redeemed once, by them alone."""
    already = members(api, segment_id)
    rule = {"1": {"name": "publication.redeemable_by_linked_customer", "conditions": {"$is": [True]}}, "logic": "1"}
    rule_id = api.call("POST", "/v1/validation-rules", {"name": "Only the one it was given to", "rules": rule})["id"]
    campaign = {
        "name": "Thank you",
        "campaign_type": "DISCOUNT_COUPONS",
        "type": "AUTO_UPDATE",
        "vouchers_count": 5,
        "voucher": {
            "type": "DISCOUNT_VOUCHER",
            "discount": {"type": "PERCENT", "percent_off": 10, "effect": "APPLY_TO_ORDER"},
            "redemption": {"quantity": 1},
            "code_config": {"pattern": "CD-########"},
        },
        "validation_rules": [rule_id],
    }
    api.call("POST", "/v1/campaigns", campaign)
    distribution = {
        "name": "A code for big spenders",
        "trigger": {"type": "customer.segment.entered", "segment_id": segment_id},
        "campaign": {"name": "Thank you"},
        "channel": "email",
        "message": {"subject": "Thank you", "text": "Your code: {{ voucher.code }}"},
    }
    distribution_id = api.call("POST", "/v1/distributions", distribution)["id"]

    newcomers = ("cdnow-00004", "cdnow-00021")
    assert not already & set(newcomers)
    for customer in newcomers:
        order = {"customer": {"source_id": customer}, "status": "PAID", "amount": 200_000}
        api.call("POST", "/v1/orders", order)
        assert customer in members(api, segment_id)
        # A second order keeps them in: no second email.
        api.call("POST", "/v1/orders", order)

    def mails(customer: str) -> list[Any]:
        return post_office.mails_to(f"{customer}@example.com")

    codes = []
    for customer in newcomers:
        harness.wait_for(lambda customer=customer: mails(customer), what=f"an email to {customer}")  # type: ignore[misc]
        codes.append(re.search(r"Your code: (CD-\w{8})\s*$", text_of(mails(customer)[0])).group(1))  # type: ignore[union-attr]
    assert codes[0] != codes[1]

    configuration = voucherify.Configuration(host=server.base_url)
    configuration.api_key = dict(KEY)
    redemptions = voucherify.RedemptionsApi(voucherify.ApiClient(configuration))

    def redeem(code: str, customer: str) -> Any:
        return redemptions.redeem_stacked_discounts(
            voucherify.RedemptionsRedeemRequestBody.from_dict(
                {
                    "redeemables": [{"object": "voucher", "id": code}],
                    "customer": {"source_id": customer},
                    "order": {"amount": 10_000},
                }
            )
        )

    with pytest.raises(voucherify.ApiException) as refused:
        redeem(codes[0], newcomers[1])
    assert refused.value.status == 400
    done = redeem(codes[0], newcomers[0])
    assert [one.result for one in done.redemptions] == ["SUCCESS"]
    assert done.order.total_amount == 9_000
    with pytest.raises(voucherify.ApiException) as used_up:
        redeem(codes[0], newcomers[0])
    assert jsons.decode(used_up.value.body)["key"] == "quantity_exceeded"

    race = {"customer": {"source_id": newcomers[1]}, "order": {"amount": 10_000}}
    statuses = await send_all(server.base_url, f"/v1/vouchers/{codes[1]}/redemption", [race] * 50, connections=50)
    assert statuses == {200: 1, 400: 49}
    summary = api.call("GET", f"/v1/customers/{newcomers[1]}")["summary"]["redemptions"]
    assert (summary["total_succeeded"], summary["total_failed"]) == (1, 50)

    messages = api.call("GET", f"/v1/distributions/{distribution_id}/messages")
    assert [one["state"] for one in messages["data"]] == ["SENT", "SENT"]
    assert [len(mails(customer)) for customer in newcomers] == [1, 1]
    assert len(post_office.delivered) == 2
