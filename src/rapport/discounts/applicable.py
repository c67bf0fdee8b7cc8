"""Which lines of a cart a discount on items may touch, and how many of their units.

A validation rule says it: `applicable_to` with what is included and what is excluded. The rules find the lines; here is
decided which of their units are covered.

Of several rules all hold. First they choose: what is chosen are the units that each of them chooses by effect and by
what it skips and repeats. Then each limits what was chosen as if it were alone, and the least holds. So nothing depends
on the order of the rules, and one more limit never gives more.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Final, Literal

import msgspec

from rapport.discounts.cart import Cart, Line, product_of

MAX_SHOWN_UNITS: Final = 1_000

ApplyEffect = Literal[
    "APPLY_TO_EVERY",
    "APPLY_TO_CHEAPEST",
    "APPLY_FROM_CHEAPEST",
    "APPLY_TO_MOST_EXPENSIVE",
    "APPLY_FROM_MOST_EXPENSIVE",
]


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A product, SKU or collection that a discount applies to: `ApplicableTo` of the reference.

    `lines` are the places of the cart's lines that are of it, from 0. `quantity_limit` and `amount_limit` hold for each
    line, the aggregated ones for all lines together. `target` says what `skip_initially` and `repeat` count: lines
    (`ITEM`) or units (`UNIT`); with 1 and 3 they are the 2nd, the 5th, the 8th. `left` and `left_of_product` are what
    earlier redemptions left of its units, in all and of single products.
    """

    object: Literal["product", "sku", "products_collection"]
    id: str
    lines: tuple[int, ...]
    effect: ApplyEffect = "APPLY_TO_EVERY"
    quantity_limit: int | None = None
    aggregated_quantity_limit: int | None = None
    amount_limit: int | None = None
    aggregated_amount_limit: int | None = None
    price: int | None = None
    price_formula: str | None = None
    skip_initially: int = 0
    repeat: int = 1
    target: Literal["ITEM", "UNIT"] = "ITEM"
    left: int | None = None
    left_of_product: dict[str, int] = {}

    def times(self, number: int) -> "Target":
        """Return it with limits of so many times the units."""
        limits = {name: getattr(self, name) for name in ("quantity_limit", "aggregated_quantity_limit")}
        more = {name: limit * number for name, limit in limits.items() if limit is not None}
        return msgspec.structs.replace(self, **more)


class Applicable(msgspec.Struct, frozen=True, kw_only=True):
    """What a discount on items applies to: the lines of `included`, or all with `included_all`, but not `excluded`.

    A line of several targets belongs to the first of them. `included` are the targets of one rule, `further` those of
    each other rule, which only ever take away: to a line belongs one target of each rule. `only`: the lines that all
    the rules include, where some of them name what they include.
    """

    included: tuple[Target, ...] = ()
    excluded: frozenset[int] = frozenset()
    included_all: bool = False
    further: tuple[tuple[Target, ...], ...] = ()
    only: frozenset[int] | None = None

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets of all rules."""
        return (*self.included, *(target for rule in self.further for target in rule))

    def with_targets(self, targets: Sequence[Target]) -> "Applicable":
        """Return it with others in the place of its targets, one by one."""
        place = len(self.included)
        included, further = tuple(targets[:place]), []
        for rule in self.further:
            further.append(tuple(targets[place : place + len(rule)]))
            place += len(rule)
        return msgspec.structs.replace(self, included=included, further=tuple(further))


EVERYTHING: Final = Applicable(included_all=True)


class Covered(msgspec.Struct, frozen=True):
    """Units of a line that a discount covers, and what is left to pay of them. `numbers` are theirs in the line.

    `target` is the one of the line in the rule that is looked at; `targets` are those of all rules.
    """

    line: int
    units: int
    value: Fraction
    target: Target | None = None
    numbers: range = range(0)
    targets: tuple[Target, ...] = ()


# What belongs to one target of a rule: lines by their places. Lines that the rule says nothing about have no target.
_Group = tuple[Target | None, Sequence[int]]


def cover(applicable: Applicable | None, cart: Cart) -> list[Covered]:
    """Return what a discount on items covers, in the order in which its limits are used up.

    Units that are free already are not counted: they come last in their line. None covers everything.
    """
    return by_rule(applicable, cart)[0]


def _together(rules: Sequence[Sequence[Covered]]) -> list[Covered]:
    """Return what is covered by each of the rules: of a line, the fewest units."""
    first, *others = ({one.line: one for one in rule} for rule in rules)
    for rule in others:
        first = {line: _fewer(one, rule[line]) for line, one in first.items() if line in rule}
    return [first[line] for line in sorted(first)]


def _fewer(one: Covered, other: Covered) -> Covered:
    if other.units >= one.units:
        return one
    return msgspec.structs.replace(one, units=other.units, value=other.value, numbers=other.numbers)


def by_rule(applicable: Applicable | None, cart: Cart) -> tuple[list[Covered], list[list[Covered]]]:
    """Return what is covered, and what each rule alone would cover of what they all choose."""
    scope = EVERYTHING if applicable is None else applicable
    free = {
        index: line
        for index, line in enumerate(cart.lines)
        if index not in scope.excluded and line.paid_quantity > 0 and (scope.only is None or index in scope.only)
    }
    named = _groups(scope.included, free)
    if not scope.included_all and scope.only is None:
        named = [one for one in named if one[0] is not None]
        inside = {index for _, indices in named for index in indices}
        free = {index: line for index, line in free.items() if index in inside}
    rules = [named, *(_groups(targets, free) for targets in scope.further)]
    chosen, *others = (_chosen(groups, free) for groups in rules)
    for other in others:
        common = {index: _common(numbers, other[index]) for index, numbers in chosen.items() if index in other}
        chosen = {index: numbers for index, numbers in common.items() if numbers}
    targets = _targets(rules)
    alone = [_within_limits(groups, chosen, free, targets) for groups in rules]
    if not others:
        return alone[0], alone
    return _together([*alone, _within_shared(chosen, free, targets)]), alone


def _within_shared(
    chosen: Mapping[int, range], free: Mapping[int, Line], targets: Mapping[int, tuple[Target, ...]]
) -> list[Covered]:
    """Return what is left of what was chosen by goods, whichever rules name them."""
    found = {index: _covered(index, free[index], numbers, None, targets) for index, numbers in chosen.items()}
    for target in _shared(targets):
        within = {one.line: one for one in _within_limits([(target, target.lines)], chosen, free, targets)}
        for index in found.keys() & set(target.lines):
            if index in within:
                found[index] = _fewer(found[index], within[index])
            else:
                del found[index]
    return list(found.values())


def _groups(targets: Sequence[Target], free: Mapping[int, Line]) -> list[_Group]:
    """Return which lines belong to which target of a rule, and at last those that it does not name."""
    rest = set(free)
    found: list[_Group] = []
    for target in targets:
        mine = rest.intersection(target.lines)
        rest -= mine
        found.append((target, sorted(mine)))
    return [*found, (None, sorted(rest))]


def _targets(rules: Sequence[Sequence[_Group]]) -> dict[int, tuple[Target, ...]]:
    """Return the targets of each line."""
    found: dict[int, tuple[Target, ...]] = {}
    for groups in rules:
        for target, indices in groups:
            if target is not None:
                found |= {index: (*found.get(index, ()), target) for index in indices}
    return found


def _shared(targets: Mapping[int, tuple[Target, ...]]) -> list[Target]:
    """Return targets with what is left of goods, for all the lines that belong to these by whichever rule."""
    lines: dict[tuple[str, str], set[int]] = defaultdict(set)
    left: dict[tuple[str, str], list[int]] = defaultdict(list)
    of_product: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for index, several in targets.items():
        for target in several:
            goods = (target.object, target.id)
            lines[goods].add(index)
            left[goods] += [] if target.left is None else [target.left]
            for product, number in target.left_of_product.items():
                of_product[goods][product] = min(number, of_product[goods].get(product, number))
    return [
        Target(
            object=goods[0],  # type: ignore[arg-type]  # it is that of a target
            id=goods[1],
            lines=tuple(sorted(lines[goods])),
            left=min(left[goods], default=None),
            left_of_product=of_product[goods],
        )
        for goods in lines
        if left[goods] or of_product[goods]
    ]


def shown(every: Sequence[Covered], cart: Cart, target: Target) -> dict[str, Any]:
    """Return the `order_item_indices`, or with `UNIT` the `order_item_units`, of a target in an answer.

    `every`: what is covered.
    """
    covered = [one for one in every if any(mine is target for mine in one.targets)]
    covered.sort(key=lambda one: one.line)
    indices = {"order_item_indices": [one.line for one in covered]}
    if target.target == "ITEM":
        return indices
    if sum(line.quantity for line in cart.lines) > MAX_SHOWN_UNITS:
        return indices | {"order_item_units": [{"index": one.line, "units_limit_exceeded": True} for one in covered]}
    return indices | {"order_item_units": [{"index": one.line, "units": list(one.numbers)} for one in covered]}


def _chosen(groups: Sequence[_Group], free: Mapping[int, Line]) -> dict[int, range]:
    """Return the units that a rule chooses of each line."""
    found = {}
    for target, indices in groups:
        passed = 0  # lines or units that were counted
        for index in indices if target is None else _by_effect(target, indices, free):
            numbers = range(1, free[index].paid_quantity + 1)
            if target is not None:
                counted = 1 if target.target == "ITEM" else len(numbers)
                every = _every(passed, counted, target)
                passed += counted
                numbers = every if target.target == "UNIT" else numbers if every else range(0)
            if numbers:
                found[index] = numbers
    return found


def _within_limits(
    groups: Sequence[_Group],
    chosen: Mapping[int, range],
    free: Mapping[int, Line],
    targets: Mapping[int, tuple[Target, ...]],
) -> list[Covered]:
    """Return what the limits of a rule leave of what was chosen."""
    found = []
    for target, indices in groups:
        mine = [index for index in indices if index in chosen]
        if target is None:
            found += [_covered(index, free[index], chosen[index], None, targets) for index in mine]
            continue
        left = min((one for one in (target.aggregated_quantity_limit, target.left) if one is not None), default=None)
        of_product = dict(target.left_of_product)
        effects = {other.effect for index in mine for other in targets[index]}
        for index in _ordered(effects, mine, free):
            numbers = chosen[index]
            product = product_of(free[index].item) if of_product else ""
            for limit in (target.quantity_limit, left, of_product.get(product)):
                if limit is not None:
                    numbers = numbers[: max(0, limit)]
            if left is not None:
                left -= len(numbers)
            if product in of_product:
                of_product[product] -= len(numbers)
            if numbers:
                found.append(_covered(index, free[index], numbers, target, targets))
    return found


def _by_effect(target: Target, indices: Sequence[int], free: Mapping[int, Line]) -> Sequence[int]:
    """Return those of the lines that the effect of a target chooses, in its order."""
    if target.effect == "APPLY_TO_EVERY":
        return indices
    priced = [index for index in indices if free[index].unit_price is not None]
    found = _ordered({target.effect}, priced, free)
    if target.effect in {"APPLY_TO_CHEAPEST", "APPLY_TO_MOST_EXPENSIVE"}:
        found = [index for index in found if free[index].unit_price == free[found[0]].unit_price]
    return found


def _ordered(effects: set[ApplyEffect], indices: Sequence[int], free: Mapping[int, Line]) -> Sequence[int]:
    """Return lines in the order in which limits are used up: by price where an effect asks for it."""
    if not effects - {"APPLY_TO_EVERY"}:
        return indices
    sign = 1 if effects & {"APPLY_TO_CHEAPEST", "APPLY_FROM_CHEAPEST"} else -1
    return sorted(indices, key=lambda index: (sign * (free[index].unit_price or 0), index))


def _every(passed: int, count: int, target: Target) -> range:
    """Return the numbers, from 1, of those of `count` that `skip_initially` and `repeat` choose after `passed`."""
    repeat = max(1, target.repeat)
    first = max(0, target.skip_initially)  # the place of the first one chosen, from 0
    if passed > first:
        first += -((first - passed) // repeat) * repeat
    return range(first - passed + 1, count + 1, repeat)


def _common(one: range, other: range) -> range:
    """Return the numbers that are in both; steps are positive."""
    shared = math.gcd(one.step, other.step)
    apart, wrong = divmod(other.start - one.start, shared)
    if wrong:
        return range(0)
    turn = other.step // shared
    step = one.step * turn
    start = one.start + one.step * (apart * pow(one.step // shared, -1, turn) % turn)
    least = max(one.start, other.start)
    start += max(0, -((start - least) // step)) * step
    return range(start, min(one.stop, other.stop), step)


def _covered(
    index: int, line: Line, numbers: range, target: Target | None, targets: Mapping[int, tuple[Target, ...]]
) -> Covered:
    value = Fraction(line.subtotal_amount * len(numbers), line.paid_quantity)
    return Covered(index, len(numbers), value, target, numbers, targets.get(index, ()))
