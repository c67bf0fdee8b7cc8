"""What a redeemable applies to: which lines its rules let a discount touch, and how answers say it. Pure."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from rapport.discounts.applicable import Applicable, Target, cover, shown
from rapport.discounts.cart import Cart, product_of
from rapport.rules.applicable import EVERY, LIMITS, entries_of, lines_of
from rapport.rules.conditions import RuleSet
from rapport.rules.facts import Item, item_of
from rapport.rules.models import Assigned

Collections = Mapping[str, frozenset[str]]
Entry = Mapping[str, Any]


def entries(rules: Iterable[tuple[Assigned, RuleSet]]) -> list[dict[str, Any]]:
    """Return what the rules of a redeemable say about what it applies to; those that say nothing are left out."""
    found = (entries_of(one.applicable_to, rule_set) for one, rule_set in rules)
    return [one for one in found if one.get("included") or one.get("excluded") or one.get("included_all")]


def applicable(saying: Sequence[Entry], items: Sequence[Item], collections: Collections) -> Applicable | None:
    """Return what a discount on items may touch by all that is said about it; None: everything.

    All rules hold: a line has to be included by each of them, and what one excludes is excluded. A rule that includes
    nothing by name includes everything. The limits of each rule hold, too.
    """
    if not saying:
        return None
    excluded = {
        index for one in saying for entry in one.get("excluded", ()) for index in lines_of(entry, items, collections)
    }
    targets = [[_target(entry, items, collections) for entry in one.get("included", ())] for one in saying]
    narrowing = [
        {index for target in named for index in target.lines}
        for one, named in zip(saying, targets, strict=True)
        if named and not one.get("included_all")
    ]
    allowed = frozenset(set.intersection(*narrowing)) if narrowing else None
    first, *further = [tuple(_within(target, allowed) for target in named) for named in targets if named] or [()]
    return Applicable(
        included=first,
        excluded=frozenset(excluded),
        included_all=allowed is None,
        further=tuple(further),
        only=allowed,
    )


def _within(target: Target, allowed: Container[int] | None) -> Target:
    if allowed is None:
        return target
    return msgspec.structs.replace(target, lines=tuple(index for index in target.lines if index in allowed))


def _target(entry: Entry, items: Sequence[Item], collections: Collections) -> Target:
    limits: dict[str, Any] = {name: entry.get(name) for name in LIMITS}
    return Target(
        object=entry["object"],
        id=entry.get("id") or entry.get("source_id") or "",
        lines=lines_of(entry, items, collections),
        effect=entry.get("effect") or EVERY,
        price=entry.get("price"),
        price_formula=entry.get("price_formula"),
        skip_initially=entry.get("skip_initially") or 0,
        repeat=entry.get("repeat") or 1,
        target=entry.get("target") or "ITEM",
        **limits,
    )


def products_of(items: Sequence[Mapping[str, Any]], collections: Collections) -> Callable[[Entry], set[str]]:
    """Return what finds the products of an order's items that are of the goods of an entry."""
    lines = [item_of(index, raw) for index, raw in enumerate(items)]
    return lambda entry: {product_of(items[index]) for index in lines_of(entry, lines, collections)}


def _list(data: list[dict[str, Any]]) -> dict[str, Any]:
    return {"data": data, "total": len(data), "data_ref": "data", "object": "list"}


def views(
    saying: Sequence[Entry], reached: Applicable | None, cart: Cart | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the `applicable_to` and the `inapplicable_to` of an answer, with the lines of the order they stand for."""
    included = [dict(entry) for one in saying for entry in one.get("included", ())]
    excluded = [dict(entry) for one in saying for entry in one.get("excluded", ())]
    if reached is not None and cart is not None:
        targets, covered = zip(included, reached.targets, strict=True), cover(reached, cart)
        included = [entry | shown(covered, cart, target) for entry, target in targets]
    return _list([_told(one) for one in included]), _list([_told(one) for one in excluded])


def _told(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if value is not None}


NOTHING: Final[dict[str, Any]] = _list([])
