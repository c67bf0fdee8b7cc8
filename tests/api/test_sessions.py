import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from promotions import make_voucher, used
from rapport.core.db import Database
from shopping import balance, basket, gift_card, redeem, validate


def lock(key: str = "k", **more: Any) -> dict[str, Any]:
    return {"type": "LOCK", "key": key, **more}


def test_a_session_holds_a_use_back_for_its_key(api: Any) -> None:
    make_voucher(api, "ONE", redemption={"quantity": 1})
    answer = validate(api, "ONE", session=lock())
    assert answer["session"] == {"key": "k", "type": "LOCK", "ttl": 7, "ttl_unit": "DAYS"}
    other = validate(api, "ONE", customer="bob")
    assert other["redeemables"][0]["result"]["error"]["key"] == "quantity_exceeded"
    api.fails("POST", "/v1/redemptions", basket("ONE", customer="bob"), status=400, key="quantity_exceeded")
    assert redeem(api, "ONE", session={"key": "k"})["redemptions"][0]["result"] == "SUCCESS"
    assert used(api, "ONE") == 1
    api.fails("DELETE", "/v1/vouchers/ONE/sessions/k", status=404, key="not_found")


def test_a_session_is_released_by_hand(api: Any) -> None:
    make_voucher(api, "ONE", redemption={"quantity": 1})
    validate(api, "ONE", session=lock())
    api.call("DELETE", "/v1/vouchers/ONE/sessions/k", status=204)
    error = api.fails("DELETE", "/v1/vouchers/ONE/sessions/k", status=404, key="not_found")
    assert (error["resource_type"], error["resource_id"]) == ("session", "k")
    error = api.fails("DELETE", "/v1/vouchers/TWO/sessions/k", status=404, key="not_found")
    assert error["resource_type"] == "voucher"
    redeem(api, "ONE", customer="bob")
    assert used(api, "ONE") == 1


def test_a_session_ends_by_itself(api: Any) -> None:
    make_voucher(api, "ONE", redemption={"quantity": 1})
    validate(api, "ONE", session=lock(ttl=300, ttl_unit="MILLISECONDS"))
    api.fails("POST", "/v1/redemptions", basket("ONE", customer="bob"), status=400, key="quantity_exceeded")
    time.sleep(0.4)
    assert validate(api, "ONE", customer="bob")["valid"] is True
    redeem(api, "ONE", customer="bob")
    assert used(api, "ONE") == 1
    api.fails("DELETE", "/v1/vouchers/ONE/sessions/k", status=404, key="not_found")


async def test_a_session_asked_for_again_takes_the_place_of_the_first(api: Any, db: Database, project_id: int) -> None:
    make_voucher(api, "TWO", redemption={"quantity": 2})
    for _ in range(3):
        assert validate(api, "TWO", session=lock())["valid"] is True
    assert validate(api, "TWO", session=lock("other"))["valid"] is True
    assert validate(api, "TWO", session=lock("third"))["valid"] is False
    async with db.read() as conn:
        row = await conn.fetchrow(
            "SELECT locked_quantity, (SELECT count(*) FROM voucher_locks WHERE project_id = $1) FROM vouchers "
            "WHERE project_id = $1 AND code = 'TWO'",
            project_id,
        )
    assert tuple(row) == (2, 2)


def test_a_session_holds_credits_back(api: Any) -> None:
    gift_card(api, amount=1000)
    validate(api, ("voucher", "CARD", 700), session=lock())
    other = validate(api, "CARD", order={"amount": 1000})
    assert other["redeemables"][0]["result"]["gift"] == {"balance": 300, "credits": 300, "locked_credits": 700}
    api.fails("POST", "/v1/redemptions", basket(("voucher", "CARD", 301)), status=400, key="gift_amount_exceeded")
    redeem(api, ("voucher", "CARD", 700), session={"key": "k"})
    assert balance(api) == 300
    redeem(api, ("voucher", "CARD", 300))
    assert balance(api) == 0


def test_a_voucher_without_a_limit_needs_nothing_held_back(api: Any) -> None:
    make_voucher(api, "MANY")
    answer = validate(api, "MANY", session={"type": "LOCK"})
    assert answer["session"]["key"].startswith("ssn_")
    redeem(api, "MANY", session={"key": answer["session"]["key"]})
    assert used(api, "MANY") == 1


def test_what_is_not_valid_holds_nothing_back(api: Any) -> None:
    make_voucher(api, "ONE", redemption={"quantity": 1})
    make_voucher(api, "OVER", expiration_date="2020-01-01")
    answer = validate(api, "ONE", "OVER", session=lock())
    assert (answer["valid"], "session" in answer) == (False, False)
    redeem(api, "ONE", customer="bob")


@pytest.mark.parametrize(
    "session",
    [
        {"type": "LOCK", "ttl": 0, "ttl_unit": "DAYS"},
        {"type": "LOCK", "ttl": 10_000, "ttl_unit": "DAYS"},
        {"type": "LOCK", "ttl": 1, "ttl_unit": "YEARS"},
        {"type": "LOCK", "ttl_unit": "DAYS"},
        {"type": "LOCK", "key": ""},
        {"type": "LOCK", "key": "a" * 256},
        {"type": "HOLD"},
    ],
)
def test_a_session_that_is_none_is_refused(api: Any, session: dict[str, Any]) -> None:
    make_voucher(api, "ONE", redemption={"quantity": 1})
    error = api.fails("POST", "/v1/validations", basket("ONE", session=session), status=400, key="invalid_payload")
    assert ".session" in error["details"]


def test_a_quantity_may_be_lowered_below_what_sessions_hold(api: Any) -> None:
    make_voucher(api, "FIVE", redemption={"quantity": 5})
    for number in range(3):
        validate(api, "FIVE", session=lock(f"k{number}"))
    api.call("PUT", "/v1/vouchers/FIVE", {"redemption": {"quantity": 1}})
    api.fails("POST", "/v1/redemptions", basket("FIVE"), status=400, key="quantity_exceeded")
    api.fails("POST", "/v1/redemptions", basket("FIVE", session={"key": "k0"}), status=400, key="quantity_exceeded")
    for number in range(3):
        api.call("DELETE", f"/v1/vouchers/FIVE/sessions/k{number}", status=204)
    redeem(api, "FIVE")
    assert used(api, "FIVE") == 1


def test_a_voucher_that_goes_takes_its_locks_along(api: Any) -> None:
    make_voucher(api, "ONE", redemption={"quantity": 1})
    validate(api, "ONE", session=lock())
    api.call("DELETE", "/v1/vouchers/ONE", params={"force": "true"}, status=204)
    api.fails("DELETE", "/v1/vouchers/ONE/sessions/k", status=404, key="not_found")


def test_a_card_of_which_less_is_left_than_a_session_holds_back_has_nothing_for_others(api: Any) -> None:
    gift_card(api, amount=1000)
    make_voucher(api, "CODE")
    validate(api, ("voucher", "CARD", 900), session=lock())
    api.call("POST", "/v1/vouchers/CARD/balance", {"amount": -200})
    body = basket("CODE", "CARD", customer="bob")
    api.fails("POST", "/v1/redemptions", body, status=400, key="gift_amount_exceeded")
    assert (balance(api), used(api, "CARD"), used(api, "CODE")) == (800, 0, 0)
    named = basket(("voucher", "CARD", 900), session={"key": "k"})
    api.fails("POST", "/v1/redemptions", named, status=400, key="gift_amount_exceeded")
    redeem(api, ("voucher", "CARD", 800), session={"key": "k"})
    assert balance(api) == 0


def test_a_session_that_begins_anew_lets_go_of_all_that_it_held_back(api: Any) -> None:
    for code in ("A", "B"):
        make_voucher(api, code, redemption={"quantity": 1})
    validate(api, "A", session=lock())
    assert validate(api, "A", customer="bob")["valid"] is False
    validate(api, "B", session=lock())
    assert validate(api, "A", customer="bob")["valid"] is True
    assert validate(api, "B", customer="bob")["valid"] is False
    api.fails("DELETE", "/v1/vouchers/A/sessions/k", status=404, key="not_found")
    redeem(api, "A", customer="bob")
    # What is not valid holds nothing back, and has nothing any more.
    assert validate(api, "A", session=lock())["valid"] is False
    redeem(api, "B", customer="bob")
    assert [used(api, code) for code in ("A", "B")] == [1, 1]


def test_sessions_with_one_key_at_the_same_moment_leave_what_one_of_them_holds_back(api: Any) -> None:
    codes = [f"C{number}" for number in range(6)]
    for code in codes:
        make_voucher(api, code, redemption={"quantity": 1})

    def begin(number: int) -> bool:
        pair = (codes[number % 6], codes[(number * 5 + 1) % 6])
        return bool(validate(api, *dict.fromkeys(pair), session=lock())["valid"])

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(begin, range(24)))
    assert sum(validate(api, code, customer="bob")["valid"] for code in codes) == 4


def test_a_qualification_that_asks_for_it_tells_what_is_held_back(api: Any) -> None:
    gift_card(api, "CARD")
    gift_card(api, "FREE")
    held = {"redeemables": [{"object": "voucher", "id": "CARD", "gift": {"credits": 700}}], "order": {"amount": 5000}}
    api.call("POST", "/v1/validations", held | {"session": {"type": "LOCK"}})

    def locked(**more: Any) -> dict[str, int | None]:
        found = api.call("POST", "/v1/qualifications", {"order": {"amount": 5000}, **more})["redeemables"]["data"]
        return {one["id"]: one["result"]["gift"].get("locked_credits") for one in found}

    assert locked() == {"CARD": None, "FREE": None}
    assert locked(session={}) == {"CARD": None, "FREE": None}
    assert locked(session={"type": "LOCK"}) == {"CARD": 700, "FREE": 0}
