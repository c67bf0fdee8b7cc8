"""The columns of a file of customers, and what a row in it says about a customer. Pure."""

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from rapport.core.clock import parse_date, parse_instant
from rapport.customers.models import ADDRESS_FIELDS
from rapport.customers.schemas import AddressInput, CustomerInput
from rapport.imports.models import Options, RowFailed, UnusableFile
from rapport.imports.reading import MAX_COLUMN_NAME
from rapport.metadata.models import Schema
from rapport.metadata.values import InvalidValue, from_text

_FIELDS: Final = ("id", "source_id", "name", "description", "email", "phone", "birthdate", "created_at")
_ADDRESS: Final = {name: f"address.{name}" for name in ADDRESS_FIELDS}
# By what a header is when case, dots, blanks and hyphens do not count: the field it names.
TARGETS: Final[dict[str, str]] = {
    **{name: name for name in _FIELDS},
    **_ADDRESS,
    **{f"address_{name}": path for name, path in _ADDRESS.items()},
    "birthday": "birthdate",
    "creation_date": "created_at",
    # Worked out by Rapport, and in its exports.
    **{f"orders_{name}": "" for name in ("total_amount", "total_count", "average_amount")},
    **{f"orders_last_order_{name}": "" for name in ("amount", "date")},
    **{
        f"redemptions_total_{name}": ""
        for name in ("redeemed", "failed", "succeeded", "rolled_back", "rollback_failed", "rollback_succeeded")
    },
    "loyalty_points": "",
    "loyalty_referred_customers": "",
    # Set by the server, or by Rapport in a file of failed rows.
    "updated_at": "",
    "object": "",
    "import_line": "",
    "import_column": "",
    "import_reason": "",
}
_METADATA: Final = re.compile(r"metadata[._](?P<key>.+)", re.IGNORECASE | re.DOTALL)
# What a customer can be recognised or reached by; a row needs one of them.
NAMING: Final = ("id", "source_id", "email", "phone")
_LONGEST: Final = defaultdict(lambda: 1_024, id=255, source_id=255, description=10_000)


class Said(NamedTuple):
    """What a row says: the customer as a request would have it, and when they came to the shop."""

    input: CustomerInput
    created_at: datetime | None


class _Column(NamedTuple):
    place: int
    header: str
    target: str
    longest: int


def target_of(header: str) -> str:
    """Return the path of what a column with this header is about; empty for one that is passed over."""
    name = re.sub(r"[.\s-]+", "_", header.strip()).lower()
    if name in TARGETS:
        return TARGETS[name]
    metadata = _METADATA.fullmatch(header)
    return f"metadata.{metadata['key'] if metadata else header}"


class CustomerColumns:
    """Reads the rows under one header."""

    together = 1

    def __init__(self, header: Sequence[str], options: Options, schema: Schema | None, now: datetime) -> None:
        """Make sense of a header; `now` is the latest moment of creation. Raises UnusableFile."""
        self._now = now
        self._merge = options.mode == "merge"
        self.schemas = schema
        self.header = list(header)
        targets = [target_of(name) if name else None for name in header]
        _check(header, targets)
        places = [(place, name, target) for place, (name, target) in enumerate(zip(header, targets, strict=True))]
        self._nameless = [place for place, name, _ in places if not name]
        self._columns: dict[str, list[_Column]] = {"": [], "address": [], "metadata": []}
        for place, name, target in places:
            if target:
                group, _, key = target.rpartition(".") if target.startswith("address.") else target.partition(".")
                where, key = (group, key) if group in {"address", "metadata"} and key else ("", target)
                self._columns[where].append(_Column(place, name, key, _LONGEST[target]))
        self._naming = [targets.index(name) for name in NAMING if name in targets]
        self._source = targets.index("source_id") if "source_id" in targets else None

    def name_of(self, cells: Sequence[str]) -> str | None:
        """Return the source id of a row."""
        return cells[self._source] or None if self._source is not None and self._source < len(cells) else None

    def read(self, *rows: Sequence[str]) -> Said:
        """Return what a row says. Raises RowFailed."""
        (cells,) = rows
        if not any(cells[place] for place in self._naming):
            columns = " or ".join(self.header[place] for place in self._naming)
            raise RowFailed(f"Nothing says who this is: there is no {columns}")
        for place in self._nameless:
            if cells[place]:
                raise RowFailed(f"There is a value in column {place + 1}, which has no name")
        fields = self._texts(self._columns[""], cells)
        created_at = self._created_at(fields.pop("created_at", None))
        _check_date(fields.get("birthdate"), self._columns[""])
        for name in ("id", "source_id"):
            fields[name] = fields.get(name) or None  # nobody loses their name
        if self._columns["address"]:
            fields["address"] = AddressInput(**self._texts(self._columns["address"], cells))
        if self._columns["metadata"]:
            fields["metadata"] = self._metadata(cells)
        return Said(CustomerInput(**fields), created_at)

    def _created_at(self, text: str | None) -> datetime | None:
        if not text:
            return None
        column = _header_of("created_at", self._columns[""])
        try:
            found = parse_instant(text)
        except ValueError:
            reason = "The value should be a date or a date and time, as 2026-01-31 or 2026-01-31T12:00:00Z"
            raise RowFailed(reason, column) from None
        if found > self._now:
            raise RowFailed("The moment of creation is in the future", column)
        return found

    def _texts(self, columns: list[_Column], cells: Sequence[str]) -> dict[str, Any]:
        """Return what the cells say; an empty one removes the value, or is left out where it says nothing."""
        said: dict[str, Any] = {}
        for place, header, key, longest in columns:
            text = cells[place]
            if len(text) > longest:
                raise RowFailed(f"The text is longer than {longest} characters", header)
            if text or not self._merge:
                said[key] = text
        return said

    def _metadata(self, cells: Sequence[str]) -> dict[str, Any]:
        said: dict[str, Any] = {}
        for place, header, key, _ in self._columns["metadata"]:
            text = cells[place]
            if text:
                try:
                    said[key] = from_text(self.schemas, key, text)
                except InvalidValue as error:
                    raise RowFailed(str(error), header) from error
            elif not self._merge:
                said[key] = None
        return said


def check_header(header: Sequence[str], targets: Sequence[str | None]) -> None:
    """Raise UnusableFile for a name that is too long, and for two columns about the same."""
    by_target: dict[str, int] = {}
    for place, (name, target) in enumerate(zip(header, targets, strict=True)):
        if len(name) > MAX_COLUMN_NAME or "\x00" in name:
            raise UnusableFile(
                f"The name of column {place + 1} is longer than {MAX_COLUMN_NAME} characters or has a NUL"
            )
        if target:
            other = by_target.setdefault(target, place)
            if other != place:
                both = f"Columns {other + 1} ({header[other]}) and {place + 1} ({name})"
                raise UnusableFile(f"{both} are about the same: {target}")


def _check(header: Sequence[str], targets: Sequence[str | None]) -> None:
    check_header(header, targets)
    if not any(name in targets for name in NAMING):
        wanted = "Id, Source_id, Email or Phone"
        shown = ", ".join(header)[:300]
        raise UnusableFile(f"There is no column that says who a row is about ({wanted}); the header is: {shown}")


def _header_of(target: str, columns: list[_Column]) -> str:
    return next(column.header for column in columns if column.target == target)


def _check_date(text: str | None, columns: list[_Column]) -> None:
    if text:
        try:
            parse_date(text)
        except ValueError:
            reason = "The value should be a date, as 2026-01-31"
            raise RowFailed(reason, _header_of("birthdate", columns)) from None
