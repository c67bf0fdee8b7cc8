"""How far time has been dealt with in a project, as one worker knows it. Pure."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rapport.segments.ticks.crossings import Scan

# How far what is stored may be behind: a worker that takes over looks at so much again, and so do writers.
STORED_EVERY = timedelta(seconds=15)
# The same where no segment depends on the time.
STORED_RARELY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Debt:
    """A stretch of time that is looked at once more when the transactions that ran at its end are over."""

    since: datetime
    until: datetime
    before: int


@dataclass(slots=True)
class Flood:
    """A scan that found more than fits into one step, and where it goes on."""

    scan: Scan
    segment_ids: frozenset[str]
    after: tuple[str, str]
    since: datetime


@dataclass(slots=True)
class Progress:
    """What has been scanned, and what is owed.

    A writer reads the clock under its locks and commits later. A tick in between does not see what was written, so each
    stretch is scanned at once and, if anybody was writing, again when all who were are over.
    """

    scanned_to: datetime
    stored: datetime
    debts: deque[Debt] = field(default_factory=deque)
    floods: deque[Flood] = field(default_factory=deque)

    def due(self, now: datetime, running: int) -> list[tuple[datetime, datetime]]:
        """Return the stretches of time to scan now: what is new, and the debts that can be paid."""
        paid = [debt for debt in self.debts if debt.before <= running]
        stretches = [(paid[0].since, paid[-1].until)] if paid else []
        if now > self.scanned_to:
            stretches.append((self.scanned_to, now))
        return stretches

    def done(self, now: datetime, before: int, running: int) -> None:
        """Note that what was due has been dealt with, or is a flood."""
        while self.debts and self.debts[0].before <= running:
            self.debts.popleft()
        if now > self.scanned_to:
            if running < before:
                self.debts.append(Debt(self.scanned_to, now, before))
            self.scanned_to = now

    @property
    def settled_to(self) -> datetime:
        """Return up to which moment nothing is owed."""
        owed = [self.debts[0].since] if self.debts else []
        return min((self.scanned_to, *owed, *(flood.since for flood in self.floods)))
