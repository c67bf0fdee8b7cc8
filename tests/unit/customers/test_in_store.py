"""What a customer does in shops."""

from datetime import UTC, datetime

import pytest

from rapport.core.errors import InvalidPayload
from rapport.customers.in_store import (
    MAX_LOCATIONS,
    LocationInput,
    Purchases,
    purchased,
    read_location,
    visited,
    with_purchases,
)
from rapport.customers.models import Customer

BLANK = Customer(id="c", created_at=datetime(2026, 1, 1, tzinfo=UTC), updated_at=datetime(2026, 1, 1, tzinfo=UTC))
DAYS = [f"2026-01-{day:02d}T00:00:00.000Z" for day in range(1, 29)]
OSLO, BERGEN = {"id": "oslo", "name": "Oslo"}, {"source_id": "bergen"}


def test_visits_count_in_all_and_by_location_and_may_come_late() -> None:
    seen = visited(visited(visited(BLANK, OSLO, DAYS[3]), {"id": "oslo"}, DAYS[1]), BERGEN, DAYS[2])
    assert seen.in_store["visits"] == {"count": 3}
    assert (seen.in_store["first_visit_at"], seen.in_store["last_visit_at"]) == (DAYS[1], DAYS[3])
    assert seen.in_store["locations"]["oslo"] == {
        "name": "Oslo", "visits": 2, "purchases": 0, "amount": 0, "first_visit_at": DAYS[1], "last_visit_at": DAYS[3],
    }  # fmt: skip
    assert seen.in_store["locations"]["bergen"]["visits"] == 1


def test_purchases_made_anew_replace_those_that_were_and_leave_visits() -> None:
    one = visited(purchased(BLANK, Purchases(BERGEN, 1, 500, DAYS[0], DAYS[0])), OSLO, DAYS[1])
    again = with_purchases(one, [Purchases(OSLO, 2, 300, DAYS[2], DAYS[4])])
    assert again.in_store["purchases"] == {"count": 2, "amount": 300}
    assert (again.in_store["first_purchase_at"], again.in_store["last_purchase_at"]) == (DAYS[2], DAYS[4])
    assert list(again.in_store["locations"]) == ["oslo"]
    none = with_purchases(again, [])
    assert none.in_store["purchases"] == {"count": 0, "amount": 0}
    assert "last_purchase_at" not in none.in_store
    assert none.in_store["locations"]["oslo"] == visited(BLANK, OSLO, DAYS[1]).in_store["locations"]["oslo"]


def test_the_locations_seen_last_are_kept_and_the_sums_are_of_all() -> None:
    customer = BLANK
    for number in range(MAX_LOCATIONS + 5):
        customer = visited(customer, {"id": f"l{number}"}, f"2026-01-01T00:{number // 60:02d}:{number % 60:02d}.000Z")
    assert customer.in_store["visits"]["count"] == MAX_LOCATIONS + 5
    assert list(customer.in_store["locations"]) == [f"l{number}" for number in range(5, MAX_LOCATIONS + 5)]


def test_a_location_has_a_name_to_go_by() -> None:
    assert read_location(LocationInput(source_id="s")) == {"source_id": "s"}
    with pytest.raises(InvalidPayload, match=r"\.location should have id or source_id"):
        read_location(LocationInput(name="Oslo"))
    with pytest.raises(InvalidPayload, match=r"\.location\.id must not contain a NUL"):
        read_location(LocationInput(id="a\0"))
