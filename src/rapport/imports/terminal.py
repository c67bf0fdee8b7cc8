"""An import from the command line: the file goes into the database, and its steps are taken here and by any worker."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from rapport.activity.log import internal
from rapport.core.db import Database
from rapport.core.errors import NotFound
from rapport.customers.writes import Writer
from rapport.imports import queries, reports
from rapport.imports.models import Import, Options
from rapport.imports.upload import Upload
from rapport.imports.worker import steps
from rapport.projects.queries import find_project
from rapport.segments.membership import SegmentDecider
from rapport.settings import StartError

_PIECE: Final = 262_144
_PAUSE_S: Final = 0.2


@dataclass(frozen=True)
class File:
    """What is to be imported: where it is read, what it is called, its length if that is known."""

    content: IO[bytes]
    name: str
    size: int | None
    max_bytes: int


async def run(db: Database, project: str, kind: str, file: File, options: Options) -> Import:
    """Import a file into the project of this name, with a progress bar; return what came of it.

    Raises StartError for an unknown project, PayloadTooLarge. Ended in the middle of its rows, it goes on in a worker.
    """
    async with db.read() as conn:
        found = await find_project(conn, project)
    if found is None:
        raise StartError(f"there is no project {project!r}; `rapport keys create --project {project!r}` makes it")
    upload = Upload(db, internal(found.project_id), kind, file.max_bytes)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
        bar = progress.add_task("reading", total=file.size)
        try:
            await upload.begin(file.name)
            while piece := await asyncio.to_thread(file.content.read, _PIECE):
                await upload.feed(piece)
                progress.advance(bar, len(piece))
            await upload.end(options)
        except BaseException:
            await asyncio.shield(upload.give_up())
            raise
        progress.update(bar, total=max(1, upload.lines), completed=0)
        return await _work(db, found.project_id, str(upload.import_id), progress, bar)


async def _work(db: Database, project_id: int, import_id: str, progress: Progress, bar: TaskID) -> Import:
    working = steps(Writer(db, SegmentDecider()))
    while True:
        more = await working.run(db)
        async with db.read() as conn:
            one = await queries.find(conn, project_id, import_id)
        if one is None:
            raise NotFound("import", import_id)
        took_s = progress.tasks[bar].elapsed or 0.001
        told = f"{one.rows:,} rows, {one.rows / took_s:,.0f}/s: {one.created:,} created, {one.updated:,} updated"
        told += f", {one.unchanged:,} unchanged, {one.failed:,} failed"
        progress.update(bar, description=told, completed=one.rows)
        if one.is_over:
            progress.update(bar, total=max(1, one.rows), completed=max(1, one.rows))
            return one
        if not more:
            await asyncio.sleep(_PAUSE_S)


async def write_failures(db: Database, project: str, one: Import, path: Path) -> None:
    """Write the rows that failed into a file."""
    async with db.read() as conn:
        found = await find_project(conn, project)
    assert found is not None
    with path.open("wb") as file:
        async for piece in reports.failures(db, found.project_id, one):
            await asyncio.to_thread(file.write, piece)
