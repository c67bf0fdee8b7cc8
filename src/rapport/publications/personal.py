"""1:1 promotions: codes that nobody but the customer they were published to can redeem."""

from typing import Any, Final

from rapport.core.db import Restart, UniqueViolation
from rapport.customers.writes import Unit
from rapport.rules import actions as rules
from rapport.rules import queries
from rapport.rules.models import NOTHING_APPLICABLE, ValidationRule
from rapport.vouchers.models import Voucher

# The same in every project, so that two who need it at the same moment make one.
RULE_ID: Final = "val_HolderOnly00000000000000"
RULES: Final[dict[str, Any]] = {
    "1": {"name": "publication.redeemable_by_linked_customer", "conditions": {"$is": [True]}},
    "logic": "1",
}


async def bind(unit: Unit, published: list[Voucher]) -> None:
    """Make the rule "Holder only" hold for published vouchers, inside the caller's unit; it is made when missing."""
    if await queries.find(unit.conn, unit.project_id, RULE_ID) is None:
        rule = ValidationRule(
            id=RULE_ID,
            name="Holder only",
            rules=RULES,
            error=None,
            applicable_to=NOTHING_APPLICABLE,
            type="expression",
            context_type="global",
            segment_ids=[],
            created_at=unit.now,
            updated_at=None,
        )
        try:
            await queries.insert(unit.conn, unit.project_id, rule)
        except UniqueViolation as error:
            raise Restart from error
    for voucher in published:
        await rules.assign(unit.conn, unit.project_id, unit.now, [RULE_ID], "voucher", voucher.id)
