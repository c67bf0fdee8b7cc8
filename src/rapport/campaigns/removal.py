"""Deleting campaigns: into the bin, back from it, and for good; the ledger stays whatever happens."""

from collections.abc import Sequence

from rapport.async_actions import queries as async_actions
from rapport.campaigns import generation, queries
from rapport.campaigns.gifts import find_holders, keep_all_gifts
from rapport.campaigns.models import Campaign
from rapport.core.db import Connection, Restart
from rapport.core.queries import read_now
from rapport.customers.writes import Unit, Writer
from rapport.http.caller import Caller
from rapport.rules import actions as rules
from rapport.rules import queries as assignments
from rapport.trash_bin import queries as trash_bin
from rapport.trash_bin.actions import NotRestored
from rapport.trash_bin.models import Entry, Kind

VOUCHERS_DELETE = "CAMPAIGN.VOUCHERS_DELETE"
VOUCHERS_UPDATE = "CAMPAIGN.VOUCHERS_UPDATE"


async def hidden_name(conn: Connection, caller: Caller) -> str:
    """Return the id of a new entry of the bin, which is a name that nobody can have guessed and taken."""
    return trash_bin.new_entry_id(await read_now(conn, caller.db.clock_offset))


async def take_rules(conn: Connection, caller: Caller, object_id: str) -> list[str]:
    """Unassign the rules of something that goes away; return their ids."""
    found = await assignments.assignments_of(conn, caller.project_id, [object_id])
    await assignments.unassign_objects(conn, caller.project_id, [object_id])
    return [assignment.rule_id for assignment in found.get(object_id, [])]


async def put_rules(conn: Connection, caller: Caller, kind: str, object_id: str, rule_ids: list[str]) -> None:
    """Assign the rules again to what comes back; those deleted since hold for nothing any more."""
    gone = set(await assignments.missing(conn, caller.project_id, rule_ids))
    left = [rule_id for rule_id in rule_ids if rule_id not in gone]
    now = await read_now(conn, caller.db.clock_offset)
    await rules.assign(conn, caller.project_id, now, left, kind, object_id)


async def lock_holders(unit: Unit, campaign_id: str, campaign_type: str) -> list[str] | None:
    """Lock who holds gift cards of a campaign, before the campaign itself; None: they are left to the worker."""
    holders = await find_holders(unit, campaign_id, campaign_type)
    await unit.lock_all(holders or [])
    return holders


async def check_holders(unit: Unit, campaign_id: str, campaign_type: str, holders: Sequence[str] | None) -> None:
    """See that nobody else holds cards of a campaign that is locked by now. Raises Restart."""
    if holders is not None and await find_holders(unit, campaign_id, campaign_type) != holders:
        raise Restart  # published, merged or erased since


async def into_bin(conn: Connection, caller: Caller, campaign: Campaign, *, at_once: bool) -> str:
    """Put a locked campaign and its codes into the bin; return the id of the action that says so.

    Its name is free from now on; its codes stay taken, so that all of them can come back. Unless `at_once`, the worker
    keeps what the holders of its gift cards have left.
    """
    entry_id = await hidden_name(conn, caller)
    content = {"rules": await take_rules(conn, caller, campaign.id)}
    await queries.hide(conn, caller.project_id, campaign.id, "binned", entry_id)
    resource = campaign.id, campaign.name, None
    await trash_bin.add(conn, caller, entry_id, "campaign", resource, content, caller.db.clock_offset)
    count = (await queries.count_codes(conn, caller.project_id, [campaign])).get(campaign.id, 0)
    done = f"Moved {count} vouchers to the bin."
    return await _note(conn, caller, VOUCHERS_DELETE, campaign.id, done, count, at_once=at_once)


async def _note(
    conn: Connection, caller: Caller, kind: str, campaign_id: str, done: str, count: int, *, at_once: bool
) -> str:
    """Return the id of the action that says what was `done`; unless `at_once`, when the worker has told the holders."""
    offset, parameters = caller.db.clock_offset, {"campaign_id": campaign_id}
    if at_once:
        return await async_actions.record(conn, caller, kind, parameters, done, count, offset)
    return await async_actions.enqueue(conn, caller, kind, parameters | {"done": done}, offset=offset, total=count)


async def for_good(conn: Connection, caller: Caller, campaign_id: str) -> str:
    """Delete a locked campaign and its codes; return the id of the action that does it, or has done it.

    Nobody sees the campaign or can redeem its codes any more; of a large one, the worker removes the rows.
    """
    offset, parameters = caller.db.clock_offset, {"campaign_id": campaign_id}
    await assignments.unassign_objects(conn, caller.project_id, [campaign_id])
    await trash_bin.forget_children(conn, caller.project_id, campaign_id)
    count = await queries.count_rows(conn, caller.project_id, campaign_id)
    if count > generation.AT_ONCE:
        await queries.hide(conn, caller.project_id, campaign_id, "deleted", await hidden_name(conn, caller))
        return await async_actions.enqueue(conn, caller, VOUCHERS_DELETE, parameters, offset=offset, total=count)
    count = await queries.remove_codes(conn, caller.project_id, campaign_id, None)
    await queries.remove(conn, caller.project_id, campaign_id)
    done = f"Deleted {count} vouchers."
    return await async_actions.record(conn, caller, VOUCHERS_DELETE, parameters, done, count, offset)


async def _remove(conn: Connection, caller: Caller, entry: Entry) -> None:
    campaign = await queries.find_kept(conn, caller.project_id, entry.resource_id, lock="UPDATE")
    if campaign is not None:
        await for_good(conn, caller, campaign.id)


async def _restore(unit: Unit, caller: Caller, entry: Entry) -> None:
    conn, project_id, campaign_id = unit.conn, unit.project_id, entry.resource_id
    kept = await queries.find_kept(conn, project_id, campaign_id)
    if kept is None:
        raise NotRestored("The campaign is not there any more", resource_id=entry.id)
    await rules.prepare(conn, project_id, entry.content["rules"])
    holders = await lock_holders(unit, kept.id, kept.campaign_type)
    if not await queries.show(conn, project_id, campaign_id, entry.resource_name):
        raise NotRestored("The campaign is not there any more", resource_id=entry.id)
    await check_holders(unit, kept.id, kept.campaign_type, holders)
    await put_rules(conn, caller, "campaign", campaign_id, entry.content["rules"])
    if holders is not None:
        await keep_all_gifts(unit, holders)
        return
    count = await queries.count_rows(conn, project_id, campaign_id)
    await _note(conn, caller, VOUCHERS_UPDATE, campaign_id, f"Restored {count} vouchers.", count, at_once=False)


def bin_kind(writer: Writer) -> Kind:
    """Return what campaigns in the bin are; whoever holds cards of one that comes back has their balances again."""

    async def restore(conn: Connection, caller: Caller, entry: Entry) -> None:
        async with writer.within(conn, caller) as unit:
            await _restore(unit, caller, entry)

    return Kind(remove=_remove, restore=restore)
