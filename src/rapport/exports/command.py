"""`rapport export`: a file written straight from the database, with a progress bar."""

import csv
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rapport.core import jsons
from rapport.core.db import Database
from rapport.core.errors import InvalidPayload, NotFound
from rapport.exports.parameters import Parameters, check
from rapport.exports.reading import open_rows
from rapport.metadata.queries import load
from rapport.projects.queries import find_project

What = Literal["customers", "orders", "events", "redemptions", "publications", "vouchers", "segment-members"]
OBJECTS: Final[Mapping[What, str]] = {
    "customers": "customer",
    "orders": "order",
    "events": "event",
    "redemptions": "redemption",
    "publications": "publication",
    "vouchers": "voucher",
    "segment-members": "segment_members",
}
"""What the command exports, by the name the API has for it."""
STANDARD_OUTPUT: Final = "-"


def split_fields(text: str | None) -> list[str] | None:
    """Read `name,"metadata.a,b",id`. Raises InvalidPayload."""
    if text is None:
        return None
    if '"' in text:
        return [name.strip() for name in next(csv.reader([text], skipinitialspace=True), []) if name.strip()]
    return [name.strip() for name in text.split(",") if name.strip()]


def read_filters(text: str | None) -> dict[str, Any] | None:
    """Read filters from JSON. Raises InvalidPayload."""
    if text is None:
        return None
    try:
        filters = jsons.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise InvalidPayload(f"--filter is not valid JSON: {error}") from None
    if not isinstance(filters, dict):
        raise InvalidPayload("--filter should be a JSON object")
    jsons.check_limits(filters, ".filters")
    return filters


async def write(db: Database, project_name: str, what: What, given: Parameters, output: str) -> int:
    """Write an export to a file, or to the standard output; return the number of rows.

    A file appears under its name only when it is whole. Raises NotFound for a project or segment that does not exist,
    and what `check` raises.
    """
    async with db.read() as conn:
        project = await find_project(conn, project_name)
        if project is None:
            raise NotFound("project", project_name)
        wanted = check(OBJECTS[what], given, await load(conn, project.project_id))
    count = 0
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    with _opened(output) as file, bar:
        async with db.snapshot() as conn:
            opened = await open_rows(conn, project.project_id, wanted, db.clock_offset, counted=True)
            task = bar.add_task(wanted.exported_object, total=opened.total)
            async for data, count in opened.pieces:
                file.write(data)
                bar.update(task, completed=count)
    return count


@contextmanager
def _opened(output: str) -> Iterator[BinaryIO]:
    if output == STANDARD_OUTPUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(output)
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
