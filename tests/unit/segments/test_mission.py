"""The sentences that users say, each as a filter, with customers inside and outside."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rapport.customers.models import Customer
from rapport.segments.evaluate import Facts, matches
from rapport.segments.filters import parse
from rapport.segments.times import to_ms

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
WARSAW = ZoneInfo("Europe/Warsaw")
DAY = timedelta(days=1)

Attributes = dict[str, Any]
POLAND, GERMANY = {"country": "Poland"}, {"country": "Germany"}
MAC = {"name": "MacBookAir", "product_id": "prod_mac", "source_id": "mac", "sku_id": "sku_mac"}

SENTENCES: dict[str, tuple[Attributes, Sequence[Attributes], Sequence[Attributes]]] = {
    "new customers only": (
        {"created_at": {"conditions": {"$less_than_ago": [7]}}},
        [{"created_at": NOW - 6 * DAY}, {"created_at": NOW}],
        [{"created_at": NOW - 7 * DAY}, {"created_at": NOW - 300 * DAY}],
    ),
    "customers who signed up 30 days ago": (
        {"created_at": {"conditions": {"$is_days_ago": [30]}}},
        # 13 February in Warsaw: from 23:00 UTC the evening before.
        [
            {"created_at": datetime(2026, 2, 12, 23, tzinfo=UTC)},
            {"created_at": datetime(2026, 2, 13, 22, 59, tzinfo=UTC)},
        ],
        [
            {"created_at": datetime(2026, 2, 12, 22, 59, tzinfo=UTC)},
            {"created_at": datetime(2026, 2, 13, 23, tzinfo=UTC)},
        ],
    ),
    "deals for countries": (
        {"address.country": {"conditions": {"$in": ["Poland", "Germany"]}}},
        [{"address": POLAND}, {"address": GERMANY}],
        [{"address": {"country": "poland"}}, {"address": {}}],
    ),
    "deals for cities": (
        {"address.city": {"conditions": {"$is": "Łódź"}}},
        [{"address": {"city": "Łódź"}}],
        [{"address": {"city": "Lodz"}}, {"address": {}}],
    ),
    "deals for zip codes": (
        {"address.postal_code": {"conditions": {"$starts_with": ["90-", "91-"]}}},
        [{"address": {"postal_code": "91-001"}}],
        [{"address": {"postal_code": "01-190"}}, {"address": {}}],
    ),
    "only employees": (
        {"email": {"conditions": {"$ends_with": "@acme.example"}}},
        [{"email": "ada@acme.example"}],
        [{"email": "ada@acme.example.net"}, {"email": None}],
    ),
    "the last order was more than 30 days ago": (
        {"summary.orders.last_order_date": {"conditions": {"$more_than_ago": [30]}}},
        [{"last_order_at": NOW - 31 * DAY}],
        [{"last_order_at": NOW - 30 * DAY}, {"last_order_at": None}],
    ),
    "the total amount of orders is less than $500": (
        {"summary.orders.total_amount": {"conditions": {"$less_than": [50_000]}}},
        [{"orders_amount": 49_999}, {}],
        [{"orders_amount": 50_000}],
    ),
    "the email ends with .uk and the source is MailChimp": (
        {"email": {"conditions": {"$ends_with": [".uk"]}}, "source": {"conditions": {"$is": ["MailChimp"]}}},
        [{"email": "a@b.uk", "source": "MailChimp"}],
        [{"email": "a@b.uk"}, {"email": "a@b.com", "source": "MailChimp"}],
    ),
    "the country is Poland and the total amount of orders is more than $100": (
        {
            "junction": "and",
            "address.country": {"conditions": {"$is": ["Poland"]}},
            "summary.orders.total_amount": {"conditions": {"$more_than": [10_000]}},
        },
        [{"address": POLAND, "orders_amount": 10_001}],
        [{"address": POLAND, "orders_amount": 10_000}, {"address": GERMANY, "orders_amount": 10_001}],
    ),
    "gender is not female": (
        {"metadata.gender": {"conditions": {"$is_not": ["female"]}}},
        [{"metadata": {"gender": "male"}}, {"metadata": {}}, {"metadata": {"gender": None}}],
        [{"metadata": {"gender": "female"}}],
    ),
    "the last order contains MacBookAir": (
        {"summary.orders.last_order_products": {"conditions": {"$contains": ["MacBookAir"]}}},
        [{"last_order_products": [{"name": "Cup"}, MAC]}, {"last_order_products": [{"sku": "MacBookAir 13"}]}],
        [{"last_order_products": [{"name": "Cup"}]}, {"last_order_products": []}],
    ),
    "the last order contains the product with a source id": (
        {"summary.orders.last_order_products": {"conditions": {"$is": ["mac"]}}},
        [{"last_order_products": [MAC]}],
        [{"last_order_products": [{"source_id": "mac2"}]}],
    ),
    "works in the health sector": (
        {"metadata.sector": {"conditions": {"$is": "health"}}},
        [{"metadata": {"sector": "health"}}, {"metadata": {"sector": ["food", "health"]}}],
        [{"metadata": {"sector": "healthy"}}],
    ),
    "company size": (
        {"metadata.company.size": {"conditions": {"$more_than_equal": [50]}}},
        [{"metadata": {"company": {"size": 50}}}, {"metadata": {"company": {"size": "250"}}}],
        [{"metadata": {"company": {"size": 49}}}, {"metadata": {"company": {"size": "big"}}}],
    ),
    "number of children": (
        {"metadata.children": {"conditions": {"$more_than": [0]}}},
        [{"metadata": {"children": 2}}],
        [{"metadata": {"children": 0}}, {"metadata": {}}],
    ),
    "wrote at least two reviews in the last 90 days": (
        {"events.review_written": {"conditions": {"$count_more": [1], "$less_than_ago": [90]}}},
        [{"reviews": [NOW - 89 * DAY, NOW - DAY]}, {"reviews": [NOW, NOW - DAY, NOW - 400 * DAY]}],
        [{"reviews": [NOW - 90 * DAY, NOW - DAY]}, {"reviews": [NOW + DAY, NOW]}, {}],
    ),
}


def is_in(raw: Attributes, attributes: Attributes) -> bool:
    filter_ = parse(raw)
    attributes = dict(attributes)
    reviews = [(to_ms(at), 0) for at in sorted(attributes.pop("reviews", ()), reverse=True)]
    customer = Customer(**{"id": "cust_1", "created_at": NOW, "updated_at": NOW, **attributes})
    return matches(filter_, Facts(customer, frozenset(), dict.fromkeys(filter_.windows, reviews)), NOW, WARSAW)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_the_sentence_means_what_it_says(sentence: str) -> None:
    raw, inside, outside = SENTENCES[sentence]
    assert [is_in(raw, attributes) for attributes in inside] == [True] * len(inside)
    assert [is_in(raw, attributes) for attributes in outside] == [False] * len(outside)


def test_membership_of_another_segment() -> None:
    filter_ = parse({"segments": {"conditions": {"$is": "seg_vip"}}})
    customer = Customer(id="cust_1", created_at=NOW, updated_at=NOW)
    assert matches(filter_, Facts(customer, frozenset({"seg_vip"}), {}), NOW, WARSAW) is True
    assert matches(filter_, Facts(customer, frozenset({"seg_new"}), {}), NOW, WARSAW) is False
