from typing import Any

import harness
from promotions import make_voucher, redeem


def get(url: str) -> Any:
    """Ask for an image as a mail program does: without a key."""
    return harness.httpx2.get(url, timeout=10)


def test_images_of_a_code_are_shown_to_whoever_has_their_address(api: Any) -> None:
    assets = make_voucher(api, "A-b_9")["assets"]
    for kind in ("qr", "barcode"):
        answer = get(assets[kind]["url"])
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
        assert answer.content.startswith(b"\x89PNG")
        drawn = get(assets[kind]["url"] + "?format=svg")
        assert (drawn.status_code, drawn.headers["content-type"]) == (200, "image/svg+xml")
        assert b"<svg" in drawn.content
        assert get(assets[kind]["url"] + "?format=gif").status_code == 400
    assert api.call("GET", "/v1/vouchers/A-b_9")["assets"] == assets


def test_an_address_that_was_changed_shows_nothing(api: Any) -> None:
    one, other = make_voucher(api, "A")["assets"]["qr"], make_voucher(api, "B")["assets"]["qr"]
    project, voucher, key = one["id"].split(".")
    base = one["url"].removesuffix(one["id"])
    for asset_id in (
        f"{project}.{voucher}.{'0' * 32}", f"{project}.{other['id'].split('.')[1]}.{key}", f"x.{voucher}.{key}",
        f"{project}.{voucher}.", voucher, "%00.a.b", "é",
    ):  # fmt: skip
        answer = get(base + asset_id)
        assert (answer.status_code, answer.json()["key"]) == (404, "not_found"), asset_id
    api.call("DELETE", "/v1/vouchers/A", status=204)
    assert get(one["url"]).status_code == 404


def test_a_code_with_letters_that_a_barcode_has_not_has_a_qr_code(api: Any) -> None:
    body = {"type": "DISCOUNT_VOUCHER", "discount": {"type": "AMOUNT", "amount_off": 5}, "code": "é🎉"}
    assets = api.call("POST", "/v1/vouchers", body)["assets"]
    assert get(assets["qr"]["url"]).status_code == 200
    assert get(assets["barcode"]["url"]).status_code == 404


def test_every_answer_has_the_same_whole_addresses(api: Any) -> None:
    assets = make_voucher(api, "A")["assets"]
    assert assets["qr"]["url"].startswith("http://")
    assert assets["barcode"]["url"].startswith("http://")
    redeemed = redeem(api, "A")["redemptions"][0]
    single = api.call("POST", "/v1/vouchers/A/redemption", {"customer": {"source_id": "ann"}})
    undone = api.call("POST", f"/v1/redemptions/{single['id']}/rollback")
    stacked = api.call("POST", f"/v1/redemptions/{redeemed['id']}/rollbacks")["rollbacks"][0]
    one = api.call("GET", f"/v1/redemptions/{redeemed['id']}")
    listed = api.call("GET", "/v1/redemptions")["redemptions"]
    entries = api.call("GET", "/v1/vouchers/A/redemption")["redemption_entries"]
    assert len(listed) == len(entries) == 4
    for shown in (redeemed, single, undone, stacked, one, *listed, *entries):
        assert shown["voucher"]["assets"] == assets
    qualified = api.call("POST", "/v1/vouchers/qualification", {"customer": {"source_id": "ann"}})["data"]
    assert [voucher["assets"] for voucher in qualified] == [assets]


def test_both_forms_of_a_picture_are_in_the_document(api: Any) -> None:
    paths = api.call("GET", "/openapi.json")["paths"]
    for kind in ("qr", "barcode"):
        answers = paths[f"/v1/assets/{kind}/{{asset_id}}"]["get"]["responses"]["200"]["content"]
        assert set(answers) == {"image/png", "image/svg+xml"}
    export = paths["/v1/exports/{export_id}"]["get"]["responses"]["200"]["content"]
    assert set(export) == {"application/json", "text/plain"}
