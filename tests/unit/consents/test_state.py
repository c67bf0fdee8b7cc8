"""What a customer's consents are after everything that was said."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.consents.models import UNSUBSCRIBED, Statement
from rapport.consents.state import Consents, apply, combined, is_given, may_be_written_to
from rapport.core.clock import iso
from rapport.customers.models import Channel

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
CHANNELS: tuple[Channel, ...] = ("email", "sms")


def said(*statements: Statement, now: datetime = NOW) -> Consents:
    found: Consents = {}
    for one in statements:
        found = apply(found, one, now).consents
    return found


def on(word: str, days_ago: int | None = None, channel: Channel | None = None, **more: Any) -> Statement:
    at = None if days_ago is None else NOW - timedelta(days=days_ago)
    return Statement("c", channel, word == "yes", at, **more)


def meaning(consents: Consents) -> dict[tuple[str, str], bool]:
    return {(one, channel): is_given(consents, one, channel) for one in ("c", UNSUBSCRIBED) for channel in CHANNELS}


def test_a_plain_yes_is_kept_with_its_time_and_source() -> None:
    assert said(on("yes", source="form")) == {"c": {"given": True, "at": iso(NOW), "source": "form"}}


def test_the_newest_word_counts_whatever_comes_first() -> None:
    for order in itertools.permutations((on("yes", 3), on("no", 2), on("yes", 5))):
        assert said(*order) == {"c": {"given": False, "at": iso(NOW - timedelta(days=2))}}


def test_an_older_word_is_history_only() -> None:
    late = apply(said(on("yes", 1)), on("no", 2), NOW)
    assert (late.applied, late.said, late.consents) == (False, True, said(on("yes", 1)))


def test_a_word_without_a_time_counts_even_under_a_clock_that_was_put_back() -> None:
    later = said(on("yes"), now=NOW + timedelta(days=9))
    outcome = apply(later, on("no"), NOW)
    assert outcome.consents == {"c": {"given": False, "at": iso(NOW + timedelta(days=9))}}


def test_a_time_to_come_counts_as_now() -> None:
    assert said(on("yes", -400)) == {"c": {"given": True, "at": iso(NOW)}}


def test_what_says_nothing_new_is_not_said_again() -> None:
    before = said(on("yes", source="form"))
    repeated = apply(before, on("yes", source="form"), NOW + timedelta(days=1))
    assert (repeated.said, repeated.applied, repeated.consents) == (False, False, before)
    renewed = apply(before, on("yes", source="form", proof={"ip": "x"}), NOW + timedelta(days=1))
    assert (renewed.said, renewed.applied) == (True, True)
    assert not apply(said(on("yes", 2)), on("yes", 2), NOW).said


def test_a_word_on_a_channel_stands_beside_that_on_all_of_them() -> None:
    found = said(on("yes", 3), on("no", 2, "sms"))
    assert meaning(found) == {("c", "email"): True, ("c", "sms"): False} | {
        (UNSUBSCRIBED, one): False for one in CHANNELS
    }
    assert found["c"]["given"] is True


def test_a_newer_word_on_all_channels_replaces_those_on_one() -> None:
    assert said(on("no", 3, "sms"), on("yes", 2)) == said(on("yes", 2))
    assert said(on("no", 1, "sms"), on("yes", 2))["c"]["channels"]["sms"]["given"] is False
    assert "channels" not in said(on("no", 1, "sms"), on("yes"))["c"]


def test_of_two_at_the_same_time_the_one_that_takes_away_counts() -> None:
    for order in itertools.permutations((on("yes", 1), on("no", 1))):
        assert not is_given(said(*order), "c", "email")
    yes, no = (Statement(UNSUBSCRIBED, None, one, NOW - timedelta(days=1)) for one in (True, False))
    for order in itertools.permutations((yes, no)):
        assert is_given(said(*order), UNSUBSCRIBED, "email")


@pytest.mark.parametrize(
    ("statements", "email", "sms"),
    [
        ((), True, True),
        ((Statement(UNSUBSCRIBED, None, given=True),), False, False),
        ((Statement(UNSUBSCRIBED, "sms", given=True),), True, False),
        ((Statement(UNSUBSCRIBED, None, given=True), Statement(UNSUBSCRIBED, "sms", given=False)), False, True),
    ],
)
def test_who_unsubscribed_is_not_written_to(statements: tuple[Statement, ...], email: bool, sms: bool) -> None:
    found = said(*statements)
    assert (may_be_written_to(found, "email", None), may_be_written_to(found, "sms", None)) == (email, sms)
    assert not may_be_written_to(found, "email", "c")
    with_consent = apply(found, on("yes", channel="email"), NOW).consents
    assert (may_be_written_to(with_consent, "email", "c"), may_be_written_to(with_consent, "sms", "c")) == (
        email,
        False,
    )


statements = st.builds(
    Statement,
    st.sampled_from(("c", UNSUBSCRIBED)),
    st.sampled_from((None, *CHANNELS)),
    st.booleans(),
    st.integers(0, 3).map(lambda days: NOW - timedelta(days=days)),
)


@given(st.lists(statements, max_size=5), st.randoms(use_true_random=False))
def test_in_any_order_and_however_often_it_means_the_same(known: list[Statement], random: Any) -> None:
    again = [*known, *known[:2]]
    random.shuffle(again)
    assert meaning(said(*known)) == meaning(said(*again))


@given(st.lists(statements, max_size=4), st.lists(statements, max_size=4))
def test_two_who_are_one_mean_what_both_said(one: list[Statement], other: list[Statement]) -> None:
    both = meaning(said(*one, *other))
    assert meaning(combined(said(*one), said(*other))) == both
    assert meaning(combined(said(*other), said(*one))) == both
