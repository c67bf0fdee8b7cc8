"""A cart as a value: the lines and the amounts of an order, and what discounts leave of them. Whole minor units.

For every cart: `total_amount = amount - discount_amount - items_discount_amount`, and each line's
`subtotal_amount = amount - discount_amount`. What is called *applied* is the part of a discount that belongs to the
request at hand, as in the reference; the rest was there before.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

import msgspec

from rapport.core.errors import InvalidPayload
from rapport.orders.standing import APPLIED, key_of

MAX_ORDER_AMOUNT: Final = 2**53 - 1
MAX_LINES: Final = 1_000


class CatalogueItem(msgspec.Struct, frozen=True):
    """What the catalogue says of a product or a SKU that a discount adds to a cart; `price` in minor units."""

    product: Mapping[str, Any]
    sku: Mapping[str, Any] | None = None
    price: int | None = None


def product_of(item: Mapping[str, Any]) -> str:
    """Return what the product of a line is called where units of it are counted."""
    return next(filter(None, key_of(item)), "")


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a cart; `item` is the rest of the API's order item.

    `amount` is 0 where neither an amount nor a price is known. `discount_quantity` units of the `quantity` are free:
    a discount on units made them so.
    """

    item: Mapping[str, Any]
    quantity: int
    price: int | None
    amount: int
    priced: bool
    initial_quantity: int
    initial_amount: int
    discount_amount: int = 0
    applied_discount_amount: int = 0
    discount_quantity: int = 0
    applied_discount_quantity: int = 0

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> "Line":
        """Return the line of an order item of the API."""
        quantity = _known(item, "quantity", 1)
        price = item.get("price")
        amount = item.get("amount")
        if amount is None and price is not None:
            amount = price * quantity
        return cls(
            item=item,
            quantity=quantity,
            price=price,
            amount=amount or 0,
            priced=amount is not None,
            initial_quantity=_known(item, "initial_quantity", quantity),
            initial_amount=_known(item, "initial_amount", amount or 0),
            discount_amount=min(_known(item, "discount_amount", 0), amount or 0),
            discount_quantity=min(_known(item, "discount_quantity", 0), quantity),
        )

    @property
    def subtotal_amount(self) -> int:
        """What is left of the line's amount after its own discounts."""
        return self.amount - self.discount_amount

    @property
    def paid_quantity(self) -> int:
        """The units that are not free."""
        return self.quantity - self.discount_quantity

    @property
    def unit_price(self) -> Fraction | None:
        """The price of one unit before discounts; None where it is not known."""
        if self.price is not None:
            return Fraction(self.price)
        return Fraction(self.amount, self.quantity) if self.priced and self.quantity > 0 else None

    @property
    def sku_ids(self) -> frozenset[str]:
        """Whatever names the line's SKU."""
        return self._ids("sku_id", "sku")

    @property
    def product_ids(self) -> frozenset[str]:
        """Whatever names the line's product."""
        return self._ids("product_id", "product")

    def _ids(self, own: str, holder: str) -> frozenset[str]:
        inner = self.item.get(holder) or {}
        found = [self.item.get(own), inner.get("id"), inner.get("source_id")]
        if self.item.get("related_object", "product") == holder:
            found.append(self.item.get("source_id"))
        return frozenset(one for one in found if one)

    def less(self, amount: int, units: int = 0) -> "Line":
        """Return the line with so much more off, and so many more of its units free."""
        return msgspec.structs.replace(
            self,
            discount_amount=self.discount_amount + amount,
            applied_discount_amount=self.applied_discount_amount + amount,
            discount_quantity=self.discount_quantity + units,
            applied_discount_quantity=self.applied_discount_quantity + units,
        )

    def plus(self, units: int, amount: int) -> "Line":
        """Return the line with so many free units more, which are worth `amount`."""
        more = msgspec.structs.replace(self, quantity=self.quantity + units, amount=self.amount + amount)
        return more.less(amount, units)

    def view(self) -> dict[str, Any]:
        """Return the order item of the API. What is 0 is left out, unless the item said it."""
        shown = {name: value for name, value in self.item.items() if name not in APPLIED}
        if self.priced:
            shown["amount"] = self.amount
            shown["subtotal_amount"] = self.subtotal_amount
        changed = self.quantity != self.initial_quantity
        if changed:
            shown["quantity"] = self.quantity
        for name in ("discount_amount", "discount_quantity", *APPLIED):
            value = getattr(self, name)
            if value or name in shown:
                shown[name] = value
        if changed or "initial_quantity" in shown:
            shown["initial_quantity"] = self.initial_quantity
            if self.priced:
                shown["initial_amount"] = self.initial_amount
        return shown


class Cart(msgspec.Struct, frozen=True):
    """The lines of an order and its amounts. `initial_amount` is the amount before discounts added units."""

    lines: tuple[Line, ...]
    amount: int
    initial_amount: int
    discount_amount: int = 0
    applied_discount_amount: int = 0

    @classmethod
    def of(
        cls,
        amount: int,
        discount_amount: int,
        items: Sequence[Mapping[str, Any]],
        initial_amount: int | None = None,
    ) -> "Cart":
        """Return the cart of an order: its amount, its order-level discount, its items; nothing is applied yet."""
        lines = tuple(Line.of(item) for item in items)
        return cls(lines, amount, amount if initial_amount is None else initial_amount, discount_amount)

    @property
    def items_discount_amount(self) -> int:
        """The sum of the discounts of the lines."""
        return sum(line.discount_amount for line in self.lines)

    @property
    def items_applied_discount_amount(self) -> int:
        """The sum of what was applied to the lines."""
        return sum(line.applied_discount_amount for line in self.lines)

    @property
    def total_discount_amount(self) -> int:
        """All that is off."""
        return self.discount_amount + self.items_discount_amount

    @property
    def total_amount(self) -> int:
        """What is left to pay."""
        return max(0, self.amount - self.total_discount_amount)

    def less(self, amount: int) -> "Cart":
        """Return the cart with so much more off the whole order."""
        return msgspec.structs.replace(
            self,
            discount_amount=self.discount_amount + amount,
            applied_discount_amount=self.applied_discount_amount + amount,
        )

    def with_line(self, index: int, line: Line) -> "Cart":
        """Return the cart with another line in a place, or a new one at the end. Raises InvalidPayload if it overflows.

        The cart's amount changes by as much as the line's.
        """
        before = self.lines[index].amount if index < len(self.lines) else 0
        amount = self.amount + line.amount - before
        if amount > MAX_ORDER_AMOUNT:
            raise InvalidPayload("The order's amount is out of range")
        if index >= MAX_LINES:
            raise InvalidPayload(f"An order has at most {MAX_LINES} items")
        lines = (*self.lines[:index], line, *self.lines[index + 1 :])
        return msgspec.structs.replace(self, lines=lines, amount=amount)

    def fresh(self) -> "Cart":
        """Return the cart with nothing applied yet: what a next request, or a next redeemable, starts from."""
        lines = tuple(
            msgspec.structs.replace(line, applied_discount_amount=0, applied_discount_quantity=0) for line in self.lines
        )
        return msgspec.structs.replace(self, lines=lines, applied_discount_amount=0)

    def since(self, start: "Cart") -> "Cart":
        """Return the cart with all applied that came after `start`, the cart that it was made from."""
        lines = []
        for index, line in enumerate(self.lines):
            before = start.lines[index] if index < len(start.lines) else None
            lines.append(
                msgspec.structs.replace(
                    line,
                    applied_discount_amount=line.discount_amount - (before.discount_amount if before else 0),
                    applied_discount_quantity=line.discount_quantity - (before.discount_quantity if before else 0),
                )
            )
        applied = self.discount_amount - start.discount_amount
        return msgspec.structs.replace(self, lines=tuple(lines), applied_discount_amount=applied)

    def items(self) -> list[dict[str, Any]]:
        """Return the order items of the API."""
        return [line.view() for line in self.lines]

    def amounts(self) -> dict[str, int]:
        """Return the amounts of the API's order."""
        items_applied = self.items_applied_discount_amount
        return {
            "amount": self.amount,
            "initial_amount": self.initial_amount,
            "discount_amount": self.discount_amount,
            "items_discount_amount": self.items_discount_amount,
            "total_discount_amount": self.total_discount_amount,
            "applied_discount_amount": self.applied_discount_amount,
            "items_applied_discount_amount": items_applied,
            "total_applied_discount_amount": self.applied_discount_amount + items_applied,
            "total_amount": self.total_amount,
        }


def _known(item: Mapping[str, Any], name: str, otherwise: int) -> int:
    value = item.get(name)
    return otherwise if value is None else int(value)
