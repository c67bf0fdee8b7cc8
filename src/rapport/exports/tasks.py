"""Background work of exports: writing files, taking up what a dead worker left, removing what is too old."""

import asyncio
import random
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, ClassVar, Final, Self

import structlog

from rapport.core.db import Connection, Database, DatabaseUnavailable
from rapport.core.errors import RapportError
from rapport.exports import queries
from rapport.exports.models import MAX_FAILURES, Claimed
from rapport.exports.parameters import read_stored
from rapport.exports.reading import open_rows
from rapport.exports.writing import PIECE_BYTES
from rapport.settings import Settings
from rapport.work.periodic import Periodic
from rapport.work.turns import Turns

# Files are written side by side by so many lanes of a worker, each of another project.
LANES: Final = 2
LOOK_EVERY_S: Final = 0.25
EXPIRE_EVERY_S: Final = 30.0
# A worker that is not heard of for so long is gone: its export begins anew.
LEASE: Final = timedelta(seconds=30)
LIMIT_S: Final = 7_200.0
MAX_BYTES: Final = 8 * 1024**3
_LOST: Final = "The worker ended several times while it wrote the file"
_BUG: Final = "Something went wrong on our side"

log = structlog.get_logger(__name__)


class FileTooLong(RapportError):
    """The file is longer than a file may be."""

    message: ClassVar[str] = f"The file is longer than {MAX_BYTES // 1024**3} GiB: narrow the filters or the fields"


class Taken(Exception):
    """The export was deleted, restarted, or given to another worker."""


class _InTurn:
    """Runs one thing beside whoever uses it: a piece is kept while the next is read. At the end nothing runs on."""

    def __init__(self) -> None:
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Start something once what runs has ended; raises what that raised."""
        try:
            await self.wait()
        except BaseException:
            work.close()
            raise
        self._running = asyncio.create_task(work)

    async def wait(self) -> None:
        """Wait for what runs; raises what it raised."""
        if self._running is not None:
            await self._running


class Exporting:
    """Writes one file after another; safe to run in many lanes of many workers."""

    def __init__(self, kept: timedelta, *, piece_bytes: int = PIECE_BYTES) -> None:
        """Let files be downloaded for `kept` after they are written."""
        self._kept = kept
        self._piece_bytes = piece_bytes

    async def run(self, db: Database) -> bool:
        """Write the file of one export that waits, of a project drawn by lot; return whether there was one."""
        async with db.read() as conn:
            projects = await queries.projects_with_work(conn)
        random.shuffle(projects)
        for project_id in projects:
            if await self.write_next(db, project_id):
                return True
        return False

    async def write_next(self, db: Database, project_id: int) -> bool:
        """Write the file of a project's oldest export that waits; return False where none can be written now."""
        claimed = await self._claim(db, project_id)
        if claimed is not None:
            await self._write(db, project_id, claimed)
        return claimed is not None

    async def _claim(self, db: Database, project_id: int) -> Claimed | None:
        async def work(conn: Connection) -> Claimed | None:
            await queries.lock_gate(conn, project_id)
            for export_id in await queries.give_up_lost(conn, project_id, _LOST, db.clock_offset):
                log.error("an export was given up", id=export_id, project_id=project_id)
            return await queries.claim(conn, project_id, LEASE)

        return await db.transaction(work)

    async def _write(self, db: Database, project_id: int, claimed: Claimed) -> None:
        """Write a file whole, or leave none."""
        try:
            async with asyncio.timeout(LIMIT_S):
                rows = await self._believed(db, project_id, claimed)
        except Taken:
            log.info("an export was taken away", id=claimed.id, project_id=project_id)
        except RapportError as error:
            log.info("an export cannot be written", id=claimed.id, project_id=project_id)
            await self._give_up(db, project_id, claimed, error.details)
        except asyncio.CancelledError:
            await self._put_back(db, project_id, claimed, 0.0, claimed.failures)
            raise
        except DatabaseUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 (whatever goes wrong is counted, and tried again)
            await self._failed(db, project_id, claimed, error)
        else:
            log.info("an export is written", id=claimed.id, project_id=project_id, rows=rows)

    async def _believed(self, db: Database, project_id: int, claimed: Claimed) -> int:
        """Write the file and renew the lease meanwhile; return the number of rows. Raises Taken."""
        work = asyncio.create_task(self._file(db, project_id, claimed))
        try:
            while not (await asyncio.wait({work}, timeout=LEASE.total_seconds() / 3))[0]:
                async with db.read() as conn:
                    if not await queries.renew(conn, project_id, claimed, LEASE):
                        raise Taken
            return await work
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def _file(self, db: Database, project_id: int, claimed: Claimed) -> int:
        async with db.read() as conn:
            await queries.remove_other_attempts(conn, project_id, claimed)
        wanted = read_stored(claimed.exported_object, claimed.parameters)
        number = count = written = 0
        async with db.snapshot() as conn, _InTurn() as keeping:
            opened = await open_rows(conn, project_id, wanted, db.clock_offset, piece_bytes=self._piece_bytes)
            async for data, count in opened.pieces:
                written += len(data)
                if written > MAX_BYTES:
                    raise FileTooLong
                await keeping.start(self._keep(db, project_id, claimed, number, data, count))
                number += 1
            await keeping.wait()
        async with db.read() as conn:
            if not await queries.finish(conn, project_id, claimed, count, self._kept, db.clock_offset):
                raise Taken
        return count

    async def _keep(self, db: Database, project_id: int, claimed: Claimed, number: int, data: bytes, rows: int) -> None:
        """Keep one piece, unless the work was taken away meanwhile. Raises Taken."""

        async def work(conn: Connection) -> bool:
            if not await queries.lock_claimed(conn, project_id, claimed):
                return False
            await queries.add_piece(conn, project_id, claimed, number, data, rows)
            return True

        if not await db.transaction(work):
            raise Taken

    async def _failed(self, db: Database, project_id: int, claimed: Claimed, error: Exception) -> None:
        log.error("an export failed", id=claimed.id, project_id=project_id, exc_info=error)
        failures = claimed.failures + 1
        if failures >= MAX_FAILURES:
            await self._give_up(db, project_id, claimed, _BUG)
        else:
            await self._put_back(db, project_id, claimed, 2.0**failures, failures)

    async def _give_up(self, db: Database, project_id: int, claimed: Claimed, error: str) -> None:
        async def work(conn: Connection) -> None:
            await queries.give_up(conn, project_id, claimed, error, db.clock_offset)

        await db.transaction(work)

    async def _put_back(self, db: Database, project_id: int, claimed: Claimed, pause_s: float, failures: int) -> None:
        async with db.read() as conn:
            await queries.put_back(conn, project_id, claimed, pause_s, failures)


class Expiry:
    """Removes files whose time is over."""

    def __init__(self) -> None:
        """Begin with every project's turn."""
        self._turns = Turns("exports: expire")

    async def run(self, db: Database) -> bool:
        """Remove one file of each project that has such; return whether there may be more."""
        async with db.read() as conn:
            projects = await queries.projects_with_expired(conn, db.clock_offset)

        async def expire(project_id: int) -> bool:
            async def work(conn: Connection) -> str | None:
                return await queries.expire(conn, project_id, db.clock_offset)

            removed = await db.transaction(work)
            if removed is not None:
                log.info("the file of an export was removed", id=removed, project_id=project_id)
            return removed is not None

        return await self._turns.take(projects, expire)


def periodics(settings: Settings) -> list[Periodic]:
    """Return what the worker does for exports again and again."""
    exporting = Exporting(timedelta(days=settings.export_file_days))
    return [
        *(
            Periodic(f"exports: write {number}", LOOK_EVERY_S, exporting.run, limit_s=LIMIT_S + 60.0)
            for number in range(1, LANES + 1)
        ),
        Periodic("exports: expire", EXPIRE_EVERY_S, Expiry().run),
    ]
