"""`rapport import`."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from rapport.cli.opening import DatabaseUrl, DataDir, group, open_database, read_settings
from rapport.core import migrations
from rapport.core.errors import RapportError
from rapport.core.processes import collect_less
from rapport.imports import terminal
from rapport.imports.models import PAST, Import, Options
from rapport.imports.options import read_options
from rapport.imports.worker import KINDS
from rapport.settings import Settings, StartError

app = group("Imports of files.")


def _import_command(kind: str) -> None:
    """Add the command that imports files of this kind."""

    def command(  # noqa: PLR0913, PLR0917 (each is an option of the command)
        file: Annotated[Path, typer.Argument(help="A file, or - to read it from standard input.")],
        project: Annotated[str, typer.Option(help="The project's name.")],
        mode: Annotated[
            Literal["replace", "merge"], typer.Option(help="An empty cell erases, or says nothing.")
        ] = "replace",
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would come of it.")] = False,  # noqa: FBT002
        segment_events: Annotated[bool, typer.Option(help="Let distributions react to entering a segment.")] = kind
        not in PAST,
        file_format: Annotated[
            Literal["auto", "csv", "ndjson"], typer.Option("--format", help="NDJSON: orders and events only.")
        ] = "auto",
        encoding: Annotated[
            Literal["auto", "utf-8", "utf-16", "windows-1252"], typer.Option(help="Of the file.")
        ] = "auto",
        separator: Annotated[str, typer.Option(help="A character, tab, or auto.")] = "auto",
        quote: Annotated[str, typer.Option(help="A character, or none.")] = '"',
        failures: Annotated[Path | None, typer.Option(help="Where rows that failed are written.")] = None,
        database_url: DatabaseUrl = None,
        data_dir: DataDir = None,
    ) -> None:
        settings = read_settings("import", data_dir=data_dir, database_url=database_url)
        given = {"mode": mode, "format": file_format, "encoding": encoding, "separator": separator, "quote": quote}
        try:
            options = read_options({**given, "dry_run": str(dry_run), "segment_events": str(segment_events)}, kind)
        except RapportError as error:
            raise typer.BadParameter(error.details) from error
        one, path = asyncio.run(_import(settings, project, kind, file, options, failures))
        typer.echo(f"{one.id}: {one.message}")
        if path is not None:
            typer.echo(f"failed rows: {path}")
        if path is not None or one.state != "DONE":
            raise typer.Exit(1)

    told = f"Bring in {kind} from a file; exit code 1 when rows failed, which are written to a file."
    app.command(kind, help=told)(command)


for _kind in KINDS:
    _import_command(_kind)


async def _import(
    settings: Settings, project: str, kind: str, path: Path, options: Options, failures: Path | None
) -> tuple[Import, Path | None]:
    """Import a file; return what came of it, and where the rows that failed are."""
    is_input = str(path) == "-"
    try:
        content = sys.stdin.buffer if is_input else path.open("rb")
    except OSError as error:
        raise StartError(f"{path} cannot be read: {error.strerror}") from None
    with content:
        size = None if is_input else os.fstat(content.fileno()).st_size
        file = terminal.File(content, "-" if is_input else path.name, size, settings.import_max_bytes)
        async with open_database(settings) as (url, db):
            if settings.database_url is None:
                await migrations.migrate(url)
            await migrations.check_current(db, url)
            collect_less()
            try:
                one = await terminal.run(db, project, kind, file, options)
            except RapportError as error:
                raise StartError(error.details) from None
            if not one.failed:
                return one, None
            name = f"{one.id}.failures.csv" if is_input else f"{path.name}.failures.csv"
            target = failures or path.with_name(name)
            await terminal.write_failures(db, project, one, target)
            return one, target
