"""Bulk requests on the wire."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rapport.bulk.models import Item
from rapport.customers.schemas import Identifier, Metadata
from rapport.events.schemas import EventInput
from rapport.vouchers.schemas import Code

MAX_BODY_BYTES = 10 * 1024 * 1024
MAX_CUSTOMERS = 100
MAX_ORDERS = 2_000
MAX_EVENTS = 10_000
MAX_VOUCHERS_TAGGED = 100
MAX_VOUCHERS_IMPORTED = 10_000


class PastEvent(EventInput, kw_only=True):
    """An event of an import: with the time it happened at, and an id that makes a repetition harmless."""

    id: Identifier | None = None
    created_at: str | None = None


class MetadataUpdate(msgspec.Struct, kw_only=True):
    """`CustomersMetadataUpdateInBulkRequestBody` of the reference."""

    source_ids: Annotated[list[Identifier], Meta(min_length=1, max_length=MAX_CUSTOMERS)]
    metadata: Metadata


class MetadataUpdateRead(msgspec.Struct, kw_only=True):
    """As MetadataUpdate, with each source id to be looked at by itself."""

    source_ids: list[Any]
    metadata: Metadata


class VoucherTag(msgspec.Struct, kw_only=True):
    """`VouchersUpdateInBulkItemRequestBody` of the reference."""

    code: Code
    metadata: Metadata


class VouchersMetadataUpdate(msgspec.Struct, kw_only=True):
    """`VouchersMetadataUpdateInBulkRequestBody` of the reference."""

    codes: Annotated[list[Code], Meta(min_length=1, max_length=MAX_VOUCHERS_TAGGED)]
    metadata: Metadata


class VouchersMetadataUpdateRead(msgspec.Struct, kw_only=True):
    """As VouchersMetadataUpdate, with each code to be looked at by itself."""

    codes: list[Any]
    metadata: Metadata


class ErrorView(msgspec.Struct, kw_only=True):
    """Why one thing was not done."""

    key: str
    message: str
    details: str


class ItemView(msgspec.Struct, kw_only=True):
    """What came of one thing of a bulk request (an addition to the reference)."""

    number: int
    status: Literal["WAITING", "DONE", "FAILED"]
    source_id: str | None
    object_id: str | None
    customer_id: str | None
    found: bool | None
    updated: bool | None
    error: ErrorView | UnsetType = UNSET
    object: Literal["async_action_item"] = "async_action_item"


def view(item: Item) -> ItemView:
    """Return one thing as the API shows it."""
    return ItemView(
        number=item.number,
        status=msgspec.convert(item.status, Literal["WAITING", "DONE", "FAILED"]),
        source_id=item.source_id,
        object_id=item.object_id,
        customer_id=item.customer_id,
        found=item.found,
        updated=item.updated,
        error=UNSET if item.error is None else msgspec.convert(item.error, ErrorView),
    )
