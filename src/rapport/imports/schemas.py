"""Imports on the wire."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from rapport.core.clock import iso
from rapport.imports.models import Import, Mode, Options, State


class OptionsView(msgspec.Struct, kw_only=True):
    """What an import was asked to do."""

    mode: Mode
    dry_run: bool
    segment_events: bool
    format: str
    encoding: str
    separator: str | None
    quote: str | None


class UndoView(msgspec.Struct, kw_only=True):
    """What undoing an import came to so far: how many subjects, by outcome."""

    async_action_id: str
    deleted: int = 0
    restored: int = 0
    partly: int = 0
    kept: int = 0
    gone: int = 0


class Links(msgspec.Struct, kw_only=True):
    """Where what belongs to an import is found; `failures` works without a key for an hour."""

    failures: str | UnsetType = UNSET


class ImportView(msgspec.Struct, kw_only=True):
    """An import (an addition to the reference), its counts as of now."""

    id: str
    type: str
    state: State
    file_name: str | None
    size_bytes: int
    options: OptionsView
    columns: list[str]
    rows: int
    created: int
    updated: int
    unchanged: int
    failed: int
    message: str | None
    async_action_id: str | None
    undo: UndoView | None
    links: Links | UnsetType = UNSET
    created_at: str
    finished_at: str | None
    object: Literal["import"] = "import"


def view(one: Import, failures: str | None = None) -> ImportView:
    """Return an import as the API shows it; `failures` links to its failed rows."""
    given: dict[str, Any] = one.options
    options = msgspec.convert(given, Options)
    return ImportView(
        id=one.id,
        type=one.kind,
        state=one.state,
        file_name=one.file_name,
        size_bytes=one.size_bytes,
        options=OptionsView(
            mode=options.mode,
            dry_run=options.dry_run,
            segment_events=options.segment_events,
            format=options.format,
            encoding=options.encoding,
            separator=options.separator or None,
            quote=options.quote or None,
        ),
        columns=one.columns,
        rows=one.rows,
        created=one.created,
        updated=one.updated,
        unchanged=one.unchanged,
        failed=one.failed,
        message=one.message,
        async_action_id=one.action_id,
        undo=None
        if one.undo_action_id is None
        else UndoView(async_action_id=one.undo_action_id, **{name: int(n) for name, n in (one.undo or {}).items()}),
        links=UNSET if failures is None else Links(failures=failures),
        created_at=iso(one.created_at),
        finished_at=None if one.finished_at is None else iso(one.finished_at),
    )
