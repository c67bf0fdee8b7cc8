"""What campaigns can be filtered on: `filters` of the reference's list of them."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final

from rapport.campaigns.models import AUTO_UPDATE, STATIC, VOUCHER_TYPES
from rapport.campaigns.queries import STATUS
from rapport.core.clock import EARLIEST
from rapport.core.errors import InvalidQueryParams
from rapport.http.conditions import Reader, flag_field, has_field, instant_field, optional_text_field, text_field

_DAYS: Final = frozenset("0123456")
# Who names no days is valid on all of them.
_ON_DAYS: Final = (
    "({column} IS NULL OR EXISTS (SELECT FROM jsonb_array_elements_text({column}) AS on_days(day) "
    "WHERE on_days.day = ANY ({{}}::text[])))"
)
_VOUCHER_TYPE: Final = (
    "CASE campaign_type "
    + " ".join(f"WHEN '{kind}' THEN '{codes}'" for kind, codes in VOUCHER_TYPES.items())
    + " END::text"
)
_CATEGORY: Final = (
    "coalesce((SELECT categories.name FROM categories WHERE categories.project_id = $1 "
    "AND categories.id = campaigns.category_id), campaigns.category)"
)
# `{}` is now, where there is one; what is given with such a condition is nothing.
_STATES: Final[Mapping[str, str]] = {
    "$active": f"{STATUS} = 'DONE'",
    "$failed": f"{STATUS} = 'FAILED'",
    "$in_progress": f"{STATUS} = 'IN_PROGRESS'",
    "$expired": f"({STATUS} = 'DONE' AND expiration_date < {{}})",
    "before_start": f"({STATUS} = 'DONE' AND start_date > {{}})",
    "$before_start": f"({STATUS} = 'DONE' AND start_date > {{}})",
}
_ACTIVITY: Final[Mapping[str, str]] = {
    "$enabled": "active",
    "$disabled": "NOT active",
    "$expired": "expiration_date < {}",
    "$active": "(active AND coalesce(start_date <= {}, TRUE) AND coalesce(expiration_date > {}, TRUE))",
}
# A type that stands for others.
_BULK: Final = "BULK"


def _read_state(
    states: Mapping[str, str], now: datetime, operator: str, _name: str, _given: list[str]
) -> tuple[str, list[Any]] | None:
    text = states.get(operator)
    return None if text is None else (text, [now] * text.count("{}"))


def _read_type(operator: str, name: str, given: list[str]) -> tuple[str, list[Any]] | None:
    wanted = [one for value in given for one in ((AUTO_UPDATE, STATIC) if value == _BULK else (value,))]
    return text_field("type")(operator, name, wanted)


def _read_days(column: str, operator: str, name: str, given: list[str]) -> tuple[str, list[Any]] | None:
    if operator != "$is":
        return None
    days = [day for value in given for day in value.split(",")]
    if not _DAYS.issuperset(days):
        raise InvalidQueryParams(f"Query param {name} should be days of the week, from 0 to 6")
    return _ON_DAYS.format(column=column), [days]


def days_field(column: str) -> Reader:
    """Return what reads which days of the week are among those of a column; NULL is all of them."""
    return partial(_read_days, column)


def filters(now: datetime) -> Mapping[str, Reader]:
    """Return what campaigns can be filtered on (`list-campaigns`). Campaigns of one project are few: no indexes."""
    return {
        "campaigns": text_field("name"),
        "campaigns_id": text_field("id"),
        "campaign_status": text_field(STATUS),
        "status": partial(_read_state, _STATES, now),
        "active": partial(_read_state, _ACTIVITY, now),
        "is_referral_code": flag_field("is_referral_code"),
        "validity_timeframe": has_field("validity_timeframe"),
        "validity_day_of_week": days_field("validity_day_of_week"),
        "voucher_type": optional_text_field(f"({_VOUCHER_TYPE})"),
        "categories": optional_text_field(_CATEGORY),
        "category_ids": optional_text_field("category_id"),
        "type": _read_type,
        "created_date": instant_field("created_at", now),
        "created_at": instant_field("created_at", now),
        **{name: instant_field(name, now, optional=True) for name in ("updated_at", "start_date", "expiration_date")},
    }


FIELDS: Final = tuple(filters(EARLIEST))
"""The names of what campaigns can be filtered on."""
