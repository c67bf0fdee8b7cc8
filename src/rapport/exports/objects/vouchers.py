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
_VALUE: Final = (
    "coalesce(r.discount ->> 'amount_off', r.discount ->> 'percent_off', r.discount ->> 'fixed_amount', "
    "r.discount ->> 'unit_off', r.gift ->> 'amount')"
)
_FORMULA: Final = (
    "coalesce(r.discount ->> 'amount_off_formula', r.discount ->> 'percent_off_formula', "
    "r.discount ->> 'fixed_amount_formula', r.discount ->> 'unit_off_formula')"
)
_DAYS: Final = "translate(r.validity_day_of_week::text, '[] ', '')"

VOUCHERS = Exported(
    source=_SOURCE,
    fields={
        "code": text("r.code"),
        "voucher_type": plain("r.type"),
        "value": plain(_VALUE),
        "formula": text(_FORMULA),
        "discount_type": plain("(r.discount ->> 'type')"),
        "campaign": text("r.campaign"),
        "category": text("r.category"),
        "start_date": instant("r.start_date"),
        "expiration_date": instant("r.expiration_date"),
        "gift_balance": plain("(r.gift ->> 'balance')"),
        "loyalty_balance": nothing(),
        "redemption_quantity": number("r.quantity"),
        "redemption_count": number("r.redeemed_quantity"),
        "active": boolean("r.active"),
        "qr_code": plain("('/v1/assets/qr/' || r.asset_id)"),
        "bar_code": plain("('/v1/assets/barcode/' || r.asset_id)"),
        "id": text("r.id"),
        "is_referral_code": boolean("r.is_referral_code"),
        "created_at": instant("r.created_at"),
        "updated_at": instant("r.updated_at"),
        "validity_timeframe_interval": plain("(r.validity_timeframe ->> 'interval')"),
        "validity_timeframe_duration": plain("(r.validity_timeframe ->> 'duration')"),
        "validity_day_of_week": plain(_DAYS),
        "discount_amount_limit": plain("(r.discount ->> 'amount_limit')"),
        "campaign_id": text("r.campaign_id"),
        "additional_info": text("r.additional_info"),
        "customer_id": text("r.holder_id"),
        "discount_effect": plain("(r.discount ->> 'effect')"),
        "discount_unit_type": text("(r.discount ->> 'unit_type')"),
        "discount_unit_effect": plain("(CASE WHEN r.discount ->> 'type' = 'UNIT' THEN r.discount ->> 'effect' END)"),
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
        filter_boolean("is_referral_code", "r.is_referral_code"),
        *(
            filter_text(name, f"r.{name}")
            for name in ("id", "code", "holder_id", "campaign_id", "category", "category_id", "type")
        ),
        filter_any("campaign", "r.campaign", "r.campaign_id"),
        filter_text("published_for_customer_id", "(CASE WHEN r.publication_id IS NOT NULL THEN r.holder_id END)"),
        filter_number("redemption.quantity", "r.quantity"),
        filter_number("redemption.redeemed_quantity", "r.redeemed_quantity"),
    ),
    metadata="r.metadata",
    scope=Scope("campaign_id", "r.campaign_id", required=False),
)
