"""Many projects, one worker: each gets its turn, and one that fails holds up no other."""

import time
from collections.abc import Awaitable, Callable, Sequence

import structlog

from rapport.core.db import DatabaseUnavailable

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 60.0

log = structlog.get_logger(__name__)


class Turns:
    """Runs a step for each of some projects; a project whose step fails is left alone for a while, then longer."""

    def __init__(self, name: str) -> None:
        """Log under `name`."""
        self.name = name
        self._failures: dict[int, tuple[int, float]] = {}

    async def take(self, projects: Sequence[int], step: Callable[[int], Awaitable[bool]]) -> bool:
        """Run `step` for each project that is not resting; return whether any says that there is more to do.

        Raises only when the database is away, which is nobody's fault.
        """
        more = False
        for project_id in projects:
            failures, rest_until = self._failures.get(project_id, (0, 0.0))
            if time.monotonic() < rest_until:
                continue
            try:
                more = await step(project_id) or more
            except DatabaseUnavailable:
                self._rest(project_id, failures)
                raise
            except Exception:
                pause_s = self._rest(project_id, failures)
                log.exception("a step failed", name=self.name, project_id=project_id, pause_s=round(pause_s, 1))
            else:
                self._failures.pop(project_id, None)
        return more

    def _rest(self, project_id: int, failures: int) -> float:
        pause_s: float = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(failures, 10))
        self._failures[project_id] = (failures + 1, time.monotonic() + pause_s)
        return pause_s
