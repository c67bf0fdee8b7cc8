"""The look ahead: when a customer will enter or leave if nothing is written."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rapport.core.clock import EARLIEST
from rapport.customers.models import Customer
from rapport.segments.evidence import outlook
from rapport.segments.filters import Filter, parse

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
OSLO = ZoneInfo("Europe/Oslo")
DAY = timedelta(days=1)


def change(
    *raws: tuple[str, dict[str, Any]], now: datetime = NOW, members_of: frozenset[str] = frozenset(), **of: Any
) -> Any:
    """Return when the verdict of the last of some filters changes for a customer."""
    customer = Customer(id="cust_1", created_at=NOW - 10 * DAY, updated_at=EARLIEST, **of)
    filters: list[tuple[str, Filter]] = [(segment_id, parse(raw)) for segment_id, raw in raws]
    return outlook.next_change(filters, customer, members_of, {}, now, OSLO)


def one(field: str, operator: str, *operands: Any) -> dict[str, Any]:
    """Return a filter of one condition."""
    return {field: {"conditions": {operator: list(operands)}}}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (one("name", "$is", "Ann"), None),
        (one("created_at", "$less_than_ago", 30), NOW + 20 * DAY),
        (one("created_at", "$more_than_ago", 30), NOW + 20 * DAY + timedelta(milliseconds=1)),
        (one("created_at", "$less_than_ago", 5), None),
        # The first of two moments changes nothing: the other condition holds on.
        (
            {"junction": "or", **one("created_at", "$less_than_ago", 12), **one("birthdate", "$before", "2030-01-01")},
            None,
        ),
        (
            {**one("created_at", "$more_than_ago", 12), **one("birthdate", "$next_month", "")},
            datetime(2026, 10, 31, 23, tzinfo=UTC),
        ),
        (one("birthdate", "$next_month", ""), datetime(2026, 10, 31, 23, tzinfo=UTC)),
    ],
)
def test_the_moment_is_that_at_which_the_whole_turns(raw: dict[str, Any], expected: datetime | None) -> None:
    assert change(("s", raw), birthdate=date(1990, 12, 5)) == expected


def test_segments_that_are_named_are_followed_through_time() -> None:
    young = ("young", one("created_at", "$less_than_ago", 30))
    not_young = ("not young", one("segments", "$is_not", "young"))
    listed = ("both", {**one("segments", "$is", "list"), **one("segments.id", "$is_not", "not young")})
    in_list = frozenset({"list"})
    assert change(young, not_young) == NOW + 20 * DAY
    assert change(young, not_young, listed, members_of=in_list) == NOW + 20 * DAY
    assert change(young, not_young, listed) is None


def test_what_is_stored_of_a_followed_segment_does_not_matter() -> None:
    young = ("young", one("created_at", "$less_than_ago", 30))
    old = ("old", one("segments", "$is_not", "young"))
    assert change(young, old, members_of=frozenset({"young"})) == change(young, old)
    assert change(young, old, now=NOW + 25 * DAY, members_of=frozenset({"young"})) is None


def test_a_look_ahead_that_finds_nothing_comes_to_an_end() -> None:
    birthday = ("birthday", one("birthdate", "$next_month", ""))
    never = ("never", {**one("birthdate", "$next_month", ""), **one("segments", "$is_not", "birthday")})
    assert change(birthday, never, birthdate=date(1990, 12, 5)) is None
