"""Redeemables of every kind in requests, for tests."""

from typing import Any


def gift_card(api: Any, code: str = "CARD", amount: int = 1000, **more: Any) -> dict[str, Any]:
    """Create a gift card without a campaign."""
    body = {"type": "GIFT_VOUCHER", "gift": {"amount": amount, "effect": more.pop("effect", "APPLY_TO_ORDER")}, **more}
    return api.call("POST", f"/v1/vouchers/{code}", body)  # type: ignore[no-any-return]


def basket(*things: Any, customer: str | None = "ann", order: Any = None, **more: Any) -> dict[str, Any]:
    """Return the body of a redemption or validation of these: a code, or (object, id), or (object, id, credits)."""
    body: dict[str, Any] = {"redeemables": [_one(thing) for thing in things], **more}
    if customer is not None:
        body["customer"] = {"source_id": customer}
    body["order"] = {"amount": 1000} if order is None else order
    return body


def _one(thing: Any) -> dict[str, Any]:
    if isinstance(thing, str):
        return {"object": "voucher", "id": thing}
    kind, reference, *used = thing
    return {"object": kind, "id": reference, **({"gift": {"credits": used[0]}} if used else {})}


def redeem(api: Any, *things: Any, **more: Any) -> dict[str, Any]:
    """Redeem things; return the whole answer."""
    return api.call("POST", "/v1/redemptions", basket(*things, **more))  # type: ignore[no-any-return]


def validate(api: Any, *things: Any, **more: Any) -> dict[str, Any]:
    """Validate things; return the whole answer."""
    return api.call("POST", "/v1/validations", basket(*things, **more))  # type: ignore[no-any-return]


def balance(api: Any, code: str = "CARD") -> int:
    """Return what is left on a gift card."""
    return api.call("GET", f"/v1/vouchers/{code}")["gift"]["balance"]  # type: ignore[no-any-return]


def ledger(api: Any, code: str = "CARD") -> list[tuple[str, int, int]]:
    """Return the ledger of a gift card, oldest first: what happened, by how much, and what was left."""
    found = api.call("GET", f"/v1/vouchers/{code}/transactions", params={"limit": "100"})["data"]
    shown = [(one["type"], one["details"]["balance"]["amount"], one["details"]["balance"]["balance"]) for one in found]
    return shown[::-1]


def statuses(answer: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what became of each redeemable: its id, and its status or why it is left out."""
    return [
        (one["id"], one["result"]["details"]["key"] if one["status"] == "SKIPPED" else one["status"])
        for one in answer["redeemables"]
    ]


def line(product: str, quantity: int = 1, price: int = 100, **more: Any) -> dict[str, Any]:
    """Return a line of an order."""
    return {"product_id": product, "quantity": quantity, "price": price, **more}
