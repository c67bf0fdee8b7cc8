"""Takes bulk requests in: what they ask for is written down, and done by the worker."""

from collections.abc import Sequence
from typing import Any

from rapport.async_actions.queries import enqueue
from rapport.async_actions.schemas import Accepted
from rapport.bulk import queries
from rapport.bulk.kinds import event_time
from rapport.bulk.models import Asked
from rapport.bulk.schemas import PastEvent, VoucherTag
from rapport.core.clock import EARLIEST
from rapport.core.db import Connection
from rapport.core.errors import InvalidPayload
from rapport.customers.models import Customer
from rapport.customers.schemas import CustomerInput, Metadata, apply
from rapport.events.actions import check
from rapport.http.caller import Caller
from rapport.vouchers.importing import Brought, new_voucher
from rapport.vouchers.schemas import VoucherInput


async def accept(caller: Caller, kind: str, asked: Sequence[Asked], parameters: dict[str, Any]) -> Accepted:
    """Write down what a request asks for, and have it done; return the id of the action."""

    async def work(conn: Connection) -> str:
        action_id = await enqueue(conn, caller, kind, parameters, offset=caller.db.clock_offset, total=len(asked))
        await queries.add(conn, caller.project_id, action_id, asked)
        return action_id

    return Accepted(async_action_id=await caller.db.transaction(work))


def check_metadata(metadata: Metadata) -> None:
    """Raise InvalidPayload where metadata cannot be a customer's, whoever it is."""
    apply(CustomerInput(metadata=metadata), Customer(id="", created_at=EARLIEST, updated_at=EARLIEST))


def look_at_customer(data: CustomerInput) -> CustomerInput:
    """Return a customer of a bulk update as it is kept: named by its source id. Raises InvalidPayload."""
    if data.source_id is None:
        raise InvalidPayload("Missing required property .source_id")
    data.id = None
    return data


def look_at_voucher(data: VoucherInput) -> VoucherInput:
    """Return a voucher of an import without a campaign as it is kept. Raises InvalidPayload."""
    new_voucher(Brought(data=data), None)
    return data


def look_at_campaign_voucher(data: VoucherInput) -> VoucherInput:
    """Return a voucher of an import into a campaign as it is kept; the worker holds it against the campaign."""
    if data.code is None:
        raise InvalidPayload("Missing required property .code")
    return data


def look_at_tag(data: VoucherTag) -> VoucherTag:
    """Return what a bulk update says of a voucher as it is kept. Raises InvalidPayload."""
    check_metadata(data.metadata)
    return data


def look_at_event(data: PastEvent) -> PastEvent:
    """Return an event of an import as it is kept. Raises InvalidPayload."""
    check(data)
    if event_time(data) is None and data.id is not None:
        raise InvalidPayload("Missing required property .created_at: an event that has an id has a time")
    return data
