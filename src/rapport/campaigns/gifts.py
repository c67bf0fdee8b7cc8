"""What is left on the gift cards that customers hold: `summary.redemptions.gift`, right after each change of one."""

from collections.abc import Collection

import msgspec

from rapport.campaigns import queries
from rapport.campaigns.generation import AT_ONCE
from rapport.campaigns.models import GIFT_VOUCHERS
from rapport.customers.writes import Unit


async def keep_gifts(unit: Unit, customer_id: str | None, credits_used: int = 0) -> None:
    """Keep what a customer has on the cards that they hold, and that they have paid so much more with cards.

    In minor units. Whoever changes a card locks its holder before, so that of two changes the later one counts both;
    a customer whom the unit has not locked is not there any more.
    """
    if customer_id is not None:
        await keep_all_gifts(unit, [customer_id], credits_used)


async def keep_all_gifts(unit: Unit, customer_ids: Collection[str], credits_used: int = 0) -> None:
    """As `keep_gifts`, for several customers."""
    customers = [customer for one in customer_ids if (customer := unit.find(one)) is not None]
    if not customers:
        return
    left = await queries.balances_of_holders(unit.conn, unit.project_id, [customer.id for customer in customers])
    for customer in customers:
        gift = customer.redemptions.get("gift") or {}
        used = max(0, gift.get("redeemed_amount", 0) + credits_used)
        shown = {"redeemed_amount": used, "amount_to_go": left.get(customer.id, 0)}
        unit.put(msgspec.structs.replace(customer, redemptions={**customer.redemptions, "gift": {**gift, **shown}}))


async def find_holders(unit: Unit, campaign_id: str, campaign_type: str) -> list[str] | None:
    """Return the ids of those who hold gift cards of a campaign; None where they are too many for one request."""
    if campaign_type != GIFT_VOUCHERS:
        return []
    found = await queries.holders_of_campaign(unit.conn, unit.project_id, campaign_id, "", AT_ONCE + 1)
    return found if len(found) <= AT_ONCE else None
