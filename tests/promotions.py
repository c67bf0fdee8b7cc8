"""Campaigns, vouchers and what is done with them, for tests: valid by default."""

from typing import Any

from rapport.core.db import Database


def percent(off: float, **more: Any) -> dict[str, Any]:
    """Return a percentage discount."""
    return {"type": "PERCENT", "percent_off": off, **more}


def amount(off: int) -> dict[str, Any]:
    """Return a discount of so many minor units."""
    return {"type": "AMOUNT", "amount_off": off}


def make_campaign(
    api: Any, name: str = "Spring", discount: Any = None, quantity: Any = 1, **more: Any
) -> dict[str, Any]:
    """Create a campaign; `pattern` and `voucher` go into its voucher."""
    voucher = {
        "type": "DISCOUNT_VOUCHER",
        "discount": discount or percent(10),
        "redemption": {"quantity": quantity},
        "code_config": {"pattern": more.pop("pattern", "SPR-######")},
        **more.pop("voucher", {}),
    }
    body = {
        "name": name,
        "campaign_type": "DISCOUNT_COUPONS",
        "type": "STATIC",
        "vouchers_count": 3,
        "voucher": voucher,
    }
    return api.call("POST", "/v1/campaigns", body | more)  # type: ignore[no-any-return]


def make_voucher(api: Any, code: str = "CODE", discount: Any = None, **more: Any) -> dict[str, Any]:
    """Create a voucher without a campaign."""
    body = {"type": "DISCOUNT_VOUCHER", "discount": discount or amount(300), **more}
    return api.call("POST", f"/v1/vouchers/{code}", body)  # type: ignore[no-any-return]


def codes_of(api: Any, campaign_id: str) -> list[str]:
    """Return the codes of a campaign's first hundred vouchers."""
    found = api.call("GET", "/v1/vouchers", params={"campaign_id": campaign_id, "limit": "100"})
    return sorted(voucher["code"] for voucher in found["vouchers"])


def stack(*codes: str, customer: str | None = "ann", order: Any = None, **more: Any) -> dict[str, Any]:
    """Return the body of a redemption or validation of these codes, of an order of 10.00 unless another is given."""
    body: dict[str, Any] = {"redeemables": [{"object": "voucher", "id": code} for code in codes], **more}
    if customer is not None:
        body["customer"] = {"source_id": customer}
    body["order"] = {"amount": 1000} if order is None else order
    return body


def redeem(api: Any, *codes: str, **more: Any) -> dict[str, Any]:
    """Redeem codes; return the whole answer."""
    return api.call("POST", "/v1/redemptions", stack(*codes, **more))  # type: ignore[no-any-return]


def refused(api: Any, *codes: str, key: str, **more: Any) -> dict[str, Any]:
    """Try to redeem codes, which must be refused with this key; return the error."""
    return api.fails("POST", "/v1/redemptions", stack(*codes, **more), status=400, key=key)  # type: ignore[no-any-return]


def publish(api: Any, campaign: str = "Spring", customer: str = "ann", **more: Any) -> dict[str, Any]:
    """Publish a code of a campaign."""
    body = {"campaign": {"name": campaign}, "customer": {"source_id": customer}, **more}
    return api.call("POST", "/v1/publications", body)  # type: ignore[no-any-return]


def make_rule(api: Any, rules: dict[str, Any], **more: Any) -> str:
    """Create a validation rule; return its id."""
    return api.call("POST", "/v1/validation-rules", {"name": "Rule", "rules": rules, **more})["id"]  # type: ignore[no-any-return]


def one_rule(name: str, operator: str, *operands: Any, **more: Any) -> dict[str, Any]:
    """Return a rule set of a single rule."""
    return {"1": {"name": name, "conditions": {operator: list(operands)}, **more}, "logic": "1"}


def summary(api: Any, customer: str = "ann") -> dict[str, int]:
    """Return the numbers of a customer's redemptions that are not zero."""
    found = api.call("GET", f"/v1/customers/{customer}")["summary"]["redemptions"]
    return {name: number for name, number in found.items() if isinstance(number, int) and number}


def used(api: Any, code: str) -> int:
    """Return how often a voucher is redeemed."""
    return api.call("GET", f"/v1/vouchers/{code}")["redemption"]["redeemed_quantity"]  # type: ignore[no-any-return]


async def rows(db: Database, project_id: int, table: str) -> int:
    """Return how many rows of a project a table has."""
    async with db.read() as conn:
        return int(await conn.fetchval(f"SELECT count(*) FROM {table} WHERE project_id = $1", project_id))
