"""Many projects, one worker: each gets its turn, and one that fails holds up no other."""

import time
from collections.abc import Awaitable, Callable, Sequence

import structlog

from rapport.core.db import DatabaseUnavailable

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 60.0

log = structlog.get_logger(__name__)


class Resting:
    """What failed is left alone for a while, then longer."""

    def __init__(self) -> None:
        """Let everything be tried."""
        self._failures: dict[object, tuple[int, float]] = {}

    def may_try(self, what: object) -> bool:
        """Tell whether something has rested long enough."""
        return time.monotonic() >= self._failures.get(what, (0, 0.0))[1]

    def failed(self, what: object) -> float:
        """Let something rest; return for how many seconds."""
        failures = self._failures.get(what, (0, 0.0))[0]
        pause_s: float = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(failures, 10))
        self._failures[what] = (failures + 1, time.monotonic() + pause_s)
        return pause_s

    def worked(self, what: object) -> None:
        """Forget that something failed."""
        self._failures.pop(what, None)


class Turns:
    """Runs a step for each of some projects; a project whose step fails is left alone for a while, then longer."""

    def __init__(self, name: str) -> None:
        """Log under `name`."""
        self.name = name
        self._resting = Resting()

    async def take(self, projects: Sequence[int], step: Callable[[int], Awaitable[bool]]) -> bool:
        """Run `step` for each project that is not resting; return whether any says that there is more to do.

        Raises only when the database is away, which is nobody's fault.
        """
        more = False
        for project_id in projects:
            if not self._resting.may_try(project_id):
                continue
            try:
                more = await step(project_id) or more
            except DatabaseUnavailable:
                self._resting.failed(project_id)
                raise
            except Exception:
                pause_s = self._resting.failed(project_id)
                log.exception("a step failed", name=self.name, project_id=project_id, pause_s=round(pause_s, 1))
            else:
                self._resting.worked(project_id)
        return more
