"""Writes of stacks of tiers."""

from collections.abc import Sequence

import msgspec

from rapport.categories.actions import get_to_use
from rapport.core.db import Connection
from rapport.core.errors import InvalidPayload, NotFound, RapportError
from rapport.core.ids import new_id
from rapport.core.jsons import check_limits
from rapport.core.queries import read_now
from rapport.http.caller import Caller
from rapport.promotions.actions import get_promotion
from rapport.promotions.models import STACK, TIER, Stack
from rapport.promotions.queries import ids_of_campaign
from rapport.promotions.stacks import queries
from rapport.promotions.stacks.schemas import MAX_STACKS, StackInput, StackUpdate


class TooManyStacks(RapportError):
    """The campaign has as many stacks as one campaign may have."""

    key = "too_many_promotion_stacks"
    message = "Too many promotion stacks"


async def _check_tiers(conn: Connection, project_id: int, campaign_id: str, ids: Sequence[str]) -> None:
    """See that these are different tiers of a locked campaign. Raises InvalidPayload, NotFound."""
    if len(set(ids)) < len(ids):
        raise InvalidPayload("Property .tiers.ids should name each tier once")
    known = await ids_of_campaign(conn, project_id, campaign_id)
    for tier_id in ids:
        if tier_id not in known:
            raise NotFound(TIER, tier_id)


async def _category(conn: Connection, project_id: int, category_id: str | None) -> str | None:
    category = await get_to_use(conn, project_id, category_id)
    return None if category is None else category.id


async def create(caller: Caller, reference: str, data: StackInput) -> Stack:
    """Create a stack (`create-promotion-stack`).

    Raises NotFound for the campaign, a tier or the category, NotAPromotion, InvalidPayload, TooManyStacks.
    """
    check_limits(data.name, ".name")

    async def work(conn: Connection) -> Stack:
        campaign = await get_promotion(conn, caller.project_id, reference)
        await _check_tiers(conn, caller.project_id, campaign.id, data.tiers.ids)
        if await queries.count(conn, caller.project_id, campaign.id) >= MAX_STACKS:
            raise TooManyStacks(f"A campaign may have {MAX_STACKS} stacks")
        stack = Stack(
            id=new_id("stack"),
            campaign_id=campaign.id,
            name=data.name,
            tier_ids=data.tiers.ids,
            hierarchy_mode="MANUAL",
            category_id=await _category(conn, caller.project_id, data.category_id),
            created_at=await read_now(conn, caller.db.clock_offset),
            updated_at=None,
        )
        await queries.insert(conn, caller.project_id, stack)
        return stack

    return await caller.db.transaction(work)


async def get_locked(conn: Connection, project_id: int, reference: str, stack_id: str) -> Stack:
    """Lock a campaign and return its stack. Raises NotFound, NotAPromotion."""
    campaign = await get_promotion(conn, project_id, reference)
    stack = await queries.find(conn, project_id, campaign.id, stack_id)
    if stack is None:
        raise NotFound(STACK, stack_id)
    return stack


async def update(caller: Caller, reference: str, stack_id: str, data: StackUpdate) -> Stack:
    """Change a stack (`update-promotion-stack`). Raises NotFound, InvalidPayload."""
    if data.name is not None:
        check_limits(data.name, ".name")

    async def work(conn: Connection) -> Stack:
        stack = await get_locked(conn, caller.project_id, reference, stack_id)
        changed = stack if data.name is None else msgspec.structs.replace(stack, name=data.name)
        if data.tiers is not None and data.tiers.ids is not None:
            await _check_tiers(conn, caller.project_id, stack.campaign_id, data.tiers.ids)
            changed = msgspec.structs.replace(changed, tier_ids=data.tiers.ids)
        if data.category_id is not None:
            category_id = await _category(conn, caller.project_id, data.category_id)
            changed = msgspec.structs.replace(changed, category_id=category_id)
        # The reference shows `updated_at` after every update.
        changed = msgspec.structs.replace(changed, updated_at=await read_now(conn, caller.db.clock_offset))
        await queries.update(conn, caller.project_id, changed)
        return changed

    return await caller.db.transaction(work)


async def delete(caller: Caller, reference: str, stack_id: str) -> None:
    """Delete a stack for good (`delete-promotion-stack`); its tiers and its redemptions stay. Raises NotFound."""

    async def work(conn: Connection) -> None:
        stack = await get_locked(conn, caller.project_id, reference, stack_id)
        await queries.delete(conn, caller.project_id, stack.id)

    await caller.db.transaction(work)
