"""What a discount did to a cart."""

from typing import Any

import msgspec

from rapport.discounts.applicable import Covered
from rapport.discounts.cart import Cart


class Added(msgspec.Struct, frozen=True):
    """Units that a discount put into the cart: of what, how many, in which line (from 0)."""

    unit_type: str
    quantity: int
    line: int


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """A cart after a discount.

    `off` is all that the discount takes off, the worth of free units that it adds included; `saved` is how much less is
    to be paid. `lines` are the lines it touched, each with what is off it. `discount` is the discount object of an
    answer: with the values that it had for this cart. `covered` are the units of lines that it is on.
    """

    cart: Cart
    off: int
    saved: int
    lines: tuple[tuple[int, int], ...] = ()
    added: tuple[Added, ...] = ()
    discount: dict[str, Any] = {}
    covered: tuple[Covered, ...] = ()

    @classmethod
    def between(
        cls,
        before: Cart,
        after: Cart,
        *,
        added: tuple[Added, ...] = (),
        discount: dict[str, Any] | None = None,
        covered: tuple[Covered, ...] = (),
    ) -> "Applied":
        """Return what happened between two carts."""
        lines = []
        for index, line in enumerate(after.lines):
            was = before.lines[index] if index < len(before.lines) else None
            off = line.discount_amount - (was.discount_amount if was else 0)
            if off or was is None or line.discount_quantity != was.discount_quantity:
                lines.append((index, off))
        return cls(
            cart=after,
            off=after.total_discount_amount - before.total_discount_amount,
            saved=before.total_amount - after.total_amount,
            lines=tuple(lines),
            added=added,
            discount=discount or {},
            covered=covered,
        )
