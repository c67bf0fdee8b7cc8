"""What the processes run that `rapport serve` starts: `python -m rapport.child api --fd N` and `… worker`.

They take their settings from the environment that the supervisor prepared, and end when it is gone.
"""

import argparse
import asyncio
import signal
import socket
import sys
from types import FrameType

import structlog
import uvicorn
import uvloop

from rapport import app, worker
from rapport.core import logs
from rapport.core.processes import collect_less, watch_lifeline
from rapport.settings import Settings, StartError, load

KEEP_ALIVE_S = 75
BACKLOG = 2048
LAST_GRACE_S = 5

log = structlog.get_logger()


def serve_api(settings: Settings, descriptor: int) -> None:
    """Answer requests on an inherited listening socket until SIGTERM; then finish those in flight."""
    config = uvicorn.Config(
        app.create_app(settings),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=settings.drain_timeout_s,
    )
    server = uvicorn.Server(config)

    def end(_number: int = 0, _frame: FrameType | None = None) -> None:
        server.should_exit = True

    # uvicorn puts its own handlers in place while it runs, and raises the signal once more when it is done.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    watch_lifeline(settings.drain_timeout_s + LAST_GRACE_S, end)
    collect_less()
    server.run(sockets=[socket.socket(fileno=descriptor)])


async def run_worker(settings: Settings) -> None:
    """Run the worker until SIGTERM."""
    loop = asyncio.get_running_loop()
    collect_less()

    def follow_parent(stop: asyncio.Event) -> None:
        def end() -> None:
            loop.call_soon_threadsafe(stop.set)

        watch_lifeline(settings.drain_timeout_s + LAST_GRACE_S, end)

    await worker.run(settings, follow_parent)


def main() -> None:
    """Run one process; a StartError is one line of log and exit code 1."""
    parser = argparse.ArgumentParser(prog="rapport.child")
    kinds = parser.add_subparsers(dest="kind", required=True)
    kinds.add_parser("api").add_argument("--fd", type=int, required=True)
    kinds.add_parser("worker")
    arguments = parser.parse_args()
    try:
        settings = load()
        logs.configure(settings.log_format, arguments.kind)
        if arguments.kind == "api":
            serve_api(settings, arguments.fd)
        else:
            uvloop.run(run_worker(settings))
    except StartError as error:
        log.error(str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
