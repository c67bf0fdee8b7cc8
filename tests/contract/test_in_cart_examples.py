"""The request examples of the reference's documents are accepted; only ids of things are those that there are."""

import json
from typing import Any

from contract.test_reference_schemas import document
from in_cart import add_tier, make_promotion, tier
from promotions import make_campaign, make_rule, one_rule

RULE = one_rule("redemption.count.per_customer", "$less_than_or_equal", 1)


def example(name: str, method: str, path: str, which: str = "Example", **ids: str) -> Any:
    """Return an example of a request, with ids of ours in the place of those in it."""
    content = document(name)["paths"][path][method]["requestBody"]["content"]["application/json"]
    text = json.dumps(content["examples"][which]["value"])
    for theirs, ours in ids.items():
        assert theirs in text
        text = text.replace(theirs, ours)
    return json.loads(text)


def test_examples_of_categories(api: Any) -> None:
    made = api.call("POST", "/v1/categories", example("categories", "post", "/v1/categories"))
    assert (made["name"], made["hierarchy"]) == ("Eighth", 8)
    body = example("categories", "put", "/v1/categories/{categoryId}")
    assert api.call("PUT", f"/v1/categories/{made['id']}", body)["name"] == "Summer"


def test_the_example_of_a_campaign_with_tiers(api: Any) -> None:
    body = example("campaigns", "post", "/v1/campaigns", "Promotion", val_q8qUBMOh5qIQ=make_rule(api, RULE))
    made = api.call("POST", "/v1/campaigns", body)
    tiers = made["promotion"]["tiers"]
    assert [one["name"] for one in tiers] == ["Percent Discount", "Order more than $100"]
    assert [one["metadata"] for one in tiers] == [{"level": "B"}, {"level": "A"}]


def test_examples_of_tiers_and_stacks(api: Any) -> None:
    make_promotion(api, tier("A"), tier("B"))
    own, one = "/v1/promotions/{campaignId}/tiers", "/v1/promotions/tiers/{promotionTierId}"
    body = example("promotions", "post", own, val_q8qUBMOh5qIQ=make_rule(api, RULE))
    made = api.call("POST", "/v1/promotions/Deals/tiers", body)
    assert (made["name"], made["hierarchy"]) == ("Order more than $100", 3)
    changed = api.call("PUT", f"/v1/promotions/tiers/{made['id']}", example("promotions", "put", one))
    assert (changed["hierarchy"], changed["action"]["discount"]["percent_off"]) == (1, 25)
    ids = {
        "promo_aaAF8mVAzA0PF1igia2OC63d": made["id"],
        "promo_t9zdL6XMFk7B8fQ23zxELtdE": add_tier(api, "Deals")["id"],
    }
    third = {"promo_dJNhAEeV5sR5oPQq1UrUdnMC": add_tier(api, "Deals")["id"]}
    path = "/v1/promotions/{campaignId}/stacks"
    stack = api.call("POST", "/v1/promotions/Deals/stacks", example("promotions", "post", path, **ids, **third))
    assert stack["tiers"]["ids"] == [*ids.values(), *third.values()]
    body = example("promotions", "put", f"{path}/{{stackId}}", **ids)
    changed = api.call("PUT", f"/v1/promotions/Deals/stacks/{stack['id']}", body)
    assert (changed["name"], changed["tiers"]["ids"]) == ("Fifth Stack Modified", [*ids.values()])


def test_the_example_of_a_campaign_from_a_template(api: Any) -> None:
    body = {"name": "T", "campaign_id": make_campaign(api)["id"]}
    template = api.call("POST", "/v1/templates/campaigns", body)["id"]
    path = "/v1/templates/campaigns/{campaignTemplateId}/campaign-setup"
    setup = example("templates", "post", path)
    made = api.call("POST", f"/v1/templates/campaigns/{template}/campaign-setup", setup)["campaign"]
    assert {name: made[name] for name in setup} == setup
