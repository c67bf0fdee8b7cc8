"""Publications on the wire."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from rapport.core.clock import iso
from rapport.customers.models import Customer
from rapport.customers.schemas import CustomerInput, Identifier, Metadata
from rapport.customers.schemas import view as customer_view
from rapport.events.schemas import ClientCustomerInput
from rapport.http.caller import check_client_name
from rapport.publications.models import DEFAULT_CHANNEL, Publication, PublicationRow
from rapport.vouchers.models import Voucher
from rapport.vouchers.schemas import Code, gift_view
from rapport.vouchers.schemas import view as voucher_view

MAX_COUNT = 50

Channel = Annotated[str, Meta(min_length=1, max_length=255)]


class CampaignReference(msgspec.Struct, kw_only=True):
    """Which campaign to publish from (`name` may be its id), and how many codes."""

    name: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    id: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    count: Annotated[int, Meta(ge=1)] | None = None


class PublicationInput(msgspec.Struct, kw_only=True):
    """`PublicationsCreateRequestBody` of the reference."""

    customer: CustomerInput
    campaign: CampaignReference | Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    voucher: Code | None = None
    source_id: Identifier | None = None
    channel: Channel | None = None
    metadata: Metadata | None = None
    # An addition: nobody but this customer can redeem what is published.
    holder_only: bool | None = None


class CampaignPart(CampaignReference, kw_only=True):
    """One of several campaigns to publish from; `source_id` of its publication allows one code."""

    source_id: Identifier | None = None

    @property
    def reference(self) -> str:
        """What the campaign is called by."""
        return self.name or self.id or ""


class SeveralInput(msgspec.Struct, kw_only=True):
    """Codes of several campaigns for one customer: an addition to the reference."""

    customer: CustomerInput
    campaigns: Annotated[list[CampaignPart], Meta(min_length=1, max_length=20)]
    channel: Channel | None = None
    metadata: Metadata | None = None
    holder_only: bool | None = None


class ClientPublicationInput(msgspec.Struct, kw_only=True):
    """`ClientPublicationsCreateRequestBody` of the reference: the customer is named by source id."""

    customer: ClientCustomerInput
    campaign: CampaignReference | Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    voucher: Code | None = None
    source_id: Identifier | None = None
    channel: Channel | None = None
    metadata: Metadata | None = None

    def checked(self) -> PublicationInput:
        """Return the same as a server would ask it. Raises InvalidPayload."""
        check_client_name(self.customer.source_id)
        named = {name: getattr(self, name) for name in self.__struct_fields__ if name != "customer"}
        return PublicationInput(customer=CustomerInput(**msgspec.structs.asdict(self.customer)), **named)


def _short_voucher(row: PublicationRow, number: int, voucher: Voucher | None) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": row.voucher_ids[number],
        "code": row.voucher_codes[number],
        "object": "voucher",
        "campaign": row.campaign,
        "is_referral_code": False,
    }
    if voucher is None:
        return shown
    shown["is_referral_code"] = bool(voucher.is_referral_code)
    return shown | ({"discount": voucher.discount} if voucher.gift is None else {"gift": gift_view(voucher)})


def view(row: PublicationRow, customer: dict[str, Any] | None, vouchers: dict[str, Voucher]) -> dict[str, Any]:
    """Return the publication object of the API, as lists and events carry it."""
    shown: dict[str, Any] = {
        "id": row.id,
        "object": "publication",
        "created_at": iso(row.created_at),
        "customer_id": row.customer_id,
        "tracking_id": None if customer is None else customer.get("source_id"),
        "metadata": row.metadata,
        "channel": row.channel,
        "source_id": row.source_id,
        "result": row.result,
        "customer": customer,
    }
    if row.result == "FAILURE":
        nothing: dict[str, Any] = {"vouchers": [], "vouchers_id": []}
        return shown | nothing | {"failure_code": row.failure_code, "failure_message": row.failure_message}
    shown["vouchers_id"] = row.voucher_ids
    if len(row.voucher_ids) > 1:
        return shown | {"vouchers": row.voucher_codes}
    return shown | {"voucher": _short_voucher(row, 0, vouchers.get(row.voucher_ids[0]))}


def client_view(publication: Publication, customer: Customer, base_url: str) -> dict[str, Any]:
    """Return the answer of `create-publication-client-side`: of the customer only what the caller said, and an id."""
    named = {"id": customer.id, "source_id": customer.source_id, "object": "customer"}
    unknown = {"summary": None, "loyalty": None, "referrals": None}
    return created_view(publication, customer, base_url) | {"customer": named | unknown}


def created_view(publication: Publication, customer: Customer, base_url: str) -> dict[str, Any]:
    """Return the answer of `create-publication`, with the whole voucher; `base_url` is put before links to its images.

    The official SDK parses no other `channel` than API in this answer; lists and events show the one that was given.
    """
    shown = view(publication.row, customer_view(customer), {}) | {"channel": DEFAULT_CHANNEL}
    if len(publication.row.voucher_ids) == 1:
        shown["voucher"] = voucher_view(publication.voucher, None, base_url)
    return shown
