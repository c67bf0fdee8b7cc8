"""What is left on the gift cards that a customer holds: `summary.redemptions.gift`, right after each change of one."""

import msgspec

from rapport.customers.writes import Unit
from rapport.vouchers import queries


async def keep_gifts(unit: Unit, customer_id: str | None, credits_used: int = 0) -> None:
    """Keep what a customer has on the cards that they hold, and that they have paid so much more with cards.

    In minor units. Whoever changes a card locks its holder before, so that of two changes the later one counts both;
    a customer whom the unit has not locked is not there any more.
    """
    customer = unit.find(customer_id)
    if customer is None:
        return
    gift = customer.redemptions.get("gift") or {}
    left = await queries.balance_of_holder(unit.conn, unit.project_id, customer.id)
    shown = {"redeemed_amount": max(0, gift.get("redeemed_amount", 0) + credits_used), "amount_to_go": left}
    unit.put(msgspec.structs.replace(customer, redemptions={**customer.redemptions, "gift": {**gift, **shown}}))
