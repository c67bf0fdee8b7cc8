"""An API process: `python -m rapport.child api --fd N`."""

import signal
import socket
from types import FrameType

import uvicorn

from rapport import app
from rapport.child import LAST_GRACE_S
from rapport.core.processes import collect_less, watch_lifeline
from rapport.settings import Settings

KEEP_ALIVE_S = 75
BACKLOG = 2048


def run(settings: Settings, descriptor: int) -> None:
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
