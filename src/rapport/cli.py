"""The command `rapport`."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal

import msgspec
import typer
import uvloop
from rich.console import Console
from rich.table import Table

from rapport import doctor as examination
from rapport import serve as server
from rapport import worker as working
from rapport.app import HOLDINGS
from rapport.core import datadir, embedded, logs, migrations, preflight
from rapport.core.db import Connection, Database
from rapport.core.errors import NotFound, RapportError
from rapport.core.processes import collect_less
from rapport.exports import command as exporting
from rapport.exports.parameters import Parameters
from rapport.imports import terminal
from rapport.imports.models import PAST, Import, Options
from rapport.imports.options import read_options
from rapport.imports.worker import KINDS
from rapport.metadata import actions as metadata
from rapport.metadata.schemas import CopyView
from rapport.privacy import access
from rapport.projects import actions
from rapport.projects import queries as projects
from rapport.projects.models import DEFAULT_PROJECT
from rapport.settings import Settings, StartError, load

app = typer.Typer(
    help="Rapport, a self-hosted promotion CRM.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
keys = typer.Typer(help="API keys.", no_args_is_help=True)
app.add_typer(keys, name="keys")
privacy = typer.Typer(help="What is held on persons.", no_args_is_help=True)
app.add_typer(privacy, name="privacy")
schemas = typer.Typer(help="Metadata schemas and custom event schemas.", no_args_is_help=True)
app.add_typer(schemas, name="schemas")
importing = typer.Typer(help="Imports of files.", no_args_is_help=True)
app.add_typer(importing, name="import")

DataDir = Annotated[Path | None, typer.Option(help="Where data is kept (RAPPORT_DATA_DIR, ./data).")]
DatabaseUrl = Annotated[str | None, typer.Option(help="A PostgreSQL to use in place of the embedded one.")]

_COLOURS = {"ok": "green", "note": "yellow", "problem": "red"}


def main() -> None:
    """Run the command line; what keeps it from starting is one line and exit code 1."""
    try:
        app()
    except StartError as error:
        sys.stderr.write(f"rapport: {' '.join(str(error).split())}\n")
        sys.exit(1)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on (RAPPORT_HOST, 127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on (RAPPORT_PORT, 8000).")] = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    workers: Annotated[int | None, typer.Option(help="How many API processes (RAPPORT_WORKERS).")] = None,
    no_worker: Annotated[bool, typer.Option("--no-worker", help="Run the API only.")] = False,  # noqa: FBT002
    demo: Annotated[bool, typer.Option("--demo", help="Load a demo shop on the first start.")] = False,  # noqa: FBT002
) -> None:
    """Run the API, the worker and, without a database URL, the embedded PostgreSQL."""
    settings = _settings("serve", host=host, port=port, data_dir=data_dir, database_url=database_url, workers=workers)
    asyncio.run(server.serve(settings, with_worker=not no_worker, demo=demo))


@app.command()
def worker(database_url: DatabaseUrl = None, data_dir: DataDir = None) -> None:
    """Run a worker of its own."""
    settings = _settings("worker", data_dir=data_dir, database_url=database_url)
    url = settings.database_url or embedded.running_url(settings.data_dir)
    uvloop.run(working.run(settings.model_copy(update={"database_url": url})))


@app.command()
def migrate(database_url: DatabaseUrl = None, data_dir: DataDir = None) -> None:
    """Bring the schema of the database up to date."""
    settings = _settings("migrate", data_dir=data_dir, database_url=database_url)
    steps = asyncio.run(_migrate(settings))
    version = migrations.newest_version()
    typer.echo(f"migrated to {version} ({len(steps)} steps)" if steps else f"already up to date ({version})")


@app.command()
def doctor(database_url: DatabaseUrl = None, data_dir: DataDir = None) -> None:
    """Look for what is wrong; exit code 1 when something is."""
    settings = _settings("doctor", data_dir=data_dir, database_url=database_url)
    findings = asyncio.run(examination.examine(settings))
    table = Table("", "state", "details")
    for finding in findings:
        table.add_row(finding.subject, f"[{_COLOURS[finding.state]}]{finding.state}[/]", finding.details)
    Console(soft_wrap=not sys.stdout.isatty()).print(table)
    if any(finding.state == "problem" for finding in findings):
        raise typer.Exit(1)


@keys.command("create")
def create_key(
    project: Annotated[str, typer.Option(help="The project's name; made if there is none.")],
    kind: Annotated[Literal["server", "client", "management"], typer.Option(help="What the key may call.")] = "server",
    time_zone: Annotated[str | None, typer.Option(help="Of a new project, e.g. Europe/Warsaw; UTC otherwise.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Make an API key; its token is shown this once."""
    settings = _settings("keys", data_dir=data_dir, database_url=database_url)

    async def create() -> Any:
        async with _database(settings) as (url, db):
            if settings.database_url is None:
                await migrations.migrate(url)
            await migrations.check_current(db, url)
            return msgspec.to_builtins(await actions.create_key(db, project, kind, time_zone=time_zone))

    made = asyncio.run(create())
    if as_json:
        typer.echo(msgspec.json.encode(made).decode())
    else:
        typer.echo(f"project      {made['project']} ({made['project_id']})\nkind         {made['kind']}")
        typer.echo(f"X-App-Id     {made['app_id']}\nX-App-Token  {made['app_token']}  (shown this once)")


@app.command("export")
def export_rows(  # noqa: PLR0913, PLR0917 (each is an option)
    what: Annotated[exporting.What, typer.Argument(help="What to export.")],
    project: Annotated[str, typer.Option(help="The project's name.")] = DEFAULT_PROJECT,
    fields: Annotated[str | None, typer.Option(help="Names of columns, with commas between them.")] = None,
    filters: Annotated[str | None, typer.Option("--filter", help="Filters as JSON, as in the API.")] = None,
    order: Annotated[str | None, typer.Option(help="A field, with - before it for the reverse.")] = None,
    segment: Annotated[str | None, typer.Option(help="The segment whose members are exported.")] = None,
    output: Annotated[str, typer.Option(help="The file to write; - is the standard output.")] = "-",
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Write a CSV file, straight from the database and as of one moment."""
    settings = _settings("export", data_dir=data_dir, database_url=database_url)

    async def export() -> int:
        parameters = Parameters(
            order=order,
            fields=exporting.split_fields(fields),
            filters=exporting.read_filters(filters),
            segment_id=segment,
        )
        async with _database(settings) as (url, db):
            await migrations.check_current(db, url)
            return await exporting.write(db, project, what, parameters, output)

    try:
        count = asyncio.run(export())
    except RapportError as error:
        raise StartError(error.details) from None
    typer.echo(f"{count:,} rows", err=True)


@privacy.command("export")
def export_person(
    project: Annotated[str, typer.Option(help="The project's name.")],
    customer: Annotated[str, typer.Option(help="The customer's id or source id.")],
    output: Annotated[Path | None, typer.Option(help="The file to write; the standard output otherwise.")] = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Write everything that is held on a person as one JSON file."""
    settings = _settings("privacy", data_dir=data_dir, database_url=database_url)

    async def write(file: BinaryIO) -> None:
        async with _database(settings) as (url, db):
            await migrations.check_current(db, url)
            async for piece in access.pieces_of_project(db, project, HOLDINGS, customer):
                file.write(piece)

    try:
        if output is None:
            asyncio.run(write(sys.stdout.buffer))
        else:
            with output.open("wb") as file:
                output.chmod(0o600)
                asyncio.run(write(file))
    except NotFound as error:
        if output is not None:
            output.unlink()
        raise StartError(error.details) from error


@schemas.command("copy")
def copy_schemas(
    source: Annotated[str, typer.Option("--from", help="The project whose schemas are copied: its name or id.")],
    target: Annotated[str, typer.Option("--to", help="The project that gets them: its name or id.")],
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Copy the metadata and event schemas of one project into another."""
    settings = _settings("schemas", data_dir=data_dir, database_url=database_url)

    async def run() -> CopyView:
        async with _database(settings) as (url, db):
            await migrations.check_current(db, url)
            async with db.read() as conn:
                ids = [await _project(conn, name) for name in (source, target)]
            return await metadata.copy(db, ids[0], ids[1])

    try:
        copied = asyncio.run(run())
    except RapportError as error:
        raise StartError(error.details) from error
    typer.echo(f"metadata schemas      {', '.join(copied.metadata_schemas) or 'none'}")
    typer.echo(f"custom event schemas  {', '.join(copied.custom_event_schemas) or 'none'}")


async def _project(conn: Connection, named: str) -> int:
    project = await projects.find_project(conn, named)
    found = await projects.find_project_id(conn, named) if project is None else project.project_id
    if found is None:
        raise StartError(f"there is no project {named!r}")
    return found


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
        settings = _settings("import", data_dir=data_dir, database_url=database_url)
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
    importing.command(kind, help=told)(command)


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
        async with _database(settings) as (url, db):
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


def _settings(process: str, **options: Any) -> Settings:
    settings = load(**options)
    logs.configure(settings.log_format, process)
    return settings


async def _migrate(settings: Settings) -> list[str]:
    async with _database(settings) as (url, _):
        return await migrations.migrate(url)


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[tuple[str, Database]]:
    """Open the configured database, or the embedded one: the running one, or started for as long as it is needed."""
    url = settings.database_url or embedded.running_url(settings.data_dir)
    if url is None:
        datadir.prepare(settings.data_dir)
        with datadir.lock(settings.data_dir):
            postgres = embedded.EmbeddedPostgres(settings.data_dir)
            try:
                await postgres.start()
                async with _open(settings, postgres.url) as db:
                    yield postgres.url, db
            finally:
                await postgres.stop()
        return
    async with _open(settings, url) as db:
        yield url, db


@asynccontextmanager
async def _open(settings: Settings, url: str) -> AsyncIterator[Database]:
    db = await preflight.open_database(url, clock_offset=settings.clock_offset)
    try:
        await preflight.check_server(db, url)
        yield db
    finally:
        await db.close()
