"""What formulas of discounts name that has to be read: only where one names it, in the transaction of the decision."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from rapport.core.db import Connection
from rapport.customers.models import Customer
from rapport.discounts.formulas import given_names
from rapport.redemptions.redeemables import queries
from rapport.redemptions.redeemables.models import Redeemable
from rapport.redemptions.situations import Rules
from rapport.rules import budgets
from rapport.rules.counters import Counter, Spent, redemptions_of
from rapport.rules.unit_limits import UNIT_LIMITS

_OF_GOODS = ("price_formula", *(one.formula for one in UNIT_LIMITS))
_METADATA = {"CAMPAIGN_METADATA": "campaign", "PUBLICATION_METADATA": "publication"}


class Variables(msgspec.Struct, frozen=True):
    """What formulas name, by the id of their redeemable; what there is not is left out.

    `counted`: what the counters say of it. `uncounted`: campaigns whose redemptions have no counter yet.
    """

    named: dict[str, dict[str, Any]] = {}
    counted: dict[Counter, Spent] = {}
    uncounted: frozenset[str] = frozenset()


async def read_variables(
    conn: Connection,
    project_id: int,
    customer: Customer | None,
    redeemables: Sequence[Redeemable],
    rules: Sequence[Rules],
) -> Variables:
    """Return what the formulas of each redeemable name.

    Counts are of what was redeemed before and not rolled back, metadata those of the campaign and of the publication.
    """
    named = {
        redeemable.id: (redeemable, names)
        for redeemable, parsed in zip(redeemables, rules, strict=True)
        if (names := given_names(redeemable.discount, formulas_of(parsed)))
    }
    counters = {
        (reference, name): counter
        for reference, (redeemable, names) in named.items()
        for name, counter in _counters(redeemable, customer).items()
        if name in names
    }
    numbers, uncounted = await budgets.read_for_formulas(conn, project_id, set(counters.values()))
    metadata = await _metadata(conn, project_id, named)
    found: dict[str, dict[str, Any]] = {}
    for reference, (redeemable, names) in named.items():
        known = _of_voucher(redeemable)
        known |= {name: numbers[counter].number for (one, name), counter in counters.items() if one == reference}
        for name, kind in _METADATA.items():
            thing = _things(redeemable)[kind]
            if (kind, thing) in metadata:
                known[name] = metadata[kind, thing]
        found[reference] = {name: value for name, value in known.items() if name in names}
    stored = {key: spent for key, spent in numbers.items() if key.is_stored and key.object_id not in uncounted}
    return Variables(found, stored, uncounted)


def formulas_of(parsed: Rules) -> list[str]:
    """Return the formulas in what rules say of goods: prices, and limits of units."""
    return [
        str(entry[name])
        for assigned, _ in parsed
        for entry in assigned.applicable_to.get("included", ())
        for name in _OF_GOODS
        if entry.get(name)
    ]


def _of_voucher(redeemable: Redeemable) -> dict[str, Any]:
    voucher = redeemable.voucher
    if voucher is None:
        return {}
    return {
        "VOUCHER_PUBLISH_COUNT": int(voucher.publication_id is not None),
        "VOUCHER_REDEMPTION_COUNT": voucher.redeemed_quantity,
    }


def _counters(redeemable: Redeemable, customer: Customer | None) -> dict[str, Counter]:
    """Return which numbers of the ledger the names stand for."""
    found: dict[str, Counter] = {}
    campaign_id = redeemable.campaign_id
    if campaign_id is not None:
        found["CAMPAIGN_REDEMPTION_COUNT"] = redemptions_of(campaign_id)
    if customer is None:
        return found
    if campaign_id is not None:
        of_customer = Counter(campaign_id, "customer", customer.id, "total", "campaign")
        found["CAMPAIGN_CUSTOMER_REDEMPTION_COUNT"] = of_customer
    if redeemable.voucher is not None:
        of_voucher = Counter(redeemable.object_id, "customer", customer.id, "total", "voucher")
        found["VOUCHER_CUSTOMER_REDEMPTION_COUNT"] = of_voucher
    return found


def _things(redeemable: Redeemable) -> dict[str, str | None]:
    publication_id = None if redeemable.voucher is None else redeemable.voucher.publication_id
    return {"campaign": redeemable.campaign_id, "publication": publication_id}


async def _metadata(
    conn: Connection, project_id: int, named: Mapping[str, tuple[Redeemable, frozenset[str]]]
) -> dict[tuple[str, str | None], dict[str, Any]]:
    wanted: dict[str, set[str]] = {"campaign": set(), "publication": set()}
    for redeemable, names in named.values():
        for name, kind in _METADATA.items():
            thing = _things(redeemable)[kind]
            if name in names and thing is not None:
                wanted[kind].add(thing)
    if not any(wanted.values()):
        return {}
    return await queries.read_metadata(conn, project_id, sorted(wanted["campaign"]), sorted(wanted["publication"]))
