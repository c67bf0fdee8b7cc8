"""What a customer holds: the wallet."""

from typing import Any

import pytest

from promotions import codes_of, make_campaign, make_voucher, publish, redeem


def give(api: Any, code: str, customer: str = "ann", **more: Any) -> None:
    """Make a voucher and publish it."""
    make_voucher(api, code, **more)
    api.call("POST", "/v1/publications", {"voucher": code, "customer": {"source_id": customer}})


def held(api: Any, customer: str = "ann", **params: str) -> list[str]:
    """Return the codes that a customer holds."""
    found = api.call("GET", f"/v1/customers/{customer}/redeemables", params=params)
    return [one["redeemable"]["voucher"]["code"] for one in found["data"]]


def test_a_customer_holds_what_was_published_to_them(api: Any) -> None:
    campaign = make_campaign(api)
    made = publish(api)
    publish(api, customer="bob")
    give(api, "OWN")
    found = api.call("GET", "/v1/customers/ann/redeemables")
    assert (found["object"], found["data_ref"], found["total"], found["has_more"]) == ("list", "data", 2, False)
    assert "more_starting_after" not in found
    own, published = found["data"]
    voucher = api.call("GET", f"/v1/vouchers/{made['voucher']['code']}")
    del voucher["validation_rules_assignments"]
    assert published == {
        "id": published["id"],
        "created_at": made["created_at"],
        "redeemable_id": voucher["id"],
        "redeemable_object": "voucher",
        "customer_id": made["customer_id"],
        "holder_role": "OWNER",
        "campaign_id": campaign["id"],
        "campaign_type": "DISCOUNT_COUPONS",
        "voucher_type": "DISCOUNT_VOUCHER",
        "redeemable": {"type": "voucher", "voucher": voucher, "status": "ACTIVE"},
    }
    assert published["id"].startswith("rh_")
    assert (own["campaign_id"], own["campaign_type"]) == (None, None)
    assert own["redeemable"]["voucher"]["code"] == "OWN"
    assert api.call("GET", f"/v1/customers/{made['customer_id']}/redeemables") == found


def test_each_says_whether_it_can_be_used_now(api: Any) -> None:
    give(api, "FRESH")
    give(api, "USED", redemption={"quantity": 1})
    redeem(api, "USED")
    give(api, "LATER", start_date="2999-01-01T00:00:00Z")
    for code in ("OFF", "OVER"):
        give(api, code)
    api.call("POST", "/v1/vouchers/OFF/disable")
    api.call("PUT", "/v1/vouchers/OVER", {"expiration_date": "2020-01-01T00:00:00Z"})
    make_campaign(api, vouchers_count=1)
    publish(api)
    api.call("POST", "/v1/campaigns/Spring/disable")
    found = api.call("GET", "/v1/customers/ann/redeemables")["data"]
    shown = {one["redeemable"]["voucher"]["code"]: one["redeemable"]["status"] for one in found}
    (of_campaign,) = shown.keys() - {"FRESH", "USED", "LATER", "OFF", "OVER"}
    assert shown == {
        "FRESH": "ACTIVE",
        "USED": "USED",
        "LATER": "NOT_ACTIVE_YET",
        "OFF": "DISABLED",
        "OVER": "EXPIRED",
        of_campaign: "DISABLED",
    }


def test_a_wallet_is_paged_by_id(api: Any) -> None:
    codes = [f"CODE-{number}" for number in range(5)]
    for code in codes:
        give(api, code)
    assert held(api) == list(reversed(codes))
    assert held(api, order="id") == codes
    seen: list[str] = []
    params = {"limit": "2", "order": "id"}
    while True:
        page = api.call("GET", "/v1/customers/ann/redeemables", params=params)
        seen += [one["redeemable"]["voucher"]["code"] for one in page["data"]]
        assert page["total"] == 5
        if not page["has_more"]:
            break
        params["starting_after_id"] = page["more_starting_after"]
    assert seen == codes
    api.fails(
        "GET",
        "/v1/customers/ann/redeemables",
        params={"starting_after_id": "rh_none"},
        status=400,
        key="invalid_query_params",
    )


def test_a_wallet_is_filtered(api: Any) -> None:
    campaign = make_campaign(api, vouchers_count=1)
    (code,) = codes_of(api, campaign["id"])
    publish(api)
    give(api, "OWN")
    own, of_campaign = api.call("GET", "/v1/customers/ann/redeemables")["data"]

    def found(field: str, operator: str, *values: str, **more: str) -> list[str]:
        params = {f"filters[{field}][conditions][{operator}][{n}]": one for n, one in enumerate(values)}
        return held(api, **params, **more)

    assert found("campaign_id", "$is", campaign["id"]) == [code]
    assert found("campaign_id", "$is_not", campaign["id"]) == found("campaign_id", "$is_unknown", "") == ["OWN"]
    assert found("campaign_type", "$in", "DISCOUNT_COUPONS", "GIFT_VOUCHERS") == [code]
    assert found("campaign_type", "$has_value", "") == [code]
    assert found("voucher_type", "$is", "GIFT_VOUCHER") == []
    assert found("holder_role", "$is", "OWNER") == found("redeemable_object", "$is", "voucher") == ["OWN", code]
    assert found("holder_role", "$in", "REFEREE", "REFERRER") == []
    assert found("redeemable_id", "$is", of_campaign["redeemable_id"]) == [code]
    assert found("id", "$starts_with", "rh_") == ["OWN", code]
    assert found("created_at", "$after", of_campaign["created_at"]) == ["OWN"]
    assert found("created_at", "$before", own["created_at"]) == [code]
    either = {"filters[redeemable_id][conditions][$is][0]": own["redeemable_id"], "filters[junction]": "OR"}
    assert found("campaign_id", "$is", campaign["id"], **either) == ["OWN", code]


def test_what_is_deleted_and_what_is_others_is_not_held(api: Any) -> None:
    give(api, "GONE")
    give(api, "BINNED")
    give(api, "BOBS", "bob")
    api.call("DELETE", "/v1/vouchers/GONE", params={"force": "true"}, status=204)
    api.call("DELETE", "/v1/vouchers/BINNED", status=204)
    assert held(api) == []
    assert held(api, "bob") == ["BOBS"]
    assert [one["code"] for one in api.call("GET", "/v1/vouchers", params={"customer": "bob"})["vouchers"]] == ["BOBS"]


@pytest.mark.parametrize(
    "params",
    [
        {"order": "created_at"},
        {"limit": "0"},
        {"limit": "101"},
        {"filters[nothing][conditions][$is][0]": "x"},
        {"filters[created_at][conditions][$after]": "x"},
        {"filters[id][conditions][$after]": "x"},
        {"filters[junction]": "x"},
        {"filters[id][conditions][$is][0]": "a\x00"},
    ],
)
def test_a_wallet_that_cannot_be_is_refused(api: Any, params: dict[str, str]) -> None:
    give(api, "OWN")
    api.fails("GET", "/v1/customers/ann/redeemables", params=params, status=400, key="invalid_query_params")
    api.fails("GET", "/v1/customers/nobody/redeemables", status=404, key="not_found")
