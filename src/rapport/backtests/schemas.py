"""Back-tests on the wire: an addition to the reference."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rapport.async_actions.models import Status
from rapport.backtests.caveats import Caveat, caveats
from rapport.backtests.models import Backtest, Kind, Sample
from rapport.core.clock import iso

OrderStatus = Literal["CREATED", "PAID", "CANCELED", "FULFILLED"]
Reference = Annotated[str, Meta(min_length=1, max_length=255)]


class BacktestInput(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is tried on which orders. Either `validation_rule` or `rules`; `campaign` is compared with."""

    validation_rule: Reference | None = None
    rules: dict[str, Any] | None = None
    bundle_rules: dict[str, Any] | None = None
    applicable_to: dict[str, Any] | None = None
    discount: dict[str, Any] | None = None
    campaign: Reference | None = None
    since: str | None = None
    until: str | None = None
    order_statuses: Annotated[list[OrderStatus], Meta(min_length=1, max_length=4)] | None = None


class DraftView(msgspec.Struct, kw_only=True):
    """What is tried: the rules as they were when the back-test was asked for."""

    validation_rule: str | None
    rules: dict[str, Any]
    bundle_rules: dict[str, Any]
    applicable_to: dict[str, Any]
    discount: dict[str, Any] | None


class CampaignView(msgspec.Struct, kw_only=True):
    """The campaign that the draft is compared with."""

    id: str
    name: str


class OrdersView(msgspec.Struct, kw_only=True):
    """How many orders there were, and what they came to before discounts."""

    total: int
    qualified: int
    refused: int
    without_customer: int
    amount: int
    qualified_amount: int


class CustomersView(msgspec.Struct, kw_only=True):
    """How many different customers placed them, and how many of these would have qualified at least once."""

    total: int
    qualified: int


class DiscountView(msgspec.Struct, kw_only=True):
    """What the discount would have cost; `average` of an order that qualified, rounded half up."""

    total: int
    average: int


class MonthView(msgspec.Struct, kw_only=True):
    """The same for one month of the project's time zone."""

    month: str
    orders: int
    qualified: int
    orders_amount: int
    discount_amount: int


class RuleView(msgspec.Struct, kw_only=True):
    """How many orders a rule kept out, and how many of them it alone."""

    number: str
    name: str
    refused: int
    refused_alone: int


class ReasonView(msgspec.Struct, kw_only=True):
    """An error that redemptions would have ended with; `number` and `name` are the first rule at fault."""

    key: str
    message: str
    number: str | None
    name: str | None
    count: int


class WhyView(msgspec.Struct, kw_only=True):
    """Why one order is refused."""

    key: str
    message: str
    number: str | None
    name: str | None


class SampleView(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One order. Of a refused one `rules` are the numbers of those that keep it out, `rules_alone` of those alone."""

    order_id: str
    customer_id: str | None
    created_at: str
    amount: int
    total_amount: int
    discount_amount: int
    reason: WhyView | UnsetType = UNSET
    rules: list[str] | UnsetType = UNSET
    rules_alone: list[str] | UnsetType = UNSET
    redemptions: list[str] | UnsetType = UNSET
    redeemed_discount_amount: int | UnsetType = UNSET
    change: Literal["would_be_refused", "amount_changes"] | UnsetType = UNSET


class SamplesView(msgspec.Struct, kw_only=True):
    """Some of the orders."""

    qualified: list[SampleView]
    refused: list[SampleView]


class ComparisonView(msgspec.Struct, kw_only=True):
    """What would become of redemptions of the campaign. `newly_qualified_orders` have none of it, and would qualify."""

    redemptions: int
    unchanged: int
    would_be_refused: int
    amount_changes: int
    discount_amount: int
    draft_discount_amount: int
    newly_qualified_orders: int
    sample: list[SampleView]


class ResultView(msgspec.Struct, kw_only=True):
    """What the draft would have done. Amounts are minor units."""

    orders: OrdersView
    customers: CustomersView
    discount: DiscountView
    months: list[MonthView]
    rules: list[RuleView]
    reasons: list[ReasonView]
    sample: SamplesView
    comparison: ComparisonView | None
    caveats: list[Caveat]


class BacktestView(msgspec.Struct, kw_only=True):
    """A back-test; `result` once it is done, and not in lists."""

    id: str
    status: Status
    progress: int
    async_action_id: str
    draft: DraftView
    campaign: CampaignView | None
    since: str | None
    until: str
    order_statuses: list[str]
    created_at: str
    finished_at: str | None
    result: ResultView | None | UnsetType = UNSET
    object: Literal["backtest"] = "backtest"


def sample_view(sample: Sample) -> dict[str, Any]:
    """Return what became of one order as the API shows it."""
    return {
        "order_id": sample.order_id,
        "customer_id": sample.customer_id,
        "created_at": iso(sample.created_at),
        **sample.details,
    }


def view(one: Backtest, samples: Sequence[Sample] | None = None) -> BacktestView:
    """Return a back-test as the API shows it; with its result where the samples are given."""
    result: ResultView | None | UnsetType = UNSET
    if samples is not None:
        result = None if one.finished_at is None else _result(one, samples)
    draft = one.draft
    return BacktestView(
        id=one.id,
        status=one.status,  # type: ignore[arg-type]  # one of an asynchronous action
        progress=one.progress,
        async_action_id=one.async_action_id,
        draft=DraftView(
            validation_rule=draft.validation_rule,
            rules=draft.rules,
            bundle_rules=draft.bundle_rules,
            applicable_to=draft.applicable_to,
            discount=draft.discount,
        ),
        campaign=None if one.campaign_id is None else CampaignView(id=one.campaign_id, name=one.campaign or ""),
        since=None if one.since is None else iso(one.since),
        until=iso(one.until),
        order_statuses=one.statuses,
        created_at=iso(one.created_at),
        finished_at=None if one.finished_at is None else iso(one.finished_at),
        result=result,
    )


def _result(one: Backtest, samples: Sequence[Sample]) -> ResultView:
    tally = one.tally

    def some(kind: Kind) -> list[SampleView]:
        return [msgspec.convert(sample_view(sample), SampleView) for sample in samples if sample.kind == kind]

    reasons = sorted(tally.reasons.values(), key=lambda reason: (-reason.count, reason.key, reason.number or ""))
    asdict = msgspec.structs.asdict
    return ResultView(
        orders=OrdersView(
            total=tally.orders,
            qualified=tally.qualified,
            refused=tally.orders - tally.qualified,
            without_customer=tally.without_customer,
            amount=tally.amount,
            qualified_amount=tally.qualified_amount,
        ),
        customers=CustomersView(total=tally.customers, qualified=tally.qualified_customers),
        discount=DiscountView(
            total=tally.discount_amount,
            average=(2 * tally.discount_amount + tally.qualified) // (2 * tally.qualified) if tally.qualified else 0,
        ),
        months=[MonthView(month=month, **asdict(tally.months[month])) for month in sorted(tally.months)],
        rules=[RuleView(number=number, **asdict(tally.rules[number])) for number in sorted(tally.rules, key=int)],
        reasons=[ReasonView(**asdict(reason)) for reason in reasons],
        sample=SamplesView(qualified=some("qualified"), refused=some("refused")),
        comparison=None
        if one.campaign_id is None
        else ComparisonView(**asdict(tally.compared), sample=some("compared")),
        caveats=caveats(one),
    )
