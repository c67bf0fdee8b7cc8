"""`rapport serve`."""

import asyncio
from typing import Annotated

import typer

from rapport import serve as server
from rapport.cli.opening import DatabaseUrl, DataDir, read_settings, single

app = single()


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
    settings = read_settings(
        "serve", host=host, port=port, data_dir=data_dir, database_url=database_url, workers=workers
    )
    asyncio.run(server.serve(settings, with_worker=not no_worker, demo=demo))
