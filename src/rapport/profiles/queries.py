"""All SQL of the profile: one statement, so that all parts of it are of the same moment and one round trip away."""

from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec

from rapport.activity.log import Logged
from rapport.core.db import Connection, columns
from rapport.core.errors import NotFound
from rapport.customers.models import Customer
from rapport.distributions.messages.models import Message
from rapport.events.models import Event
from rapport.orders.models import Order
from rapport.publications.models import PublicationRow
from rapport.redemptions.models import Redemption
from rapport.segments.history.models import Stay
from rapport.vouchers.models import Voucher
from rapport.vouchers.queries import VOUCHERS

Kind = TypeVar("Kind")
# Counting ends here: beyond, the lists that the profile names know how many there are.
MAX_COUNTED = 1_000

# What is in the profile, newest first. The indexes are activity_of_customer, orders_of_customer, events_of_customer,
# messages_of_customer, vouchers_of_holder, redemptions_of_customer and publications_of_customer; of each, only as much
# is read as is shown or counted.
_PARTS: dict[str, tuple[Any, str, str, str]] = {
    "activity": (Logged, "activity", "customer_id", "created_at DESC, seq DESC"),
    "orders": (Order, "orders", "customer_id", "created_at DESC, id DESC"),
    "events": (Event, "events", "customer_id", "created_at DESC, id DESC"),
    "messages": (Message, "messages", "customer_id", "created_at DESC, id DESC"),
    "codes": (Voucher, VOUCHERS.table, "holder_id", "created_at DESC, id DESC"),
    "redemptions": (Redemption, "redemptions", "customer_id", "created_at DESC, id DESC"),
    "publications": (PublicationRow, "publications", "customer_id", "created_at DESC, id DESC"),
}
_LATEST = ", ".join(
    f"(SELECT coalesce(jsonb_agg(to_jsonb(latest)), '[]') FROM (SELECT {columns(kind)} FROM {table} "
    f"WHERE project_id = $1 AND {holder} = person.id ORDER BY {order} LIMIT $3) AS latest) AS {name}"
    for name, (kind, table, holder, order) in _PARTS.items()
)
# How many events there are is part of the customer.
_COUNTS = ", ".join(
    f"(SELECT count(*) FROM (SELECT FROM {table} WHERE project_id = $1 AND {holder} = person.id "
    f"LIMIT {MAX_COUNTED + 1}) AS counted) AS {name}_total"
    for name, (_, table, holder, _) in _PARTS.items()
    if name != "events"
)
# All memberships are read and counted; the index is segment_members_of_customer.
_SEGMENTS = f"""
(SELECT jsonb_build_array(count(*), coalesce(jsonb_agg(to_jsonb(stay) ORDER BY stay.number)
    FILTER (WHERE stay.number <= $3), '[]'))
FROM (SELECT {columns(Stay)}, row_number() OVER (ORDER BY entered_at DESC, segment_id) AS number
    FROM (SELECT member.segment_id, member.entered_at, NULL AS left_at, segments.name, segments.type
        FROM segment_members AS member
        JOIN segments ON segments.project_id = member.project_id AND segments.id = member.segment_id
        WHERE member.project_id = $1 AND member.customer_id = person.id AND member.entered_at IS NOT NULL
            AND segments.state <> 'deleted' AND segments.replaces IS NULL) AS stays) AS stay) AS segments
"""
# Of the latest codes only: who holds more has been given them by a program, and nobody looks that far back.
_EXPIRED = f"""
(SELECT jsonb_build_array(count(*), coalesce(jsonb_agg(to_jsonb(ended) ORDER BY ended.number)
    FILTER (WHERE ended.number <= $3), '[]'))
FROM (SELECT {columns(Voucher)}, row_number() OVER (ORDER BY ended_at DESC, id) AS number
    FROM (SELECT vouchers.*, least(expiration_date, campaign_expiration_date) AS ended_at FROM {VOUCHERS.table}
        WHERE project_id = $1 AND holder_id = person.id ORDER BY created_at DESC, id DESC LIMIT {MAX_COUNTED}) AS held
    WHERE ended_at <= moment.now) AS ended) AS expired
"""
_PROFILE = f"""
WITH person AS MATERIALIZED (
    SELECT {columns(Customer)} FROM customers WHERE project_id = $1 AND id = $2
    UNION ALL SELECT {columns(Customer)} FROM customers WHERE project_id = $1 AND source_id = $2 LIMIT 1
), moment AS MATERIALIZED (SELECT date_trunc('milliseconds', clock_timestamp() + $4::interval) AS now)
SELECT {", ".join(f"person.{name}" for name in Customer.__struct_fields__)}, moment.now, {_SEGMENTS}, {_EXPIRED},
    {_LATEST}, {_COUNTS}
FROM person, moment
"""


class Part(msgspec.Struct, frozen=True):
    """The latest of one kind, and how many there are: up to MAX_COUNTED, where `exact` is false if there are more."""

    items: list[Any]
    total: int
    exact: bool = True


class Known(msgspec.Struct, frozen=True):
    """What is known of a customer at a moment: `parts` has the rows of each section by its name."""

    customer: Customer
    now: datetime
    parts: dict[str, Part]


def _rows(kind: type[Kind], raw: list[Any]) -> list[Kind]:
    return msgspec.convert(raw, list[kind])  # type: ignore[valid-type]


async def get(conn: Connection, project_id: int, reference: str, limit: int, offset: timedelta) -> Known:
    """Return what is known of the customer with this id or source id, the latest `limit` of each. Raises NotFound.

    `offset` is the clock's. The indexes are named at `_PARTS`.
    """
    row = await conn.fetchrow(_PROFILE, project_id, reference, limit, offset)
    if row is None:
        raise NotFound("customer", reference)
    customer = Customer(*row[: len(Customer.__struct_fields__)])
    parts = {"events": Part(_rows(Event, row["events"]), sum(one["count"] for one in customer.events.values()))}
    for name, kind in (("segments", Stay), ("expired", Voucher)):
        number, found = row[name]
        parts[name] = Part(_rows(kind, found), number)
    for name, (kind, *_) in _PARTS.items():
        if name != "events":
            total = row[f"{name}_total"]
            parts[name] = Part(_rows(kind, row[name]), min(total, MAX_COUNTED), total <= MAX_COUNTED)
    parts["expired"] = msgspec.structs.replace(parts["expired"], exact=parts["codes"].exact)
    return Known(customer, row["now"], parts)
