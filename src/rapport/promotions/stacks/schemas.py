"""Stacks of tiers on the wire."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rapport.categories.models import Category
from rapport.categories.schemas import CategoryAnswer
from rapport.categories.schemas import view as category_view
from rapport.core.clock import iso
from rapport.http.answers import Count, Instant
from rapport.promotions.models import Stack
from rapport.promotions.schemas import CategoryKey, Name

MAX_STACKS = 500
MAX_STACKED = 30

TierIds = Annotated[list[Annotated[str, Meta(max_length=255)]], Meta(min_length=1, max_length=MAX_STACKED)]


class StackTiers(msgspec.Struct, kw_only=True):
    """The tiers of a stack, in the order in which they are applied."""

    ids: TierIds
    hierarchy_mode: Literal["MANUAL"] | None = None


class StackInput(msgspec.Struct, kw_only=True):
    """`PromotionsStacksCreateRequestBody` of the reference."""

    name: Name
    tiers: StackTiers
    category_id: CategoryKey | None = None


class StackTiersUpdate(msgspec.Struct, kw_only=True):
    """The tiers of a stack in an update; without ids they stay."""

    ids: TierIds | None = None
    hierarchy_mode: Literal["MANUAL"] | None = None


class StackUpdate(msgspec.Struct, kw_only=True):
    """`PromotionsStacksUpdateRequestBody` of the reference: what is absent or null stays; an empty category goes."""

    name: Name | None = None
    tiers: StackTiersUpdate | None = None
    category_id: CategoryKey | None = None


class StackTiersAnswer(msgspec.Struct, kw_only=True):
    """The tiers of a stack, in the order in which they are applied."""

    ids: list[str]
    hierarchy_mode: Literal["MANUAL"]


class StackAnswer(msgspec.Struct, kw_only=True):
    """A stack of tiers."""

    id: str
    name: str
    created_at: Instant
    campaign_id: str
    tiers: StackTiersAnswer
    object: Literal["promotion_stack"]
    category_id: str | None
    categories: list[CategoryAnswer]
    updated_at: Instant | UnsetType = UNSET


class StacksAnswer(msgspec.Struct, kw_only=True):
    """The stacks of a campaign, all of them."""

    object: Literal["list"]
    data_ref: Literal["data"]
    data: list[StackAnswer]
    total: Count
    has_more: bool


def view(stack: Stack, known: Mapping[str, Category]) -> dict[str, Any]:
    """Return the promotion stack object of the API; `known` are categories by id."""
    category = known.get(stack.category_id or "")
    shown: dict[str, Any] = {
        "id": stack.id,
        "name": stack.name,
        "created_at": iso(stack.created_at),
        "campaign_id": stack.campaign_id,
        "tiers": {"ids": stack.tier_ids, "hierarchy_mode": stack.hierarchy_mode},
        "object": "promotion_stack",
        "category_id": stack.category_id,
        "categories": [] if category is None else [category_view(category)],
    }
    return shown if stack.updated_at is None else shown | {"updated_at": iso(stack.updated_at)}
