"""What is done with exports on request."""

from collections.abc import AsyncIterator
from typing import ClassVar

from rapport.campaigns import queries as campaigns
from rapport.core.db import Connection, Database
from rapport.core.errors import NotFound, RapportError
from rapport.core.ids import new_id
from rapport.core.queries import read_now
from rapport.exports import queries, tokens
from rapport.exports.models import AVAILABLE, MAX_UNFINISHED, Export
from rapport.exports.parameters import Parameters, Wanted, check
from rapport.exports.reading import require_segments
from rapport.http.caller import Caller
from rapport.http.links import LinkRefused
from rapport.metadata.queries import load
from rapport.projects import queries as projects


class TooManyExports(RapportError):
    """As many exports as a project may have unfinished are waiting."""

    code: ClassVar[int] = 429
    key: ClassVar[str] = "too_many_exports"
    message: ClassVar[str] = "Too many exports"


class FileRemoved(Exception):
    """A file was removed while it was downloaded: what was sent is not whole, and the connection has to say so."""


async def create(caller: Caller, exported_object: str, given: Parameters | None) -> Export:
    """Add an export for the worker to write. `create-export` and `create-order-export` of the reference.

    Raises InvalidPayload, InvalidExportFields, NotFound for a segment or campaign, TooManyExports.
    """
    async with caller.db.read() as conn:
        wanted = check(exported_object, given, await load(conn, caller.project_id))

    async def work(conn: Connection) -> Export:
        await require_segments(conn, caller.project_id, wanted)
        await _require_campaign(conn, caller.project_id, wanted)
        await queries.lock_gate(conn, caller.project_id)
        if await queries.count_unfinished(conn, caller.project_id) >= MAX_UNFINISHED:
            raise TooManyExports(f"{MAX_UNFINISHED} exports are waiting or being written; delete some, or wait")
        return await queries.insert(
            conn, caller.project_id, new_id("exp"), exported_object, wanted.stored(), caller.db.clock_offset
        )

    return await caller.db.transaction(work)


async def _require_campaign(conn: Connection, project_id: int, wanted: Wanted) -> None:
    scope = wanted.exported.scope
    if scope is not None and scope.name == "campaign_id" and wanted.scope is not None:
        campaign = await campaigns.find(conn, project_id, wanted.scope)
        if campaign is None or campaign.id != wanted.scope:
            raise NotFound("campaign", wanted.scope)


async def delete(caller: Caller, export_id: str) -> None:
    """Delete an export and its file; one that is being written is given up. `delete-export`. Raises NotFound."""

    async def work(conn: Connection) -> bool:
        return await queries.delete(conn, caller.project_id, export_id)

    if not await caller.db.transaction(work):
        raise NotFound("export", export_id)


async def find_file(db: Database, export_id: str, token: str) -> tuple[int, Export]:
    """Return the export whose file a token opens, and the project's number. `download-export`.

    Raises LinkRefused for a token that was not made for it or whose time is over, NotFound where the file is gone.
    """
    async with db.read() as conn:
        found = await projects.find_link_secret(conn, tokens.project_of(token))
        if found is None:
            raise LinkRefused("The link is not complete, or was changed")
        project_id, secret = found
        tokens.open_with(secret, export_id, token, await read_now(conn, db.clock_offset))
        export = await queries.find(conn, project_id, export_id)
    if export is None or export.file_state != AVAILABLE:
        raise NotFound("export", export_id)
    return project_id, export


async def read_file(db: Database, project_id: int, export: Export) -> AsyncIterator[bytes]:
    """Yield the pieces of a file. Raises FileRemoved when it is removed meanwhile."""
    sent = number = 0
    while sent < export.byte_count:
        async with db.read() as conn:
            data = await queries.find_piece(conn, project_id, export, number)
        if data is None:
            raise FileRemoved(export.id)
        yield data
        sent += len(data)
        number += 1
