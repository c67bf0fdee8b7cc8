"""What the worker does for bulk requests: their steps, and the removal of what is kept for a while only."""

from typing import Final

from rapport.async_actions.tasks import REMOVE_EVERY_S, ActionSteps, OldActions
from rapport.bulk import queries
from rapport.bulk.kinds import (
    BULK_UPDATE,
    CAMPAIGN_IMPORT,
    EVENTS_IMPORT,
    METADATA_UPDATE,
    ORDERS_IMPORT,
    VOUCHERS_IMPORT,
    VOUCHERS_METADATA,
    VOUCHERS_UPDATE,
)
from rapport.bulk.models import REPORT_KEPT, Failure
from rapport.bulk.steps import BulkStep
from rapport.core.db import Database
from rapport.core.queries import read_now
from rapport.customers.writes import Writer
from rapport.work.periodic import Periodic
from rapport.work.turns import Turns

STEP_EVERY_S = 0.25
TIDY_EVERY_S = 60.0
_GIVEN_UP: Final = Failure("internal_error", "Internal error", "The action was given up before its turn came")


class Tidying:
    """Removes reports whose time is over, and what is left of actions that were given up."""

    def __init__(self) -> None:
        """Begin with every project."""
        self._turns = Turns("bulk: tidy up")

    async def run(self, db: Database) -> bool:
        """Remove one report in each project; return whether there may be more."""
        async with db.read() as conn:
            before = await read_now(conn, db.clock_offset) - REPORT_KEPT
            projects = await queries.projects_to_tidy(conn, before)

        async def tidy(project_id: int) -> bool:
            given_up = await db.transaction(lambda conn: queries.give_up(conn, project_id, _GIVEN_UP))
            removed = await db.transaction(lambda conn: queries.remove_old(conn, project_id, before))
            return given_up + removed > 0

        return await self._turns.take(projects, tidy)


def periodics(writer: Writer) -> list[Periodic]:
    """Return what the worker does again and again.

    Updates of a project are done in the order of their requests, and so are imports; an import holds up no update.
    """
    step = BulkStep(writer.db.clock_offset)
    updates = ActionSteps("bulk: update", writer, {BULK_UPDATE: step, METADATA_UPDATE: step}, in_order=True)
    kinds = (VOUCHERS_IMPORT, CAMPAIGN_IMPORT, VOUCHERS_UPDATE, VOUCHERS_METADATA)
    vouchers = ActionSteps("bulk: vouchers", writer, dict.fromkeys(kinds, step), in_order=True)
    imports = ActionSteps("bulk: import", writer, {ORDERS_IMPORT: step, EVENTS_IMPORT: step}, in_order=True)
    return [
        Periodic("bulk: update", STEP_EVERY_S, updates.run),
        Periodic("bulk: vouchers", STEP_EVERY_S, vouchers.run),
        Periodic("bulk: import", STEP_EVERY_S, imports.run),
        Periodic("bulk: tidy up", TIDY_EVERY_S, Tidying().run),
        Periodic("async actions: remove old ones", REMOVE_EVERY_S, OldActions().run),
    ]
