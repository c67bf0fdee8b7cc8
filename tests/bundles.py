"""Bundles of validation rules, for tests."""

from typing import Any

from promotions import make_rule


def part(kind: str, found: str, quantity: Any = 1) -> dict[str, Any]:
    """Return a part of a bundle as the reference writes it."""
    entry = {"object": kind, "id": found, "type": kind if kind == "products_collection" else "product_or_sku"}
    units = {"name": "order.items.aggregated_quantity", "conditions": {"$is": [quantity]}, "rules": {}}
    return {"name": "order.items.any", "conditions": {"$is": [entry]}, "rules": {"1": units, "logic": "1"}}


def bundle(*parts: dict[str, Any], limit: int = 1) -> dict[str, Any]:
    """Return the `bundle_rules` of these parts."""
    return {str(number): one for number, one in enumerate(parts, 1)} | {"limit": limit}


def make_bundle(api: Any, *parts: dict[str, Any], limit: int = 1, **more: Any) -> str:
    """Create a validation rule that asks for a bundle alone; return its id."""
    return make_rule(api, {}, bundle_rules=bundle(*parts, limit=limit), **more)
