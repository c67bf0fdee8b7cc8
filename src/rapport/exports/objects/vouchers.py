"""Vouchers: the reference's fields, orders and filters."""

from typing import Final

from rapport.exports.objects.columns import (
    Exported,
    Scope,
    boolean,
    filter_any,
    filter_boolean,
    filter_instant,
    filter_number,
    filter_text,
    instant,
    nothing,
    number,
    plain,
    text,
)
from rapport.exports.objects.histories import METADATA, by_path
from rapport.vouchers.queries import VOUCHERS as LISTED

# As the list of vouchers has them: with what they have from their campaign, without those of a deleted one.
_SOURCE: Final = (
    f"(SELECT vouchers.*, person.source_id AS customer_source_id FROM {LISTED.table} "
    "LEFT JOIN customers AS person ON person.project_id = $1 AND person.id = vouchers.holder_id "
    "WHERE vouchers.project_id = $1) AS r"
)
_RULES: Final = (
    "(SELECT string_agg(given.rule_id, ',' ORDER BY given.created_at, given.rule_id) "
    "FROM validation_rule_assignments AS given WHERE given.project_id = $1 AND given.related_object_id = r.id)"
)
_VALUE: Final = "coalesce(r.discount ->> 'amount_off', r.discount ->> 'percent_off', r.discount ->> 'unit_off')"

VOUCHERS = Exported(
    source=_SOURCE,
    fields={
        "code": text("r.code"),
        "voucher_type": plain("'DISCOUNT_VOUCHER'"),
        "value": plain(_VALUE),
        "formula": nothing(),
        "discount_type": plain("(r.discount ->> 'type')"),
        "campaign": text("r.campaign"),
        "category": nothing(),
        "start_date": instant("r.start_date"),
        "expiration_date": instant("r.expiration_date"),
        "gift_balance": nothing(),
        "loyalty_balance": nothing(),
        "redemption_quantity": number("r.quantity"),
        "redemption_count": number("r.redeemed_quantity"),
        "active": boolean("r.active"),
        "qr_code": nothing(),
        "bar_code": nothing(),
        "id": text("r.id"),
        "is_referral_code": boolean("FALSE"),
        "created_at": instant("r.created_at"),
        "updated_at": instant("r.updated_at"),
        "validity_timeframe_interval": nothing(),
        "validity_timeframe_duration": nothing(),
        "validity_day_of_week": nothing(),
        "discount_amount_limit": plain("(r.discount ->> 'amount_limit')"),
        "campaign_id": text("r.campaign_id"),
        "additional_info": text("r.additional_info"),
        "customer_id": text("r.holder_id"),
        "discount_effect": plain("(r.discount ->> 'effect')"),
        "discount_unit_type": nothing(),
        "discount_unit_effect": nothing(),
        "validation_rules_id": text(_RULES),
        "customer_source_id": text("r.customer_source_id"),
    },
    defaults=("code", "voucher_type", "value", "discount_type"),
    orders={"created_at": "r.created_at", "updated_at": "coalesce(r.updated_at, r.created_at)", "code": "r.code"},
    tie=("r.id",),
    find_field=METADATA,
    find_filter=by_path(
        *(filter_instant(name, f"r.{name}") for name in ("created_at", "updated_at", "start_date", "expiration_date")),
        filter_instant("created_date", "r.created_at"),
        filter_boolean("active", "r.active"),
        filter_boolean("is_referral_code", "FALSE"),
        *(filter_text(name, f"r.{name}") for name in ("id", "code", "holder_id", "campaign_id")),
        filter_any("campaign", "r.campaign", "r.campaign_id"),
        filter_text("published_for_customer_id", "(CASE WHEN r.publication_id IS NOT NULL THEN r.holder_id END)"),
        filter_number("redemption.quantity", "r.quantity"),
        filter_number("redemption.redeemed_quantity", "r.redeemed_quantity"),
    ),
    metadata="r.metadata",
    scope=Scope("campaign_id", "r.campaign_id", required=False),
)
