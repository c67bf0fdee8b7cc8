"""Orders, events, redemptions and publications: the reference's fields, orders and filters."""

from collections.abc import Callable, Mapping

from rapport.exports.objects.columns import (
    Exported,
    filter_any,
    filter_boolean,
    filter_instant,
    filter_json,
    filter_number,
    filter_text,
    instant,
    json_below,
    nothing,
    number,
    plain,
    text,
)
from rapport.segments.fields import MAX_NAME_LENGTH, Field, UnknownField, keys_of
from rapport.segments.json_values import storable

METADATA = json_below({"metadata.": "r.metadata"})


def find_among(fixed: Mapping[str, Field]) -> Callable[[str], Field]:
    """Return what finds a field of filters: one of these, or a path of the metadata. It raises UnknownField."""

    def find(path: str) -> Field:
        if path in fixed:
            return fixed[path]
        prefix, dot, rest = path.partition(".")
        if dot and prefix == "metadata" and storable(path) and len(path.encode()) <= MAX_NAME_LENGTH:
            return filter_json(path, "r.metadata", keys_of(rest))
        raise UnknownField(path)

    return find


def by_path(*fields: Field) -> Callable[[str], Field]:
    """Return what finds one of these fields or a path of the metadata."""
    return find_among({one.path: one for one in fields})


_OF_CUSTOMER = "LEFT JOIN customers AS person ON person.project_id = $1 AND person.id = part.customer_id"
_AMOUNTS = ("amount", "discount_amount", "items_discount_amount", "total_discount_amount", "total_amount")

ORDERS = Exported(
    source=(
        "(SELECT part.*, part.discount_amount + part.items_discount_amount AS total_discount_amount FROM ("
        "SELECT orders.*, (SELECT coalesce(sum((item ->> 'discount_amount')::bigint), 0)::bigint "
        "FROM jsonb_array_elements(orders.items) AS item) AS items_discount_amount "
        "FROM orders WHERE orders.project_id = $1) AS part) AS r"
    ),
    fields={
        "id": text("r.id"),
        "source_id": text("r.source_id"),
        "created_at": instant("r.created_at"),
        "updated_at": instant("r.updated_at"),
        "status": plain("r.status"),
        **{name: number(f"r.{name}") for name in _AMOUNTS},
        "customer_id": text("r.customer_id"),
        "referrer_id": text("r.referrer_id"),
    },
    defaults=("id", "source_id", "status"),
    orders={"created_at": "r.created_at", "updated_at": "coalesce(r.updated_at, r.created_at)", "status": "r.status"},
    tie=("r.id",),
    find_field=METADATA,
    find_filter=by_path(
        filter_instant("created_at", "r.created_at"),
        filter_instant("updated_at", "r.updated_at"),
        *(filter_text(name, f"r.{name}") for name in ("id", "status", "source_id", "customer_id", "referrer_id")),
        *(filter_number(name, f"r.{name}") for name in _AMOUNTS),
    ),
    metadata="r.metadata",
)
EVENTS = Exported(
    source=(
        "(SELECT part.*, part.name AS type, person.source_id AS customer_source_id "
        f"FROM events AS part {_OF_CUSTOMER} WHERE part.project_id = $1) AS r"
    ),
    fields={
        **{name: text(f"r.{name}") for name in ("id", "type", "customer_id", "customer_source_id")},
        "created_at": instant("r.created_at"),
    },
    defaults=("id", "type", "customer_id", "created_at"),
    orders={name: f"r.{name}" for name in ("created_at", "type", "customer_id", "id")},
    tie=("r.id",),
    find_field=METADATA,
    find_filter=by_path(
        filter_instant("created_at", "r.created_at"),
        *(filter_text(name, f"r.{name}") for name in ("id", "type", "customer_id")),
        filter_any("customer", "r.customer_id", "r.customer_source_id"),
    ),
    metadata="r.metadata",
)
REDEMPTIONS = Exported(
    source=(
        "(SELECT part.*, person.source_id AS customer_source_id, person.name AS customer_name, "
        "CASE WHEN part.result = 'FAILURE' THEN 'FAILED' WHEN part.rollback_id IS NULL THEN 'SUCCEEDED' "
        "ELSE 'ROLLED_BACK' END AS status, "
        "CASE WHEN part.voucher_id IS NOT NULL THEN 'voucher' "
        "WHEN part.promotion_tier_id IS NOT NULL THEN 'promotion_tier' ELSE 'redemption' END AS related_object "
        f"FROM redemptions AS part {_OF_CUSTOMER} WHERE part.project_id = $1) AS r"
    ),
    fields={
        "id": text("r.id"),
        "object": plain("r.object"),
        "date": instant("r.created_at"),
        "voucher_code": text("r.voucher_code"),
        "campaign": text("r.campaign"),
        "promotion_tier_id": text("r.promotion_tier_id"),
        **{name: text(f"r.{name}") for name in ("customer_id", "customer_source_id", "customer_name")},
        "tracking_id": text("r.customer_source_id"),
        "order_id": text("r.order_id"),
        "order_amount": plain("(r.amounts ->> 'amount')"),
        "gift_amount": plain("r.credits"),
        "loyalty_points": nothing(),
        "result": plain("r.result"),
        "failure_code": text("r.failure_code"),
        "failure_message": text("r.failure_message"),
    },
    defaults=("id", "object", "voucher_code", "customer_id", "date", "result"),
    orders={
        **{name: f"r.{name}" for name in ("id", "voucher_code", "customer_id", "created_at")},
        "tracking_id": "r.customer_source_id",
    },
    tie=("r.id",),
    find_field=METADATA,
    find_filter=by_path(
        filter_instant("created_at", "r.created_at"),
        filter_any("campaign", "r.campaign", "r.campaign_id"),
        filter_any("customer", "r.customer_id", "r.customer_source_id"),
        filter_any("voucher", "r.voucher_code", "r.voucher_id"),
        filter_text("related_object_id", "coalesce(r.voucher_id, r.promotion_tier_id)"),
        filter_text("related_object_parent_id", "r.campaign_id"),
        filter_text("parent_redemption_id", "r.parent_id"),
        filter_text("campaign_name", "r.campaign"),
        *(
            filter_text(name, f"r.{name}")
            for name in ("related_object", "voucher_code", "failure_code", "result", "object", "customer_id", "status")
        ),
    ),
    metadata="r.metadata",
)
PUBLICATIONS = Exported(
    # A publication of several codes has a line for each of them.
    source=(
        "(SELECT part.*, code.voucher_id, code.voucher_code, code.place, person.source_id AS customer_source_id "
        "FROM publications AS part LEFT JOIN LATERAL unnest(part.voucher_ids, part.voucher_codes) "
        f"WITH ORDINALITY AS code (voucher_id, voucher_code, place) ON TRUE {_OF_CUSTOMER} "
        "WHERE part.project_id = $1) AS r"
    ),
    fields={
        **{name: text(f"r.{name}") for name in ("voucher_code", "customer_id", "customer_source_id")},
        "date": instant("r.created_at"),
        "channel": text("r.channel"),
        "campaign": text("r.campaign"),
        "is_winner": nothing(),
    },
    defaults=("voucher_code", "customer_id", "date", "channel"),
    orders={
        **{name: f"r.{name}" for name in ("id", "voucher_code", "customer_id", "created_at", "channel")},
        "tracking_id": "r.customer_source_id",
    },
    tie=("r.id", "r.place"),
    find_field=METADATA,
    find_filter=by_path(
        filter_instant("created_at", "r.created_at"),
        filter_any("campaign", "r.campaign", "r.campaign_id"),
        filter_any("customer", "r.customer_id", "r.customer_source_id"),
        filter_any("voucher", "r.voucher_code", "r.voucher_id"),
        filter_text("campaign_name", "r.campaign"),
        filter_text("voucher_type", "(CASE WHEN r.voucher_id IS NOT NULL THEN 'DISCOUNT_VOUCHER' END)"),
        filter_boolean("is_referral_code", "FALSE"),
        filter_text("parent_object_id", "r.campaign_id"),
        filter_text("related_object_id", "r.voucher_id"),
        *(filter_text(name, f"r.{name}") for name in ("failure_code", "result", "customer_id", "source_id")),
    ),
    metadata="r.metadata",
)
