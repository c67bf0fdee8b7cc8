"""The worker's part in imports: a batch of rows in each step, and what it came to, in one transaction."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

import msgspec

from rapport.activity.log import IMPORT
from rapport.async_actions.models import Action
from rapport.core.db import Connection
from rapport.customers.writes import Unit
from rapport.imports import queries
from rapport.imports.models import MAX_ROW_BYTES, Done, Import, Kind, Options, RawRow, Reader, RowFailed, UnusableFile
from rapport.imports.parts import in_parts
from rapport.imports.reading import Dialect, Place, begin, split
from rapport.work.batches import Batches

FIRST_ROWS = 200
MOST_ROWS = 4_000
# How long a step takes, and with it how long a request about one of its customers may have to wait; each has some 25
# round trips and a commit of its own.
STEP_S = 0.5
# How many of the failed rows the action's own result shows.
SHOWN = 100
_SMALLEST_WINDOW = 65_536
_LARGEST_WINDOW = 1_048_576
_HEAD_BYTES = 2 * MAX_ROW_BYTES


class ImportStep:
    """Takes one step of an import (`async_actions.tasks.Step`): reads on where the last one ended."""

    def __init__(self, kinds: Mapping[str, Kind], offset: timedelta) -> None:
        """Apply rows by their kind; `offset` is that of the clock."""
        self._kinds = kinds
        self._offset = offset
        self._batches = Batches(first=FIRST_ROWS, most=MOST_ROWS, target_s=STEP_S)

    async def __call__(self, unit: Unit, action: Action) -> Action:
        """Apply the next rows; return how far it came."""
        conn, project_id = unit.conn, unit.project_id
        one = await queries.find(conn, project_id, action.parameters["import_id"], lock=True)
        if one is None:
            return msgspec.structs.replace(action, status="FAILED", result={"message": "The import was removed"})
        if one.cancel:
            return await self._end(conn, project_id, one, action, "CANCELED", "The import was canceled")
        try:
            if not action.cursor:
                one, action = await self._begin(conn, project_id, one, action)
            with self._batches.measured(project_id):
                return await self._read(unit, one, action)
        except UnusableFile as error:
            return await self._end(conn, project_id, one, action, "FAILED", error.details)

    async def _begin(self, conn: Connection, project_id: int, one: Import, action: Action) -> tuple[Import, Action]:
        head = await queries.read_bytes(conn, project_id, one.id, 0, min(_HEAD_BYTES, one.size_bytes))
        options = msgspec.convert(one.options, Options)
        dialect, header, place = begin(head, options, action.parameters["encoding"])
        cursor = {"dialect": msgspec.to_builtins(dialect), "place": msgspec.to_builtins(place)}
        one = msgspec.structs.replace(one, columns=header, state="IN_PROGRESS")
        return one, msgspec.structs.replace(action, cursor=cursor)

    async def _read(self, unit: Unit, one: Import, action: Action) -> Action:
        conn, project_id = unit.conn, unit.project_id
        options = msgspec.convert(one.options, Options)
        kind = self._kinds[one.kind]
        reader = await kind.reader(unit, one.columns, options)
        rows, place = await self._rows(conn, project_id, one, action)
        outcomes = await self._outcomes(unit, kind, reader, rows, options)
        one = msgspec.structs.replace(
            one,
            rows=one.rows + len(rows),
            **{
                became: getattr(one, became) + sum(isinstance(o, Done) and o.became == became for _, o in outcomes)
                for became in ("created", "updated", "unchanged")
            },
            failed=one.failed + sum(isinstance(outcome, RowFailed) for _, outcome in outcomes),
        )
        await self._keep(conn, project_id, one, reader, outcomes, options)
        action = msgspec.structs.replace(
            action,
            cursor={**action.cursor, "place": msgspec.to_builtins(place)},
            done_count=one.rows - one.failed,
            failed_count=one.failed,
        )
        if place.offset >= one.size_bytes:
            return await self._end(conn, project_id, one, action, "DONE", _told(one, options))
        await queries.remove_chunks(conn, project_id, one.id, before_byte=place.offset)
        await queries.save(conn, project_id, one, self._offset)
        return action

    async def _rows(self, conn: Connection, project_id: int, one: Import, action: Action) -> tuple[list[RawRow], Place]:
        """Return the next rows: as many as the batch takes, or as a window of the file holds."""
        dialect = msgspec.convert(action.cursor["dialect"], Dialect)
        place = msgspec.convert(action.cursor["place"], Place)
        limit = self._batches.size(project_id)
        each = place.offset // place.number + 1
        window = max(_SMALLEST_WINDOW, min(_LARGEST_WINDOW, each * limit * 5 // 4))
        for length in (window, _HEAD_BYTES):
            wanted = min(length, one.size_bytes - place.offset)
            content = await queries.read_bytes(conn, project_id, one.id, place.offset, wanted) if wanted else b""
            if len(content) < wanted:
                raise UnusableFile("What was still to be read of the file has been removed")
            at_end = place.offset + wanted >= one.size_bytes
            rows, after = split(content, dialect, place, limit=limit, at_end=at_end, width=len(one.columns))
            if after.offset > place.offset:
                return rows, after
        return [], place

    async def _outcomes(
        self, unit: Unit, kind: Kind, reader: Reader, rows: Sequence[RawRow], options: Options
    ) -> list[tuple[RawRow, Done | RowFailed]]:
        """Return what became of each row, in their order."""
        outcomes: dict[int, Done | RowFailed] = {}
        readable: list[tuple[int, Any]] = []
        for row in rows:
            try:
                if row.problem is not None:
                    raise RowFailed(row.problem, None if row.place is None else _name(reader, row.place))  # noqa: TRY301
                readable.append((row.number, reader.read(row.cells)))
            except RowFailed as failure:
                outcomes[row.number] = failure
        if readable:
            applied = await self._apply(unit, kind, [said for _, said in readable], options)
            outcomes.update(zip((number for number, _ in readable), applied, strict=True))
        return [(row, outcomes[row.number]) for row in rows]

    async def _apply(self, unit: Unit, kind: Kind, said: Sequence[Any], options: Options) -> list[Done | RowFailed]:
        async def work(part: Unit, some: Sequence[Any]) -> list[Done | RowFailed]:
            part.turned_by = None if options.segment_events else IMPORT
            return await kind.apply(part, some, options)

        return await in_parts(unit, said, work, RowFailed, dry_run=options.dry_run)

    async def _keep(
        self,
        conn: Connection,
        project_id: int,
        one: Import,
        reader: Reader,
        outcomes: Sequence[tuple[RawRow, Done | RowFailed]],
        options: Options,
    ) -> None:
        """Keep the failed rows, and what undoing takes of the others."""
        failures = [
            (row.line, row.number, outcome.column, outcome.reason, _subject(reader, row), list(row.cells))
            for row, outcome in outcomes
            if isinstance(outcome, RowFailed)
        ]
        if failures:
            await queries.add_failures(conn, project_id, one.id, failures)
        if options.dry_run:
            return
        changes: dict[str, dict[str, list[Any]] | None] = {}
        for _, outcome in outcomes:
            if isinstance(outcome, Done) and outcome.became != "unchanged":
                known = changes.setdefault(outcome.subject_id, outcome.changes)
                if known is not None and outcome.changes is not None and known is not outcome.changes:
                    for path, (before, after) in outcome.changes.items():
                        known[path] = [known[path][0] if path in known else before, after]
        if changes:
            await queries.keep_changes(conn, project_id, one.id, outcomes[0][0].number, changes)

    async def _end(
        self,
        conn: Connection,
        project_id: int,
        one: Import,
        action: Action,
        state: Literal["DONE", "FAILED", "CANCELED"],
        message: str,
    ) -> Action:
        """End an import: nothing of the file is kept but the rows that failed."""
        await queries.remove_chunks(conn, project_id, one.id)
        await queries.save(conn, project_id, msgspec.structs.replace(one, state=state, message=message), self._offset)
        shown = await queries.failures_after(conn, project_id, one.id, 0, SHOWN)
        failed = [
            {"row": row["row"], "reason": _with_column(row)}
            | ({} if row["source_id"] is None else {"source_id": row["source_id"]})
            for row in shown
        ]
        result = {"message": message, "failed": failed, "done_count": one.rows - one.failed, "failed_count": one.failed}
        return msgspec.structs.replace(
            action,
            status="DONE" if state == "DONE" else "FAILED",
            total=one.rows,
            done_count=one.rows - one.failed,
            failed_count=one.failed,
            result=result,
        )


def _name(reader: Reader, place: int) -> str | None:
    return reader.header[place] if place < len(reader.header) else None


def _subject(reader: Reader, row: RawRow) -> str | None:
    """Return what a row calls its subject; one that could not be taken apart calls nobody."""
    unreadable = row.problem is not None and row.place is None and len(row.cells) == 1
    return None if unreadable else reader.name_of(row.cells)


def _with_column(row: Any) -> str:
    return row["reason"] if row["column_name"] is None else f"{row['column_name']}: {row['reason']}"


def _told(one: Import, options: Options) -> str:
    would = "would be " if options.dry_run else ""
    parts = (
        f"{one.created} {would}created, {one.updated} {would}updated, {one.unchanged} unchanged, {one.failed} failed"
    )
    return f"{one.rows} rows: {parts}"
