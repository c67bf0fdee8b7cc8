"""Undoing a merge: each row goes back to whom it came from, and what happened since stays with the one who stayed."""

from collections.abc import Sequence

import msgspec

from rapport.activity.log import ADJUSTMENT, Internal
from rapport.core.errors import DuplicateFound, NotFound, RapportError
from rapport.customers import queries as customers
from rapport.customers.holdings import Holding
from rapport.customers.writes import Unit, Writer
from rapport.http.caller import Caller
from rapport.merges import queries
from rapport.merges.actions import decide_anew, log_both
from rapport.merges.counting import recounted
from rapport.merges.models import UNDONE, Merge, Moved, Profiles, reverted
from rapport.segments.history import queries as segments


class MergeNotUndoable(RapportError):
    """The customer who came out of the merge is gone, or somebody has the source id of the one who went."""

    code = 409
    key = "merge_not_undoable"
    message = "Merge cannot be undone"


async def undo(writer: Writer, caller: Caller, holdings: Sequence[Holding], merge_id: str) -> Merge:
    """Undo a merge (an addition to the reference); one that is undone already stays as it is.

    Raises NotFound and MergeNotUndoable.
    """

    async def work(unit: Unit) -> Merge:
        seen = await queries.find(unit.conn, unit.project_id, merge_id)
        if seen is None:
            raise NotFound("merge", merge_id)
        locked = await unit.lock_all([seen.target_id])
        found = await queries.lock(unit.conn, unit.project_id, merge_id)
        if found is None:
            raise NotFound("merge", merge_id)
        record, profiles, moved = found
        if profiles is None or moved is None:
            return record
        if not locked:
            kept = await customers.find_alias(unit.conn, unit.project_id, seen.target_id)
            why = "is deleted" if kept is None else f"was merged into {kept} since: undo that first"
            raise MergeNotUndoable(f"Customer {seen.target_id} {why}", resource_id=merge_id, resource_type="merge")
        await _undo(unit, caller, holdings, record, profiles, moved)
        return msgspec.structs.replace(record, status=UNDONE, undone_at=unit.now)

    return await writer.commit(Internal(caller.project_id, caller.request_id, ADJUSTMENT), work)


async def _undo(
    unit: Unit, caller: Caller, holdings: Sequence[Holding], record: Merge, profiles: Profiles, moved: Moved
) -> None:
    conn, project_id = unit.conn, unit.project_id
    await queries.take_time(conn)
    target = reverted(unit.get(record.target_id), profiles)
    source = msgspec.structs.replace(profiles.source, updated_at=unit.now)
    names = (source.id, source.source_id, profiles.before.source_id)
    await customers.remove_aliases(conn, project_id, [name for name in names if name is not None])
    await customers.update(conn, project_id, target)  # before the other gets a source id back that it may have taken
    try:
        await unit.restore(source)
    except DuplicateFound as error:
        raise MergeNotUndoable(
            f"Another customer has the id or source id of {source.id}", resource_id=record.id, resource_type="merge"
        ) from error
    still = set(await customers.aliases_of(conn, project_id, target.id)).intersection(moved.aliases)
    await customers.set_aliases(conn, project_id, source.id, sorted(still))
    for one in holdings:
        await one.move(conn, project_id, target.id, source.id, moved.rows.get(one.name, []))
    unit.put(await recounted(conn, project_id, source))
    target = msgspec.structs.replace(await recounted(conn, project_id, target), updated_at=unit.now)
    unit.put(target)
    await decide_anew(unit, [target.id, source.id])
    for segment_id in await segments.static_among(conn, project_id, moved.static):
        unit.set_members(segment_id, [source.id], member=True)
        if segment_id in moved.entered:
            unit.set_members(segment_id, [target.id], member=False)
    await queries.mark_undone(conn, project_id, record.id, unit.now)
    log_both(unit, caller, "customer.merge.undone", record, target, unit.get(source.id))
