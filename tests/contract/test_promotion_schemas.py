"""Answers and activity about promotions fit the response schemas of the reference's documents.

The documents' own examples show null in many properties that their schemas call a string or an object; so does Rapport,
and the SDK reads it. Only that is passed over here, and what `DEVIATIONS` names.
"""

from typing import Any

from contract.test_reference_schemas import misfits, payload_misfits, schema_of
from promotions import amount, make_campaign, make_voucher, one_rule, percent, publish, redeem, refused, stack

TIMES = {
    f"{place}validity_hours.daily.*.{name}"
    for place in ("", "voucher.", "vouchers.*.", "campaign.", "campaign.voucher.")
    for name in ("start_time", "expiration_time")
}
BUNDLES = {f"bundle_rules.{number}.rules.1" for number in (1, 2)}
# What does not fit, and why.
DEVIATIONS: dict[str, set[str]] = {
    # The schema has alternatives for redemptions, rollbacks and stacks; where nulls rule out the right one, the
    # validator names what the wrong one lacks.
    "get /v1/redemptions": {"redemptions.*.status", "redemptions.*.object"},
    "get /v1/redemptions/{redemptionId}": {"object"},
    "get /v1/vouchers/{code}/redemption": {"redemption_entries.*.status", "redemption_entries.*.object"},
    # The document's example has the short customer in lists, as here; the schema wants the whole one.
    "get /v1/publications": {"publications.*.customer", "publications.*.result"},
    # The schemas want a time with seconds and an offset, the documents' own examples are 09:00.
    **dict.fromkeys(
        (
            "post /v1/campaigns",
            "post /v1/vouchers/{code}",
            "get /v1/vouchers/{code}",
            "get /v1/vouchers",
            "get /v1/campaigns/{campaignId}/summary",
        ),
        TIMES,
    ),
    # The schema calls it a string, the document's example is true.
    "post /v1/promotions/validation": {"promotions.*.valid"},
    # The schema of a bundle's rule about quantities names three properties and allows one.
    "post /v1/validation-rules": BUNDLES,
    "put /v1/validation-rules/{validationRuleId}": BUNDLES,
    # A publication that failed has no voucher, but its event's schema is that of one that succeeded.
    "publication.failed": {"publication", "publication.result"},
}
ORDER = {"source_id": "o", "items": [{"product_id": "p", "quantity": 1, "price": 1000}]}


def check(answer: Any, name: str, method: str, path: str, status: str = "200") -> Any:
    """Hold an answer against its schema and return it."""
    found = misfits(answer, schema_of(name, method, path, status))
    wrong = {place: said for place, said in found.items() if not said.startswith("None is not of type")}
    assert set(wrong) <= DEVIATIONS.get(f"{method} {path}", set()), (method, path, wrong)
    return answer


def test_campaigns(api: Any) -> None:
    made = make_campaign(
        api, discount=percent(12.5), description="x", start_date="2026-01-01", expiration_date="2099-01-01",
        activity_duration_after_publishing="P24D", quantity=4,
    )  # fmt: skip
    check(made, "campaigns", "post", "/v1/campaigns")
    check(api.call("GET", "/v1/campaigns"), "campaigns", "get", "/v1/campaigns")
    one = "/v1/campaigns/{campaignId}"
    check(api.call("GET", "/v1/campaigns/Spring"), "campaigns", "get", one)
    check(api.call("PUT", "/v1/campaigns/Spring", {"description": "y"}), "campaigns", "put", one)
    added = api.call("POST", "/v1/campaigns/Spring/vouchers/ADDED", {})
    check(added, "campaigns", "post", f"{one}/vouchers/{{code}}")
    check(api.call("POST", "/v1/campaigns/Spring/vouchers", {}), "campaigns", "post", f"{one}/vouchers")
    several = api.call("POST", "/v1/campaigns/Spring/vouchers", params={"vouchers_count": "2"}, status=202)
    check(several, "campaigns", "post", f"{one}/vouchers", "202")
    check(api.call("DELETE", "/v1/campaigns/Spring", status=202), "campaigns", "delete", one, "202")


def test_the_bin_and_its_actions(api: Any) -> None:
    make_campaign(api)
    make_voucher(api, "CODE")
    api.call("DELETE", "/v1/vouchers/CODE", status=204)
    begun = api.call("DELETE", "/v1/campaigns/Spring", status=202)["async_action_id"]
    for query in ({}, {"limit": "1"}):
        found = api.call("GET", "/v1/trash-bin", params=query)
        check(found, "bin", "get", "/v1/trash-bin")
        assert len(found["data"]) == 2 - len(query)
    check(api.call("GET", f"/v1/async-actions/{begun}"), "async-actions", "get", "/v1/async-actions/{asyncActionId}")
    check(api.call("GET", "/v1/async-actions"), "async-actions", "get", "/v1/async-actions")


def test_vouchers(api: Any) -> None:
    one = "/v1/vouchers/{code}"
    check(make_voucher(api, "A", percent(5)), "vouchers", "post", one)
    body = {"type": "DISCOUNT_VOUCHER", "discount": amount(5)}
    check(api.call("POST", "/v1/vouchers", body), "vouchers", "post", "/v1/vouchers")
    check(api.call("GET", "/v1/vouchers"), "vouchers", "get", "/v1/vouchers")
    check(api.call("GET", "/v1/vouchers/A"), "vouchers", "get", one)
    check(api.call("PUT", "/v1/vouchers/A", {"metadata": {"a": 1}}), "vouchers", "put", one)
    for verb in ("disable", "enable"):
        check(api.call("POST", f"/v1/vouchers/A/{verb}"), "vouchers", "post", f"{one}/{verb}")


def test_validation_rules(api: Any) -> None:
    name, one = "validation-rules", "/v1/validation-rules/{validationRuleId}"
    rules = one_rule("redemption.count.per_customer", "$less_than", 3, error={"message": "m"})
    body = {"name": "R", "rules": rules, "error": {"message": "e"}}
    rule = check(api.call("POST", "/v1/validation-rules", body), name, "post", "/v1/validation-rules")
    check(api.call("GET", "/v1/validation-rules"), name, "get", "/v1/validation-rules")
    check(api.call("GET", f"/v1/validation-rules/{rule['id']}"), name, "get", one)
    check(api.call("PUT", f"/v1/validation-rules/{rule['id']}", {"name": "S"}), name, "put", one)
    target = {"related_object_type": "voucher", "related_object_id": make_voucher(api, "A")["id"]}
    path = f"/v1/validation-rules/{rule['id']}/assignments"
    check(api.call("POST", path, target), name, "post", f"{one}/assignments")
    check(api.call("GET", path), name, "get", f"{one}/assignments")
    check(api.call("GET", "/v1/validation-rules-assignments"), name, "get", "/v1/validation-rules-assignments")


def test_publications(api: Any) -> None:
    make_campaign(api, vouchers_count=4)
    path = "/v1/publications"
    check(publish(api, source_id="x"), "publications", "post", path)
    two = {"campaign": {"name": "Spring", "count": 2}, "customer": {"source_id": "ann"}}
    check(api.call("POST", path, two), "publications", "post", path)
    query = {"campaign[name]": "Spring", "customer[source_id]": "bob"}
    check(api.call("GET", f"{path}/create", params=query), "publications", "get", f"{path}/create")
    api.call("POST", path, two, status=400)
    check(api.call("GET", path), "publications", "get", path)


def test_redemptions_and_validations(api: Any) -> None:
    make_voucher(api, "A", percent(5))
    make_voucher(api, "B", redemption={"quantity": 2})
    for codes in (("A", "B"), ("A", "NONE")):
        body = stack(*codes, order=ORDER)
        check(api.call("POST", "/v1/validations", body), "validations", "post", "/v1/validations")
    for code in ("A", "NONE"):
        answer = api.call("POST", f"/v1/vouchers/{code}/validate", {"order": ORDER})
        check(answer, "validations", "post", "/v1/vouchers/{code}/validate")
    name, one = "redemptions", "/v1/redemptions/{redemptionId}"
    single = check(redeem(api, "A", order=ORDER), name, "post", "/v1/redemptions")["redemptions"][0]
    stacked = check(redeem(api, "A", "B"), name, "post", "/v1/redemptions")["parent_redemption"]
    old = api.call("POST", "/v1/vouchers/B/redemption", {"customer": {"source_id": "ann"}})
    check(old, name, "post", "/v1/vouchers/{code}/redemption")
    refused(api, "B", key="quantity_exceeded")
    for redemption in (single, stacked):
        check(api.call("GET", f"/v1/redemptions/{redemption['id']}"), name, "get", one)
    undone = api.call("POST", f"/v1/redemptions/{single['id']}/rollback", {"reason": "r"})
    check(undone, name, "post", f"{one}/rollback")
    api.call("POST", f"/v1/redemptions/{single['id']}/rollback", status=400)
    undone = api.call("POST", f"/v1/redemptions/{stacked['id']}/rollbacks", {"reason": "r"})
    check(undone, name, "post", "/v1/redemptions/{parentRedemptionId}/rollbacks")
    check(api.call("GET", "/v1/redemptions"), name, "get", "/v1/redemptions")
    check(api.call("GET", "/v1/vouchers/B/redemption"), name, "get", "/v1/vouchers/{code}/redemption")


def test_each_entry_of_the_activity_fits_the_schema_of_its_own_type(api: Any) -> None:
    make_campaign(api, vouchers_count=1, quantity=1)
    code = publish(api)["voucher"]["code"]
    publish_again = {"campaign": {"name": "Spring"}, "customer": {"source_id": "ann"}}
    api.fails("POST", "/v1/publications", publish_again, status=400, key="no_voucher_suitable_for_publication")
    api.call("POST", "/v1/validations", stack(code, order=ORDER))
    done = redeem(api, code, order=ORDER)["redemptions"][0]["id"]
    api.call("POST", "/v1/validations", stack(code, order=ORDER))
    refused(api, code, key="quantity_exceeded")
    api.call("POST", f"/v1/redemptions/{done}/rollback")
    api.call("POST", f"/v1/redemptions/{done}/rollback", status=400)
    api.call("DELETE", f"/v1/vouchers/{code}", status=204)
    data = api.call("GET", "/v1/customers/ann/activity", params={"limit": "100"})["data"]
    seen = set()
    for entry in data:
        kind = entry["type"].removeprefix("customer.")
        if kind.startswith(("redemption", "publication", "validation", "voucher")):
            seen.add(kind)
            found = payload_misfits(entry["type"], entry["data"]["data"])
            assert set(found) == DEVIATIONS.get(kind, set()), (entry["type"], found)
    assert seen == {
        "publication.succeeded", "publication.failed", "validation.succeeded", "validation.failed",
        "redemption.succeeded", "redemption.failed", "redemption.rollback.succeeded", "redemption.rollback.failed",
        "voucher.deleted",
    }  # fmt: skip
