"""Campaign templates on the wire."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rapport.campaigns.answers import CampaignAnswer
from rapport.campaigns.schemas import MAX_VOUCHERS, CategoryName, CodeConfigInput, Name, RedemptionInput, Type, Unserved
from rapport.campaigns.validity import WindowsInput
from rapport.core.clock import iso
from rapport.customers.schemas import LongText, Metadata
from rapport.http.answers import Count, Instant
from rapport.promotions.answers import TierAnswer
from rapport.promotions.schemas import Banner, CategoryKey, Rank
from rapport.templates.models import Template

Reference = Annotated[str, Meta(min_length=1, max_length=255)]


# What only the template says: a setup that says otherwise is refused.
Fixed = Any


class TemplateInput(msgspec.Struct, kw_only=True):
    """`TemplatesCampaignsCreateRequestBody` of the reference: of a campaign, or else of a tier."""

    name: Name
    description: LongText | None = None
    campaign_id: Reference | None = None
    promotion_tier_id: Reference | None = None


class TemplateUpdate(msgspec.Struct, kw_only=True):
    """`TemplatesCampaignsUpdateRequestBody`: what is absent or null stays; an empty description is removed."""

    name: Name | None = None
    description: LongText | None = None


class SetupVoucher(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What of a template's codes a new campaign has otherwise."""

    code_config: CodeConfigInput | None = None
    redemption: RedemptionInput | None = None
    type: Fixed = None
    discount: Fixed = None
    gift: Fixed = None
    is_referral_code: Fixed = None


class CampaignSetup(WindowsInput, kw_only=True, omit_defaults=True):
    """`TemplatesCampaignsCampaignSetupCreateRequestBody` of the reference: a name, and what is to be otherwise."""

    name: Name
    description: LongText | None = None
    type: Type | None = None
    join_once: bool | None = None
    auto_join: bool | None = None
    active: bool | None = None
    use_voucher_metadata_schema: bool | None = None
    vouchers_count: Annotated[int, Meta(ge=0, le=MAX_VOUCHERS)] | None = None
    start_date: str | None = None
    expiration_date: str | None = None
    activity_duration_after_publishing: str | None = None
    category: CategoryName | None = None
    category_id: CategoryName | None = None
    metadata: Metadata | None = None
    voucher: SetupVoucher | None = None
    access_settings: Unserved = None
    campaign_type: Fixed = None
    validation_rules: Fixed = None
    promotion: Fixed = None


class TierSetup(WindowsInput, kw_only=True, omit_defaults=True):
    """`TemplatesCampaignsTierSetupCreateRequestBody` of the reference: a campaign and a name, and what is otherwise."""

    campaign_id: Reference
    name: Name
    banner: Banner | None = None
    metadata: Metadata | None = None
    hierarchy: Rank | None = None
    active: bool | None = None
    start_date: str | None = None
    expiration_date: str | None = None
    category: CategoryKey | None = None
    category_id: CategoryKey | None = None
    action: Fixed = None
    validation_rules: Fixed = None
    validation_rule_assignments: Fixed = None


class TemplateAnswer(msgspec.Struct, kw_only=True):
    """A campaign template; `json_template`, with `expand`, is what campaigns are made from."""

    id: str
    name: str
    campaign_type: Literal["DISCOUNT_COUPONS", "GIFT_VOUCHERS"]
    created_at: Instant
    object: Literal["campaign_template"]
    description: str | UnsetType = UNSET
    updated_at: Instant | UnsetType = UNSET
    json_template: dict[str, Any] | UnsetType = UNSET


class TemplatesAnswer(msgspec.Struct, kw_only=True):
    """A part of the templates; `total` with `include_total` only."""

    data: list[TemplateAnswer]
    has_more: bool
    object: Literal["list"]
    data_ref: Literal["data"]
    total: Count | UnsetType = UNSET
    more_starting_after: str | UnsetType = UNSET


class CreatedAnswer(msgspec.Struct, kw_only=True):
    """Something that was made along with a campaign or a tier."""

    id: str
    object: Literal["validation_rules"]


class CampaignSetupAnswer(msgspec.Struct, kw_only=True):
    """A campaign made from a template."""

    created_resources: list[CreatedAnswer]
    campaign: CampaignAnswer
    object: Literal["campaign_setup"]


class TierSetupAnswer(msgspec.Struct, kw_only=True):
    """A tier made from a template."""

    created_resources: list[CreatedAnswer]
    promotion_tier: TierAnswer
    object: Literal["promotion_tier_setup"]


def view(template: Template, *, expanded: bool = False) -> dict[str, Any]:
    """Return the campaign template object of the API."""
    shown: dict[str, Any] = {
        "id": template.id,
        "name": template.name,
        "campaign_type": template.campaign_type,
        "created_at": iso(template.created_at),
        "object": "campaign_template",
    }
    if template.description is not None:
        shown["description"] = template.description
    if template.updated_at is not None:
        shown["updated_at"] = iso(template.updated_at)
    if expanded:
        shown["json_template"] = {**template.configuration, "validation_rules": template.rules}
    return shown


def created_view(rule_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return what was made along with a campaign or a tier."""
    return [{"id": rule_id, "object": "validation_rules"} for rule_id in rule_ids]
