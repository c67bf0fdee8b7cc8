"""Exports on the wire."""

from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from rapport.core.clock import iso
from rapport.exports.models import AVAILABLE, DONE, Export, FileState, Status
from rapport.exports.parameters import METADATA, OBJECTS, REFERENCE, Parameters

# The names of fields that the official SDK parses; all others are shown in `columns` only.
_KNOWN: Final = frozenset({METADATA}.union(*(OBJECTS[name].fields for name in REFERENCE)))


class ExportInput(msgspec.Struct, kw_only=True):
    """`ExportsCreateRequestBody` of the reference."""

    exported_object: str
    parameters: Parameters | None = None


class OrderExportInput(msgspec.Struct, kw_only=True):
    """`OrdersExportCreateRequestBody` of the reference."""

    parameters: Parameters | None = None


class TransactionsParameters(msgspec.Struct, kw_only=True):
    """What an export of the transactions of one voucher or campaign is to contain."""

    order: str | None = None
    fields: list[str] | None = None
    filters: dict[str, Any] | None = None


class TransactionsExportInput(msgspec.Struct, kw_only=True):
    """`VouchersTransactionsExportCreateRequestBody` and that of campaigns in the reference.

    Its examples have the `order` beside the parameters, its schema among them: there it wins.
    """

    parameters: TransactionsParameters | None = None
    order: str | None = None


class ExportResult(msgspec.Struct, kw_only=True):
    """Where the file is downloaded; the URL holds a token and needs no key."""

    url: str


class ExportFile(msgspec.Struct, kw_only=True):
    """What became of the file: an addition to the reference. `rows` does not count the header."""

    state: FileState
    rows: int
    bytes: int
    expires_at: str | None


class ExportView(msgspec.Struct, kw_only=True):
    """`Export` of the reference, with what it contains (`columns`), its `file` and what went wrong (`error`) added."""

    id: str
    created_at: str
    status: Status
    channel: str
    exported_object: str
    parameters: dict[str, Any]
    columns: list[str]
    result: ExportResult | None
    user_id: None = None
    file: ExportFile | UnsetType = UNSET
    error: str | UnsetType = UNSET
    object: Literal["export"] = "export"


def is_available(export: Export, now: datetime) -> bool:
    """Whether the file can be downloaded now."""
    return export.file_state == AVAILABLE and export.expires_at is not None and export.expires_at > now


def view(export: Export, now: datetime, url: str | None) -> ExportView:
    """Return an export as the API shows it; `url` is where its file is, if it is anywhere.

    The official SDK parses only the reference's names in `parameters.fields`; `columns` has all.
    """
    fields = export.parameters["fields"]
    file: ExportFile | UnsetType = UNSET
    if export.status == DONE and export.file_state is not None:
        over = export.file_state == AVAILABLE and not is_available(export, now)
        file = ExportFile(
            state="EXPIRED" if over else export.file_state,
            rows=export.row_count,
            bytes=export.byte_count,
            expires_at=None if export.expires_at is None else iso(export.expires_at),
        )
    return ExportView(
        id=export.id,
        created_at=iso(export.created_at),
        status=export.status,
        channel=export.channel,
        exported_object=export.exported_object,
        parameters={**export.parameters, "fields": [name for name in fields if name in _KNOWN]},
        columns=fields,
        result=None if url is None else ExportResult(url=url),
        file=file,
        error=export.error if export.error is not None else UNSET,
    )
