"""The official SDK, unmodified, makes every call about in-cart promotions, categories, locations and templates."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import voucherify
from voucherify import models
from voucherify.exceptions import ApiException, BadRequestException, NotFoundException

from in_cart import make_promotion, tier
from promotions import make_campaign, make_rule, one_rule
from rapport.core.db import Database
from rapport.projects.actions import create_key
from rapport.projects.models import NewKey

CIRCLE = {"type": "circle", "format": "distance", "distance": {"center": "52.2297,21.0122", "radius": "5 km"}}
RULE = one_rule("redemption.count.per_customer", "$less_than_or_equal", 1)


@pytest.fixture
def promotions(sdk: voucherify.ApiClient) -> voucherify.PromotionsApi:
    return voucherify.PromotionsApi(sdk)


@pytest.fixture
def categories(sdk: voucherify.ApiClient) -> voucherify.CategoriesApi:
    return voucherify.CategoriesApi(sdk)


@pytest.fixture
def templates(sdk: voucherify.ApiClient) -> voucherify.TemplatesApi:
    return voucherify.TemplatesApi(sdk)


def tier_body(name: str, **more: Any) -> Any:
    """Return the request for a tier."""
    body = {
        "name": name,
        "banner": "25% off",
        "action": {"discount": {"type": "PERCENT", "percent_off": 25, "effect": "APPLY_TO_ORDER"}},
        "start_date": "2026-01-01T00:00:00Z",
        "expiration_date": "2099-01-01T00:00:00Z",
        "validity_timeframe": {"interval": "P2D", "duration": "P1D"},
        "validity_day_of_week": [1, 2],
        **more,
    }
    return models.PromotionsTiersCreateRequestBody.from_dict(body)


def test_categories(categories: voucherify.CategoriesApi) -> None:
    made = categories.create_category(models.CategoriesCreateRequestBody(name="Deals", hierarchy=2))
    assert (made.name, made.hierarchy, made.object) == ("Deals", 2, "category")
    assert made.id is not None
    assert categories.get_category(made.id).created_at == made.created_at
    changed = categories.update_category(made.id, models.CategoriesUpdateRequestBody(name="New", hierarchy=1))
    assert (changed.name, changed.hierarchy) == ("New", 1)
    found = categories.list_categories()
    assert (found.total, [one.id for one in found.data or []]) == (1, [made.id])
    with pytest.raises(BadRequestException):
        categories.create_category(models.CategoriesCreateRequestBody(name="x"))
    categories.delete_category(made.id)
    with pytest.raises(NotFoundException):
        categories.get_category(made.id)


def test_a_campaign_with_tiers(sdk: voucherify.ApiClient) -> None:
    campaigns = voucherify.CampaignsApi(sdk)
    body = {
        "name": "Deals",
        "campaign_type": "PROMOTION",
        "type": "STATIC",
        "start_date": "2026-01-01T00:00:00Z",
        "promotion": {"tiers": [tier("A"), tier("B", 20)]},
        "metadata": {"region": "APAC"},
    }
    made = campaigns.create_campaign(models.CampaignsCreateRequestBody.from_dict(body))
    for shown in (made, campaigns.get_campaign("Deals")):
        assert shown.promotion is not None
        assert [(one.name, one.hierarchy) for one in shown.promotion.tiers or []] == [("A", 1), ("B", 2)]


def test_tiers(api: Any, promotions: voucherify.PromotionsApi) -> None:
    campaign = make_promotion(api, tier("A"))["id"]
    made = promotions.add_promotion_tier_to_campaign(campaign, tier_body("B"))
    assert (made.name, made.hierarchy, made.active, made.banner) == ("B", 2, True, "25% off")
    assert made.action is not None
    assert made.action.discount is not None
    assert made.action.discount.to_dict()["percent_off"] == 25
    assert made.validity_timeframe is not None
    assert (made.validity_timeframe.interval, made.validity_day_of_week) == ("P2D", [1, 2])
    assert made.summary is not None
    assert made.summary.redemptions is not None
    assert made.summary.redemptions.total_redeemed == 0
    assert made.id is not None
    assert promotions.get_promotion_tier(made.id).name == "B"
    update = models.PromotionsTiersUpdateRequestBody.from_dict({"name": "C", "hierarchy": 1})
    changed = promotions.update_promotion_tier(made.id, update)
    assert (changed.name, changed.hierarchy, changed.banner, changed.metadata) == ("C", 1, "25% off", {})
    of_campaign = promotions.list_promotion_tiers_from_campaign(campaign)
    assert [one.name for one in of_campaign.tiers or []] == ["C", "A"]
    listed = promotions.list_promotion_tiers(is_available=True, limit=5, page=1, order="-created_at")
    assert (listed.total, listed.has_more) == (1, False) or listed.total == 2
    assert promotions.disable_promotion_tier(made.id).active is False
    assert promotions.enable_promotion_tier(made.id).active is True
    promotions.delete_promotion_tier(made.id)
    with pytest.raises(NotFoundException):
        promotions.get_promotion_tier(made.id)


async def test_tiers_client_side(api: Any, sdk: voucherify.ApiClient, db: Database, key: NewKey) -> None:
    make_promotion(api, tier("A"))
    client = await create_key(db, key.project, "client")
    configuration = voucherify.Configuration(host=sdk.configuration.host)
    configuration.api_key = {"X-Client-Application-Id": client.app_id, "X-Client-Token": client.app_token}
    shop = voucherify.ClientSideApi(voucherify.ApiClient(configuration))
    found = shop.list_promotion_tiers_client_side(origin="https://shop.example", is_available=True)
    assert [one.name for one in found.tiers or []] == ["A"]


def test_stacks(api: Any, promotions: voucherify.PromotionsApi) -> None:
    campaign = make_promotion(api, tier("A"), tier("B"))
    ids = [one["id"] for one in campaign["promotion"]["tiers"]]
    body = models.PromotionsStacksCreateRequestBody.from_dict(
        {"name": "Both", "tiers": {"ids": ids[::-1], "hierarchy_mode": "MANUAL"}}
    )
    made = promotions.create_promotion_stack(campaign["id"], body)
    assert made.id is not None
    assert made.tiers is not None
    assert (made.name, made.tiers.ids, made.campaign_id) == ("Both", ids[::-1], campaign["id"])
    assert promotions.get_promotion_stack(campaign["id"], made.id).created_at == made.created_at
    update = models.PromotionsStacksUpdateRequestBody.from_dict({"name": "One", "tiers": {"ids": ids[:1]}})
    changed = promotions.update_promotion_stack(campaign["id"], made.id, update)
    assert changed.tiers is not None
    assert (changed.name, changed.tiers.ids) == ("One", ids[:1])
    assert changed.updated_at is not None
    assert [one.id for one in promotions.list_promotion_stacks_in_campaign(campaign["id"]).data or []] == [made.id]
    assert promotions.list_all_promotion_stacks(limit=5, order="name").total == 1
    promotions.delete_promotion_stack(campaign["id"], made.id)
    with pytest.raises(NotFoundException):
        promotions.get_promotion_stack(campaign["id"], made.id)


def test_locations(api: Any, sdk: voucherify.ApiClient) -> None:
    made = api.call("POST", "/v1/locations", {"name": "Warsaw", "shape": CIRCLE})
    locations = voucherify.LocationsApi(sdk)
    found = locations.get_location(made["id"])
    assert found.shape is not None
    assert found.shape.distance is not None
    assert (found.name, found.shape.distance.radius) == ("Warsaw", "5 km")
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    listed = locations.list_locations(limit=5, order="created_at", end_date=tomorrow)
    assert [one.id for one in listed.data or []] == [made["id"]]


def test_templates(api: Any, templates: voucherify.TemplatesApi) -> None:
    campaign = make_campaign(api, validation_rules=[make_rule(api, RULE)])
    body = models.TemplatesCampaignsCreateRequestBody.from_dict({"name": "T", "campaign_id": campaign["id"]})
    made = templates.create_campaign_template(body)
    assert (made.name, made.campaign_type) == ("T", "DISCOUNT_COUPONS")
    assert made.id is not None
    assert templates.get_campaign_template(made.id).name == "T"
    update = models.TemplatesCampaignsUpdateRequestBody.from_dict({"name": "U"})
    assert templates.update_campaign_template(made.id, update).name == "U"
    listed = templates.list_campaign_templates(limit=5, order="id", include_total=True)
    assert ([one.id for one in listed.data or []], listed.total, listed.has_more) == ([made.id], 1, False)
    setup = models.TemplatesCampaignsCampaignSetupCreateRequestBody.from_dict({"name": "Copy"})
    copied = templates.create_campaign_from_template(made.id, setup)
    assert copied.campaign is not None
    assert (copied.campaign.name, copied.object) == ("Copy", "campaign_setup")
    assert [one.object for one in copied.created_resources or []] == ["validation_rules"]
    promotion = make_promotion(api)
    tier_setup = models.TemplatesCampaignsTierSetupCreateRequestBody.from_dict(
        {"name": "A", "campaign_id": promotion["id"]}
    )
    added = templates.add_tier_from_template(made.id, tier_setup)
    assert added.promotion_tier is not None
    assert (added.promotion_tier.name, added.object) == ("A", "promotion_tier_setup")
    templates.delete_campaign_template(made.id)
    with pytest.raises(ApiException) as caught:
        templates.create_campaign_from_template(made.id, setup)
    assert caught.value.status == 404
