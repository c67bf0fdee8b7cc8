"""Undoing an import, by the worker: what its last step did first, some subjects at a time.

So a customer whom several rows changed has, one after another, each value back that was there before.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from rapport.activity.log import IMPORT
from rapport.async_actions.models import Action
from rapport.customers.writes import Unit
from rapport.imports import queries
from rapport.imports.customers.rows import is_person
from rapport.imports.models import Kind
from rapport.imports.parts import in_parts
from rapport.work.batches import Batches

OUTCOMES = ("deleted", "restored", "partly", "kept", "gone")
Changed = tuple[str, dict[str, list[Any]] | None]


class UndoStep:
    """Takes one step of undoing an import (`async_actions.tasks.Step`)."""

    def __init__(self, kinds: Mapping[str, Kind], offset: timedelta) -> None:
        """Undo by the kind of the import; `offset` is that of the clock."""
        self._kinds = kinds
        self._offset = offset
        self._batches = Batches()

    async def __call__(self, unit: Unit, action: Action) -> Action:
        """Undo what was done to the next subjects; return how far it came."""
        conn, project_id, import_id = unit.conn, unit.project_id, action.parameters["import_id"]
        one = await queries.find(conn, project_id, import_id, lock=True)
        if one is None or one.cleared:
            message = "What undoing takes is no longer kept"
            return msgspec.structs.replace(action, status="FAILED", result={"message": message})
        found = await queries.last_changes(conn, project_id, import_id, action.cursor.get("before"))
        if found is None:
            result = {"message": "The import was undone", **{name: (one.undo or {}).get(name, 0) for name in OUTCOMES}}
            return msgspec.structs.replace(action, status="DONE", result=result)
        step, changes = found
        if not changes:
            return msgspec.structs.replace(action, cursor={"before": step})
        with self._batches.measured(project_id):
            some = sorted(changes.items(), key=_order)[: self._batches.size(project_id)]
            outcomes = await self._undo(unit, self._kinds[one.kind], some, [one.request_id, action.request_id])
            left = {who: found for who, found in outcomes.items() if found[0] in {"KEPT", "PARTLY"}}
            await queries.set_undone(conn, project_id, import_id, step, list(outcomes), left)
        undone = Counter(one.undo or {}) + Counter(outcome.lower() for outcome, _ in outcomes.values())
        await queries.set_undo(conn, project_id, import_id, action.id, dict(undone))
        kept = undone["kept"] + undone["partly"]
        return msgspec.structs.replace(action, done_count=undone.total() - kept, failed_count=kept)

    async def _undo(
        self, unit: Unit, kind: Kind, some: Sequence[Changed], request_ids: list[str]
    ) -> dict[str, tuple[str, str | None]]:
        async def work(part: Unit, chosen: Sequence[Changed]) -> list[tuple[str, str | None]]:
            part.turned_by = IMPORT
            return await kind.undo(part, chosen, request_ids)

        def refused(reason: str) -> tuple[str, str | None]:
            return "KEPT", reason

        found = await in_parts(unit, some, work, refused)
        return {subject: outcome for (subject, _), outcome in zip(some, found, strict=True)}


def _order(one: Changed) -> tuple[bool, str]:
    """Let people come last who were made along the way: what they have may be undone with them."""
    return is_person(one[0]), one[0]
