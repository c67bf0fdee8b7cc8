"""`rapport migrate`."""

import asyncio

import typer

from rapport.cli.opening import DatabaseUrl, DataDir, open_database, read_settings, single
from rapport.core import migrations
from rapport.settings import Settings

app = single()


@app.command()
def migrate(database_url: DatabaseUrl = None, data_dir: DataDir = None) -> None:
    """Bring the schema of the database up to date."""
    settings = read_settings("migrate", data_dir=data_dir, database_url=database_url)
    steps = asyncio.run(_migrate(settings))
    version = migrations.newest_version()
    typer.echo(f"migrated to {version} ({len(steps)} steps)" if steps else f"already up to date ({version})")


async def _migrate(settings: Settings) -> list[str]:
    async with open_database(settings) as (url, _):
        return await migrations.migrate(url)
