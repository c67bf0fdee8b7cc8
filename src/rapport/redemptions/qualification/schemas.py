"""Qualifications on the wire."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rapport.core.clock import parse_instant
from rapport.core.errors import InvalidPayload
from rapport.http.answers import Count, Instant
from rapport.orders.answers import OrderAmounts
from rapport.redemptions.answers import RedeemableResult, StackedCategory
from rapport.redemptions.schemas import CircumstancesInput
from rapport.redemptions.stacking_rules.schemas import StackingRulesBody
from rapport.rules.answers import AssignmentsAnswer

MAX_LIMIT = 50
DEFAULT_LIMIT = 5
MAX_OPERANDS = 100

Scenario = Literal[
    "ALL",
    "CUSTOMER_WALLET",
    "AUDIENCE_ONLY",
    "PRODUCTS",
    "PRODUCTS_DISCOUNT",
    "PROMOTION_STACKS",
    "PRODUCTS_BY_CUSTOMER",
    "PRODUCTS_DISCOUNT_BY_CUSTOMER",
]
Operands = Annotated[list[str], Meta(max_length=MAX_OPERANDS)]


_NAMES = {name: f"${name.removesuffix('_')}" for name in ("is_", "is_not", "in_", "not_in", "has_value", "is_unknown")}


class Conditions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, rename=_NAMES):
    """What a field is to be, or not to be; all that is said has to hold.

    `has_value` and `is_unknown` ask whether there is a value, whatever stands beside them.
    """

    is_: Operands | None = None
    is_not: Operands | None = None
    in_: Operands | None = None
    not_in: Operands | None = None
    has_value: Any = None
    is_unknown: Any = None

    def __post_init__(self) -> None:
        """Refuse conditions that say nothing. Raises ValueError."""
        if all(getattr(self, name) is None for name in _NAMES):
            raise ValueError(f"Expected one of {', '.join(_NAMES.values())}")

    def hold(self, value: str | None) -> bool:
        """Return whether they hold for a value; a missing one is none of what is named."""
        return (
            (self.is_ is None or value in self.is_)
            and (self.is_not is None or value not in self.is_not)
            and (self.in_ is None or value in self.in_)
            and (self.not_in is None or value not in self.not_in)
            and (self.has_value is None or value is not None)
            and (self.is_unknown is None or value is None)
        )


class FieldConditions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The conditions of one field."""

    conditions: Conditions


class FiltersInput(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which redeemables are looked at; all conditions have to hold, or with the junction OR any of them."""

    junction: Literal["AND", "OR", "and", "or"] | None = None
    category_id: FieldConditions | None = None
    campaign_id: FieldConditions | None = None
    campaign_type: FieldConditions | None = None
    resource_id: FieldConditions | None = None
    resource_type: FieldConditions | None = None
    voucher_type: FieldConditions | None = None
    code: FieldConditions | None = None
    holder_role: FieldConditions | None = None

    def hold(self, values: dict[str, str | None]) -> bool:
        """Return whether the filters let through what has these values."""
        outcomes = [
            getattr(self, name).conditions.hold(value)
            for name, value in values.items()
            if getattr(self, name) is not None
        ]
        if not outcomes:
            return True
        return any(outcomes) if (self.junction or "AND").upper() == "OR" else all(outcomes)


class OptionsInput(msgspec.Struct, kw_only=True):
    """How many are wanted, from where on, which and in which order, and what is told of each."""

    limit: Annotated[int, Meta(ge=1, le=MAX_LIMIT)] | None = None
    starting_after: str | None = None
    filters: FiltersInput | None = None
    expand: Annotated[list[Literal["redeemable", "category", "validation_rules"]], Meta(max_length=10)] | None = None
    sorting_rule: Literal["BEST_DEAL", "LEAST_DEAL", "DEFAULT"] | None = None


class LockInput(msgspec.Struct, kw_only=True):
    """That credits which sessions hold back are to be told."""

    type: Literal["LOCK"] | None = None


class QualificationInput(CircumstancesInput, kw_only=True):
    """`QualificationsCheckEligibilityRequestBody` of the reference."""

    scenario: Scenario | None = None
    options: OptionsInput | None = None
    session: LockInput | None = None

    @property
    def starting_after(self) -> Any:
        """The moment from which on older ones are wanted. Raises InvalidPayload."""
        text = None if self.options is None else self.options.starting_after
        if text is None:
            return None
        try:
            return parse_instant(text)
        except ValueError as error:
            raise InvalidPayload("Property .options.starting_after should be a date-time in ISO 8601 format") from error


class QualifiedAnswer(msgspec.Struct, kw_only=True):
    """Something that qualifies, and what it would do to the order."""

    id: str
    object: Literal["campaign", "promotion_tier", "promotion_stack", "voucher"]
    created_at: Instant
    result: RedeemableResult | UnsetType = UNSET
    order: OrderAmounts | UnsetType = UNSET
    applicable_to: dict[str, Any] | UnsetType = UNSET
    inapplicable_to: dict[str, Any] | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET
    categories: list[StackedCategory] | UnsetType = UNSET
    name: str | UnsetType = UNSET
    campaign_name: str | None | UnsetType = UNSET
    campaign_id: str | UnsetType = UNSET
    validation_rule_id: str | UnsetType = UNSET
    validation_rules_assignments: AssignmentsAnswer | UnsetType = UNSET
    redeemables: "list[QualifiedAnswer] | UnsetType" = UNSET


class QualifiedList(msgspec.Struct, kw_only=True):
    """A part of what qualifies; `more_starting_after` is where the next part begins."""

    object: Literal["list"]
    data_ref: Literal["data"]
    data: list[QualifiedAnswer]
    total: Count
    has_more: bool
    more_starting_after: Instant | UnsetType = UNSET


class QualificationAnswer(msgspec.Struct, kw_only=True):
    """What qualifies, the order as it was asked about, and how redeemables stack."""

    redeemables: QualifiedList
    tracking_id: str | None
    order: OrderAmounts | UnsetType = UNSET
    stacking_rules: StackingRulesBody


class OlderQualificationInput(CircumstancesInput, kw_only=True):
    """The body of the older operations about vouchers or campaigns alone."""


class OlderQualificationAnswer(msgspec.Struct, kw_only=True):
    """Vouchers or campaigns that qualify, each as its own operations show it."""

    object: Literal["list"]
    data_ref: Literal["data"]
    data: list[dict[str, Any]]
    total: Count
    id: str
    created_at: Instant
    tracking_id: str | None
