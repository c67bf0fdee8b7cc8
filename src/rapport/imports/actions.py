"""What can be asked of an import once its file is there: to end, and to be undone."""

from rapport.async_actions import queries as async_actions
from rapport.core.db import Connection
from rapport.core.errors import NotFound, RapportError
from rapport.core.ids import new_id
from rapport.http.caller import Caller
from rapport.imports import queries
from rapport.imports.models import Import, action_type


class ImportOver(RapportError):
    """The import is over: there is nothing left to cancel."""

    key = "import_is_over"
    message = "Import is over"


class NotUndoable(RapportError):
    """The import goes on, was only tried, or was too long ago."""

    key = "import_not_undoable"
    message = "Import cannot be undone"


async def cancel(caller: Caller, import_id: str) -> Import:
    """End an import after the step under way; what was applied stays. Raises NotFound and ImportOver."""

    async def work(conn: Connection) -> Import:
        one = await _lock(conn, caller.project_id, import_id)
        if one.is_over:
            raise ImportOver(f"The import is over: {one.state}")
        await queries.set_cancel(conn, caller.project_id, import_id)
        return one

    return await caller.db.transaction(work)


async def undo(caller: Caller, import_id: str) -> str:
    """Undo an import in steps; return the id of the action, the same one when asked again.

    Raises NotFound, and NotUndoable while the import goes on, for one that was only tried, or when too late.
    """

    async def work(conn: Connection) -> str:
        one = await _lock(conn, caller.project_id, import_id)
        if one.undo_action_id is not None:
            return one.undo_action_id
        if not one.is_over:
            raise NotUndoable("The import goes on: cancel it first")
        if one.options.get("dry_run"):
            raise NotUndoable("The import was a dry run: it changed nothing")
        if one.cleared:
            raise NotUndoable("What undoing takes is no longer kept (RAPPORT_IMPORT_KEPT_DAYS)")
        action_id = new_id("aa")
        await async_actions.enqueue(
            conn,
            caller,
            action_type(one.kind, "IMPORT_UNDO"),
            {"import_id": import_id},
            offset=caller.db.clock_offset,
            total=one.created + one.updated,
            action_id=action_id,
        )
        await queries.set_undo(conn, caller.project_id, import_id, action_id, {})
        return action_id

    return await caller.db.transaction(work)


async def _lock(conn: Connection, project_id: int, import_id: str) -> Import:
    one = await queries.find(conn, project_id, import_id, lock=True)
    if one is None:
        raise NotFound("import", import_id)
    return one
