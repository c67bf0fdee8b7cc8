"""A publication as a value."""

from datetime import datetime
from typing import Any

import msgspec

from rapport.vouchers.models import Voucher

DEFAULT_CHANNEL = "API"


class PublicationRow(msgspec.Struct, frozen=True):
    """One row of publications: codes given to a customer (None: erased since), or the failure to do so."""

    id: str
    source_id: str | None
    customer_id: str | None
    campaign_id: str | None
    campaign: str | None
    voucher_ids: list[str]
    voucher_codes: list[str]
    channel: str
    metadata: dict[str, Any]
    result: str
    failure_code: str | None
    failure_message: str | None
    created_at: datetime


class Publication(msgspec.Struct, frozen=True):
    """A publication that succeeded, with its vouchers as they are now."""

    row: PublicationRow
    vouchers: list[Voucher]

    @property
    def id(self) -> str:
        """The publication's id."""
        return self.row.id

    @property
    def customer_id(self) -> str | None:
        """The holder."""
        return self.row.customer_id

    @property
    def voucher(self) -> Voucher:
        """The voucher, the first of several. Raises LookupError when it has been deleted since."""
        if not self.vouchers:
            raise LookupError(f"the voucher of publication {self.row.id} is deleted")
        return self.vouchers[0]
