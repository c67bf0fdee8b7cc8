"""Discounts that give units for free: those that are in the cart, or more of them."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from rapport.core.rounding import half_up
from rapport.discounts.applicable import Applicable, cover
from rapport.discounts.applied import Added, Applied
from rapport.discounts.cart import Cart, CatalogueItem, Line
from rapport.discounts.schemas import MAX_UNITS
from rapport.discounts.values import plain, scope_of, units_of


def give(
    discount: Mapping[str, Any],
    cart: Cart,
    *,
    applicable: Applicable | None,
    variables: Mapping[str, Any],
    products: Mapping[str, CatalogueItem],
    times: int = 1,
) -> Applied:
    """Return the cart with the free units of a `UNIT` discount, so many `times`. Raises FormulaError, InvalidPayload.

    - `ADD_MISSING_ITEMS`: afterwards so many units are in the cart, and so many of them are free. Those that are there
      become free, only what is missing is added; twice the same is as once.
    - `ADD_NEW_ITEMS`: so many more units, free, whatever is there.
    - `ADD_SAME_ITEMS`: so many more, free, of the first line of that product or SKU that is paid for; none without one.
    - `ADD_MANY_ITEMS`: each of `units` in turn.

    Units are added to a line of that very product or SKU, or in a line of their own. Lines that `applicable` excludes
    are left as they are.
    """
    scope = scope_of(cart, variables)
    many = discount["effect"] == "ADD_MANY_ITEMS"
    after = cart
    added: list[Added] = []
    told = []
    dynamic = False
    for unit in discount["units"] if many else [discount]:
        worth = units_of(unit.get("unit_off"), unit.get("unit_off_formula"), scope)
        dynamic |= worth.dynamic
        after, more = _give_one(unit, min(MAX_UNITS, int(worth.value) * times), after, applicable, products)
        added += more
        told.append(
            {
                "effect": unit["effect"],
                "unit_off": plain(worth.value),
                "unit_type": unit["unit_type"],
                **_described(products.get(unit["unit_type"])),
            }
        )
    shown = {"effect": "ADD_MANY_ITEMS", "units": told} if many else told[0]
    return Applied.between(cart, after, added=tuple(added), discount={"type": "UNIT", **shown, "is_dynamic": dynamic})


def _give_one(
    unit: Mapping[str, Any],
    count: int,
    cart: Cart,
    applicable: Applicable | None,
    products: Mapping[str, CatalogueItem],
) -> tuple[Cart, list[Added]]:
    kind = _Kind(unit["unit_type"], products.get(unit["unit_type"]))
    excluded: frozenset[int] = frozenset() if applicable is None else applicable.excluded
    if unit["effect"] == "ADD_SAME_ITEMS":
        same = [one.line for one in cover(applicable, cart) if kind.includes(cart.lines[one.line])]
        return _add_to(cart, min(same), count, kind) if same and count > 0 else (cart, [])
    if unit["effect"] == "ADD_MISSING_ITEMS":
        present = sum(line.quantity for line in cart.lines if kind.includes(line))
        free = sum(line.discount_quantity for line in cart.lines if kind.includes(line))
        cart = _free(cart, max(0, min(count, present) - free), kind, excluded)
        count -= present
    return _add(cart, count, kind, excluded) if count > 0 else (cart, [])


class _Kind:
    """A product or a SKU that is given, by whatever names it."""

    def __init__(self, unit_type: str, known: CatalogueItem | None) -> None:
        self.unit_type = unit_type
        self.known = known
        self.is_sku = unit_type.startswith("sku_") if known is None else known.sku is not None
        holder = {} if known is None else (known.product if known.sku is None else known.sku)
        self.ids = {unit_type} | {holder[name] for name in ("id", "source_id") if holder.get(name)}

    def includes(self, line: Line) -> bool:
        """Tell whether a line is of it; a line of any SKU of a product is of the product."""
        return bool(self.ids & (line.sku_ids if self.is_sku else line.product_ids))

    def is_exactly(self, line: Line) -> bool:
        """Tell whether units of it may be put into a line."""
        return self.includes(line) and (self.is_sku or not line.sku_ids)

    def line(self, count: int) -> Line:
        """Return a line of its own for free units of it."""
        product = {} if self.known is None else dict(self.known.product)
        sku = None if self.known is None or self.known.sku is None else dict(self.known.sku)
        price = None if self.known is None else self.known.price
        item: dict[str, Any] = {
            "object": "order_item",
            "product_id": product.get("id") or (None if self.is_sku else self.unit_type),
            "sku_id": (sku or {}).get("id") or (self.unit_type if self.is_sku else None),
            "price": price,
            "product": product or None,
            "sku": sku,
        }
        line = Line(
            item={name: value for name, value in item.items() if value is not None},
            quantity=0,
            price=price,
            amount=0,
            priced=price is not None,
            initial_quantity=0,
            initial_amount=0,
        )
        return line.plus(count, (price or 0) * count)


def _free(cart: Cart, count: int, kind: _Kind, excluded: frozenset[int]) -> Cart:
    """Make units free that are in the cart and are paid for, from the first line on."""
    for index, line in enumerate(cart.lines):
        units = min(count, line.paid_quantity) if kind.includes(line) and index not in excluded else 0
        if units > 0:
            value = half_up(Fraction(line.subtotal_amount * units, line.paid_quantity))
            cart = cart.with_line(index, line.less(min(value, cart.total_amount), units))
            count -= units
    return cart


def _add(cart: Cart, count: int, kind: _Kind, excluded: frozenset[int]) -> tuple[Cart, list[Added]]:
    for index, line in enumerate(cart.lines):
        if kind.is_exactly(line) and index not in excluded:
            return _add_to(cart, index, count, kind)
    index = len(cart.lines)
    return cart.with_line(index, kind.line(count)), [Added(kind.unit_type, count, index)]


def _add_to(cart: Cart, index: int, count: int, kind: _Kind) -> tuple[Cart, list[Added]]:
    line = cart.lines[index]
    price = line.unit_price or Fraction(0)
    return cart.with_line(index, line.plus(count, half_up(price * count))), [Added(kind.unit_type, count, index)]


def _described(known: CatalogueItem | None) -> dict[str, Any]:
    """Return `product` and `sku` of a discount in an answer: `SimpleProductDiscountUnit`, `SimpleSkuDiscountUnit`."""
    if known is None:
        return {}
    shown = {"product": _simple(known.product, known.product.get("name"))}
    if known.sku is not None:
        name = known.sku.get("sku")
        shown["sku"] = _simple(known.sku, name) | ({} if name is None else {"sku": name})
    return shown


def _simple(known: Mapping[str, Any], name: str | None) -> dict[str, Any]:
    """Return the ids and the name, which the schema requires: its id where it has none."""
    shown = {"id": known.get("id"), "source_id": known.get("source_id"), "name": name or known.get("id")}
    return {key: value for key, value in shown.items() if value is not None}
