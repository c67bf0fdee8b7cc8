"""`rapport schemas`."""

import asyncio
from typing import Annotated

import typer

from rapport.cli.opening import DatabaseUrl, DataDir, group, open_database, read_settings
from rapport.core import migrations
from rapport.core.db import Connection
from rapport.core.errors import RapportError
from rapport.metadata import actions as metadata
from rapport.metadata.schemas import CopyView
from rapport.projects import queries as projects
from rapport.settings import StartError

app = group("Metadata schemas and custom event schemas.")


@app.command("copy")
def copy_schemas(
    source: Annotated[str, typer.Option("--from", help="The project whose schemas are copied: its name or id.")],
    target: Annotated[str, typer.Option("--to", help="The project that gets them: its name or id.")],
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Copy the metadata and event schemas of one project into another."""
    settings = read_settings("schemas", data_dir=data_dir, database_url=database_url)

    async def run() -> CopyView:
        async with open_database(settings) as (url, db):
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
