from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rapport.vouchers.availability import unavailable
from rapport.vouchers.models import Voucher

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def voucher(**more: Any) -> Voucher:
    values: dict[str, Any] = dict.fromkeys(Voucher.__struct_fields__)
    values |= {"id": "v_1", "code": "C", "discount": {}, "redeemed_quantity": 0, "active": True, "metadata": {}}
    return Voucher(**(values | {"created_at": NOW} | more))


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({}, None),
        ({"active": False}, "voucher_disabled"),
        ({"campaign_active": False}, "campaign_not_active"),
        ({"campaign_active": True}, None),
        ({"start_date": NOW + DAY}, "voucher_not_active"),
        ({"start_date": NOW}, None),
        ({"start_date": NOW - DAY, "campaign_start_date": NOW + DAY}, "voucher_not_active"),
        ({"expiration_date": NOW}, "voucher_expired"),
        ({"expiration_date": NOW + DAY}, None),
        ({"expiration_date": NOW + DAY, "campaign_expiration_date": NOW - DAY}, "voucher_expired"),
        ({"quantity": 2, "redeemed_quantity": 1}, None),
        ({"quantity": 2, "redeemed_quantity": 2}, "quantity_exceeded"),
        ({"quantity": 0}, "quantity_exceeded"),
        ({"quantity": None, "redeemed_quantity": 10**9}, None),
        ({"active": False, "expiration_date": NOW, "quantity": 0}, "voucher_disabled"),
    ],
)
def test_a_voucher_is_refused_for_its_first_reason(more: dict[str, Any], key: str | None) -> None:
    refusal = unavailable(voucher(**more), NOW)
    assert (None if refusal is None else refusal.key) == key
    assert refusal is None or refusal.details == "C"
