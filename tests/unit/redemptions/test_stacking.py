"""Which redeemables are applied together: each rule by itself, and what holds whatever the rules are."""

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rapport.redemptions.stacking import Category, StackingRules, Tried, Verdict, is_valid, order_of, settle

ONE, TWO, OTHER = Category("one", 1), Category("two", 2), Category("other", 3)


def run(
    rules: StackingRules,
    categories: list[list[Category]],
    refused: dict[int, str] | None = None,
    no_effect: set[int] | None = None,
    late: dict[int, str] | None = None,
) -> tuple[list[str], list[int], list[Verdict[int, str]]]:
    """Settle; return what became of each (its status, or the key why it is skipped), and the order of application."""
    refused, no_effect, late = refused or {}, no_effect or set(), late or {}
    done: list[int] = []
    verdicts = settle(
        rules,
        categories,
        [refused.get(place) for place in range(len(categories))],
        lambda place: Tried(applied=place, refusal=late.get(place), has_effect=place not in no_effect),
        lambda place, _applied: done.append(place),
        done.clear,
    )
    return [one.skip.key if one.skip else one.status for one in verdicts], done, verdicts


def test_without_categories_five_are_applied_and_the_rest_skipped() -> None:
    found, done, verdicts = run(StackingRules(), [[] for _ in range(7)])
    assert found == ["APPLICABLE"] * 5 + ["applicable_redeemables_limit_exceeded"] * 2
    assert done == [0, 1, 2, 3, 4]
    assert is_valid(verdicts, StackingRules())


def test_one_that_is_refused_leaves_out_all_others_where_all_must_apply() -> None:
    found, done, verdicts = run(StackingRules(), [[], [], []], refused={1: "expired"})
    assert found == ["preceding_validation_failed", "INAPPLICABLE", "preceding_validation_failed"]
    assert done == []
    assert not is_valid(verdicts, StackingRules())


def test_one_that_is_refused_is_left_out_alone_where_a_part_may_apply() -> None:
    rules = StackingRules(redeemables_application_mode="PARTIAL")
    found, done, verdicts = run(rules, [[], [], []], refused={1: "expired"})
    assert found == ["APPLICABLE", "INAPPLICABLE", "APPLICABLE"]
    assert done == [0, 2]
    assert is_valid(verdicts, rules)


def test_one_that_is_refused_only_after_the_others_fails_the_whole() -> None:
    found, _, verdicts = run(StackingRules(), [[], [], []], late={2: "total too low"})
    assert found == ["preceding_validation_failed", "preceding_validation_failed", "INAPPLICABLE"]
    assert not is_valid(verdicts, StackingRules())


def test_nothing_that_applies_is_not_valid() -> None:
    rules = StackingRules(redeemables_application_mode="PARTIAL")
    _, _, verdicts = run(rules, [[], []], refused={0: "a", 1: "b"})
    assert not is_valid(verdicts, rules)


def test_a_category_takes_one_unless_it_has_a_limit_of_its_own() -> None:
    rules = StackingRules(applicable_redeemables_category_limits={"two": 2})
    found, _, _ = run(rules, [[ONE], [ONE], [TWO], [TWO], [TWO], []])
    full = "applicable_redeemables_per_category_limit_exceeded"
    assert found == ["APPLICABLE", full, "APPLICABLE", "APPLICABLE", full, "APPLICABLE"]


def test_without_a_limit_per_category_all_of_one_are_applied() -> None:
    rules = StackingRules(applicable_redeemables_per_category_limit=None)
    assert run(rules, [[ONE]] * 4)[0] == ["APPLICABLE"] * 4


def test_an_exclusive_one_keeps_out_what_is_neither_exclusive_nor_joint() -> None:
    rules = StackingRules(exclusive_categories=("one",), joint_categories=("two",))
    found, _, _ = run(rules, [[], [TWO], [ONE], [OTHER]])
    assert found == ["exclusion_rules_not_met", "APPLICABLE", "APPLICABLE", "exclusion_rules_not_met"]


def test_an_exclusive_one_that_is_refused_keeps_out_nobody() -> None:
    rules = StackingRules(exclusive_categories=("one",), redeemables_application_mode="PARTIAL")
    assert run(rules, [[], [ONE]], refused={1: "expired"})[0] == ["APPLICABLE", "INAPPLICABLE"]


def test_an_exclusive_one_that_is_refused_after_others_keeps_out_nobody() -> None:
    rules = StackingRules(exclusive_categories=("one",), redeemables_application_mode="PARTIAL")
    found, done, _ = run(rules, [[], [ONE], []], late={1: "total too low"})
    assert (found, done) == (["APPLICABLE", "INAPPLICABLE", "APPLICABLE"], [0, 2])


def test_an_exclusive_one_that_is_left_out_for_no_effect_keeps_out_nobody() -> None:
    rules = StackingRules(exclusive_categories=("one",), redeemables_no_effect_rule="SKIP")
    found, done, verdicts = run(rules, [[], [ONE], []], no_effect={1})
    assert (found, done) == (["APPLICABLE", "no_effect", "APPLICABLE"], [0, 2])
    assert is_valid(verdicts, rules)
    # One without effect that is applied all the same is there, and so is another that has one.
    anyway = StackingRules(exclusive_categories=("one",))
    assert run(anyway, [[], [ONE]], no_effect={1})[0] == ["exclusion_rules_not_met", "APPLICABLE"]
    found, done, _ = run(rules, [[ONE], [ONE], []], no_effect={0})
    assert (found, done) == (["no_effect", "APPLICABLE", "exclusion_rules_not_met"], [1])


def test_all_that_may_not_be_redeemed_is_told_where_all_must_apply() -> None:
    found, _, _ = run(StackingRules(), [[], [], [], []], refused={0: "expired"}, late={2: "total too low"})
    assert found == [
        "INAPPLICABLE",
        "preceding_validation_failed",
        "INAPPLICABLE",
        "preceding_validation_failed",
    ]


def test_the_tiers_of_a_stack_are_all_applied_or_none_whatever_their_categories() -> None:
    rules = StackingRules(exclusive_categories=("one",), joint_categories=("two",)).for_stack()
    assert run(rules, [[ONE], [], [TWO], [ONE]])[0] == ["APPLICABLE"] * 4
    partial = StackingRules(redeemables_application_mode="PARTIAL").for_stack()
    assert run(partial, [[ONE], []], late={0: "rules"})[0] == ["INAPPLICABLE", "preceding_validation_failed"]


def test_exclusive_ones_have_limits_of_their_own() -> None:
    rules = StackingRules(exclusive_categories=("one", "two"), applicable_redeemables_per_category_limit=None)
    assert run(rules, [[ONE], [TWO]])[0][1] == "applicable_exclusive_redeemables_limit_exceeded"
    more = StackingRules(
        exclusive_categories=("one", "two"),
        applicable_redeemables_per_category_limit=None,
        applicable_exclusive_redeemables_limit=3,
    )
    assert run(more, [[ONE], [ONE], [TWO]])[0] == [
        "APPLICABLE",
        "applicable_exclusive_redeemables_per_category_limit_exceeded",
        "APPLICABLE",
    ]


def test_what_takes_nothing_off_is_skipped_if_the_rules_say_so() -> None:
    assert run(StackingRules(), [[], []], no_effect={0})[0] == ["APPLICABLE", "APPLICABLE"]
    skip = StackingRules(redeemables_no_effect_rule="SKIP", no_effect_redeem_anyway_categories=("two",))
    assert run(skip, [[], [TWO], []], no_effect={0, 1})[0] == ["no_effect", "APPLICABLE", "APPLICABLE"]
    some = StackingRules(no_effect_skip_categories=("one",))
    assert run(some, [[], [ONE]], no_effect={0, 1})[0] == ["APPLICABLE", "no_effect"]


def test_what_is_skipped_for_no_effect_takes_no_place() -> None:
    rules = StackingRules(redeemables_no_effect_rule="SKIP", applicable_redeemables_limit=1)
    assert run(rules, [[], [], []], no_effect={0})[0] == [
        "no_effect",
        "APPLICABLE",
        "applicable_redeemables_limit_exceeded",
    ]


def test_the_hierarchy_decides_who_comes_first_and_those_without_a_category_come_last() -> None:
    rules = StackingRules(redeemables_sorting_rule="CATEGORY_HIERARCHY")
    categories: list[list[Category]] = [[], [TWO], [ONE], [], [TWO]]
    assert order_of(rules, categories) == [2, 1, 4, 0, 3]
    assert order_of(StackingRules(), categories) == [0, 1, 2, 3, 4]


RULES = st.builds(
    StackingRules,
    applicable_redeemables_limit=st.integers(1, 6),
    applicable_redeemables_per_category_limit=st.none() | st.integers(1, 3),
    applicable_redeemables_category_limits=st.dictionaries(st.sampled_from("abc"), st.integers(1, 3)),
    applicable_exclusive_redeemables_limit=st.integers(1, 3),
    applicable_exclusive_redeemables_per_category_limit=st.none() | st.integers(1, 3),
    exclusive_categories=st.sampled_from([(), ("a",), ("a", "b")]),
    joint_categories=st.sampled_from([(), ("c",)]),
    redeemables_application_mode=st.sampled_from(["ALL", "PARTIAL"]),
    redeemables_sorting_rule=st.sampled_from(["CATEGORY_HIERARCHY", "REQUESTED_ORDER"]),
    redeemables_no_effect_rule=st.sampled_from(["REDEEM_ANYWAY", "SKIP"]),
)
ONES = st.lists(
    st.tuples(
        st.sampled_from([None, "a", "b", "c"]), st.sampled_from([None, None, None, "refused", "late"]), st.booleans()
    ),
    min_size=1,
    max_size=12,
)


@given(RULES, ONES)
def test_no_limit_is_passed_and_everything_is_accounted_for(rules: StackingRules, ones: list[Any]) -> None:
    categories = [[] if name is None else [Category(name, ord(name))] for name, _, _ in ones]
    refused = {place: reason for place, (_, reason, _) in enumerate(ones) if reason == "refused"}
    late = {place: reason for place, (_, reason, _) in enumerate(ones) if reason == "late"}
    no_effect = {place for place, (_, _, nothing) in enumerate(ones) if nothing}
    found, done, verdicts = run(rules, categories, refused, no_effect, late)
    applied = [place for place, verdict in enumerate(verdicts) if verdict.status == "APPLICABLE"]
    assert sorted(done) == applied
    assert len(applied) <= rules.applicable_redeemables_limit
    names = Counter(ones[place][0] for place in applied if ones[place][0] is not None)
    for name, number in names.items():
        limit = rules.applicable_redeemables_category_limits.get(name, rules.applicable_redeemables_per_category_limit)
        assert limit is None or number <= limit
    exclusive = [place for place in applied if ones[place][0] in rules.exclusive_categories]
    assert len(exclusive) <= rules.applicable_exclusive_redeemables_limit
    if exclusive:
        allowed = {*rules.exclusive_categories, *rules.joint_categories}
        assert all(ones[place][0] in allowed for place in applied)
    refused_places = {place for place, verdict in enumerate(verdicts) if verdict.status == "INAPPLICABLE"}
    assert set(refused) <= refused_places <= {*refused, *late}
    if not exclusive:
        assert "exclusion_rules_not_met" not in found
    assert (found.count("APPLICABLE") == 0) or rules.redeemables_application_mode == "PARTIAL" or not refused


@given(RULES, ONES)
def test_the_request_in_its_order_decides_among_equals(rules: StackingRules, ones: list[Any]) -> None:
    categories = [[] if name is None else [Category(name, ord(name))] for name, _, _ in ones]
    order = order_of(rules, categories)
    assert sorted(order) == list(range(len(ones)))
    for name in {None, *"abc"}:
        places = [place for place in order if ones[place][0] == name]
        assert places == sorted(places)
