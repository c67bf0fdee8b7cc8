"""Changes of the balances of gift cards: the reference's fields, orders and filters."""

from typing import Final

from rapport.exports.objects.columns import (
    Exported,
    Scope,
    filter_instant,
    filter_number,
    filter_text,
    instant,
    json,
    number,
    plain,
    text,
)
from rapport.exports.objects.histories import METADATA, by_path

# They have no metadata: where a field of those is asked for, it is empty.
_SOURCE: Final = (
    "(SELECT voucher_transactions.*, '{}'::jsonb AS metadata FROM voucher_transactions WHERE project_id = $1) AS r"
)

TRANSACTIONS: Final = Exported(
    source=_SOURCE,
    fields={
        "id": text("r.id"),
        "type": plain("r.type"),
        "source_id": text("r.source_id"),
        "reason": text("r.reason"),
        "balance": number("r.balance"),
        "amount": number("r.amount"),
        "created_at": instant("r.created_at"),
        "voucher_id": text("r.voucher_id"),
        "campaign_id": text("r.campaign_id"),
        "source": text("r.source"),
        "details": json("r.details"),
        "related_transaction_id": text("r.related_transaction_id"),
    },
    # The reference also names `status`, which its transactions do not have.
    defaults=("id", "type", "source_id", "reason", "source", "balance", "amount", "created_at"),
    orders={"created_at": "r.created_at"},
    tie=("r.number",),
    find_field=METADATA,
    find_filter=by_path(
        filter_instant("created_at", "r.created_at"),
        *(
            filter_text(name, f"r.{name}")
            for name in ("id", "type", "voucher_id", "campaign_id", "source_id", "reason")
        ),
        filter_number("amount", "r.amount"),
        filter_number("balance", "r.balance"),
    ),
    metadata="r.metadata",
    scope=Scope("campaign_id", "r.campaign_id", required=False),
)
