"""Discount objects fit the reference's schema and the SDK; those that the documents send are accepted."""

from collections.abc import Iterator
from typing import Any

import pytest
import voucherify

from contract.test_reference_schemas import document, misfits
from rapport.core import jsons
from rapport.discounts.applying import apply
from rapport.discounts.cart import Cart, CatalogueItem
from rapport.discounts.schemas import EFFECTS, checked, checked_gift

DOCUMENTS = ("campaigns", "vouchers", "promotions", "validations", "redemptions", "publications", "client-side")
PEN = CatalogueItem({"id": "prod_pen", "name": "Pen"}, price=1000)
INK = CatalogueItem({"id": "prod_pen", "source_id": "pen"}, sku={"id": "sku_ink", "sku": "Ink"}, price=500)
PRODUCTS = {"prod_pen": PEN, "sku_ink": INK}
VALUES: dict[str, dict[str, Any]] = {
    "AMOUNT": {"amount_off": 500, "amount_off_formula": "ORDER_AMOUNT / 2", "aggregated_amount_limit": 700},
    "PERCENT": {"percent_off": 12.5, "percent_off_formula": "100 / 3", "amount_limit": 5},
    "FIXED": {"fixed_amount": 5, "fixed_amount_formula": "VOUCHER_PUBLISH_COUNT"},
    "UNIT": {"unit_off": 2, "unit_off_formula": "5 / 2", "unit_type": "sku_ink"},
}
MANY = {"units": [{"unit_off": 1, "unit_type": unit_type} for unit_type in (*PRODUCTS, "prod_other")]}
ALL = [
    {"type": kind, **(MANY if effect == "ADD_MANY_ITEMS" else VALUES[kind]), "effect": effect}
    for kind, effects in EFFECTS.items()
    for effect in effects
]


def check(shown: dict[str, Any]) -> None:
    """See that a discount fits the schemas and that the SDK reads all of it."""
    wire = jsons.encode(shown)
    for name in ("vouchers", "campaigns", "validations", "promotions"):
        reference = {"$ref": "#/components/schemas/Discount", "components": document(name)["components"]}
        assert misfits(jsons.decode(wire), reference) == {}
    read = voucherify.Discount.from_json(wire.decode())
    assert read is not None
    known = {name: value for name, value in read.to_dict().items() if value is not None}
    assert known.keys() == shown.keys()


@pytest.mark.parametrize("discount", ALL, ids=lambda one: f"{one['type']} {one['effect']}")
def test_a_discount_is_stored_and_answered_as_the_reference_has_it(discount: dict[str, Any]) -> None:
    stored = checked(discount)
    check(stored)
    item = {"object": "order_item", "product_id": "prod_pen", "price": 1000, "quantity": 3, "amount": 3000}
    done = apply(stored, Cart.of(3000, 0, [item]), products=PRODUCTS)
    check(done.discount)
    # Nobody said how often the voucher was published; and of many units none has a formula.
    assert done.discount["is_dynamic"] is (discount["type"] != "FIXED" and "units" not in discount)
    for item in done.cart.items():
        shown = {"$ref": "#/components/schemas/OrderItem", "components": document("campaigns")["components"]}
        assert misfits(item, shown) == {}


def test_a_gift_is_stored_as_the_reference_has_it() -> None:
    gift = checked_gift({"amount": 5000, "effect": "APPLY_TO_ITEMS"})
    reference = {"$ref": "#/components/schemas/Gift", "components": document("vouchers")["components"]}
    assert misfits(gift, reference) == {}
    read = voucherify.Gift.from_dict(gift)
    assert read is not None
    assert (read.amount, read.balance, read.effect) == (5000, 5000, "APPLY_TO_ITEMS")


def discounts_in(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every discount object of an example."""
    if isinstance(node, list):
        for each in node:
            yield from discounts_in(each)
    if isinstance(node, dict):
        found = node.get("discount")
        if isinstance(found, dict) and isinstance(found.get("type"), str):
            yield found
        for each in node.values():
            yield from discounts_in(each)


def test_the_discounts_that_the_documents_send_are_accepted() -> None:
    seen = []
    for name in DOCUMENTS:
        for path in document(name)["paths"].values():
            for operation in path.values():
                content = operation.get("requestBody", {}).get("content", {}) if isinstance(operation, dict) else {}
                examples = [
                    one.get("value") for media in content.values() for one in media.get("examples", {}).values()
                ]
                seen += [one for example in examples for one in discounts_in(example)]
    assert len(seen) > 15
    for discount in seen:
        stored = checked(discount)
        assert {name: value for name, value in stored.items() if name in discount} == discount
