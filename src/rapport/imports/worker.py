"""What the worker does for imports: their steps, and removing what is no longer needed."""

from datetime import timedelta
from typing import Final

import structlog

from rapport.async_actions.tasks import ActionSteps, Step
from rapport.core.db import Connection, Database
from rapport.customers.writes import Unit, Writer
from rapport.imports import queries
from rapport.imports.customers.rows import Customers
from rapport.imports.histories.events import Events
from rapport.imports.histories.orders import Orders
from rapport.imports.models import CAMPAIGN_VOUCHERS, CUSTOMERS, EVENTS, ORDERS, VOUCHERS, Kind, action_type
from rapport.imports.tasks import ImportStep
from rapport.imports.undo import UndoStep
from rapport.imports.vouchers.rows import Vouchers
from rapport.settings import Settings
from rapport.work.periodic import Periodic
from rapport.work.turns import Turns

KINDS: Final[dict[str, Kind]] = {
    CUSTOMERS: Customers(),
    ORDERS: Orders(),
    EVENTS: Events(),
    VOUCHERS: Vouchers(),
    CAMPAIGN_VOUCHERS: Vouchers(),
}
# An upload from which nothing has come for so long was cut off together with the process that took it in.
_UPLOAD_RESTS: Final = timedelta(hours=1)
_AT_ONCE: Final = 10_000

log = structlog.get_logger(__name__)


def steps(writer: Writer) -> ActionSteps:
    """Return what takes steps of imports and of their undoing."""
    read, undo = ImportStep(KINDS, writer.db.clock_offset), UndoStep(KINDS, writer.db.clock_offset)
    by_type: dict[str, Step[Unit]] = {action_type(name, "IMPORT_CSV"): read for name in KINDS}
    by_type |= {action_type(name, "IMPORT_UNDO"): undo for name in KINDS}
    return ActionSteps("imports", writer, by_type)


class Tidying:
    """Removes uploads that were cut off, and what is kept of imports for a time only."""

    def __init__(self, kept: timedelta) -> None:
        """Keep failed rows, and what undoing takes, for so long after the end of an import."""
        self._kept = kept
        self._turns = Turns("imports: tidy")

    async def tidy(self, db: Database) -> bool:
        """Remove some of what is due; return whether there is more."""
        times = {"rests": _UPLOAD_RESTS, "kept": self._kept, "offset": db.clock_offset}
        async with db.read() as conn:
            due = await queries.to_tidy(conn, **times)

        async def step(project_id: int) -> bool:
            return await db.transaction(
                lambda conn: self._tidy(conn, project_id, [i for p, i in due if p == project_id])
            )

        return await self._turns.take(sorted({project_id for project_id, _ in due}), step)

    async def _tidy(self, conn: Connection, project_id: int, import_ids: list[str]) -> bool:
        for import_id in import_ids:
            one = await queries.find(conn, project_id, import_id, lock=True)
            if one is None:
                continue
            if one.state == "UPLOADING":
                await queries.remove(conn, project_id, import_id)
                log.info("an upload that was cut off is removed", id=import_id)
            elif not one.is_over:
                await queries.set_given_up(conn, project_id, import_id)
            elif not one.cleared:
                return await queries.clear(conn, project_id, import_id, _AT_ONCE)
        return False


def periodics(writer: Writer, settings: Settings) -> list[Periodic]:
    """Return what is done for imports again and again."""
    tidying = Tidying(timedelta(days=settings.import_kept_days))
    return [
        Periodic("imports: step", 0.3, steps(writer).run),
        Periodic("imports: tidy", 60.0, tidying.tidy),
    ]
