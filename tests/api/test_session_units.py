"""Units of limited goods that a session holds back for its key."""

import time
from typing import Any

import pytest

from api.test_unit_limits import CAMPAIGN, CUSTOMER, EACH, TIER, collection, coupons, limits, mugs
from catalogue import make_product
from harness import Server, async_client
from in_cart import make_promotion, tier
from promotions import make_rule, percent
from rapport.core.db import Database
from rapport.projects.actions import create_key
from rapport.projects.models import NewKey
from rapport.redemptions.sessions.tasks import remove_units
from shopping import basket, line

HALF = percent(50, effect="APPLY_TO_ITEMS")


def lock(key: str = "k", **more: Any) -> dict[str, Any]:
    return {"type": "LOCK", "key": key, **more}


def units(api: Any, path: str, thing: Any, *lines: dict[str, Any], customer: str = "ann", **more: Any) -> int:
    """Validate or redeem something for lines at 1.00 each; return for how many units half is off."""
    body = basket(thing, order={"items": list(lines)}, customer=customer, **more)
    off = api.call("POST", f"/v1/{path}", body)["order"].get("total_applied_discount_amount", 0)
    assert off % 50 == 0
    return int(off) // 50


def test_units_of_a_session_are_kept_for_its_key(api: Any) -> None:
    first, second, _ = coupons(api, limits(**{CAMPAIGN: 10}))
    assert units(api, "validations", first, mugs(6), session=lock()) == 6
    assert units(api, "validations", second, mugs(6), customer="bob") == 4
    assert units(api, "validations", second, mugs(9), customer="cid", session=lock("other")) == 4
    assert units(api, "redemptions", first, mugs(6), customer="bob") == 0
    assert units(api, "redemptions", first, mugs(6), session={"key": "k"}) == 6
    assert units(api, "redemptions", second, mugs(9), customer="cid", session={"key": "other"}) == 4
    assert units(api, "redemptions", first, mugs(6)) == 0


def test_what_a_session_does_not_need_is_let_go_with_its_redemption(api: Any) -> None:
    first, second, _ = coupons(api, limits(**{CAMPAIGN: 10}))
    assert units(api, "validations", first, mugs(6), session=lock()) == 6
    assert units(api, "redemptions", first, mugs(2), session={"key": "k"}) == 2
    assert units(api, "redemptions", second, mugs(9), customer="bob") == 8


def test_a_session_asked_for_again_holds_only_what_it_asks_for_then(api: Any) -> None:
    first, second, _ = coupons(api, limits(**{CAMPAIGN: 10}))
    for number, wanted in ((10, 10), (3, 3), (7, 7)):
        assert units(api, "validations", first, mugs(number), session=lock()) == wanted
    assert units(api, "validations", second, mugs(2), session=lock()) == 2
    assert units(api, "validations", first, mugs(10), customer="bob") == 8


def test_units_are_let_go_by_hand_and_when_the_session_is_over(api: Any) -> None:
    first, _, _ = coupons(api, limits(**{CAMPAIGN: 10}))
    assert units(api, "validations", first, mugs(6), session=lock()) == 6
    api.call("DELETE", f"/v1/vouchers/{first}/sessions/k", status=204)
    api.fails("DELETE", f"/v1/vouchers/{first}/sessions/k", status=404, key="not_found")
    assert (
        units(api, "validations", first, mugs(9), customer="bob", session=lock(ttl=300, ttl_unit="MILLISECONDS")) == 9
    )
    assert units(api, "validations", first, mugs(9)) == 1
    time.sleep(0.4)
    api.fails("DELETE", f"/v1/vouchers/{first}/sessions/k", status=404, key="not_found")
    assert units(api, "validations", first, mugs(9), session=lock("new")) == 9
    assert units(api, "validations", first, mugs(9)) == 1


async def test_what_is_over_is_cleared_away_by_the_next_session(api: Any, db: Database, project_id: int) -> None:
    first, _, _ = coupons(api, limits(**{CAMPAIGN: 10}))
    for number in range(3):
        units(api, "validations", first, mugs(1), session=lock(f"k{number}", ttl=1, ttl_unit="MILLISECONDS"))
    time.sleep(0.1)
    units(api, "validations", first, mugs(1), session=lock("last"))
    async with db.read() as conn:
        found = await conn.fetch("SELECT session_key FROM unit_locks WHERE project_id = $1", project_id)
    assert [row["session_key"] for row in found] == ["last"]


def test_units_of_each_customer_are_held_for_them(api: Any) -> None:
    first, second, _ = coupons(api, limits(**{CUSTOMER: 5}))
    assert units(api, "validations", first, mugs(4), customer="new", session=lock("n")) == 4
    api.call("POST", "/v1/customers", {"source_id": "ann"})
    assert units(api, "validations", first, mugs(4), session=lock()) == 4
    assert units(api, "validations", second, mugs(4)) == 1
    assert units(api, "redemptions", second, mugs(4)) == 1
    assert units(api, "redemptions", second, mugs(6), customer="bob") == 5
    assert units(api, "redemptions", first, mugs(4), session={"key": "k"}) == 4
    assert units(api, "redemptions", first, mugs(4)) == 0


def test_units_of_a_customer_are_held_by_a_request_with_an_idempotency_key(api: Any) -> None:
    first, _, _ = coupons(api, limits(**{CUSTOMER: 5}))
    api.call("POST", "/v1/customers", {"source_id": "ann"})
    body = basket(first, order={"items": [mugs(4)]}, session=lock())
    for _ in range(2):
        answer = api.post("/v1/validations", json=body, headers={"Idempotency-Key": "k"})
        assert (answer.status_code, answer.json()["valid"]) == (200, True), answer.text
    assert units(api, "validations", first, mugs(4)) == 1


@pytest.mark.parametrize("erased", [False, True])
async def test_nothing_is_held_for_a_customer_who_is_gone(
    api: Any, db: Database, project_id: int, *, erased: bool
) -> None:
    first, _, _ = coupons(api, limits(**{CUSTOMER: 5}))
    for name in ("ann", "bob"):
        api.call("POST", "/v1/customers", {"source_id": name})
    assert units(api, "validations", first, mugs(4), session=lock()) == 4
    if erased:
        api.call("POST", "/v1/customers/ann/permanent-deletion")
    else:
        api.call("POST", "/v1/customers/bob/merge", {"source": "ann"})
    async with db.read() as conn:
        assert await conn.fetchval("SELECT count(*) FROM unit_locks WHERE project_id = $1", project_id) == 0


def test_each_product_of_a_collection_is_held_by_itself(api: Any) -> None:
    mug, cup = (make_product(api, name)["id"] for name in ("mug", "cup"))
    code, *_ = coupons(api, limits("products_collection", collection(api, mug, cup), **{EACH: 5}))
    assert units(api, "validations", code, line(mug, 4), session=lock()) == 4
    assert units(api, "validations", code, line(mug, 4), line(cup, 4), customer="bob") == 5
    assert units(api, "redemptions", code, line(mug, 4), session={"key": "k"}) == 4


def test_units_of_a_tier_are_held(api: Any) -> None:
    rule = make_rule(api, {}, applicable_to=limits(**{TIER: 5}))
    promotion = make_promotion(api, tier("Half", 0, action={"discount": HALF}, validation_rules=[rule]))
    found = ("promotion_tier", api.call("GET", f"/v1/promotions/{promotion['id']}/tiers")["tiers"][0]["id"])
    assert units(api, "validations", found, mugs(4), session=lock()) == 4
    assert units(api, "redemptions", found, mugs(4), customer="bob") == 1
    assert units(api, "redemptions", found, mugs(4), session={"key": "k"}) == 4


def test_a_code_without_a_limit_holds_units_that_another_code_of_the_campaign_counts(api: Any) -> None:
    free = make_rule(api, {}, applicable_to=limits())
    limited = make_rule(api, {}, applicable_to=limits(**{CAMPAIGN: 5}))
    first, second, _ = coupons(api, limits())
    for code, rule in ((first, free), (second, limited)):
        body = {"related_object_type": "voucher", "related_object_id": code}
        api.call("POST", f"/v1/validation-rules/{rule}/assignments", body)
    assert units(api, "validations", first, mugs(4), session=lock()) == 4
    assert units(api, "redemptions", second, mugs(4), customer="bob") == 1


def test_units_are_let_go_with_the_code_or_the_tier_that_they_are_held_for(api: Any) -> None:
    for force in (False, True):
        first, second, _ = coupons(api, limits(**{CAMPAIGN: 10}), name=f"C{force}")
        assert units(api, "validations", first, mugs(10), session=lock(f"k{force}")) == 10
        assert units(api, "validations", second, mugs(2)) == 0
        api.call("DELETE", f"/v1/vouchers/{first}", params={"force": str(force).lower()}, status=204)
        assert units(api, "validations", second, mugs(2)) == 2
    rule = make_rule(api, {}, applicable_to=limits(**{CAMPAIGN: 10}))
    action = {"discount": HALF}
    tiers = (tier(name, action=action, validation_rules=[rule]) for name in "AB")
    one, other = (each["id"] for each in make_promotion(api, *tiers)["promotion"]["tiers"])
    assert units(api, "validations", ("promotion_tier", one), mugs(10), session=lock("tier")) == 10
    api.call("DELETE", f"/v1/promotions/tiers/{one}", status=204)
    assert units(api, "validations", ("promotion_tier", other), mugs(2)) == 2


async def test_a_page_holds_units_back_for_an_hour_at_the_most(
    server: Server, api: Any, db: Database, key: NewKey, project_id: int
) -> None:
    first, _, _ = coupons(api, limits(**{CAMPAIGN: 10}))
    made = await create_key(db, key.project, "client")
    headers = {"X-Client-Application-Id": made.app_id, "X-Client-Token": made.app_token}
    body = basket(first, customer=None, order={"items": [mugs(3)]}, session=lock(ttl=366, ttl_unit="DAYS"))
    async with async_client(server.base_url, headers) as client:
        answer = (await client.post("/client/v1/validations", json=body)).json()
    assert (answer["valid"], answer["session"]["ttl"]) == (True, 366)
    units(api, "validations", first, mugs(2), session=lock("server", ttl=2, ttl_unit="DAYS"))
    async with db.read() as conn:
        left = await conn.fetch(
            "SELECT session_key, ceil(extract(epoch FROM expires_at - clock_timestamp()) / 3600)::int AS hours "
            "FROM unit_locks WHERE project_id = $1 ORDER BY session_key",
            project_id,
        )
    assert [tuple(row) for row in left] == [("k", 1), ("server", 48)]


def test_undoing_a_merge_leaves_the_sessions_of_whoever_stays(api: Any) -> None:
    first, _, _ = coupons(api, limits(**{CUSTOMER: 5}))
    for name in ("ann", "bob"):
        api.call("POST", "/v1/customers", {"source_id": name})
    done = api.call("POST", "/v1/customers/bob/merge", {"source": "ann"})
    assert units(api, "validations", first, mugs(4), customer="bob", session=lock()) == 4
    api.call("POST", f"/v1/merges/{done['merge']['id']}/undo")
    assert units(api, "validations", first, mugs(4), customer="bob") == 1


async def test_what_is_over_is_removed_in_the_background(api: Any, db: Database, project_id: int) -> None:
    first, _, _ = coupons(api, limits(**{CAMPAIGN: 10}))
    units(api, "validations", first, mugs(1), session=lock("over", ttl=1, ttl_unit="MILLISECONDS"))
    units(api, "validations", first, mugs(1), session=lock("held"))
    async with db.read() as conn:
        await conn.execute(
            "UPDATE unit_locks SET expires_at = clock_timestamp() - interval '1 day' "
            "WHERE project_id = $1 AND session_key = 'over'",
            project_id,
        )
    await remove_units(db)
    async with db.read() as conn:
        kept = await conn.fetch("SELECT session_key FROM unit_locks WHERE project_id = $1", project_id)
    assert [row["session_key"] for row in kept] == ["held"]
