"""The official SDK, unmodified, makes every call about promotions that exists here and reads every answer."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import voucherify
from voucherify import models
from voucherify.exceptions import ApiException, BadRequestException, NotFoundException

TOMORROW = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
def campaigns(sdk: voucherify.ApiClient) -> voucherify.CampaignsApi:
    return voucherify.CampaignsApi(sdk)


@pytest.fixture
def vouchers(sdk: voucherify.ApiClient) -> voucherify.VouchersApi:
    return voucherify.VouchersApi(sdk)


@pytest.fixture
def rules(sdk: voucherify.ApiClient) -> voucherify.ValidationRulesApi:
    return voucherify.ValidationRulesApi(sdk)


@pytest.fixture
def redemptions(sdk: voucherify.ApiClient) -> voucherify.RedemptionsApi:
    return voucherify.RedemptionsApi(sdk)


@pytest.fixture
def publications(sdk: voucherify.ApiClient) -> voucherify.PublicationsApi:
    return voucherify.PublicationsApi(sdk)


def make_campaign(campaigns: voucherify.CampaignsApi, **more: Any) -> Any:
    body = {
        "name": "Spring",
        "campaign_type": "DISCOUNT_COUPONS",
        "type": "STATIC",
        "vouchers_count": 3,
        "start_date": "2020-08-16T00:00:00Z",
        "expiration_date": "2099-12-26T00:00:00Z",
        "activity_duration_after_publishing": "P24D",
        "metadata": {"region": "AMER"},
        "voucher": {
            "type": "DISCOUNT_VOUCHER",
            "discount": {"type": "PERCENT", "percent_off": 12.5, "amount_limit": 4000},
            "redemption": {"quantity": 10},
            "code_config": {"pattern": "10OFF-#######"},
        },
        **more,
    }
    return campaigns.create_campaign(models.CampaignsCreateRequestBody.from_dict(body))


def make_voucher(vouchers: voucherify.VouchersApi, code: str, **more: Any) -> Any:
    body = {"type": "DISCOUNT_VOUCHER", "discount": {"type": "AMOUNT", "amount_off": 300}, **more}
    return vouchers.create_voucher(code, models.VouchersCreateWithSpecificCodeRequestBody.from_dict(body))


def request(*codes: str, kind: Any = models.RedemptionsRedeemRequestBody) -> Any:
    body = {
        "redeemables": [{"object": "voucher", "id": code} for code in codes],
        "customer": {"source_id": "ann", "name": "Ann"},
        "order": {"amount": 5500, "items": [{"product_id": "p", "quantity": 1, "price": 5500}]},
        "metadata": {"shop": "web"},
    }
    return kind.from_dict(body)


def test_campaigns(campaigns: voucherify.CampaignsApi) -> None:
    made = make_campaign(campaigns)
    assert (made.name, made.vouchers_count, made.creation_status) == ("Spring", 3, "DONE")
    assert made.voucher.discount.to_dict()["percent_off"] == 12.5
    assert campaigns.get_campaign(made.id).id == made.id
    update = models.CampaignsUpdateRequestBody.from_dict({"description": "New", "campaign_type": "DISCOUNT_COUPONS"})
    changed = campaigns.update_campaign("Spring", update)
    assert changed.description == "New"
    listed = campaigns.list_campaigns(limit=1, page=1, order="-created_at", campaign_type="DISCOUNT_COUPONS")
    assert (listed.total, [one.id for one in listed.campaigns]) == (1, [made.id])
    more = models.CampaignsVouchersCreateRequestBody.from_dict({"metadata": {"a": 1}})
    own = campaigns.add_voucher_with_specific_code_to_campaign(made.id, "MINE", more)
    assert (own.code, own.campaign_id, own.metadata) == ("MINE", made.id, {"a": 1})
    one = campaigns.add_vouchers_to_campaign(made.id)
    assert one.code.startswith("10OFF-")
    several = campaigns.add_vouchers_to_campaign(made.id, vouchers_count=2)
    assert several.async_action_id.startswith("aa_")
    assert campaigns.get_campaign("Spring").vouchers_count == 7
    campaigns.disable_campaign(made.id)
    assert campaigns.get_campaign(made.id).active is False
    campaigns.enable_campaign(made.id)
    assert campaigns.delete_campaign(made.id, force=True).async_action_id
    with pytest.raises(NotFoundException):
        campaigns.get_campaign(made.id)


def test_the_bin(
    sdk: voucherify.ApiClient, campaigns: voucherify.CampaignsApi, vouchers: voucherify.VouchersApi
) -> None:
    trash_bin, actions = voucherify.BinApi(sdk), voucherify.AsyncActionsApi(sdk)
    campaign = make_campaign(campaigns)
    voucher = make_voucher(vouchers, "CODE")
    begun = campaigns.delete_campaign(campaign.id)
    vouchers.delete_voucher("CODE", force=False)
    done = actions.get_async_action(begun.async_action_id)
    assert (done.type, done.status) == ("CAMPAIGN.VOUCHERS_DELETE", "DONE")
    first = trash_bin.list_bin_entries(limit=1, order=models.ParameterOrderListBin.MINUS_ID)
    assert first.has_more
    assert [one.resource_id for one in first.data] == [voucher.id]
    second = trash_bin.list_bin_entries(
        limit=1, order=models.ParameterOrderListBin.MINUS_ID, starting_after_id=first.more_starting_after
    )
    (entry,) = second.data
    assert not second.has_more
    assert (entry.resource_type, entry.resource_name, entry.object) == ("campaign", "Spring", "campaign")
    trash_bin.delete_bin_entry(entry.id)
    assert [one.resource_name for one in trash_bin.list_bin_entries().data] == ["CODE"]
    with pytest.raises(NotFoundException):
        trash_bin.delete_bin_entry(entry.id)


def test_a_campaign_name_that_is_taken(campaigns: voucherify.CampaignsApi) -> None:
    make_campaign(campaigns)
    with pytest.raises(ApiException, match="duplicate_found"):
        make_campaign(campaigns)


def test_vouchers(vouchers: voucherify.VouchersApi) -> None:
    made = make_voucher(vouchers, "CODE", redemption={"quantity": 2}, metadata={"a": 1}, start_date=TOMORROW)
    assert (made.code, made.discount.to_dict()["amount_off"], made.redemption.quantity) == ("CODE", 300, 2)
    assert vouchers.get_voucher("CODE").id == made.id
    body = {"type": "DISCOUNT_VOUCHER", "discount": {"type": "PERCENT", "percent_off": 5}, "code_config": {"length": 4}}
    drawn = vouchers.generate_random_code(models.VouchersCreateRequestBody.from_dict(body))
    assert len(drawn.code) == 4
    changed = vouchers.update_voucher("CODE", models.VouchersUpdateRequestBody.from_dict({"additional_info": "x"}))
    assert changed.additional_info == "x"
    assert vouchers.disable_voucher("CODE").active is False
    assert vouchers.enable_voucher("CODE").active is True
    before = models.ParameterCreatedBeforeAfter(before=drawn.created_at)
    listed = vouchers.list_vouchers(limit=10, order="-created_at", created_at=before)
    assert [one.code for one in listed.vouchers] == ["CODE"]
    assert [one.code for one in vouchers.list_vouchers(code="CODE").vouchers] == ["CODE"]
    by_ids = vouchers.list_vouchers(ids=[made.id, "v_x"]), vouchers.list_vouchers(ids=[made.id, drawn.id], order="code")
    assert [{one.id for one in found.vouchers} for found in by_ids] == [{made.id}, {made.id, drawn.id}]
    vouchers.delete_voucher("CODE", force=True)
    with pytest.raises(NotFoundException):
        vouchers.get_voucher("CODE")


def test_validation_rules(rules: voucherify.ValidationRulesApi, campaigns: voucherify.CampaignsApi) -> None:
    body = {
        "name": "Once",
        "rules": {
            "1": {
                "name": "redemption.count.per_customer",
                "conditions": {"$less_than_or_equal": [1]},
                "error": {"message": "Only once"},
            },
            "logic": "1",
        },
        "error": {"message": "Sorry"},
        "applicable_to": {"included": [], "excluded": [], "included_all": False},
    }
    made = rules.create_validation_rules(models.ValidationRulesCreateRequestBody.from_dict(body))
    assert made.id.startswith("val_")
    assert rules.get_validation_rule(made.id).name == "Once"
    change = models.ValidationRulesUpdateRequestBody.from_dict({"name": "Twice"})
    assert rules.update_validation_rule(made.id, change).name == "Twice"
    assert [one.id for one in rules.list_validation_rules(limit=5, order="-created_at").data] == [made.id]
    campaign = make_campaign(campaigns, validation_rules=[made.id])
    assert campaign.validation_rules_assignments.total == 1
    target = {"related_object_type": "campaign", "related_object_id": campaign.id}
    assignment = models.ValidationRulesAssignmentsCreateRequestBody.from_dict(target)
    with pytest.raises(ApiException, match="duplicate_found"):
        rules.create_validation_rule_assignment(made.id, validation_rules_assignments_create_request_body=assignment)
    again = rules.create_validation_rule_assignment(
        made.id, force=True, validation_rules_assignments_create_request_body=assignment
    )
    assert [one.id for one in rules.list_validation_rule_assignments(made.id).data] == [again.id]
    assert rules.list_validation_rules_assignments(related_object_id=campaign.id).total == 1
    rules.delete_validation_rule_assignment(made.id, again.id)
    rules.delete_validation_rules(made.id)
    assert rules.list_validation_rules().total == 0


def test_validations(sdk: voucherify.ApiClient, vouchers: voucherify.VouchersApi) -> None:
    make_voucher(vouchers, "A")
    make_voucher(vouchers, "B", active=False)
    validations = voucherify.ValidationsApi(sdk)
    good = validations.validate_stacked_discounts(request("A", kind=models.ValidationsValidateRequestBody))
    assert good.valid is True
    assert [one.status for one in good.redeemables] == ["APPLICABLE"]
    assert (good.order.total_amount, good.stacking_rules.redeemables_limit) == (5200, 30)
    bad = validations.validate_stacked_discounts(request("A", "B", kind=models.ValidationsValidateRequestBody))
    assert bad.valid is False
    assert bad.inapplicable_redeemables[0].result.error.key == "voucher_disabled"
    assert [one.id for one in bad.skipped_redeemables] == ["A"]


def test_redemptions(redemptions: voucherify.RedemptionsApi, vouchers: voucherify.VouchersApi) -> None:
    make_voucher(vouchers, "A", redemption={"quantity": 2})
    make_voucher(vouchers, "B")
    single = redemptions.redeem_stacked_discounts(request("A"))
    assert single.order.total_amount == 5200
    one = single.redemptions[0]
    assert (one.result, one.status, one.customer.source_id) == ("SUCCESS", "SUCCEEDED", "ann")
    stacked = redemptions.redeem_stacked_discounts(request("A", "B"))
    assert [item.order.total_amount for item in stacked.redemptions] == [5200, 4900]
    with pytest.raises(BadRequestException, match="quantity_exceeded"):
        redemptions.redeem_stacked_discounts(request("A"))
    assert redemptions.get_redemption(one.id).id == one.id
    assert redemptions.get_redemption(stacked.parent_redemption.id).related_object_type == "redemption"
    after = models.ParameterCreatedBeforeAfter(after=one.var_date)
    listed = redemptions.list_redemptions(limit=20, result="SUCCESS", customer="ann", order="-created_at")
    assert listed.total == 4
    assert redemptions.list_redemptions(created_at=after).total == 4
    undone = redemptions.rollback_redemption(
        one.id, redemptions_rollback_create_request_body=models.RedemptionsRollbackCreateRequestBody(reason="Oops")
    )
    assert (undone.object, undone.redemption, undone.reason) == ("redemption_rollback", one.id, "Oops")
    whole = redemptions.rollback_stacked_redemptions(stacked.parent_redemption.id, reason="All of it")
    assert len(whole.rollbacks) == 2
    assert whole.order.status == "CANCELED"
    assert redemptions.get_redemption(undone.id).object == "redemption_rollback"
    entries = redemptions.get_voucher_redemptions("A")
    assert (entries.redeemed_quantity, entries.total) == (0, 5)
    everything = redemptions.list_redemptions(limit=100)
    assert everything.total == len(everything.redemptions) == 9


def test_publications(publications: voucherify.PublicationsApi, campaigns: voucherify.CampaignsApi) -> None:
    make_campaign(campaigns)
    body = {
        "campaign": {"name": "Spring", "count": 1},
        "customer": {"source_id": "ann", "email": "ann@example.com"},
        "source_id": "p-1",
        "channel": "newsletter",
        "metadata": {"year": 2026},
    }
    made = publications.create_publication(
        publications_create_request_body=models.PublicationsCreateRequestBody.from_dict(body)
    )
    assert (made.result, made.source_id, made.customer.email) == ("SUCCESS", "p-1", "ann@example.com")
    assert made.voucher.code.startswith("10OFF-")
    again = publications.create_publication1(
        customer=models.Customer(source_id="ann", name="Ann"),
        campaign=models.CreatePublicationCampaign(name="Spring"),
        join_once=True,
    )
    assert (again.id, again.customer.name) == (made.id, "Ann")
    several = {"campaign": {"name": "Spring", "count": 2}, "customer": {"source_id": "bob"}}
    both = publications.create_publication(
        publications_create_request_body=models.PublicationsCreateRequestBody.from_dict(several)
    )
    assert len(both.vouchers) == 2
    failing = models.PublicationsCreateRequestBody.from_dict(several)
    with pytest.raises(BadRequestException, match="no_voucher_suitable_for_publication"):
        publications.create_publication(publications_create_request_body=failing)
    listed = publications.list_publications(limit=10, order="-created_at", campaign="Spring")
    assert listed.total == 3
    assert [one.channel for one in listed.publications][-1] == "newsletter"


def test_an_update_leaves_an_expired_voucher_expired(
    vouchers: voucherify.VouchersApi, redemptions: voucherify.RedemptionsApi
) -> None:
    make_voucher(vouchers, "CODE", expiration_date="2020-01-01T00:00:00Z")
    change = models.VouchersUpdateRequestBody.from_dict({"metadata": {"a": 1}})
    assert vouchers.update_voucher("CODE", change).expiration_date.year == 2020
    with pytest.raises(BadRequestException, match="voucher_expired"):
        redemptions.redeem_stacked_discounts(request("CODE"))


FULL = {
    "source_id": "ann", "name": "Ann", "description": "Regular", "email": "ann@example.com", "phone": "+47 1",
    "birthdate": "1990-01-02", "address": {"city": "Oslo", "country": "NO"}, "metadata": {"tier": "gold"},
}  # fmt: skip
KEPT = ("source_id", "name", "description", "email", "phone", "birthdate", "address", "metadata", "created_at")


def test_what_a_write_does_not_name_stays(
    api: Any,
    sdk: voucherify.ApiClient,
    campaigns: voucherify.CampaignsApi,
    vouchers: voucherify.VouchersApi,
    rules: voucherify.ValidationRulesApi,
    redemptions: voucherify.RedemptionsApi,
    publications: voucherify.PublicationsApi,
) -> None:
    api.call("POST", "/v1/customers", FULL)
    make_campaign(campaigns, description="Old", join_once=False, auto_join=True)
    make_voucher(
        vouchers, "CODE", redemption={"quantity": 9}, additional_info="x", metadata={"a": 1}, active=True,
        start_date="2020-01-01T00:00:00Z", expiration_date="2099-01-01T00:00:00Z",
    )  # fmt: skip
    rule = {"name": "Rule", "rules": {"logic": ""}, "error": {"message": "Sorry"}}
    rule_id = rules.create_validation_rules(models.ValidationRulesCreateRequestBody.from_dict(rule)).id
    order = {"source_id": "o", "amount": 900, "metadata": {"shop": "web"}, "customer": {"source_id": "ann"}}
    api.call("POST", "/v1/orders", order | {"items": [{"product_id": "p", "amount": 900}]})

    def state() -> list[Any]:
        shown = []
        for path in ("customers/ann", "campaigns/Spring", "vouchers/CODE", f"validation-rules/{rule_id}", "orders/o"):
            found = api.call("GET", f"/v1/{path}")
            names = KEPT if path == "customers/ann" else set(found) - MOVES
            shown.append({name: found[name] for name in names})
        return shown

    before = state()
    ann = {"customer": {"source_id": "ann"}}
    campaign = models.CampaignsUpdateRequestBody.from_dict({"campaign_type": "DISCOUNT_COUPONS"})
    campaigns.update_campaign("Spring", campaign)
    vouchers.update_voucher("CODE", models.VouchersUpdateRequestBody.from_dict({}))
    change = models.ValidationRulesUpdateRequestBody.from_dict({"name": "Rule"})
    rules.update_validation_rule(rule_id, change)
    published = models.PublicationsCreateRequestBody.from_dict({"campaign": {"name": "Spring"}, **ann})
    publications.create_publication(publications_create_request_body=published)
    publications.create_publication1(
        customer=models.Customer.from_dict(ann["customer"]),
        campaign=models.CreatePublicationCampaign.from_dict({"name": "Spring"}),
    )
    body = {"redeemables": [{"object": "voucher", "id": "CODE"}], "order": {"source_id": "o"}, **ann}
    validation = models.ValidationsValidateRequestBody.from_dict(body)
    assert voucherify.ValidationsApi(sdk).validate_stacked_discounts(validation).valid is True
    done = redemptions.redeem_stacked_discounts(models.RedemptionsRedeemRequestBody.from_dict(body))
    undo = models.RedemptionsRollbackCreateRequestBody.from_dict({"order": {"source_id": "o"}, **ann})
    redemptions.rollback_redemption(done.redemptions[0].id, redemptions_rollback_create_request_body=undo)
    assert state() == before


# What redeeming and publishing, and the touch of an update, are there to change.
MOVES = {"updated_at", "redemption", "redemptions", "status", "vouchers_count"}
