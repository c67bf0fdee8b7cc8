"""Vouchers in the bin: on the way there, back from it, and for good."""

from rapport.campaigns import queries as campaigns
from rapport.campaigns.gifts import keep_gifts
from rapport.campaigns.removal import hidden_name, put_rules, take_rules
from rapport.core.db import Connection, Restart
from rapport.customers.writes import Unit, Writer
from rapport.http.caller import Caller
from rapport.rules import actions as rules
from rapport.trash_bin import queries as trash_bin
from rapport.trash_bin.actions import NotRestored
from rapport.trash_bin.models import Entry, Kind
from rapport.vouchers import queries
from rapport.vouchers.models import Voucher


async def into_bin(conn: Connection, caller: Caller, voucher: Voucher) -> None:
    """Put a locked voucher into the bin; its code is free from now on."""
    entry_id = await hidden_name(conn, caller)
    content = {"active": voucher.active, "rules": await take_rules(conn, caller, voucher.id)}
    # No code has a control character.
    await queries.hide(conn, caller.project_id, voucher.code, f"{entry_id}\x01")
    resource = voucher.id, voucher.code, voucher.campaign_id
    await trash_bin.add(conn, caller, entry_id, "voucher", resource, content, caller.db.clock_offset)


async def _remove(conn: Connection, caller: Caller, entry: Entry) -> None:
    await queries.remove_hidden(conn, caller.project_id, entry.resource_id)


async def _restore(unit: Unit, caller: Caller, entry: Entry) -> None:
    conn = unit.conn
    await rules.prepare(conn, caller.project_id, entry.content["rules"])
    holders = await queries.holders_of(conn, caller.project_id, [entry.resource_id])
    await unit.lock_all(sorted(holders))
    if entry.resource_parent_id is not None:
        campaign = await campaigns.find(conn, caller.project_id, entry.resource_parent_id, lock="NO KEY UPDATE")
        if campaign is None:
            raise NotRestored("The voucher's campaign is deleted; restore that first", resource_id=entry.id)
        await campaigns.add_wanted(conn, caller.project_id, campaign.id, 1, 1, -1)
    active = entry.content["active"]
    if not await queries.show(conn, caller.project_id, entry.resource_id, entry.resource_name, active=active):
        raise NotRestored("The voucher is not there any more", resource_id=entry.id)
    await put_rules(conn, caller, "voucher", entry.resource_id, entry.content["rules"])
    if await queries.holders_of(conn, caller.project_id, [entry.resource_id]) != holders:
        raise Restart  # merged or erased since
    for holder_id in holders:
        await keep_gifts(unit, holder_id)


def bin_kind(writer: Writer) -> Kind:
    """Return what vouchers in the bin are; whoever holds one that comes back has its balance again."""

    async def restore(conn: Connection, caller: Caller, entry: Entry) -> None:
        async with writer.within(conn, caller) as unit:
            await _restore(unit, caller, entry)

    return Kind(remove=_remove, restore=restore)
