"""Codes of several campaigns in one transaction: all of them or none."""

from typing import Any

from rapport.activity.log import Signature
from rapport.campaigns import queries as campaigns
from rapport.core.errors import InvalidPayload, NotFound, RapportError
from rapport.core.jsons import check_limits
from rapport.customers.models import Customer
from rapport.customers.writes import Unit, Writer
from rapport.metadata.values import check
from rapport.publications import personal
from rapport.publications.actions import fail, publish
from rapport.publications.errors import (
    MissingVouchers,
    NoVoucherSuitable,
    TooManyVouchersRequested,
    VoucherCannotBePublished,
)
from rapport.publications.models import DEFAULT_CHANNEL, Publication
from rapport.publications.schemas import MAX_COUNT, CampaignPart, SeveralInput


class _Failed(Exception):
    """One of the campaigns has no code to give; what was taken of the others is to be given back."""

    def __init__(self, part: CampaignPart, error: RapportError) -> None:
        super().__init__(part.reference)
        self.part = part
        self.error = error


async def create_several(
    writer: Writer, signature: Signature, data: SeveralInput, *, join_once: bool | None = None
) -> tuple[list[Publication], Customer]:
    """Publish codes of several campaigns to a customer, who is upserted: a publication for each, in the order asked.

    Where one of them has no code to give, nothing is published; that failure is kept and logged, and raised. Raises
    what `publish` raises, MissingVouchers, TooManyVouchersRequested, InvalidPayload.
    """
    _check(data)
    said: dict[str, Any] = {"channel": data.channel or DEFAULT_CHANNEL}

    async def prepare(unit: Unit) -> Customer:
        customer = (await unit.upsert(data.customer))[0]
        said["metadata"] = check(unit.moment.schemas.of("publication"), data.metadata or {})
        return customer

    async def work(unit: Unit) -> tuple[list[Publication], Customer]:
        customer = await prepare(unit)
        done: dict[int, Publication] = {}
        for campaign_id, place in await _campaigns(unit, data):
            part = data.campaigns[place]
            own: dict[str, Any] = {"count": part.count or 1, "source_id": part.source_id, "join_once": join_once}
            try:
                done[place] = await publish(unit, campaign_id, customer.id, **own, **said)
            except (NoVoucherSuitable, VoucherCannotBePublished) as error:
                raise _Failed(part, error) from error
        published = [done[place] for place in sorted(done)]
        if data.holder_only:
            await personal.bind(unit, [voucher for one in published for voucher in one.vouchers])
        return published, unit.get(customer.id)

    async def keep(unit: Unit, part: CampaignPart, error: RapportError) -> None:
        customer = await prepare(unit)
        campaign = await campaigns.find(unit.conn, unit.project_id, part.reference)
        await fail(unit, error, customer.id, campaign=campaign, source_id=part.source_id, **said)

    try:
        return await writer.commit(signature, work)
    except _Failed as failed:
        part, error = failed.part, failed.error
    await writer.commit(signature, lambda unit: keep(unit, part, error))
    raise error


async def _campaigns(unit: Unit, data: SeveralInput) -> list[tuple[str, int]]:
    """Return the campaigns' ids, each with its place, in their order: in one order, nobody waits in a circle for codes.

    Raises NotFound.
    """
    found = []
    for place, part in enumerate(data.campaigns):
        campaign = await campaigns.find(unit.conn, unit.project_id, part.reference)
        if campaign is None:
            raise NotFound("campaign", part.reference)
        found.append((campaign.id, place))
    return sorted(found)


def _check(data: SeveralInput) -> None:
    if not all(part.reference for part in data.campaigns):
        raise MissingVouchers("Each of .campaigns should have a name or an id")
    if not data.customer.is_named and not data.customer.has_data:
        raise InvalidPayload("Property .customer should have id or source_id")
    if sum(part.count or 1 for part in data.campaigns) > MAX_COUNT:
        raise TooManyVouchersRequested(f"Only up to {MAX_COUNT} can be published")
    if any(part.source_id is not None and (part.count or 1) > 1 for part in data.campaigns):
        raise TooManyVouchersRequested("Only up to 1 can be published with a source_id")
    named = [part.source_id for part in data.campaigns if part.source_id is not None]
    if len(named) != len(set(named)):
        raise InvalidPayload("Each .campaigns[].source_id should be there once")
    check_limits(data.metadata, ".metadata")
