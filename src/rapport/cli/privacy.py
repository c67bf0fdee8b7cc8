"""`rapport privacy`."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from rapport.app import HOLDINGS
from rapport.cli.opening import DatabaseUrl, DataDir, group, open_database, read_settings
from rapport.core import migrations
from rapport.core.errors import NotFound
from rapport.privacy import access
from rapport.settings import StartError

app = group("What is held on persons.")


@app.command("export")
def export_person(
    project: Annotated[str, typer.Option(help="The project's name.")],
    customer: Annotated[str, typer.Option(help="The customer's id or source id.")],
    output: Annotated[Path | None, typer.Option(help="The file to write; the standard output otherwise.")] = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Write everything that is held on a person as one JSON file."""
    settings = read_settings("privacy", data_dir=data_dir, database_url=database_url)

    async def write(file: BinaryIO) -> None:
        async with open_database(settings) as (url, db):
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
