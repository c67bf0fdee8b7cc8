"""Background work of campaigns, in steps: making many codes, removing those of deleted campaigns."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from rapport.async_actions.models import Action
from rapport.async_actions.tasks import Step
from rapport.campaigns import generation, queries
from rapport.campaigns.gifts import keep_all_gifts
from rapport.campaigns.removal import VOUCHERS_DELETE, VOUCHERS_UPDATE
from rapport.core.errors import NotFound
from rapport.customers.writes import Unit

BATCH = 2_000
HOLDERS = 500


async def _generate(unit: Unit, action: Action) -> Action:
    """Make a batch of codes. The campaign's row is locked meanwhile: its numbers and its codes move together."""
    campaign_id, wanted = action.parameters["campaign_id"], action.total or 0
    campaign = await queries.find_kept(unit.conn, unit.project_id, campaign_id, lock="NO KEY UPDATE")
    if campaign is None:
        raise NotFound("campaign", campaign_id)
    await unit.open()
    batch = min(BATCH, wanted - action.done_count)
    made = len(await generation.make(unit.conn, unit.project_id, campaign, unit.now, batch))
    done = action.done_count + made
    if made == 0 < batch:
        missing = wanted - done
        await queries.give_up(unit.conn, unit.project_id, campaign_id, missing)
        message = f"Generated {done} vouchers, {missing} failed: no free codes are left for the pattern."
        result: dict[str, Any] = {"message": message, "done_count": done, "failed_count": missing}
        return msgspec.structs.replace(action, status="FAILED", failed_count=missing, result=result)
    await queries.add_wanted(unit.conn, unit.project_id, campaign_id, 0, made)
    return _after(action, done, "Generated", over=done == wanted)


async def _delete(unit: Unit, action: Action) -> Action:
    """Remove a batch of codes, and in the end the row of their campaign; first come the holders of its gift cards."""
    if "done" in action.parameters:
        return await _follow(unit, action)
    campaign_id = action.parameters["campaign_id"]
    if not action.cursor.get("followed"):
        told = await _tell_holders(unit, action)
        if told:
            return msgspec.structs.replace(action, cursor={"holder": told[-1]})
    removed = await queries.remove_codes(unit.conn, unit.project_id, campaign_id, BATCH)
    over = removed < BATCH
    if over:
        await queries.remove(unit.conn, unit.project_id, campaign_id)
    after = msgspec.structs.replace(action, cursor={"followed": True})
    return _after(after, action.done_count + removed, "Deleted", over=over)


async def _tell_holders(unit: Unit, action: Action) -> list[str]:
    """Keep what the next holders of the campaign's gift cards have left, as it is by now; return their ids."""
    campaign_id, after = action.parameters["campaign_id"], action.cursor.get("holder", "")
    found = await queries.holders_of_campaign(unit.conn, unit.project_id, campaign_id, after, HOLDERS)
    await unit.lock_all(found)
    await keep_all_gifts(unit, found)
    return found


async def _follow(unit: Unit, action: Action) -> Action:
    """Keep what holders of gift cards have left after all cards of their campaign went into the bin, or came back."""
    told = await _tell_holders(unit, action)
    if told:
        count = action.done_count + len(told)
        return msgspec.structs.replace(action, cursor={"holder": told[-1]}, done_count=count)
    result = {"message": action.parameters["done"], "done_count": action.total}
    return msgspec.structs.replace(action, status="DONE", done_count=action.total or 0, result=result)


def _after(action: Action, done: int, what: str, *, over: bool) -> Action:
    result = {"message": f"{what} {done} vouchers.", "done_count": done}
    total = max(action.total or 0, done)
    moved = msgspec.structs.replace(action, done_count=done, total=total, result=result)
    return msgspec.structs.replace(moved, status="DONE") if over else moved


STEPS: Final[Mapping[str, Step[Unit]]] = {
    generation.VOUCHERS_GENERATE: _generate,
    VOUCHERS_DELETE: _delete,
    VOUCHERS_UPDATE: _follow,
}
