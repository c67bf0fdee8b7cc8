"""`rapport export`."""

import asyncio
from typing import Annotated

import typer

from rapport.cli.opening import DatabaseUrl, DataDir, open_database, read_settings, single
from rapport.core import migrations
from rapport.core.errors import RapportError
from rapport.exports import command as exporting
from rapport.exports.parameters import Parameters
from rapport.projects.models import DEFAULT_PROJECT
from rapport.settings import StartError

app = single()


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
    settings = read_settings("export", data_dir=data_dir, database_url=database_url)

    async def export() -> int:
        parameters = Parameters(
            order=order,
            fields=exporting.split_fields(fields),
            filters=exporting.read_filters(filters),
            segment_id=segment,
        )
        async with open_database(settings) as (url, db):
            await migrations.check_current(db, url)
            return await exporting.write(db, project, what, parameters, output)

    try:
        count = asyncio.run(export())
    except RapportError as error:
        raise StartError(error.details) from None
    typer.echo(f"{count:,} rows", err=True)
