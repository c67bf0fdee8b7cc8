"""Rows of a table as requests: the columns of a plan, and the lines of one thing put together."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import msgspec

from rapport.core import jsons
from rapport.core.errors import InvalidPayload, RapportError
from rapport.customers.writes import Unit
from rapport.http.bodies import parse
from rapport.http.errors import payload_error
from rapport.imports.customers.columns import check_header
from rapport.imports.models import Options, RowFailed, UnusableFile
from rapport.metadata.models import Schema, Schemas
from rapport.metadata.values import InvalidValue, from_text

_METADATA: Final = re.compile(r"metadata[._](?P<key>.+)", re.IGNORECASE | re.DOTALL)
_PATH: Final = re.compile(r"(?:Property|property) \.(\S+)")
_NUMBER: Final = re.compile(r"[0-9]{1,16}", re.ASCII)
# Written by Rapport into files, or worked out by it.
PASSED_OVER: Final = dict.fromkeys(("object", "updated_at", "import_line", "import_column", "import_reason"), "")


class Said(NamedTuple):
    """What rows say, as a request; the columns by path, to tell where something is wrong; the schemas gone by."""

    data: Any
    headers: Mapping[str, str]
    schemas: Schemas


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a table of one kind is read.

    `model`: the request that rows make up. `targets`: the path of each field by what its column may be called.
    `numbers` and `json`: paths whose cells are such; `cells`: what reads others, by path, raising ValueError. `names`:
    what the thing goes by; it must be there if `required`, as must one of each of `columns`. `items`: paths that make
    an element of a list of each row. `schema`: of what is said, that of its metadata.
    """

    model: Any
    targets: Mapping[str, str]
    numbers: frozenset[str] = frozenset()
    json: frozenset[str] = frozenset()
    cells: Mapping[str, Callable[[str], Any]] = field(default_factory=dict)
    names: tuple[str, ...]
    required: tuple[tuple[str, ...], ...]
    items: str | None = None
    together: int = 1
    schema: Callable[[Schemas, Mapping[str, Any]], Schema | None]


class _Column(NamedTuple):
    place: int
    header: str
    path: str


class Table:
    """Reads the rows under one header."""

    def __init__(self, plan: Plan, header: Sequence[str], options: Options, schemas: Schemas) -> None:
        """Make sense of a header. Raises UnusableFile."""
        self.header = list(header)
        self._plan, self.schemas, self._replace = plan, schemas, options.mode == "replace"
        targets = [_target(plan, name) if name else None for name in header]
        check_header(header, targets)
        for names in plan.required:
            if not any(name in targets for name in names):
                raise UnusableFile(f"There is no column {' or '.join(names)}; the header is: {', '.join(header)[:300]}")
        columns = [
            _Column(place, name, target)
            for place, (name, target) in enumerate(zip(header, targets, strict=True))
            if target
        ]
        prefix = f"{plan.items}." if plan.items else "."
        self._metadata = [one for one in columns if one.path.startswith("metadata.")]
        self._items = [one for one in columns if one.path.startswith(prefix)]
        self._fields = [one for one in columns if one not in self._metadata and one not in self._items]
        self._nameless = [place for place, name in enumerate(header) if not name]
        self._naming = [place for name in plan.names for place, target in enumerate(targets) if target == name]
        self._headers = {one.path: one.header for one in columns}
        self.together = plan.together if self._items else 1
        if self._items and any(one.path in plan.json for one in columns):
            raise UnusableFile("Items are either in columns of their own or in one as JSON, not both")

    def name_of(self, cells: Sequence[str]) -> str | None:
        """Return what a row calls its subject."""
        return next((cells[place] for place in self._naming if place < len(cells) and cells[place]), None)

    def read(self, *rows: Sequence[str]) -> Said:
        """Return what rows say. Raises RowFailed."""
        if len(rows) > self.together:
            raise RowFailed(f"There are more than {self.together} lines about the same")
        said: dict[str, Any] = {}
        items: list[Any] = []
        for index, cells in enumerate(rows):
            self._check_nameless(cells, index)
            item: dict[str, Any] = {}
            for column in self._items:
                self._set(item, column, cells[column.place], index)
            for column in self._fields:
                self._set(said, column, cells[column.place], index)
            items += item.values()
        if items:
            said[str(self._plan.items)] = items
        self._check_required(said)
        metadata = self._read_metadata(said, rows)
        if metadata:
            said["metadata"] = metadata
        try:
            return Said(msgspec.convert(said, self._plan.model), self._headers, self.schemas)
        except msgspec.ValidationError as error:
            raise failed(payload_error(error), self._headers) from error

    def _check_nameless(self, cells: Sequence[str], index: int) -> None:
        for place in self._nameless:
            if cells[place]:
                raise RowFailed(f"There is a value in column {place + 1}, which has no name", None, index)

    def _check_required(self, said: Mapping[str, Any]) -> None:
        for names in self._plan.required:
            if not any(_get(said, name) for name in names):
                shown = " or ".join(self._headers[name] for name in names if name in self._headers)
                raise RowFailed(f"There is no {shown}")

    def _set(self, said: dict[str, Any], column: _Column, text: str, index: int) -> None:
        """Put a cell where its column belongs; an empty one says nothing."""
        if not text:
            return
        try:
            value = _value(self._plan, column.path, text)
        except ValueError as error:
            raise RowFailed(str(error), column.header, index) from None
        *way, last = column.path.split(".")
        for name in way:
            said = said.setdefault(name, {})
        if said.setdefault(last, value) != value:
            raise RowFailed("The lines before, which are about the same, say something else", column.header, index)

    def _read_metadata(self, said: Mapping[str, Any], rows: Sequence[Sequence[str]]) -> dict[str, Any]:
        schema = self._plan.schema(self.schemas, said)
        metadata: dict[str, Any] = {}
        for column in self._metadata:
            texts = {cells[column.place]: index for index, cells in reversed(list(enumerate(rows)))}
            texts.pop("", None)
            key = column.path.removeprefix("metadata.")
            if len(texts) > 1:
                reason = "The lines before, which are about the same, say something else"
                raise RowFailed(reason, column.header, max(texts.values()))
            for text, index in texts.items():
                try:
                    metadata[key] = from_text(schema, key, text)
                except InvalidValue as error:
                    raise RowFailed(str(error), column.header, index) from error
            if not texts and self._replace:
                metadata[key] = None
        return metadata


class JsonLines:
    """Reads newline-delimited JSON: each line as the body of a request."""

    together = 1

    def __init__(self, plan: Plan, header: Sequence[str], schemas: Schemas) -> None:
        """Read what the plan's model says."""
        self.header = list(header)
        self._plan, self.schemas = plan, schemas

    def read(self, *rows: Sequence[str]) -> Said:
        """Return what a line says. Raises RowFailed."""
        (cells,) = rows
        try:
            return Said(parse(cells[0].encode(), self._plan.model), {}, self.schemas)
        except RapportError as error:
            raise failed(error, {}) from error

    def name_of(self, cells: Sequence[str]) -> str | None:
        """Return what a line calls its subject."""
        try:
            found = msgspec.json.decode(cells[0])
        except (msgspec.MsgspecError, RecursionError):
            return None
        names = [found.get(name) for name in self._plan.names] if isinstance(found, dict) else []
        return next((name for name in names if isinstance(name, str) and name and "\x00" not in name), None)


async def reader(plan: Plan, unit: Unit, header: Sequence[str], options: Options, *, lines: bool) -> Table | JsonLines:
    """Make sense of a header (`Kind.reader`). Raises UnusableFile."""
    await unit.open()
    schemas = unit.moment.schemas
    return JsonLines(plan, header, schemas) if lines else Table(plan, header, options, schemas)


def _target(plan: Plan, header: str) -> str:
    name = re.sub(r"[.\s-]+", "_", header.strip()).lower()
    if name in plan.targets:
        return plan.targets[name]
    metadata = _METADATA.fullmatch(header)
    return f"metadata.{metadata['key'] if metadata else header}"


def _value(plan: Plan, path: str, text: str) -> Any:
    if path in plan.numbers:
        if not _NUMBER.fullmatch(text):
            unit = "" if path.endswith("quantity") else " of minor units, as 1999 for 19.99"
            raise ValueError(f"The value should be a whole number{unit}")
        return int(text)
    if path in plan.json:
        try:
            found = jsons.decode(text)
            jsons.check_limits(found)
        except (msgspec.MsgspecError, RecursionError):
            raise ValueError("The value should be a list written as JSON") from None
        except InvalidPayload as error:
            raise ValueError(error.details) from None
        return found
    return plan.cells[path](text) if path in plan.cells else text


def _get(said: Mapping[str, Any], path: str) -> Any:
    found: Any = said
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def failed(error: RapportError, headers: Mapping[str, str]) -> RowFailed:
    """Return why a row failed, with the column that the error is about, if that can be told."""
    found = _PATH.search(error.details)
    path = re.sub(r"^items\[\d*\]", "items", found[1].rstrip(":")) if found else ""
    return RowFailed(error.details, headers.get(path) or headers.get(path.partition(".")[0].partition("[")[0]))
