"""Why an order is refused, and what is counted of it."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.backtests import replay
from rapport.backtests.caveats import caveats
from rapport.backtests.models import Backtest, Draft
from rapport.backtests.tally import MAX_MONTHS, MAX_REASONS, OTHER, SAMPLES, Tally
from rapport.core.clock import EARLIEST
from rapport.redemptions.situations import Situation
from rapport.redemptions.stacking import DEFAULTS
from rapport.rules import conditions, logic
from rapport.rules.models import NOTHING_APPLICABLE
from rule_facts import NOW, WARSAW, facts

# Rules of an order of 35.00 that hold and that do not.
HOLDS = {"name": "order.amount", "conditions": {"$is": [3500]}}
FAILS = {"name": "order.amount", "conditions": {"$is": [1]}}
GAP = {"name": "customer.metadata", "property": "a", "conditions": {"$is": ["b"]}}


def draft(rules: dict[str, Any], **more: Any) -> Draft:
    given = {"validation_rule": None, "error": None, "applicable_to": NOTHING_APPLICABLE, "discount": None}
    return Draft(rules=rules, api_key=[], **given | more)


@pytest.mark.parametrize(
    ("text", "outcomes", "at_fault", "alone"),
    [
        ("1 and 2 and 3", (True, False, True), "2", "2"),
        ("1 and 2 and 3", (False, False, True), "12", ""),
        ("1 or 2 or 3", (False, False, False), "123", "123"),
        ("1 and not 2", (True, True, True), "2", "2"),
        ("1 and (2 or 3)", (True, False, False), "23", "23"),
        ("not (1 or 2) and 3", (True, False, True), "1", "1"),
        ("not (1 and 2) and 3", (True, True, False), "123", ""),
    ],
)
def test_the_rules_at_fault_are_those_that_did_not_come_out_as_the_logic_wants(
    text: str, outcomes: tuple[bool, ...], at_fault: str, alone: str
) -> None:
    rules = {str(place): HOLDS if outcome else FAILS for place, outcome in enumerate(outcomes, start=1)}
    rule_set = conditions.parse({**rules, "logic": text})
    assert conditions.judge(rule_set, facts()) is not None
    failed = replay.at_fault(rule_set, facts())
    assert "".join(failed) == at_fault
    assert "".join(one for one in failed if replay._would_hold_without(rule_set, one, facts())) == alone


def _deeper(part: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    both = st.tuples(part, st.sampled_from(["and", "or"]), part)
    return st.one_of(part.map(lambda one: f"not ({one})"), both.map(lambda three: f"({' '.join(three)})"))


TEXTS = st.recursive(st.sampled_from(["1", "2", "3"]), _deeper, max_leaves=6)


@given(TEXTS, st.tuples(st.booleans(), st.booleans(), st.booleans()))
def test_some_rule_is_at_fault_in_whatever_is_refused(text: str, outcomes: tuple[bool, ...]) -> None:
    numbers = ("1", "2", "3")
    by_number = dict(zip(numbers, outcomes, strict=True))
    rules = {number: HOLDS if outcome else FAILS for number, outcome in by_number.items()}
    rule_set = conditions.parse({**rules, "logic": text})
    if conditions.judge(rule_set, facts()) is None:
        return
    failed = replay.at_fault(rule_set, facts())
    expression = logic.parse(text)
    assert failed
    for number in rule_set.leaves:
        turned = {**by_number, number: not by_number[number]}
        holds = logic.evaluate(expression, turned)
        assert replay._would_hold_without(rule_set, number, facts()) == holds
        assert number in failed or not holds
    # Those at fault are enough: with all of them turned, the order gets in, however the logic is written without
    # naming a rule both ways.
    if all(text.count(number) <= 1 for number in numbers):
        assert logic.evaluate(expression, {**by_number, **{number: not by_number[number] for number in failed}})


def test_what_cannot_be_decided_is_at_fault() -> None:
    rule_set = conditions.parse({"1": GAP, "2": HOLDS, "logic": "1 and 2"})
    assert replay.at_fault(rule_set, facts(customer_id=None)) == ("1",)
    assert replay._would_hold_without(rule_set, "1", facts(customer_id=None))


def test_without_an_order_of_any_amount_the_amount_is_what_is_missing() -> None:
    tried = replay.trial(draft({}, discount={"type": "AMOUNT", "amount_off": 5}), DEFAULTS)
    outcome = replay.replay(tried, Situation(now=NOW, zone=WARSAW, is_amount_missing=True))
    assert outcome.refusal is not None
    assert (outcome.refusal.key, outcome.failed, outcome.off) == ("missing_amount", (), 0)


def test_rules_without_a_discount_are_tried_even_where_what_has_no_effect_is_skipped() -> None:
    skipping = msgspec.structs.replace(DEFAULTS, redeemables_no_effect_rule="SKIP")
    outcome = replay.replay(replay.trial(draft({}), skipping), Situation(now=NOW, zone=WARSAW))
    assert outcome.use is not None


def test_a_tally_does_not_grow_with_the_orders() -> None:
    tally = Tally()
    for number in range(2 * MAX_REASONS):
        tally.reason_of(f"key{number}", "Message", None, None).count += 1
    assert len(tally.reasons) == MAX_REASONS + 1
    assert tally.reasons[""].count == MAX_REASONS
    for number in range(MAX_MONTHS + 5):
        tally.month_of(datetime(1 + number // 12, 1 + number % 12, 9, tzinfo=UTC), WARSAW).orders += 1
    assert len(tally.months) == MAX_MONTHS + 1
    assert [tally.months[month].orders for month in ("0001-01", "0050-12", OTHER)] == [1, 1, 5]
    assert [tally.has_room("refused") for _ in range(SAMPLES + 2)] == [True] * SAMPLES + [False] * 2
    assert msgspec.convert(msgspec.to_builtins(tally), Tally) == tally


def test_each_caveat_comes_with_the_rules_that_it_concerns() -> None:
    rules = {
        "redemption.metadata": {"property": "a", "conditions": {"$is": ["b"]}},
        "customer.metadata": {"property": "a", "conditions": {"$is": ["b"]}},
        "customer.segment": {"conditions": {"$is": ["seg_1"]}},
        "redemption.api_key": {"conditions": {"$is": ["b"]}},
        "redemption.count.per_user": {"conditions": {"$less_than": [5]}},
        "publication.redeemable_by_linked_customer": {"conditions": {"$is": [True]}},
        "order.items.any": {"conditions": {"$is": [{"object": "products_collection", "id": "pc_1"}]}},
    }
    found = []
    for name, rule in rules.items():
        tried = draft({"1": {"name": name, **rule}})
        one = Backtest(
            id="bt_1",
            async_action_id="aa_1",
            draft=tried,
            campaign_id=None,
            campaign=None,
            statuses=["PAID"],
            since=None,
            until=NOW,
            cursor_at=None,
            cursor_id=None,
            orders_total=None,
            is_replayed=False,
            tally=Tally(),
            created_at=EARLIEST,
            finished_at=None,
            status="DONE",
        )
        found.append([caveat.key for caveat in caveats(one)])
    assert [keys[0] for keys in found] == [
        "no_redemption_metadata",
        "customers_as_of_now",
        "segments_as_of_now",
        "one_api_key",
        "nobody_logged_in",
        "nobody_holds_the_code",
        "collections_as_of_now",
    ]
    assert {(len(keys), keys[-1]) for keys in found} == {(2, "orders_as_of_now")}
