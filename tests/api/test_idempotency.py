"""Idempotency keys: one effect, the same answer, and a clear refusal where the key means something else."""

from typing import Any

from promotions import make_voucher, stack, summary, used


def again(api: Any, key: str, path: str, body: Any, *, method: str = "POST", **more: Any) -> Any:
    """Send a request with a key; return the response."""
    return api.request(method, path, json=body, headers={"Idempotency-Key": key}, **more)


def test_a_repeated_redemption_has_one_effect_and_the_same_answer(api: Any) -> None:
    make_voucher(api, "CODE", redemption={"quantity": 5})
    first, second = (again(api, "k", "/v1/redemptions", stack("CODE")) for _ in range(2))
    assert first.status_code == second.status_code == 200
    assert first.content == second.content
    assert first.headers["content-type"] == second.headers["content-type"]
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert used(api, "CODE") == 1
    assert summary(api) == {"total_redeemed": 1, "total_succeeded": 1}
