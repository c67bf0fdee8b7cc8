"""What vouchers can be filtered on: by the names that the reference's exports of them have."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from rapport.campaigns.filters import days_field
from rapport.core.clock import EARLIEST
from rapport.http.conditions import Reader, flag_field, has_field, instant_field, optional_text_field, text_field

_TEXTS: Final = ("id", "code", "type")
_OPTIONAL: Final = ("campaign", "campaign_id", "holder_id", "category", "category_id")


def filters(now: datetime) -> Mapping[str, Reader]:
    """Return what vouchers can be filtered on (`list-vouchers`), over the columns of the list.

    Ids, codes, campaigns, holders and categories by id are found by indexes of `vouchers`.
    """
    category = "coalesce(in_category ->> 'name', category)"
    return {
        **{name: text_field(name) for name in _TEXTS},
        **{name: optional_text_field(name) for name in _OPTIONAL},
        "voucher_type": text_field("type"),
        "categories": optional_text_field(category),
        "category_ids": optional_text_field("category_id"),
        "published_for_customer_id": optional_text_field("(CASE WHEN publication_id IS NOT NULL THEN holder_id END)"),
        "active": flag_field("active"),
        "is_referral_code": flag_field("is_referral_code"),
        "validity_timeframe": has_field("validity_timeframe"),
        "validity_day_of_week": days_field("validity_day_of_week"),
        "created_at": instant_field("created_at", now),
        "created_date": instant_field("created_at", now),
        **{name: instant_field(name, now, optional=True) for name in ("updated_at", "start_date", "expiration_date")},
    }


FIELDS: Final = tuple(filters(EARLIEST))
"""The names of what vouchers can be filtered on."""
