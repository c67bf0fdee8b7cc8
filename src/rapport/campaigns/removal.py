"""Deleting campaigns: into the bin, back from it, and for good; the ledger stays whatever happens."""

from rapport.async_actions import queries as async_actions
from rapport.campaigns import generation, queries
from rapport.campaigns.models import Campaign
from rapport.core.db import Connection
from rapport.core.queries import read_now
from rapport.http.caller import Caller
from rapport.rules import actions as rules
from rapport.rules import queries as assignments
from rapport.trash_bin import queries as trash_bin
from rapport.trash_bin.actions import NotRestored
from rapport.trash_bin.models import Entry, Kind

VOUCHERS_DELETE = "CAMPAIGN.VOUCHERS_DELETE"


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


async def into_bin(conn: Connection, caller: Caller, campaign: Campaign) -> str:
    """Put a locked campaign and its codes into the bin; return the id of the action that says so.

    Its name is free from now on; its codes stay taken, so that all of them can come back.
    """
    entry_id = await hidden_name(conn, caller)
    content = {"rules": await take_rules(conn, caller, campaign.id)}
    await queries.hide(conn, caller.project_id, campaign.id, "binned", entry_id)
    resource = campaign.id, campaign.name, None
    await trash_bin.add(conn, caller, entry_id, "campaign", resource, content, caller.db.clock_offset)
    count = (await queries.count_codes(conn, caller.project_id, [campaign])).get(campaign.id, 0)
    done = f"Moved {count} vouchers to the bin."
    parameters = {"campaign_id": campaign.id}
    return await async_actions.record(conn, caller, VOUCHERS_DELETE, parameters, done, count, caller.db.clock_offset)


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
    campaign = await queries.lock_kept(conn, caller.project_id, entry.resource_id, for_good=True)
    if campaign is not None:
        await for_good(conn, caller, campaign.id)


async def _restore(conn: Connection, caller: Caller, entry: Entry) -> None:
    if not await queries.show(conn, caller.project_id, entry.resource_id, entry.resource_name):
        raise NotRestored("The campaign is not there any more", resource_id=entry.id)
    await put_rules(conn, caller, "campaign", entry.resource_id, entry.content["rules"])


bin_kind = Kind(remove=_remove, restore=_restore)
