"""Lines of the ledger with what still exists of their customers, orders, vouchers and tiers."""

from typing import Any

from rapport.core.db import Connection
from rapport.promotions.answers import shown as shown_tiers
from rapport.promotions.queries import find_tiers
from rapport.redemptions import queries
from rapport.redemptions.attempts import Redeemed
from rapport.redemptions.models import Redemption
from rapport.redemptions.schemas import RedeemInput
from rapport.redemptions.validation_views import other_view
from rapport.redemptions.views import Related, order_with, related_view, view
from rapport.vouchers.queries import find_many


async def related(conn: Connection, project_id: int, rows: list[Redemption]) -> dict[str, Related]:
    """Return what lines of the ledger are about as it is now, by its id; one round trip for each kind of it."""
    voucher_ids = [row.voucher_id for row in rows if row.voucher_id is not None]
    tier_ids = [row.promotion_tier_id for row in rows if row.promotion_tier_id is not None]
    vouchers = await find_many(conn, project_id, voucher_ids) if voucher_ids else {}
    found = await find_tiers(conn, project_id, tier_ids) if tier_ids else {}
    tiers = {one["id"]: one for one in await shown_tiers(conn, project_id, [one.tier for one in found.values()])}
    return {
        row.related_object_id: Related(vouchers.get(row.related_object_id), tiers.get(row.related_object_id))
        for row in rows
    }


async def shown(conn: Connection, project_id: int, rows: list[Redemption], base_url: str) -> list[dict[str, Any]]:
    """Return lines of the ledger as the API shows them; `base_url` is put before the links to a code's images."""
    customers = await queries.find_customers(conn, project_id, [row.customer_id for row in rows if row.customer_id])
    orders = await queries.find_orders(conn, project_id, [row.order_id for row in rows if row.order_id])
    known = await related(conn, project_id, rows)
    undone = [row.rollback_id for row in rows if row.rollback_id is not None]
    times = await queries.find_times(conn, project_id, undone) if undone else {}
    views = [
        view(
            row,
            customers.get(row.customer_id or ""),
            orders.get(row.order_id or ""),
            known[row.related_object_id],
            base_url,
        )
        for row in rows
    ]
    for row, one in zip(rows, views, strict=True):
        if row.rollback_id in times:
            one["related_redemptions"] = {"rollbacks": [related_view(row.rollback_id, times[row.rollback_id])]}
    return views


def redeemed_views(done: Redeemed, base_url: str) -> list[dict[str, Any]]:
    """Return the redemptions that were just made; `base_url` is put before the links to a code's images."""
    return [
        view(
            row,
            done.customer,
            done.order,
            Related(one.voucher, None if one.tier is None else done.tiers.get(one.tier.id)),
            base_url,
        )
        for row, one in zip(done.rows, done.redeemables, strict=True)
    ]


def redeemed_answer(done: Redeemed, data: RedeemInput, request_id: str, base_url: str) -> dict[str, Any]:
    """Return the answer of `redeem-stacked-discounts`."""
    answered: dict[str, Any] = {"redemptions": redeemed_views(done, base_url)}
    if done.parent is not None:
        answered["parent_redemption"] = view(done.parent, done.customer, done.order)
    if done.order is not None:
        answered["order"] = order_with(done.order, done.parent or done.rows[-1])
    left = {
        status: [
            other_view(one, verdict, done.stacking, request_id, data)
            for one, verdict in zip(done.all, done.decision.verdicts, strict=True)
            if verdict.status == status
        ]
        for status in ("INAPPLICABLE", "SKIPPED")
    }
    return answered | {"inapplicable_redeemables": left["INAPPLICABLE"], "skipped_redeemables": left["SKIPPED"]}
