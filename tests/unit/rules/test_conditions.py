import operator as op
import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.rules import conditions, logic
from rapport.rules.conditions import InvalidValidationRules, Violation
from rapport.rules.facts import Count, Facts
from rapport.rules.kinds import KINDS
from rapport.rules.reading import allowed_operators
from rapport.segments.fields import Kind
from rapport.segments.operators import BY_NAME
from rule_facts import SHIRT, counted, facts, one, order, verdict

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "$is": op.eq, "$is_not": op.ne, "$in": op.eq, "$not_in": op.ne, "$more_than": op.gt, "$less_than": op.lt,
    "$more_than_equal": op.ge, "$more_than_or_equal": op.ge, "$greater_than_or_equal": op.ge,
    "$less_than_equal": op.le, "$less_than_or_equal": op.le,
}  # fmt: skip


def holds(raw: dict[str, Any], at: Facts | None = None) -> bool:
    return verdict(raw, at) is None


def _with_amount(number: int) -> Facts:
    return facts(order=order(amount=number, total_amount=0))


def _with_total(number: int) -> Facts:
    return facts(order=order(total_amount=number))


def _with_initial(number: int) -> Facts:
    return facts(order=order(initial_amount=number))


def _with_quantity(number: int) -> Facts:
    return facts(order=order({"quantity": number, "price": 1, "amount": number}))


def _with_price(number: int) -> Facts:
    return facts(order=order({"quantity": 1, "price": number, "amount": number}))


NUMBERS: dict[str, Callable[[int], Facts]] = {
    "order.amount": _with_amount,
    "order.total_amount": _with_total,
    "order.initial_amount": _with_initial,
    "order.items.count": _with_quantity,
    "order.items.price_any": _with_price,
    "order.items.price_each": _with_price,
    "redemption.gift.amount": lambda number: facts(gift_amount=number),
    "redemption.reward.pay_with_points.points_used": lambda number: facts(points=number),
}


def _with_count(count: Count) -> Callable[[int], Facts]:
    return lambda number: facts(counts={count: number})


for _name, _row in KINDS.items():
    if _row.count is not None:
        NUMBERS[_name] = _with_count(_row.count)


@pytest.mark.parametrize("name", sorted(NUMBERS))
@pytest.mark.parametrize("operator", COMPARISONS)
def test_a_rule_about_a_number_compares_it(name: str, operator: str) -> None:
    for number in (1, 2, 3):
        violation = verdict(one(name, operator, [2]), NUMBERS[name](number))
        expected = COMPARISONS[operator](number, 2)
        assert violation == (None if expected else Violation(KINDS[name].failure, None, "1", name)), number


METADATA: dict[str, Callable[[Any], Facts]] = {
    "customer.metadata": lambda value: facts(customer_metadata={"key": value}),
    "order.metadata": lambda value: facts(order=order(metadata={"key": value})),
    "redemption.metadata": lambda value: facts(metadata={"key": value}),
    "custom_event.metadata": lambda value: facts(event_metadata={"key": value}),
    "order.items.metadata_any": lambda value: facts(order=order(SHIRT | {"metadata": {"key": value}})),
    "order.items.metadata_each": lambda value: facts(order=order(SHIRT | {"metadata": {"key": value}})),
    "product.metadata": lambda value: facts(order=order(SHIRT | {"product": {"metadata": {"key": value}}})),
}
ON_METADATA = [
    ("$is", ["a"], "a", "b"),
    ("$is", [True], True, False),
    ("$is", [5], 5, 6),
    ("$in", ["a", "b"], "b", "c"),
    ("$not_in", ["a", "b"], "c", "a"),
    ("$is_not", ["a"], "b", "a"),
    ("$contains", ["b"], "abc", "xyz"),
    ("$not_contain", ["b"], "xyz", "abc"),
    ("$starts_with", ["a"], "abc", "bac"),
    ("$ends_with", ["c"], "abc", "cab"),
    ("$more_than", [2], 3, 2),
    ("$more_than", ["2026-01-01"], "2026-01-02", "2026-01-01"),
    ("$less_than", [2], 1, 2),
    ("$less_than", ["2026-01-02T00:00:00Z"], "2026-01-01T23:59:59.999Z", "2026-01-02T00:00:00Z"),
    ("$more_than_or_equal", [2], 2, 1),
    ("$greater_than_or_equal", ["2026-01-02"], "2026-01-02", "2026-01-01"),
    ("$less_than_or_equal", [2], 2, 3),
    ("$less_than_or_equal", ["2026-01-02"], "2026-01-02", "2026-01-03"),
    ("$has_value", [True], "x", None),
    ("$is_unknown", [True], None, "x"),
    ("$count", [2], ["a", "b"], ["a"]),
    ("$count_more", [1], ["a", "b"], ["a"]),
    ("$count_less", [2], ["a"], ["a", "b"]),
    ("$not_differ", ["a", "b"], ["b", "a"], ["a"]),
    ("$not_intersect", ["a", "b"], ["c"], ["b", "c"]),
    ("$before", ["2026-01-02"], "2026-01-01", "2026-01-02"),
    ("$after", ["2026-01-02"], "2026-01-03", "2026-01-02"),
    ("$more_than_ago", [1], "2026-11-21T22:00:00Z", "2026-11-22T00:00:00Z"),
    ("$less_than_ago", [1], "2026-11-22T00:00:00Z", "2026-11-21T22:00:00Z"),
    ("$is_days_ago", [1], "2026-11-21", "2026-11-20"),
    ("$more_than_future", [1], "2026-11-25", "2026-11-23T00:00:00Z"),
    ("$less_than_future", [1], "2026-11-23T00:00:00Z", "2026-11-25"),
    ("$is_days_in_future", [1], "2026-11-23", "2026-11-24"),
    ("$next_month", [], "2026-12-31", "2026-11-30"),
    ("$timeframe", ["2026-11-12T14:00:00Z;P1D;PT1H"], "2026-11-15T14:59:59Z", "2026-11-15T15:00:00Z"),
    ("$timeframe", ["2026-11-12T14:00:00Z;P1D;PT1H"], "2026-11-12T14:00:00Z", "2026-11-11T14:30:00Z"),
    ("$timeframe_absolute", ["2026-11-12T14:00:00Z;2026-11-13T14:00:00Z"], "2026-11-13T13:59:59Z", "2026-11-13T14:00Z"),
    ("$timeframe_daily_hours", ["18:00;20:01;0"], "2026-11-22T17:30:00Z", "2026-11-23T17:30:00Z"),
    ("$timeframe_daily_hours", ["22:00;02:00;0"], "2026-11-23T00:30:00Z", "2026-11-22T00:30:00Z"),
    ("$timeframe_daily_hours", ["18:00;20:01"], "2026-11-23T19:00:00Z", "2026-11-23T19:01:00Z"),
    ("$dow", [0, 6], "2026-11-22", "2026-11-23"),
    ("$dow", [1], "2026-11-22T23:30:00Z", "2026-11-22T22:30:00Z"),
]  # fmt: skip


@pytest.mark.parametrize("name", sorted(METADATA))
@pytest.mark.parametrize(("operator", "operands", "fits", "fails"), ON_METADATA)
def test_a_rule_about_metadata_takes_every_operator(
    name: str, operator: str, operands: Any, fits: Any, fails: Any
) -> None:
    rules = one(name, operator, operands, property="key")
    assert verdict(rules, METADATA[name](fits)) is None
    assert verdict(rules, METADATA[name](fails)) == Violation(KINDS[name].failure, None, "1", name)


def test_every_operator_of_every_name_is_tried_above() -> None:
    def plain(names: Iterable[str]) -> set[str]:
        return {BY_NAME[name].name if name in BY_NAME else name for name in names}

    tried = plain(operator for operator, *_ in ON_METADATA)
    for name, row in KINDS.items():
        if row.takes_property:
            assert name in METADATA
            assert plain(allowed_operators(row)) == tried
        elif row.kind is Kind.NUMBER and row.selects is None:
            assert name in NUMBERS
            assert plain(allowed_operators(row)) - {"$has_value", "$is_unknown"} == plain(COMPARISONS)


def test_a_property_may_lead_inwards_and_be_quoted() -> None:
    at = facts(order=order(metadata={"a": {"b": [1, 2]}, "a.b": "dotted"}))
    assert holds(one("order.metadata", "$is", [2], property="a.b"), at)
    assert holds(one("order.metadata", "$is", ["dotted"], property='"a.b"'), at)


@pytest.mark.parametrize(
    ("operator", "operands", "segments", "expected"),
    [
        ("$is", ["seg_a"], ["seg_a"], True),
        ("$is", ["seg_a"], [], False),
        ("$is", ["seg_a", "seg_b"], ["seg_b"], True),
        ("$in", ["seg_a", "seg_b"], ["seg_c"], False),
        ("$is_not", ["seg_a"], ["seg_b"], True),
        ("$is_not", ["seg_a", "seg_b"], ["seg_b"], False),
        ("$not_in", ["seg_a"], [], True),
        ("$is", "seg_a", ["seg_a"], True),
    ],
)
def test_a_segment_rule_asks_for_membership(operator: str, operands: Any, segments: list[str], expected: bool) -> None:
    violation = verdict(one("customer.segment", operator, operands), facts(segments=frozenset(segments)))
    assert violation == (None if expected else Violation("customer_rules_violated", None, "1", "customer.segment"))


def test_a_holder_rule_lets_only_the_holder_in() -> None:
    rules = one("publication.redeemable_by_linked_customer", "$is", [True])
    assert holds(rules, facts(is_holder=True))
    violation = verdict(rules)
    assert violation is not None
    assert violation.key == "customer_rules_violated"


@pytest.mark.parametrize(
    ("operator", "expected"), [("$is", True), ("$in", True), ("$is_not", False), ("$not_in", False)]
)
def test_a_key_is_named_by_its_id_or_its_name(operator: str, expected: bool) -> None:
    at = facts(api_key=("app_1", "Till"))
    for named in ("app_1", "Till"):
        assert holds(one("redemption.api_key", operator, [named, "other"]), at) is expected
    assert holds(one("redemption.api_key", operator, ["other"]), at) is not expected
    assert holds(one("redemption.user.login", operator, ["ann@shop"]), facts(user="ann@shop")) is expected
    assert holds(one("redemption.user.login", operator, ["ann@shop"])) is not expected


@pytest.mark.parametrize(
    ("rules", "at", "key"),
    [
        (one("customer.segment", "$is_not", ["s"]), facts(customer_id=None), "missing_customer"),
        (one("customer.metadata", "$is", ["s"], property="a"), facts(customer_id=None), "missing_customer"),
        (one("redemption.count.per_customer", "$is", [1]), facts(customer_id=None), "missing_customer"),
        (one("order.amount", "$less_than", [1]), facts(order=None), "missing_amount"),
        (one("order.amount", "$less_than", [1]), facts(order=order(is_amount_known=False)), "missing_amount"),
        (one("order.items.none", "$is", ["p"]), facts(order=None), "missing_order_items"),
        (one("order.items.any", "$is", ["p"]), facts(order=order()), "missing_order_items"),
    ],
)
def test_what_is_missing_is_the_reason(rules: dict[str, Any], at: Facts, key: str) -> None:
    violation = verdict(rules, at)
    assert violation is not None
    assert violation.key == key
    assert "required" in violation.details


def test_what_is_missing_does_not_matter_where_the_others_decide() -> None:
    rules = {
        "1": {"name": "customer.segment", "conditions": {"$is": ["s"]}},
        "2": {"name": "order.amount", "conditions": {"$more_than": [1000]}},
    }
    assert holds(rules | {"logic": "1 or 2"}, facts(customer_id=None))
    lacking = verdict(rules | {"logic": "1 or 2"}, facts(customer_id=None, order=order(amount=1, total_amount=1)))
    assert lacking is not None
    assert lacking.key == "missing_customer"
    refused = verdict(rules | {"logic": "1 and 2"}, facts(customer_id=None, order=order(amount=1, total_amount=1)))
    assert refused is not None
    assert refused.key == "order_rules_violated"


def test_a_set_without_rules_holds_for_everybody() -> None:
    for raw in ({}, {"logic": ""}, {"logic": "  "}):
        assert holds(raw, facts(customer_id=None, order=None))


def test_the_rule_that_failed_is_told_with_its_message() -> None:
    rules = {
        "1": {"name": "customer.segment", "conditions": {"$is": ["a"]}, "error": {"message": "first"}},
        "2": {"name": "order.amount", "conditions": {"$is": [1]}, "error": {"message": "second"}},
    }
    at = facts(segments=frozenset("a"))
    assert verdict(rules, at) == Violation("order_rules_violated", "second", "2", "order.amount")
    both = verdict(rules)
    assert both == Violation("redemption_rules_violated", "first", "1", "customer.segment")
    assert both is not None
    assert both.details == "Rule 1 (customer.segment) does not hold"


def test_a_rule_that_the_logic_does_not_name_decides_nothing() -> None:
    rules = one("order.amount", "$more_than", [1]) | {
        "2": {"name": "redemption.count.daily", "conditions": {"$is": [0]}},
        "3": {"name": "customer.segment", "conditions": {"$is": ["seg_a"]}},
    }
    parsed = conditions.parse(rules)
    assert conditions.judge(parsed, facts()) is None
    assert not parsed.needs.counts
    assert parsed.segment_ids == {"seg_a"}


def test_what_rules_need_is_known() -> None:
    parsed = conditions.parse(
        {
            "1": {"name": "customer.segment", "conditions": {"$is": ["a", "b"], "$is_not": ["c"]}},
            "2": {"name": "redemption.count.per_customer.weekly", "conditions": {"$is": [1]}},
            "3": {"name": "campaign.orders.amount_discounted", "conditions": {"$less_than": [100]}},
            "4": {"name": "order.items.any", "conditions": {"$is": [{"id": "pc_1", "object": "products_collection"}]}},
        }
    )
    assert parsed.segment_ids == {"a", "b", "c"}
    assert parsed.needs.collections == {"pc_1"}
    assert parsed.needs.counts == {
        Count("redemptions", by="customer", period="week"),
        Count("discount_amount", scope="campaign"),
    }
    assert parsed.needs.customer
    assert parsed.needs.items


def test_the_same_content_is_read_once() -> None:
    assert conditions.parse(one("order.amount", "$is", [1])) is conditions.parse(one("order.amount", "$is", [1]))
    assert conditions.parse(one("order.amount", "$is", [1])) is not conditions.parse(one("order.amount", "$is", [2]))


SEGMENT = "customer.segment"


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        (one("order.colour", "$is", [1]), "'order.colour' is not known"),
        (one(SEGMENT, "$more_than", ["a"]), "does not take '$more_than'"),
        (one(SEGMENT, "$is", [1]), "takes a text"),
        (one(SEGMENT, "$is", []), "no operand"),
        (one("order.amount", "$is", ["x"]), "takes a number"),
        (one("order.amount", "$is", [True]), "takes a number"),
        (one("order.amount", "$is", [{}]), "takes a number"),
        (one("order.amount", "$contains", [1]), "does not take '$contains'"),
        (one("order.amount", "$dow", [1]), "does not take '$dow'"),
        (one("order.amount", "$is", list(range(1001))), "more than 1000 operands"),
        (one("publication.redeemable_by_linked_customer", "$is", [False]), "should be true"),
        (one("publication.redeemable_by_linked_customer", "$is", []), "should be true"),
        (one("publication.redeemable_by_linked_customer", "$is_not", [True]), "does not take"),
        (one("order.metadata", "$is", [1]), "must have a 'property'"),
        (one("order.metadata", "$is", [1], property=""), "must have a 'property'"),
        (one("order.metadata", "$is", [1], property=5), "property should be a text"),
        (one("order.metadata", "$dow", [7], property="a"), "days of the week"),
        (one("order.metadata", "$timeframe", ["x"], property="a"), "takes a text such as"),
        (one("order.metadata", "$timeframe", ["2026-01-01T00:00:00Z;P1M;PT1H"], property="a"), "takes durations"),
        (one("order.metadata", "$timeframe_daily_hours", ["25:00;26:00"], property="a"), "takes a text such as"),
        ({"1": {"name": SEGMENT, "conditions": {}}, "logic": "1"}, "must have 'conditions'"),
        ({"1": {"name": SEGMENT, "conditions": [1]}, "logic": "1"}, "must have 'conditions'"),
        ({"1": [], "logic": "1"}, "should be an object"),
        ({"1": {"conditions": {"$is": ["a"]}}, "logic": "1"}, "with a 'name'"),
        ({"a": {"name": SEGMENT, "conditions": {"$is": ["a"]}}, "logic": "a"}, "named by a number"),
        ({**one(SEGMENT, "$is", ["a"]), "logic": "1 and 2"}, "names rule 2"),
        ({**one(SEGMENT, "$is", ["a"]), "logic": "1 and ("}, ".rules.logic"),
        ({**one(SEGMENT, "$is", ["a"]), "logic": 1}, "logic should be string"),
        (one(SEGMENT, "$is", ["a"], error={"message": 1}), "error.message"),
        (one(SEGMENT, "$is", ["a"], error="no"), "error should be an object"),
        (one(SEGMENT, "$is", ["a"], property="x"), "takes no 'property'"),
        (one(SEGMENT, "$is", ["a"], rules=one("order.items.price", "$is", [1])), "not known here"),
        (one("order.items.any", "$is", [1]), "should name products"),
        (one("order.items.any", "$is", [{"object": "voucher", "id": "x"}]), "object should be one of"),
        (one("order.items.any", "$is", [{"object": "product"}]), "should have an id"),
        (one("order.items.any", "$more_than", ["a"]), "does not take '$more_than'"),
        (one("order.items.any", "$is", ["a"], rules=one("order.amount", "$is", [1])), "not known here"),
        (one("order.items.any", "$is", ["a"], rules=[1]), "should be an object"),
        (one("order.items.any", "$from", [{"object": "product", "id": "a"}]), "product collections"),
        ({str(number): one("order.amount", "$is", [1])["1"] for number in range(51)}, "may have 50 rules"),
    ],
)
def test_a_rule_that_cannot_be_decided_is_refused(raw: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidValidationRules) as error:
        conditions.parse(raw)
    assert named in error.value.details


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
    | st.sampled_from([*KINDS, "$is", "1", "1 and 2", "2026-01-01", "P1D"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["1", "2", "logic", "name", "rules", "property", "conditions", "error", "message", "id",
                         "object", "$is", "$in", "$dow", "$timeframe", "$count", "$from"]),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip
RULE = st.fixed_dictionaries(
    {"name": st.sampled_from(list(KINDS)), "conditions": st.dictionaries(st.sampled_from(
        [*COMPARISONS, "$contains", "$dow", "$timeframe", "$not_differ", "$count", "$has_value", "$before", "$from"]),
        JSON, min_size=1, max_size=2)},
    optional={"property": st.just("a") | JSON, "rules": JSON, "error": JSON},
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["1", "2", "3", "x", "logic"]), JSON | RULE, max_size=4))
def test_garbage_is_refused_with_the_one_error_or_decided(raw: dict[str, Any]) -> None:
    try:
        parsed = conditions.parse(raw)
    except InvalidValidationRules:
        return
    for at in (facts(), facts(customer_id=None, order=None), facts(order=order())):
        found = conditions.judge(parsed, at)
        assert found is None or found.key in conditions.MESSAGES


LEAVES = {str(number): ("order.metadata", f"k{number}") for number in (1, 2, 3, 4)}
EXPRESSIONS = st.recursive(
    st.sampled_from(sorted(LEAVES)),
    lambda inner: (
        st.builds("not {}".format, inner.map("({})".format))
        | st.builds("({} and {})".format, inner, inner)
        | st.builds("({} or {})".format, inner, inner)
    ),
    max_leaves=10,
)


@given(EXPRESSIONS, st.fixed_dictionaries({number: st.booleans() for number in LEAVES}))
def test_rules_joined_by_logic_mean_what_python_makes_of_them(text: str, truth: dict[str, bool]) -> None:
    raw: dict[str, Any] = {
        number: {"name": name, "property": key, "conditions": {"$is": [True]}} for number, (name, key) in LEAVES.items()
    }
    at = facts(order=order(metadata={key: truth[number] for number, (_, key) in LEAVES.items()}))
    code = re.sub(r"([0-9]+)", r"truth['\1']", text)
    expected = eval(code, {"truth": truth})  # noqa: S307 (made above)
    assert holds(raw | {"logic": text}, at) is bool(expected)
    assert logic.names(logic.parse(text)) <= set(LEAVES)


def test_a_count_rule_counts_the_redemption_at_hand() -> None:
    rules = one("redemption.count.per_customer", "$less_than_or_equal", [2])
    count = {"measure": "redemptions", "by": "customer"}
    assert [holds(rules, counted(number, **count)) for number in (1, 2, 3)] == [True, True, False]
