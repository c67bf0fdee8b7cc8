"""The worker as a child: `python -m rapport.child worker`."""

import asyncio

import uvloop

from rapport import worker
from rapport.child import LAST_GRACE_S
from rapport.core.processes import collect_less, watch_lifeline
from rapport.settings import Settings


def run(settings: Settings) -> None:
    """Run the worker until SIGTERM."""
    uvloop.run(_run(settings))


async def _run(settings: Settings) -> None:
    loop = asyncio.get_running_loop()
    collect_less()

    def follow_parent(stop: asyncio.Event) -> None:
        def end() -> None:
            loop.call_soon_threadsafe(stop.set)

        watch_lifeline(settings.drain_timeout_s + LAST_GRACE_S, end)

    await worker.run(settings, follow_parent)
