"""Answers about in-cart promotions, categories, locations and templates fit the reference's documents."""

from typing import Any

from contract.test_reference_schemas import misfits, schema_of
from in_cart import make_category, make_promotion, make_stack, tier
from promotions import make_campaign, make_rule, one_rule

CIRCLE = {"type": "circle", "format": "distance", "distance": {"center": "52.2297,21.0122", "radius": "5 km"}}
RULE = one_rule("redemption.count.per_customer", "$less_than_or_equal", 1)
# Passed over: null and hours without seconds, which the examples have, too.
ALLOWED = ("None is not of type", "is not a 'time'")
# What does not fit, and why.
DEVIATIONS: dict[str, set[str]] = {
    # The list is in `data`, as the schema and the SDK have it; what the schema requires is in neither.
    "get /v1/templates/campaigns": {""},
    # Categories of a stack, by their schema there, are stacks; the SDK reads categories.
    "post /v1/promotions/{campaignId}/stacks": {"categories.*"},
    "put /v1/promotions/{campaignId}/stacks/{stackId}": {"categories.*"},
    # The schema requires the campaign, and has the tier in its place, as the example has.
    "post /v1/templates/campaigns/{campaignTemplateId}/tier-setup": {""},
}
# Of those that are about the answer as a whole.
MISSING = ("'campaign_template' is a required property", "'campaign' is a required property")


def check(answer: Any, name: str, method: str, path: str) -> Any:
    """Hold an answer against its schema and return it."""
    found = misfits(answer, schema_of(name, method, path, "200"))
    assert found.get("") in (None, *MISSING), found
    wrong = {place: said for place, said in found.items() if not any(part in said for part in ALLOWED)}
    assert set(wrong) <= DEVIATIONS.get(f"{method} {path}", set()), (method, path, wrong)
    return answer


def test_categories(api: Any) -> None:
    body = {"name": "Deals", "hierarchy": 1}
    made = check(api.call("POST", "/v1/categories", body), "categories", "post", "/v1/categories")
    check(api.call("GET", "/v1/categories"), "categories", "get", "/v1/categories")
    path = f"/v1/categories/{made['id']}"
    check(api.call("GET", path), "categories", "get", "/v1/categories/{categoryId}")
    check(api.call("PUT", path, body), "categories", "put", "/v1/categories/{categoryId}")


def test_tiers(api: Any) -> None:
    rule, category = make_rule(api, RULE), make_category(api)
    body = tier(
        "A", banner="x", start_date="2026-01-01", expiration_date="2099-01-01", validation_rules=[rule],
        category_id=category, validity_timeframe={"interval": "P2D", "duration": "P1D"}, validity_day_of_week=[1],
        validity_hours={"daily": [{"start_time": "09:00", "expiration_time": "17:00"}]},
    )  # fmt: skip
    campaign = make_promotion(api, body, category="Deals")
    check(campaign, "campaigns", "post", "/v1/campaigns")
    one, own = "/v1/promotions/tiers/{promotionTierId}", "/v1/promotions/{campaignId}/tiers"
    made = check(api.call("POST", "/v1/promotions/Deals/tiers", body), "promotions", "post", own)
    check(api.call("GET", "/v1/promotions/Deals/tiers"), "promotions", "get", own)
    check(api.call("GET", "/v1/promotions/tiers"), "promotions", "get", "/v1/promotions/tiers")
    path = f"/v1/promotions/tiers/{made['id']}"
    check(api.call("GET", path), "promotions", "get", one)
    check(api.call("PUT", path, {"name": "B"}), "promotions", "put", one)
    for word in ("enable", "disable"):
        check(api.call("POST", f"{path}/{word}"), "promotions", "post", f"{one}/{word}")


def test_stacks(api: Any) -> None:
    campaign = make_promotion(api, tier("A"))
    category = make_category(api)
    own = "/v1/promotions/{campaignId}/stacks"
    made = make_stack(api, "Deals", campaign["promotion"]["tiers"][0]["id"], category_id=category)
    check(made, "promotions", "post", own)
    check(api.call("GET", "/v1/promotions/Deals/stacks"), "promotions", "get", own)
    check(api.call("GET", "/v1/promotions/stacks"), "promotions", "get", "/v1/promotions/stacks")
    path = f"/v1/promotions/Deals/stacks/{made['id']}"
    check(api.call("GET", path), "promotions", "get", f"{own}/{{stackId}}")
    check(api.call("PUT", path, {"name": "B"}), "promotions", "put", f"{own}/{{stackId}}")


def test_locations(api: Any) -> None:
    made = api.call("POST", "/v1/locations", {"name": "Warsaw", "shape": CIRCLE})
    check(api.call("GET", "/v1/locations"), "locations", "get", "/v1/locations")
    check(api.call("GET", f"/v1/locations/{made['id']}"), "locations", "get", "/v1/locations/{locationId}")


def test_templates(api: Any) -> None:
    campaign = make_campaign(api, validation_rules=[make_rule(api, RULE)])
    own, one = "/v1/templates/campaigns", "/v1/templates/campaigns/{campaignTemplateId}"
    made = check(api.call("POST", own, {"name": "T", "campaign_id": campaign["id"]}), "templates", "post", own)
    check(api.call("GET", own, params={"include_total": "true"}), "templates", "get", own)
    path = f"{own}/{made['id']}"
    check(api.call("GET", path), "templates", "get", one)
    check(api.call("PUT", path, {"description": "x"}), "templates", "put", one)
    setup = api.call("POST", f"{path}/campaign-setup", {"name": "Copy"})
    check(setup, "templates", "post", f"{one}/campaign-setup")
    make_promotion(api)
    body = {"name": "A", "campaign_id": "Deals"}
    check(api.call("POST", f"{path}/tier-setup", body), "templates", "post", f"{one}/tier-setup")
