"""Background work of campaigns, in steps: making many codes, removing those of deleted campaigns."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from rapport.async_actions.models import Action
from rapport.async_actions.tasks import Step
from rapport.campaigns import generation, queries
from rapport.campaigns.removal import VOUCHERS_DELETE
from rapport.core.errors import NotFound
from rapport.customers.writes import Unit

BATCH = 2_000


async def _generate(unit: Unit, action: Action) -> Action:
    """Make a batch of codes. The campaign's row is locked meanwhile: its numbers and its codes move together."""
    campaign_id, wanted = action.parameters["campaign_id"], action.total or 0
    campaign = await queries.lock_kept(unit.conn, unit.project_id, campaign_id)
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
    """Remove a batch of codes, and in the end the row of their campaign."""
    campaign_id = action.parameters["campaign_id"]
    removed = await queries.remove_codes(unit.conn, unit.project_id, campaign_id, BATCH)
    over = removed < BATCH
    if over:
        await queries.remove(unit.conn, unit.project_id, campaign_id)
    return _after(action, action.done_count + removed, "Deleted", over=over)


def _after(action: Action, done: int, what: str, *, over: bool) -> Action:
    result = {"message": f"{what} {done} vouchers.", "done_count": done}
    total = max(action.total or 0, done)
    moved = msgspec.structs.replace(action, done_count=done, total=total, result=result)
    return msgspec.structs.replace(moved, status="DONE") if over else moved


STEPS: Final[Mapping[str, Step[Unit]]] = {generation.VOUCHERS_GENERATE: _generate, VOUCHERS_DELETE: _delete}
