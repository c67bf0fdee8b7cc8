"""Facts for tests of validation rules: valid by default."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from rapport.rules import conditions
from rapport.rules.conditions import Violation
from rapport.rules.facts import Count, Facts, OrderFacts

WARSAW = ZoneInfo("Europe/Warsaw")
# A Sunday, 23:30 in Warsaw.
NOW = datetime(2026, 11, 22, 22, 30, tzinfo=UTC)
SHIRT: dict[str, Any] = {
    "product_id": "prod_shirt", "sku_id": "sku_red", "quantity": 2, "price": 1000, "amount": 2000,
    "product": {"source_id": "shirt", "metadata": {"brand": "Acme", "rank": 3}}, "metadata": {"gift": True},
}  # fmt: skip
MUG: dict[str, Any] = {
    "product_id": "prod_mug", "quantity": 5, "price": 300, "amount": 1500, "product": {"metadata": {"brand": "Other"}},
}  # fmt: skip


def order(*items: dict[str, Any], **more: Any) -> OrderFacts:
    """Return an order of these items, or of 35.00 without items."""
    amount = sum(item["amount"] for item in items) if items else 3500
    return OrderFacts(**{"amount": amount, "total_amount": amount, "raw_items": list(items)} | more)


def facts(**more: Any) -> Facts:
    """Return facts about a customer of an order with two shirts and five mugs."""
    given = {"now": NOW, "zone": WARSAW, "customer_id": "cust_1", "order": order(SHIRT, MUG)}
    return Facts(**given | more)


def one(name: str, operator: str, operands: Any, **more: Any) -> dict[str, Any]:
    """Return a rule set of one rule."""
    return {"1": {"name": name, "conditions": {operator: operands}, **more}, "logic": "1"}


def verdict(raw: dict[str, Any], at: Facts | None = None) -> Violation | None:
    """Judge rules as they are written."""
    return conditions.judge(conditions.parse(raw), at or facts())


def counted(number: int, **count: Any) -> Facts:
    """Return facts with one count."""
    return facts(counts={Count(**count): number})
