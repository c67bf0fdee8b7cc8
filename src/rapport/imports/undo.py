"""Undoing an import, by the worker: some of its subjects in each step, each once."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from rapport.activity.log import IMPORT
from rapport.async_actions.models import Action
from rapport.customers.writes import Unit
from rapport.imports import queries
from rapport.imports.models import Kind
from rapport.imports.parts import in_parts
from rapport.work.batches import Batches

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
        kind, request_id = self._kinds[one.kind], one.request_id
        with self._batches.measured(project_id):
            limit = self._batches.size(project_id)
            some = await queries.changes_after(conn, project_id, import_id, action.cursor.get("after", ""), limit)

            async def work(part: Unit, chosen: Sequence[Changed]) -> list[tuple[str, str | None]]:
                part.turned_by = IMPORT
                return await kind.undo(part, chosen, request_id)

            def refused(reason: str) -> tuple[str, str | None]:
                return "KEPT", reason

            outcomes = await in_parts(unit, some, work, refused) if some else []
            rows = [(subject, *outcome) for (subject, _), outcome in zip(some, outcomes, strict=True)]
            await queries.set_outcomes(conn, project_id, import_id, rows)
        undone = Counter(one.undo or {}) + Counter(outcome.lower() for _, outcome, _ in rows)
        await queries.set_undo(conn, project_id, import_id, action.id, dict(undone))
        kept = undone["kept"] + undone["partly"]
        action = msgspec.structs.replace(action, done_count=undone.total() - kept, failed_count=kept)
        if some:
            return msgspec.structs.replace(action, cursor={"after": some[-1][0]})
        names = ("deleted", "restored", "partly", "kept", "gone")
        result = {"message": "The import was undone", **{name: undone[name] for name in names}}
        return msgspec.structs.replace(action, status="DONE", result=result)
