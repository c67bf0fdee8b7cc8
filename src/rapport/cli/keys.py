"""`rapport keys`."""

import asyncio
from typing import Annotated, Any, Literal

import msgspec
import typer

from rapport.cli.opening import DatabaseUrl, DataDir, group, open_database, read_settings
from rapport.core import migrations
from rapport.projects import actions

app = group("API keys.")


@app.command("create")
def create_key(
    project: Annotated[str, typer.Option(help="The project's name; made if there is none.")],
    kind: Annotated[Literal["server", "client", "management"], typer.Option(help="What the key may call.")] = "server",
    time_zone: Annotated[str | None, typer.Option(help="Of a new project, e.g. Europe/Warsaw; UTC otherwise.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Make an API key; its token is shown this once."""
    settings = read_settings("keys", data_dir=data_dir, database_url=database_url)

    async def create() -> Any:
        async with open_database(settings) as (url, db):
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
