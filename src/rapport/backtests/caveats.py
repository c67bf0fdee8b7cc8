"""What a replay cannot know: said with each result, as far as it concerns the draft. Pure."""

from collections.abc import Callable
from typing import Final

import msgspec

from rapport.backtests.models import Backtest
from rapport.rules import conditions
from rapport.rules.applicable import collections_of
from rapport.rules.conditions import RuleSet


class Caveat(msgspec.Struct, kw_only=True):
    """One thing that the replay sees otherwise than a redemption did then."""

    key: str
    message: str


def _named(*names: str) -> Callable[[RuleSet], bool]:
    return lambda rule_set: any(leaf.name.startswith(names) for leaf in rule_set.leaves.values())


_BY_RULES: Final[tuple[tuple[str, str, Callable[[RuleSet], bool]], ...]] = (
    (
        "segments_as_of_now",
        "Customers are taken to be in the segments that they are in now, not in those of the time of the order",
        _named(conditions.SEGMENT),
    ),
    ("customers_as_of_now", "The metadata of customers is as it is now", _named("customer.metadata")),
    (
        "no_redemption_metadata",
        "Orders do not say which metadata their redemption would have had: it is taken to be empty",
        _named("redemption.metadata"),
    ),
    (
        "one_api_key",
        "Every order is taken to be redeemed with the API key that asked for the back-test",
        _named("redemption.api_key", "redemption.count.per_api_key"),
    ),
    (
        "nobody_logged_in",
        "No user of the dashboard is known to redeem",
        _named("redemption.user", "redemption.count.per_user"),
    ),
    ("nobody_holds_the_code", "The draft is a code that was published to nobody", _named(conditions.HOLDER)),
)
_COLLECTIONS: Final = Caveat(
    key="collections_as_of_now", message="Product collections have the products that are in them now"
)
_REDEEMED_BEFORE: Final = Caveat(
    key="orders_as_of_now",
    message="Orders are as they are stored now; what other redemptions took off them is off before the draft applies",
)


def caveats(one: Backtest) -> list[Caveat]:
    """Return what the result of a back-test has to be read with."""
    rule_set = conditions.parse(one.draft.rules, one.draft.bundle_rules)
    found = [Caveat(key=key, message=message) for key, message, concerns in _BY_RULES if concerns(rule_set)]
    if rule_set.needs.collections or collections_of(one.draft.applicable_to):
        found.append(_COLLECTIONS)
    return [*found, _REDEEMED_BEFORE]
