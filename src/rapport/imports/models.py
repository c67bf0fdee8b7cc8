"""An import as a value: its row, what it was asked to do, and what comes of each row of the file."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from rapport.core.errors import RapportError

State = Literal["UPLOADING", "WAITING", "IN_PROGRESS", "DONE", "FAILED", "CANCELED"]
Mode = Literal["replace", "merge"]
Format = Literal["auto", "csv", "ndjson"]
Encoding = Literal["auto", "utf-8", "utf-16", "windows-1252"]
Became = Literal["created", "updated", "unchanged"]

# What a row may have in all, in bytes; longer ones fail.
MAX_ROW_BYTES = 262_144
CUSTOMERS = "customers"
ORDERS = "orders"
EVENTS = "events"
VOUCHERS = "vouchers"
CAMPAIGN_VOUCHERS = "campaign_vouchers"
# What is history: nobody is written to because of it, unless asked for.
PAST = frozenset({ORDERS, EVENTS})


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What an import was asked to do.

    `mode`: an empty cell erases (replace) or says nothing (merge). `segment_events`: whether entering and leaving
    segments is something to react to. `separator` and `quote` are characters or empty: found out, no quoting.
    `format`: auto takes what begins with a brace for newline-delimited JSON, where the kind may be that.
    `campaign_id`: where vouchers belong.
    """

    mode: Mode = "replace"
    dry_run: bool = False
    segment_events: bool = True
    format: Format = "auto"
    encoding: Encoding = "auto"
    separator: str = ""
    quote: str = '"'
    campaign_id: str | None = None


def action_type(kind: str, what: str) -> str:
    """Return the type of the action by which a file of this kind is read (IMPORT_CSV) or undone (IMPORT_UNDO)."""
    return f"CAMPAIGN.VOUCHERS_{what}" if kind == CAMPAIGN_VOUCHERS else f"{kind.upper()}.{what}"


class Import(msgspec.Struct, frozen=True):
    """One row of imports; the counts are those of the last step that was committed."""

    id: str
    kind: str
    state: State
    file_name: str | None
    size_bytes: int
    options: dict[str, Any]
    columns: list[str]
    rows: int
    created: int
    updated: int
    unchanged: int
    failed: int
    message: str | None
    cancel: bool
    action_id: str | None
    request_id: str
    undo_action_id: str | None
    undo: dict[str, int] | None
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    cleared: bool

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be read."""
        return self.state in {"DONE", "FAILED", "CANCELED"}


class RawRow(NamedTuple):
    """One row of a file: its line, its number among the rows, its cells; or why it cannot be read, and where.

    `start`: where it begins in the file, in bytes.
    """

    line: int
    number: int
    cells: Sequence[str]
    problem: str | None = None
    place: int | None = None
    start: int = 0


class RowFailed(Exception):
    """A row cannot be applied: the column (its name in the file) and the reason, for people who made the file.

    `row`: which of the rows of one thing it is about (from 0); None for all of them.
    """

    def __init__(self, reason: str, column: str | None = None, row: int | None = None) -> None:
        """Say why, and where."""
        super().__init__(reason)
        self.reason, self.column, self.row = reason, column, row


class Done(NamedTuple):
    """What became of a row: its subject, and what undoing takes ({path: [before, after]}; None for a new one).

    `also`: what was done to other subjects along the way.
    """

    became: Became
    subject_id: str
    changes: dict[str, list[Any]] | None
    also: Mapping[str, dict[str, list[Any]] | None] = {}


class UnusableFile(RapportError):
    """The file as a whole cannot be read."""

    key = "invalid_file"
    message = "Invalid file"


class Reader(Protocol):
    """Reads the rows of one file; made from its header. Up to `together` rows that follow each other are one thing.

    `schemas`: what values are read by; readers of one file with equal ones understand the same.
    """

    header: list[str]
    together: int
    schemas: Any

    def read(self, *rows: Sequence[str]) -> Any:
        """Return what rows about one thing say. Pure; raises RowFailed."""

    def name_of(self, cells: Sequence[str]) -> str | None:
        """Return what the row calls its subject, if it does."""


class Kind(Protocol):
    """What the engine has to be told about one kind of thing: how its rows are read, applied, and undone.

    `ndjson`: its files may be newline-delimited JSON, too.
    """

    ndjson: bool

    async def reader(self, unit: Any, header: Sequence[str], options: Options, *, lines: bool) -> Reader:
        """Make sense of a header; `lines`: there is none, but JSON in every line. Raises UnusableFile."""

    async def apply(self, unit: Any, said: Sequence[Any], options: Options) -> list[Done | RowFailed]:
        """Apply what some rows say, in their order, in a unit; a row that cannot be is answered, not raised.

        What the database refuses is raised: the engine then undoes the unit and applies fewer rows at a time.
        """

    async def undo(
        self, unit: Any, done: Sequence[tuple[str, dict[str, list[Any]] | None]], request_ids: list[str]
    ) -> list[tuple[str, str | None]]:
        """Undo what an import did to its subjects; return the outcome of each, and why it is not all of it.

        `request_ids`: what is logged for these is the import's doing, and that of its undoing.
        """
