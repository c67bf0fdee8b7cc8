"""Doing things again and again: ticks that survive their own errors and the absence of the database."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from rapport.core.db import Database, DatabaseUnavailable

LONGEST_PAUSE_S = 30.0
FIRST_PAUSE_S = 0.2
# The name that a worker's connections carry: `rapport doctor` sees by it that one is alive.
SESSION_NAME = "rapport-worker"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Periodic:
    """Something to be done about every `every_s` seconds, counted from the end of one run to the start of the next.

    `run` does one bounded piece of work, safe to run twice, and returns True when there is more to do at once. A run
    longer than `limit_s` is given up (its transaction is rolled back) and counts as an error.
    """

    name: str
    every_s: float
    run: Callable[[Database], Awaitable[bool]]
    limit_s: float = 300.0


async def run_all(db: Database, periodics: Sequence[Periodic], stop: asyncio.Event, *, grace_s: float = 25.0) -> None:
    """Run all of them side by side until `stop` is set, then let running steps finish for up to `grace_s` seconds."""
    tasks = [asyncio.create_task(_repeat(db, periodic, stop), name=periodic.name) for periodic in periodics]
    try:
        await stop.wait()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace_s)
            if late:
                log.warning("gave up steps that did not finish", names=sorted(task.get_name() for task in late))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _repeat(db: Database, periodic: Periodic, stop: asyncio.Event) -> None:
    failures = 0
    while not stop.is_set():
        pause_s = periodic.every_s
        try:
            async with asyncio.timeout(periodic.limit_s):
                more = await periodic.run(db)
        except Exception as error:  # noqa: BLE001 (whatever goes wrong in one run, the next is tried)
            failures += 1
            pause_s = max(pause_s, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(failures, 20)))
            pause_s *= random.uniform(0.8, 1.2)  # noqa: S311 (jitter, not a secret)
            _tell(periodic.name, error, failures, pause_s)
        else:
            if failures:
                log.info("works again", name=periodic.name, after_failures=failures)
            failures = 0
            if more:
                await asyncio.sleep(0)
                continue
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause_s)


def _tell(name: str, error: Exception, failures: int, pause_s: float) -> None:
    """Log a lost connection in one line, anything else with where it happened."""
    unreachable = isinstance(error, DatabaseUnavailable)
    log.error(
        "a step failed",
        name=name,
        error=type(error).__name__,
        failures=failures,
        pause_s=round(pause_s, 2),
        exc_info=None if unreachable else error,
    )
