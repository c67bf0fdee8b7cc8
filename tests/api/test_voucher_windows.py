from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import promotions
from promotions import amount, codes_of, make_campaign, make_voucher, publish, redeem

WINDOWS = ("validity_timeframe", "validity_day_of_week", "validity_hours")


def today() -> int:
    return datetime.now(UTC).isoweekday() % 7


def hours(first: int, last: int) -> dict[str, Any]:
    """Hours of the day, counted from now."""
    start, end = (datetime.now(UTC) + timedelta(hours=n) for n in (first, last))
    return {"daily": [{"start_time": f"{start:%H:%M}", "expiration_time": f"{end:%H:%M}"}]}


@pytest.mark.parametrize(
    ("closed", "opened"),
    [
        (lambda: {"validity_day_of_week": [(today() + 3) % 7]}, lambda: {"validity_day_of_week": []}),
        (lambda: {"validity_hours": hours(2, 4)}, lambda: {"validity_hours": hours(-2, 2)}),
        (
            lambda: {
                "start_date": (datetime.now(UTC) - timedelta(days=3)).isoformat(),
                "validity_timeframe": {"interval": "P10D", "duration": "P1D"},
            },
            lambda: {"validity_timeframe": {}},
        ),
    ],
)
def test_a_code_is_used_within_its_windows_only(api: Any, closed: Any, opened: Any) -> None:
    make_voucher(api, "CODE", **closed())
    promotions.refused(api, "CODE", key="voucher_not_active_now")
    api.call("PUT", "/v1/vouchers/CODE", opened())
    redeem(api, "CODE")


def test_windows_are_shown_as_they_were_given(api: Any) -> None:
    given = {
        "start_date": "2026-01-01T00:00:00.000Z",
        "validity_timeframe": {"interval": "P2D", "duration": "P1D"},
        "validity_day_of_week": [5, 1, 1],
        "validity_hours": {"daily": [{"start_time": "09:00", "expiration_time": "17:30", "days_of_week": [2, 1]}]},
    }
    wanted = given | {
        "validity_day_of_week": [1, 5],
        "validity_hours": {"daily": [{"start_time": "09:00", "expiration_time": "17:30", "days_of_week": [1, 2]}]},
    }
    made = make_voucher(api, "CODE", **given)
    assert {name: made[name] for name in wanted} == wanted
    campaign = make_campaign(api, **given)
    assert {name: campaign[name] for name in wanted} == {name: campaign["voucher"][name] for name in wanted} == wanted
    gone = api.call("PUT", "/v1/campaigns/Spring", dict(zip(WINDOWS, ({}, [], {}), strict=True)))
    assert not set(WINDOWS) & set(gone)


def test_a_timeframe_keeps_its_start(api: Any) -> None:
    timeframe = {"interval": "P2D", "duration": "P1D"}
    for path, made in (("/v1/vouchers/CODE", make_voucher), ("/v1/campaigns/Spring", make_campaign)):
        made(api, start_date="2026-01-01", validity_timeframe=timeframe)
        api.fails("PUT", path, {"start_date": ""}, status=400, key="invalid_payload")
        assert api.call("GET", path)["validity_timeframe"] == timeframe


def test_the_windows_of_a_campaign_reach_the_codes_that_nobody_has(api: Any) -> None:
    campaign = make_campaign(api, vouchers_count=2, validity_day_of_week=[*range(7)])
    given = publish(api)["voucher"]["code"]
    (free,) = set(codes_of(api, campaign["id"])) - {given}
    api.call("PUT", "/v1/campaigns/Spring", {"validity_day_of_week": [(today() + 3) % 7]})
    promotions.refused(api, free, key="voucher_not_active_now")
    redeem(api, given)


def test_a_category_is_the_vouchers_own_or_its_campaigns(api: Any) -> None:
    category = api.call("POST", "/v1/categories", {"name": "Spring things", "hierarchy": 1})["id"]
    make_campaign(api, category="Spring things", vouchers_count=1)
    api.call("POST", "/v1/campaigns/Spring/vouchers/OWN", {"category": "Own"})
    make_voucher(api, "ALONE", category="Own")
    found = {
        name: sorted(one["code"] for one in api.call("GET", "/v1/vouchers", params={"category": name})["vouchers"])
        for name in ("Own", "Spring things", category)
    }
    assert found["Own"] == ["ALONE", "OWN"]
    assert len(found["Spring things"]) == 1
    assert found[category] == found["Spring things"]
    assert api.call("PUT", "/v1/campaigns/Spring", {"category": ""}).get("category") is None


def test_every_discount_of_the_reference_is_kept(api: Any) -> None:
    discounts = [
        {"type": "AMOUNT", "amount_off": 500, "effect": "APPLY_TO_ITEMS_BY_QUANTITY", "aggregated_amount_limit": 900},
        {"type": "PERCENT", "percent_off": 12.5, "effect": "APPLY_TO_ITEMS", "amount_limit": 5},
        {"type": "FIXED", "fixed_amount": 100, "effect": "APPLY_TO_ORDER"},
        {"type": "UNIT", "unit_off": 2, "unit_type": "prod_1", "effect": "ADD_NEW_ITEMS"},
        {"type": "UNIT", "effect": "ADD_MANY_ITEMS",
         "units": [{"unit_off": 1, "unit_type": "prod_1", "effect": "ADD_NEW_ITEMS"}]},
    ]  # fmt: skip
    for number, discount in enumerate(discounts):
        assert make_voucher(api, f"C{number}", discount)["discount"] == discount
        campaign = make_campaign(api, f"Campaign {number}", discount)
        assert campaign["voucher"]["discount"] == discount
    listed = api.call("GET", "/v1/vouchers", params={"limit": "100"})["vouchers"]
    assert len(listed) == 4 * len(discounts)


def test_a_campaign_of_in_cart_promotions_has_no_codes(api: Any) -> None:
    made = api.call("POST", "/v1/campaigns", {"name": "Cart", "campaign_type": "PROMOTION", "promotion": {"tiers": []}})
    assert (made["campaign_type"], made["vouchers_count"], made["creation_status"]) == ("PROMOTION", 0, "DONE")
    assert "voucher" not in made
    for path, body in (
        ("vouchers", {}), ("vouchers/CODE", {}), ("import", [{"code": "A"}]),
    ):  # fmt: skip
        api.fails("POST", f"/v1/campaigns/Cart/{path}", body, status=400, key="invalid_payload")
    error = api.fails("PUT", "/v1/campaigns/Cart", {"discount": amount(1)}, status=400, key="invalid_payload")
    assert ".discount" in error["details"]
    api.call("PUT", "/v1/campaigns/Cart", {"type": "AUTO_UPDATE"})
    api.fails("POST", "/v1/publications", {"campaign": "Cart", "customer": {"source_id": "ann"}}, status=400,
              key="no_voucher_suitable_for_publication")  # fmt: skip
    assert api.call("GET", "/v1/campaigns/Cart/summary")["campaign"]["id"] == made["id"]
    assert api.call("PUT", "/v1/campaigns/Cart", {"description": "x"})["description"] == "x"
    api.call("DELETE", "/v1/campaigns/Cart", status=202)
    assert api.call("GET", "/v1/vouchers")["total"] == 0


def test_a_voucher_shows_the_category_that_it_is_put_into(api: Any) -> None:
    made = api.call("POST", "/v1/categories", {"name": "First", "hierarchy": 1})
    by_name = make_voucher(api, "NAME", category="First")
    by_id = make_voucher(api, "ID", category_id=made["id"])
    assert [(one["category"], one["category_id"]) for one in (by_name, by_id)] == [("First", made["id"])] * 2
    assert by_name["categories"] == by_id["categories"] == [made]
    word = make_voucher(api, "WORD", category="a word of our own")
    assert (word["category"], word["category_id"], word["categories"]) == ("a word of our own", None, [])
    api.fails("POST", "/v1/vouchers/NONE", {"discount": amount(1), "category_id": "cat_none"}, status=404,
              key="not_found")  # fmt: skip
    api.call("PUT", f"/v1/categories/{made['id']}", {"name": "Renamed", "hierarchy": 2})
    assert api.call("GET", "/v1/vouchers/NAME")["category"] == "Renamed"
    found = api.call("GET", "/v1/vouchers", params={"category": "Renamed"})
    assert {one["code"] for one in found["vouchers"]} == {"NAME", "ID"}
    gone = api.call("PUT", "/v1/vouchers/NAME", {"category": ""})
    assert (gone["category"], gone["category_id"], gone["categories"]) == (None, None, [])
    campaign = make_campaign(api, category="Renamed", vouchers_count=1)
    (code,) = codes_of(api, campaign["id"])
    assert api.call("GET", f"/v1/vouchers/{code}")["category_id"] == made["id"]
    own = api.call("POST", "/v1/campaigns/Spring/vouchers/OWN", {"category": "Own"})
    assert (own["category"], own["category_id"]) == ("Own", None)
