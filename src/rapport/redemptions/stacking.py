"""Which of several redeemables are applied together, and in which order: the stacking rules of a project. Pure.

Validation and redemption both decide through `settle`, so that what was found applicable is what is redeemed.
"""

import sys
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar

import msgspec

MAX_REDEEMABLES: Final = 30

Status = Literal["APPLICABLE", "INAPPLICABLE", "SKIPPED"]
Applied = TypeVar("Applied")
Reason = TypeVar("Reason")


class StackingRules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules, all of them; the defaults hold for a project that set none (`StackingRules` of the reference).

    None for a limit per category: there is none.
    """

    redeemables_limit: int = MAX_REDEEMABLES
    applicable_redeemables_limit: int = 5
    applicable_redeemables_per_category_limit: int | None = 1
    applicable_redeemables_category_limits: dict[str, int] = {}
    applicable_exclusive_redeemables_limit: int = 1
    applicable_exclusive_redeemables_per_category_limit: int | None = 1
    exclusive_categories: tuple[str, ...] = ()
    joint_categories: tuple[str, ...] = ()
    discount_calculation_mode: Literal["INITIAL_AMOUNT", "DISCOUNTED_AMOUNT"] = "DISCOUNTED_AMOUNT"
    initial_amount_mode_categories: tuple[str, ...] = ()
    discounted_amount_mode_categories: tuple[str, ...] = ()
    redeemables_application_mode: Literal["ALL", "PARTIAL"] = "ALL"
    redeemables_sorting_rule: Literal["CATEGORY_HIERARCHY", "REQUESTED_ORDER"] = "REQUESTED_ORDER"
    redeemables_products_application_mode: Literal["STACK", "ONCE"] = "STACK"
    redeemables_no_effect_rule: Literal["REDEEM_ANYWAY", "SKIP"] = "REDEEM_ANYWAY"
    no_effect_skip_categories: tuple[str, ...] = ()
    no_effect_redeem_anyway_categories: tuple[str, ...] = ()
    redeemables_rollback_order_mode: Literal["WITH_ORDER", "WITHOUT_ORDER"] = "WITH_ORDER"
    grouped_redeemables_sorting_rule: Literal["JOINT_ALWAYS_LAST"] = "JOINT_ALWAYS_LAST"

    def is_joint(self, categories: Collection["Category"]) -> bool:
        """Whether something with these categories is applied whatever is exclusive beside it."""
        return any(one.id in self.joint_categories for one in categories)

    def is_exclusive(self, categories: Collection["Category"]) -> bool:
        """Whether something with these categories keeps out what is neither exclusive nor joint."""
        return not self.is_joint(categories) and any(one.id in self.exclusive_categories for one in categories)

    def for_stack(self) -> "StackingRules":
        """Return the rules among the tiers of one stack: whoever made it chose them, so it is all of them or none."""
        return msgspec.structs.replace(
            self,
            exclusive_categories=(),
            joint_categories=(),
            redeemables_application_mode="ALL",
            applicable_redeemables_limit=sys.maxsize,
            applicable_redeemables_per_category_limit=None,
            applicable_redeemables_category_limits={},
            applicable_exclusive_redeemables_limit=sys.maxsize,
            applicable_exclusive_redeemables_per_category_limit=None,
            redeemables_sorting_rule="REQUESTED_ORDER",
        )

    def takes_initial_amount(self, categories: Collection[str]) -> bool:
        """Whether its discount is worked out on what the order cost before any other."""
        if any(one in self.initial_amount_mode_categories for one in categories):
            return True
        if any(one in self.discounted_amount_mode_categories for one in categories):
            return False
        return self.discount_calculation_mode == "INITIAL_AMOUNT"

    def skips_no_effect(self, categories: Collection[str]) -> bool:
        """Whether it is left out when it would take nothing off."""
        if any(one in self.no_effect_redeem_anyway_categories for one in categories):
            return False
        if any(one in self.no_effect_skip_categories for one in categories):
            return True
        return self.redeemables_no_effect_rule == "SKIP"


DEFAULTS: Final = StackingRules()


def shown(rules: StackingRules) -> dict[str, Any]:
    """Return the rules as the API shows them."""
    found: dict[str, Any] = msgspec.to_builtins(rules)
    return found


class Category(msgspec.Struct, frozen=True):
    """What stacking looks at of a category: the lower its hierarchy, the earlier it is applied."""

    id: str
    hierarchy: int = 0


class Skip(msgspec.Struct, frozen=True):
    """Why a redeemable is left out although it could be redeemed alone: the reference's key and our message."""

    key: str
    message: str


LIMIT: Final = Skip("applicable_redeemables_limit_exceeded", "Applicable redeemables limit exceeded")
CATEGORY_LIMIT: Final = Skip(
    "applicable_redeemables_per_category_limit_exceeded", "Applicable redeemables limit per category exceeded"
)
EXCLUSIVE_LIMIT: Final = Skip(
    "applicable_exclusive_redeemables_limit_exceeded", "Applicable exclusive redeemables limit exceeded"
)
EXCLUSIVE_CATEGORY_LIMIT: Final = Skip(
    "applicable_exclusive_redeemables_per_category_limit_exceeded",
    "Applicable exclusive redeemables limit per category exceeded",
)
EXCLUDED: Final = Skip("exclusion_rules_not_met", "Redeemable cannot be applied due to exclusion rules")
PRECEDING: Final = Skip(
    "preceding_validation_failed", "Redeemable cannot be applied due to preceding validation failure"
)
NO_EFFECT: Final = Skip("no_effect", "Redeemable cannot be applied due to no effect")


@dataclass(frozen=True, slots=True)
class Verdict(Generic[Applied, Reason]):
    """What becomes of one redeemable: what it does, why it may not be redeemed, or why it is left out."""

    applied: Applied | None = None
    refusal: Reason | None = None
    skip: Skip | None = None

    @property
    def status(self) -> Status:
        """The reference's word for it."""
        if self.refusal is not None:
            return "INAPPLICABLE"
        return "APPLICABLE" if self.skip is None else "SKIPPED"


@dataclass(frozen=True, slots=True)
class Tried(Generic[Applied, Reason]):
    """What one redeemable would do to the order as those before it left it, or why it may not be redeemed.

    `has_effect`: something is taken off or added; true also where there is no order that could tell.
    """

    applied: Applied | None = None
    refusal: Reason | None = None
    has_effect: bool = True


class _Room:
    """How many more of which category may be applied."""

    def __init__(self, rules: StackingRules, *, is_any_exclusive: bool) -> None:
        self._rules = rules
        self._is_any_exclusive = is_any_exclusive
        self._all = 0
        self._exclusive = 0
        self._by_category: Counter[str] = Counter()
        self._exclusive_by_category: Counter[str] = Counter()

    def lacks(self, named: Collection[Category]) -> Skip | None:
        rules, categories = self._rules, [one.id for one in named]
        exclusive = rules.is_exclusive(named)
        if self._is_any_exclusive and not exclusive and not rules.is_joint(named):
            return EXCLUDED
        if self._all >= rules.applicable_redeemables_limit:
            return LIMIT
        if exclusive and self._exclusive >= rules.applicable_exclusive_redeemables_limit:
            return EXCLUSIVE_LIMIT
        per_category = rules.applicable_exclusive_redeemables_per_category_limit
        for one in categories:
            if exclusive and per_category is not None and self._exclusive_by_category[one] >= per_category:
                return EXCLUSIVE_CATEGORY_LIMIT
            limit = rules.applicable_redeemables_category_limits.get(
                one, rules.applicable_redeemables_per_category_limit
            )
            if limit is not None and self._by_category[one] >= limit:
                return CATEGORY_LIMIT
        return None

    def take(self, named: Collection[Category]) -> None:
        categories = [one.id for one in named]
        self._all += 1
        self._by_category.update(categories)
        if self._rules.is_exclusive(named):
            self._exclusive += 1
            self._exclusive_by_category.update(categories)


def order_of(rules: StackingRules, categories: Sequence[Sequence[Category]]) -> list[int]:
    """Return in which order redeemables are applied, as their places in the request.

    By the hierarchy of their first category, those without one last, if the rules say so; what is equal keeps the
    order of the request.
    """
    places = list(range(len(categories)))
    if rules.redeemables_sorting_rule == "REQUESTED_ORDER":
        return places
    return sorted(
        places, key=lambda place: (not categories[place], min((one.hierarchy for one in categories[place]), default=0))
    )


def settle(
    rules: StackingRules,
    categories: Sequence[Sequence[Category]],
    refusals: Sequence[Reason | None],
    attempt: Callable[[int], Tried[Applied, Reason]],
    accept: Callable[[int, Applied | None], None],
    restart: Callable[[], None],
) -> list[Verdict[Applied, Reason]]:
    """Decide about all redeemables of a request, in its order.

    `refusals` are the reasons why each may not be redeemed whatever is beside it; `attempt` works out what one does to
    the order as it is by then, and `accept` makes it so; `restart` undoes all that was accepted. Where the application
    mode is ALL, one that may not be redeemed leaves out all others.

    What is exclusive keeps others out only if it is applied. Where no such one is, all are decided about once more
    without them.
    """
    verdicts = _settled(rules, categories, refusals, attempt, accept, {})
    exclusive = {place: verdicts[place] for place, named in enumerate(categories) if rules.is_exclusive(named)}
    if any(one.skip == EXCLUDED for one in verdicts) and all(one.status != "APPLICABLE" for one in exclusive.values()):
        restart()
        verdicts = _settled(rules, categories, refusals, attempt, accept, exclusive)
    if rules.redeemables_application_mode == "ALL" and any(one.refusal is not None for one in verdicts):
        restart()
        return [Verdict(skip=PRECEDING) if one.refusal is None else one for one in verdicts]
    return verdicts


def _settled(
    rules: StackingRules,
    categories: Sequence[Sequence[Category]],
    refusals: Sequence[Reason | None],
    attempt: Callable[[int], Tried[Applied, Reason]],
    accept: Callable[[int, Applied | None], None],
    known: Mapping[int, Verdict[Applied, Reason]],
) -> list[Verdict[Applied, Reason]]:
    """Return what becomes of each, each by itself; about those that are `known` nothing is decided any more."""
    verdicts: list[Verdict[Applied, Reason]] = [Verdict(refusal=refusal) for refusal in refusals]
    left = [place for place, refusal in enumerate(refusals) if refusal is None and place not in known]
    room = _Room(rules, is_any_exclusive=any(rules.is_exclusive(categories[place]) for place in left))
    for place, verdict in known.items():
        verdicts[place] = verdict
    for place in order_of(rules, categories):
        if place not in left:
            continue
        skip = room.lacks(categories[place])
        if skip is not None:
            verdicts[place] = Verdict(skip=skip)
            continue
        tried = attempt(place)
        if tried.refusal is not None:
            verdicts[place] = Verdict(refusal=tried.refusal)
        elif not tried.has_effect and rules.skips_no_effect([one.id for one in categories[place]]):
            verdicts[place] = Verdict(skip=NO_EFFECT)
        else:
            room.take(categories[place])
            accept(place, tried.applied)
            verdicts[place] = Verdict(applied=tried.applied)
    return verdicts


def is_valid(verdicts: Sequence[Verdict[Any, Any]], rules: StackingRules) -> bool:
    """Whether the request can be redeemed: something applies and, where all must, nothing is refused."""
    statuses = {verdict.status for verdict in verdicts}
    if rules.redeemables_application_mode == "ALL" and "INAPPLICABLE" in statuses:
        return False
    return "APPLICABLE" in statuses
