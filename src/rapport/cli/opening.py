"""What every command begins with: its settings, and the database they name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from rapport.core import datadir, embedded, logs, preflight
from rapport.core.db import Database
from rapport.settings import Settings, load

DataDir = Annotated[Path | None, typer.Option(help="Where data is kept (RAPPORT_DATA_DIR, ./data).")]
DatabaseUrl = Annotated[str | None, typer.Option(help="A PostgreSQL to use in place of the embedded one.")]


def single() -> typer.Typer:
    """Return what a command is added to."""
    return typer.Typer(add_completion=False, rich_markup_mode=None)


def group(told: str) -> typer.Typer:
    """Return what the commands of a group are added to, also where it has but one."""
    app = typer.Typer(help=told, no_args_is_help=True, add_completion=False, rich_markup_mode=None)
    app.callback()(lambda: None)
    return app


def read_settings(process: str, **options: Any) -> Settings:
    """Return the settings, those of the command line first; logs are sent out as they say. Raises StartError."""
    settings = load(**options)
    logs.configure(settings.log_format, process)
    return settings


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[tuple[str, Database]]:
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
