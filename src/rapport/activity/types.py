"""Every type of activity that a customer's list may show: the reference's, and what is an addition to them."""

from collections.abc import Iterator
from typing import Final

# What customers do, or what is done to their record.
_ACTIONS: Final = {
    "": ("confirmed", "created", "updated", "deleted", "referred", "custom_event"),
    "validation.": ("succeeded", "failed"),
    "redemption.": ("succeeded", "failed", "rollback.succeeded", "rollback.failed"),
    "order.": ("created", "updated", "canceled", "paid", "fulfilled", "processing"),
}
# What comes of it, or is done for them.
_EFFECTS: Final = {
    "": ("rewarded", "rewarded.loyalty_points"),
    "segment.": ("entered", "left"),
    "publication.": ("succeeded", "failed"),
    "reward_redemptions.": ("created", "pending", "completed", "rolledback"),
    "holder.assignment.": ("created", "deleted"),
    "voucher.": ("gift.balance_added", "deleted"),
    "voucher.loyalty_card.": ("points_activated", "points_added", "points_transferred", "points_expired"),
    "voucher.loyalty_card.pending_points.": ("activated", "added", "canceled", "updated"),
    "loyalty.": ("updated",),
    "loyalty.tier.": ("upgraded", "downgraded", "prolonged", "expiration.changed", "joined", "left"),
    **{
        f"{channel}.": ("sent", "recovered", "failed")
        for channel in (
            "sms", "email", "activecampaign", "braze", "mailchimp", "intercom", "shopify", "klaviyo", "batch",
        )
    },
}  # fmt: skip


def _names(families: dict[str, tuple[str, ...]]) -> Iterator[str]:
    for family, ends in families.items():
        yield from (f"customer.{family}{end}" for end in ends)


CATEGORIES: Final[dict[str, list[str]]] = {"ACTION": [*_names(_ACTIONS)], "EFFECT": [*_names(_EFFECTS)]}
# `CustomerActivity.type` of the reference; its SDK refuses a page with any other.
REFERENCE: Final = frozenset(name for names in CATEGORIES.values() for name in names)
# What Rapport logs besides: shown in a customer's list to who asks for additions or for the type.
_CHANNELS: Final = (
    "email", "sms", "push", "web_push", "app", "whatsapp", "messenger", "phone", "post", "webhook",
)  # fmt: skip
_ADDED: Final[dict[str, list[str]]] = {
    "ACTION": [
        *_names({"": ("merged", "merge.undone"), "consents.": ("given", "revoked")}),
        *_names({"device.": ("added", "updated", "removed")}),
        *_names({"order.": ("deleted",), "custom_event.": ("deleted",)}),
        *_names({f"{channel}.": ("opened", "clicked", "complained", "unsubscribed") for channel in _CHANNELS}),
    ],
    "EFFECT": [*_names({f"{channel}.": ("sent", "delivered", "bounced") for channel in _CHANNELS})],
}
ADDITIONS: Final = frozenset(name for names in _ADDED.values() for name in names) - REFERENCE
for _category, _added in _ADDED.items():
    CATEGORIES[_category] += [name for name in _added if name in ADDITIONS]
# The types whose payload has an order with the items bought.
_BOUGHT = ("customer.order.", "customer.redemption.")
WITH_ORDER: Final = tuple(name for name in sorted(REFERENCE) if name.startswith(_BOUGHT))
