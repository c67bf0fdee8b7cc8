"""Writes of the trash bin: deleting for good, and putting back."""

from typing import ClassVar

from rapport.core.db import Connection, UniqueViolation
from rapport.core.errors import NotFound, RapportError
from rapport.http.caller import Caller
from rapport.trash_bin import queries
from rapport.trash_bin.models import Entry, Kinds


class NotRestored(RapportError):
    """What was deleted cannot be put back as it was."""

    code: ClassVar[int] = 409
    key: ClassVar[str] = "not_restored"
    message: ClassVar[str] = "The resource cannot be restored"


async def _take(conn: Connection, caller: Caller, entry_id: str) -> Entry:
    entry = await queries.take(conn, caller.project_id, entry_id)
    if entry is None:
        raise NotFound("bin_entry", entry_id)
    return entry


async def remove(caller: Caller, kinds: Kinds, entry_id: str) -> None:
    """Delete for good what an entry stands for (`delete-bin-entry`). Raises NotFound."""

    async def work(conn: Connection) -> None:
        entry = await _take(conn, caller, entry_id)
        await kinds[entry.resource_type].remove(conn, caller, entry)

    await caller.db.transaction(work)


async def restore(caller: Caller, kinds: Kinds, entry_id: str) -> None:
    """Put back what an entry stands for (an addition to the reference). Raises NotFound, NotRestored."""

    async def work(conn: Connection) -> None:
        entry = await _take(conn, caller, entry_id)
        await kinds[entry.resource_type].restore(conn, caller, entry)

    try:
        await caller.db.transaction(work)
    except UniqueViolation as error:
        raise NotRestored("Its name or code has been given to something else since", resource_id=entry_id) from error
