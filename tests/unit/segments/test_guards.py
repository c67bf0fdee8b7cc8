"""New customers are looked at only for segments that what they came with may put them in."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rapport.customers.deciding import Change
from rapport.customers.models import Customer
from rapport.segments.filters import parse
from rapport.segments.matcher import Matcher, clocks
from rapport.segments.membership import touched, wanted
from rapport.segments.models import Definition

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ANN = Customer(
    id="cust_a", created_at=NOW, updated_at=NOW, email="ann@example.com", address={"city": "Oslo"}, metadata={"n": 5}
)


def one(field: str, operator: str, *operands: Any) -> dict[str, Any]:
    return {field: {"conditions": {operator: list(operands)}}}


OSLO, ROME = one("address.city", "$is", "Oslo"), one("address.city", "$is", "Rome")
BOUGHT, MANY = one("summary.orders.total_count", "$more_than", 0), one("metadata.n", "$more_than", 3)
POOR = one("summary.orders.total_count", "$less_than", 1)


@pytest.mark.parametrize(
    ("filter_", "is_met"),
    [
        (OSLO, True),
        (ROME, False),
        (OSLO | BOUGHT, False),
        (ROME | MANY, False),
        (OSLO | MANY, True),
        (POOR, True),
        (ROME | POOR, False),
        ({"junction": "or", **ROME, **MANY}, True),
        ({"junction": "or", **ROME, **BOUGHT}, False),
        ({"junction": "or", **ROME, **POOR}, True),
        (one("created_at", "$less_than_ago", 3), True),
        (one("address.city", "$is_not", "Rome"), True),
    ],
)
def test_a_new_customer_meets_the_segments_that_they_may_be_in(filter_: dict[str, Any], *, is_met: bool) -> None:
    matcher = Matcher([Definition("seg_1", "S", recorded=True, filter=parse(filter_))])
    change = Change(None, ANN)
    at = clocks(NOW, NOW, ZoneInfo("UTC"))
    assert wanted(matcher, change, touched(matcher, change), at, ahead=False) == ({0} if is_met else set())
