"""Doing something to many rows at once, and to fewer where the database refuses: down to the one it is about."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import structlog

from rapport.core.db import Contention, DatabaseUnavailable, RefusedValue, UniqueViolation
from rapport.core.errors import RapportError
from rapport.customers.writes import Unit

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

log = structlog.get_logger(__name__)


class _Undone(Exception):
    """Ends a part that was only tried."""


async def in_parts(
    unit: Unit,
    some: Sequence[Item],
    work: Callable[[Unit, Sequence[Item]], Awaitable[list[Outcome]]],
    refused: Callable[[str], Outcome],
    *,
    dry_run: bool = False,
) -> list[Outcome]:
    """Return what `work` makes of each, in a part of the unit; what cannot be done is undone and `refused` with why.

    `dry_run`: nothing is kept of what is done.
    """
    outcomes: list[Outcome] = []
    try:
        async with unit.part() as part:
            outcomes = await work(part, some)
            if dry_run:
                await part.finish()
                raise _Undone  # noqa: TRY301 (it leaves the part, which is undone by that)
    except _Undone:
        return outcomes
    except (*DatabaseUnavailable, *Contention):
        raise
    except Exception as error:  # noqa: BLE001 (whatever one row does, the others are applied)
        if len(some) == 1:
            return [refused(_reason(error))]
        half = len(some) // 2
        first = await in_parts(unit, some[:half], work, refused, dry_run=dry_run)
        return first + await in_parts(unit, some[half:], work, refused, dry_run=dry_run)
    return outcomes


def _reason(error: Exception) -> str:
    if isinstance(error, RapportError):
        return error.details
    if isinstance(error, UniqueViolation):
        return "Another one has the same source_id"
    if isinstance(error, RefusedValue):
        return "A value is too long or out of range"
    log.error("a row could not be applied", exc_info=error)
    return "Something went wrong on our side with this row"
