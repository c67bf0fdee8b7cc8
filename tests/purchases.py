"""Orders of one customer, `c`, and what the customer's summary says of them."""

from typing import Any

C = {"source_id": "c"}


def order(api: Any, source_id: str, amount: int, status: str = "PAID", **more: Any) -> dict[str, Any]:
    """Save an order of the customer `c`."""
    body = {"source_id": source_id, "amount": amount, "status": status, "customer": C, **more}
    return api.call("POST", "/v1/orders", body)  # type: ignore[no-any-return]


def summary(api: Any, customer: str = "c") -> dict[str, Any]:
    """Return the purchase summary of a customer."""
    return api.call("GET", f"/v1/customers/{customer}")["summary"]["orders"]  # type: ignore[no-any-return]


def bought(total: int, count: int, last: int) -> dict[str, Any]:
    """Return the first four values of a summary, the average rounded half up."""
    average = (2 * total + count) // (2 * count) if count else 0
    return {"total_amount": total, "total_count": count, "average_amount": average, "last_order_amount": last}


def amounts(api: Any, customer: str = "c") -> dict[str, Any]:
    """Return the four amounts of a customer's summary."""
    return {
        name: value
        for name, value in summary(api, customer).items()
        if not name.startswith("last_order_d") and name != "last_order_products"
    }
