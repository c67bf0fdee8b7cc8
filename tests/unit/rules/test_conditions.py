from typing import Any

import pytest

from rapport.rules import conditions
from rapport.rules.conditions import HOLDER, PER_CUSTOMER, SEGMENT, Circumstances, InvalidValidationRules, Violation


def at(*segments: str, customer: str | None = "cust_1", number: int = 1, holder: bool = False) -> Circumstances:
    return Circumstances(customer, frozenset(segments), number, holder)


def one(name: str, operator: str, operands: Any, **more: Any) -> dict[str, Any]:
    return {"1": {"name": name, "conditions": {operator: operands}, **more}, "logic": "1"}


@pytest.mark.parametrize(
    ("operator", "operands", "segments", "holds"),
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
def test_a_segment_rule_asks_for_membership(operator: str, operands: Any, segments: list[str], holds: bool) -> None:
    violation = conditions.judge(conditions.parse(one(SEGMENT, operator, operands)), at(*segments))
    assert violation == (None if holds else Violation("customer_rules_violated", None))


@pytest.mark.parametrize(
    ("operator", "operand", "allowed"),
    [("$less_than_or_equal", 2, [1, 2]), ("$less_than", 2, [1]), ("$is", 1, [1]), ("$less_than_or_equal", 0, [])],
)
def test_a_count_rule_counts_the_redemption_at_hand(operator: str, operand: int, allowed: list[int]) -> None:
    rules = conditions.parse(one(PER_CUSTOMER, operator, [operand]))
    found = [number for number in range(1, 5) if conditions.judge(rules, at(number=number)) is None]
    assert found == allowed
    assert conditions.judge(rules, at(number=4)) == Violation("redemption_rules_violated", None)


def test_a_holder_rule_lets_only_the_holder_in() -> None:
    rules = conditions.parse(one(HOLDER, "$is", [True]))
    assert conditions.judge(rules, at(holder=True)) is None
    assert conditions.judge(rules, at()) == Violation("customer_rules_violated", None)


def test_without_a_customer_rules_cannot_be_decided() -> None:
    assert conditions.judge(conditions.parse(one(SEGMENT, "$is_not", ["seg_a"])), at(customer=None)) == Violation(
        "missing_customer", None
    )


def test_a_set_without_rules_holds_for_everybody() -> None:
    assert conditions.judge(conditions.parse({"logic": ""}), at(customer=None)) is None


def test_the_message_of_the_rule_that_failed_is_given() -> None:
    rules = conditions.parse(
        {
            "1": {"name": SEGMENT, "conditions": {"$is": ["a"]}, "error": {"message": "first"}},
            "2": {"name": SEGMENT, "conditions": {"$is": ["b"]}, "error": {"message": "second"}},
            "logic": "1 and 2",
        }
    )
    assert conditions.judge(rules, at("a")) == Violation("customer_rules_violated", "second")


def test_rules_without_logic_must_all_hold() -> None:
    rules = conditions.parse(
        {"1": {"name": SEGMENT, "conditions": {"$is": ["a"]}}, "2": {"name": SEGMENT, "conditions": {"$is": ["b"]}}}
    )
    assert conditions.judge(rules, at("a")) is not None
    assert conditions.judge(rules, at("a", "b")) is None


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        (one("order.amount", "$is", [1]), "'order.amount' is not supported"),
        (one(SEGMENT, "$more_than", ["a"]), "does not take '$more_than'"),
        (one(SEGMENT, "$is", [1]), "ids of segments"),
        (one(SEGMENT, "$is", []), "ids of segments"),
        (one(PER_CUSTOMER, "$is", ["1"]), "a whole number"),
        (one(PER_CUSTOMER, "$is", [True]), "a whole number"),
        (one(PER_CUSTOMER, "$is", [-1]), "a whole number"),
        (one(HOLDER, "$is", [False]), "should be true"),
        ({"1": {"name": SEGMENT, "conditions": {}}, "logic": "1"}, "must have 'conditions'"),
        ({"1": {"name": SEGMENT, "conditions": [1]}, "logic": "1"}, "must have 'conditions'"),
        ({"1": [], "logic": "1"}, "should be an object"),
        ({"1": {"conditions": {"$is": ["a"]}}, "logic": "1"}, "with a 'name'"),
        ({"a": {"name": SEGMENT, "conditions": {"$is": ["a"]}}, "logic": "a"}, "named by a number"),
        ({**one(SEGMENT, "$is", ["a"]), "logic": "1 and 2"}, "names rule 2"),
        ({**one(SEGMENT, "$is", ["a"]), "2": {"name": SEGMENT, "conditions": {"$is": ["a"]}}}, "Rule 2 is not named"),
        ({**one(SEGMENT, "$is", ["a"]), "logic": "1 and ("}, ".rules.logic"),
        ({**one(SEGMENT, "$is", ["a"]), "logic": 1}, "logic should be string"),
        (one(SEGMENT, "$is", ["a"], error={"message": 1}), "error.message"),
        (one(SEGMENT, "$is", ["a"], error="no"), "error should be an object"),
        (one(SEGMENT, "$is", ["a"], property="x"), "neither 'rules' nor a 'property'"),
    ],
)
def test_a_rule_that_cannot_be_decided_is_refused(raw: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidValidationRules) as error:
        conditions.parse(raw)
    assert named in error.value.details


def test_the_segments_that_rules_name_are_known() -> None:
    rules = conditions.parse(
        {
            "1": {"name": SEGMENT, "conditions": {"$is": ["a", "b"], "$is_not": ["c"]}},
            "2": {"name": PER_CUSTOMER, "conditions": {"$is": [1]}},
            "logic": "1 and 2",
        }
    )
    assert rules.segment_ids == {"a", "b", "c"}
    assert rules.counts
