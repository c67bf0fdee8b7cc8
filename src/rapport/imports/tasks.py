"""The worker's part in imports: a batch of rows in each step, and what it came to, in one transaction."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

import msgspec

from rapport.activity.log import IMPORT
from rapport.async_actions.models import Action
from rapport.core.db import Connection
from rapport.customers.writes import Unit
from rapport.imports import ndjson, queries
from rapport.imports.groups import Group
from rapport.imports.models import MAX_ROW_BYTES, Done, Import, Kind, Options, RawRow, Reader, RowFailed, UnusableFile
from rapport.imports.parts import in_parts
from rapport.imports.reading import Dialect, Place, begin, begin_lines
from rapport.imports.windows import Source, Window, Windows
from rapport.work.batches import Batches

FIRST_ROWS = 200
MOST_ROWS = 2_000
# How long a step takes, and with it how long a request about one of its customers may have to wait; each has some 25
# round trips and a commit of its own.
STEP_S = 0.3
# How many of the failed rows the action's own result shows.
SHOWN = 100
_CUT = "What these lines are about has more than {} of them, or more than a mebibyte"
_HEAD_BYTES = 2 * MAX_ROW_BYTES


class ImportStep:
    """Takes one step of an import (`async_actions.tasks.Step`): reads on where the last one ended."""

    def __init__(self, kinds: Mapping[str, Kind], offset: timedelta) -> None:
        """Apply rows by their kind; `offset` is that of the clock."""
        self._kinds = kinds
        self._offset = offset
        self._batches = Batches(first=FIRST_ROWS, most=MOST_ROWS, target_s=STEP_S)
        self._windows = Windows(self._batches.size)

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
        options, found = msgspec.convert(one.options, Options), action.parameters["encoding"]
        may_be_lines = self._kinds[one.kind].ndjson and options.format != "csv"
        if may_be_lines and (options.format == "ndjson" or ndjson.looks_like(head)):
            dialect, header, place = begin_lines(options, found)
        else:
            dialect, header, place = begin(head, options, found)
        cursor = {"dialect": msgspec.to_builtins(dialect), "place": msgspec.to_builtins(place)}
        one = msgspec.structs.replace(one, columns=header, state="IN_PROGRESS")
        return one, msgspec.structs.replace(action, cursor=cursor)

    async def _read(self, unit: Unit, one: Import, action: Action) -> Action:
        conn, project_id = unit.conn, unit.project_id
        options = msgspec.convert(one.options, Options)
        kind = self._kinds[one.kind]
        lines = action.cursor["dialect"].get("lines", False)
        reader = await kind.reader(unit, one.columns, options, lines=lines)
        source = Source(one, msgspec.convert(action.cursor["dialect"], Dialect), reader)
        window = await self._windows.next(conn, project_id, source, msgspec.convert(action.cursor["place"], Place))
        groups, place, cut_off = window.taken
        rows = [row for group in groups for row in group]
        begun = action.cursor.get("cut")
        whole = [group for group in groups if cut_off is None and (begun is None or _of(reader, group) != begun)]
        async with self._windows.reading_on(conn, project_id, source, window):
            became_of = await self._outcomes(unit, kind, window, whole, options)
        outcomes = [(row, became_of.get(row.number) or RowFailed(_CUT.format(reader.together))) for row in rows]
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
            cursor={**action.cursor, "place": msgspec.to_builtins(place), "cut": cut_off},
            done_count=one.rows - one.failed,
            failed_count=one.failed,
        )
        if place.offset >= one.size_bytes:
            return await self._end(conn, project_id, one, action, "DONE", _told(one, options))
        await queries.remove_chunks(conn, project_id, one.id, before_byte=place.offset)
        await queries.save(conn, project_id, one, self._offset)
        return action

    async def _outcomes(
        self, unit: Unit, kind: Kind, window: Window, groups: Sequence[Group], options: Options
    ) -> dict[int, Done | RowFailed]:
        """Return what became of each row, by its number."""
        outcomes: dict[int, Done | RowFailed] = {}
        readable: list[tuple[Group, Any]] = []
        reader = window.reader
        for group in groups:
            if (known := window.said.get(group[0].number)) is not None:
                readable.append((group, known))
                continue
            try:
                for index, row in enumerate(group):
                    if row.problem is not None:
                        column = None if row.place is None else _name(reader, row.place)
                        raise RowFailed(row.problem, column, index)  # noqa: TRY301
                readable.append((group, reader.read(*(row.cells for row in group))))
            except RowFailed as failure:
                outcomes.update(_failed(group, failure))
        if readable:
            applied = await self._apply(unit, kind, [said for _, said in readable], options)
            for (group, _), outcome in zip(readable, applied, strict=True):
                outcomes.update(
                    _failed(group, outcome)
                    if isinstance(outcome, RowFailed)
                    else dict.fromkeys((row.number for row in group), outcome)
                )
        return outcomes

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
        for outcome in {id(one): one for _, one in outcomes if isinstance(one, Done)}.values():
            own = {} if outcome.became == "unchanged" else {outcome.subject_id: outcome.changes}
            for subject, said in (own | dict(outcome.also)).items():
                known = changes.setdefault(subject, said)
                if known is not None and said is not None and known is not said:
                    _add(known, said)
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


def _failed(group: Group, failure: RowFailed) -> dict[int, RowFailed]:
    """Return for each row of one thing, by its number, why it failed."""
    if failure.row is None or len(group) == 1:
        return {row.number: failure for row in group}
    other = RowFailed(f"Line {group[failure.row].line}, which is about the same, failed")
    return {row.number: failure if index == failure.row else other for index, row in enumerate(group)}


def _add(known: dict[str, list[Any]], said: dict[str, list[Any]]) -> None:
    for path, (before, after) in said.items():
        known[path] = [known[path][0] if path in known else before, after]


def _of(reader: Reader, group: Group) -> str | None:
    return reader.name_of(group[0].cells)


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
