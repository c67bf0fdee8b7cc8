"""Giving a customer a code of their own."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rapport.activity.log import Signature
from rapport.campaigns import durations, generation
from rapport.campaigns import queries as campaigns
from rapport.campaigns.gifts import keep_gifts
from rapport.campaigns.models import AUTO_UPDATE, Campaign
from rapport.campaigns.schemas import simple_view as simple_campaign
from rapport.core.db import Restart
from rapport.core.errors import InvalidPayload, NotFound, RapportError
from rapport.core.ids import new_id
from rapport.core.jsons import check_limits
from rapport.customers.models import Customer
from rapport.customers.schemas import simple_view
from rapport.customers.schemas import view as customer_view
from rapport.customers.writes import Unit, Writer
from rapport.metadata.values import check
from rapport.publications import personal, queries
from rapport.publications.errors import (
    DuplicateSourceId,
    MissingVouchers,
    NoVoucherSuitable,
    TooManyVouchersRequested,
    VoucherAlreadyPublished,
    VoucherCannotBePublished,
)
from rapport.publications.models import DEFAULT_CHANNEL, Publication, PublicationRow
from rapport.publications.schemas import MAX_COUNT, CampaignReference, PublicationInput, view
from rapport.vouchers import queries as vouchers
from rapport.vouchers.models import Voucher
from rapport.vouchers.schemas import event_view as voucher_event


@dataclass(frozen=True, slots=True)
class Said:
    """What whoever publishes says about it."""

    source_id: str | None
    channel: str
    metadata: dict[str, Any] | None


async def publish(  # noqa: PLR0913 (what a publication says)
    unit: Unit,
    campaign_id: str,
    customer_id: str,
    *,
    source_id: str | None = None,
    channel: str = DEFAULT_CHANNEL,
    metadata: dict[str, Any] | None = None,
    count: int = 1,
    join_once: bool | None = None,
    reuse: bool = False,
) -> Publication:
    """Give a locked customer `count` codes of a campaign (its id or name), inside the caller's unit.

    In a campaign with `join_once` a customer who has a code gets the same one again; the argument, if given, goes
    before the campaign's setting. With `reuse`, a second call with the same source id and customer returns the
    first one's publication. Logs `customer.publication.succeeded`. Raises, before anything is written, NotFound,
    VoucherCannotBePublished, NoVoucherSuitable, DuplicateSourceId.
    """
    customer = unit.get(customer_id)
    again = await _known_source_id(unit, source_id, customer_id, reuse=reuse)
    if again is not None:
        return again
    campaign = await campaigns.find(unit.conn, unit.project_id, campaign_id)
    if campaign is None:
        raise NotFound("campaign", campaign_id)
    if campaign.join_once if join_once is None else join_once:
        joined = await queries.find_joined(unit.conn, unit.project_id, customer_id, campaign.id)
        if joined is not None:
            return await _complete(unit, joined)
    if not campaign.active or (campaign.expiration_date is not None and campaign.expiration_date <= unit.now):
        raise VoucherCannotBePublished(f"Campaign {campaign.id} is not active")
    await _hold(unit, campaign)
    publication_id, said = new_id("pub"), Said(source_id, channel, metadata)
    taken = await _take(unit, campaign, customer_id, publication_id, count)
    row = _row(publication_id, unit.now, customer_id, campaign.id, campaign.name, taken, said)
    return await _keep(unit, customer, row)


async def publish_code(
    unit: Unit,
    code: str,
    customer_id: str,
    *,
    source_id: str | None = None,
    channel: str = DEFAULT_CHANNEL,
    metadata: dict[str, Any] | None = None,
) -> Publication:
    """Give a locked customer this very code, inside the caller's unit.

    Raises NotFound, VoucherCannotBePublished, VoucherAlreadyPublished, DuplicateSourceId.
    """
    customer = unit.get(customer_id)
    await _known_source_id(unit, source_id, customer_id, reuse=False)
    voucher = await vouchers.find(unit.conn, unit.project_id, code)
    if voucher is None:
        raise NotFound("voucher", code)
    if not voucher.active or voucher.campaign_active is False:
        raise VoucherCannotBePublished(f"Voucher {voucher.code} is not active")
    publication_id, until = new_id("pub"), None
    if voucher.campaign_id is not None:
        campaign = await campaigns.find(unit.conn, unit.project_id, voucher.campaign_id)
        await _hold(unit, campaign)
        until = None if campaign is None else _until(campaign, unit.now)
    taken = await queries.take_code(
        unit.conn, unit.project_id, voucher.code, customer_id, publication_id, unit.now, until
    )
    if taken is None:
        raise VoucherAlreadyPublished(f"Voucher '{voucher.id}' has already been published")
    row = _row(
        publication_id,
        unit.now,
        customer_id,
        voucher.campaign_id,
        voucher.campaign,
        [taken],
        Said(source_id, channel, metadata),
    )
    return await _keep(unit, customer, row)


async def _hold(unit: Unit, campaign: Campaign | None) -> None:
    """See that a campaign of gift cards is not deleted meanwhile: its holders are told what they have left then.

    Raises NotFound.
    """
    if campaign is None or campaign.gift is None:
        return
    if await campaigns.find(unit.conn, unit.project_id, campaign.id, lock="KEY SHARE") is None:
        raise NotFound("campaign", campaign.id)


async def fail(
    unit: Unit,
    error: RapportError,
    customer_id: str,
    *,
    campaign: Campaign | None = None,
    source_id: str | None = None,
    channel: str = DEFAULT_CHANNEL,
    metadata: dict[str, Any] | None = None,
) -> None:
    """Keep that a locked customer got no code, and log `customer.publication.failed`."""
    customer = unit.get(customer_id)
    row = PublicationRow(
        id=new_id("pub"),
        source_id=source_id,
        customer_id=customer_id,
        campaign_id=None if campaign is None else campaign.id,
        campaign=None if campaign is None else campaign.name,
        voucher_ids=[],
        voucher_codes=[],
        channel=channel,
        metadata=metadata or {},
        result="FAILURE",
        failure_code=error.key,
        failure_message=error.message,
        created_at=unit.now,
    )
    await queries.insert(unit.conn, unit.project_id, row)
    _log(unit, "customer.publication.failed", customer, row, [])


async def create(
    writer: Writer, signature: Signature, data: PublicationInput, *, join_once: bool | None = None
) -> tuple[Publication, Customer]:
    """Publish codes of a campaign, or a particular code, to a customer, who is upserted (`create-publication`).

    A failure is kept and logged, then raised. Raises what `publish` and `publish_code` raise, MissingVouchers,
    TooManyVouchersRequested, InvalidPayload.
    """
    reference, count = _reference(data)
    if reference is None and data.voucher is None:
        raise MissingVouchers("Either Campaign or Voucher is required")
    if count > MAX_COUNT or (data.source_id is not None and count > 1):
        most = 1 if data.source_id is not None else MAX_COUNT
        raise TooManyVouchersRequested(f"Only up to {most} can be published")
    if not data.customer.is_named and not data.customer.has_data:
        raise InvalidPayload("Property .customer should have id or source_id")
    check_limits(data.metadata, ".metadata")
    said: dict[str, Any] = {
        "source_id": data.source_id,
        "channel": data.channel or DEFAULT_CHANNEL,
        "metadata": data.metadata,
    }

    async def work(unit: Unit) -> tuple[Publication, Customer] | RapportError:
        customer = (await unit.upsert(data.customer))[0]
        said["metadata"] = check(unit.moment.schemas.of("publication"), data.metadata or {})
        try:
            if data.voucher is not None:
                done = await publish_code(unit, data.voucher, customer.id, **said)
            else:
                done = await publish(unit, reference or "", customer.id, count=count, join_once=join_once, **said)
            if data.holder_only:
                await personal.bind(unit, done.vouchers)
        except (NoVoucherSuitable, VoucherCannotBePublished, VoucherAlreadyPublished) as error:
            campaign = None if reference is None else await campaigns.find(unit.conn, unit.project_id, reference)
            await fail(unit, error, customer.id, campaign=campaign, **said)
            return error
        return done, unit.get(customer.id)

    done = await writer.commit(signature, work)
    if isinstance(done, RapportError):
        raise done
    return done


def _reference(data: PublicationInput) -> tuple[str | None, int]:
    if isinstance(data.campaign, CampaignReference):
        return data.campaign.name or data.campaign.id, data.campaign.count or 1
    return data.campaign, 1


async def _known_source_id(unit: Unit, source_id: str | None, customer_id: str, *, reuse: bool) -> Publication | None:
    if source_id is None:
        return None
    found = await queries.find_by_source_id(unit.conn, unit.project_id, source_id)
    if found is None:
        return None
    if reuse and found.customer_id == customer_id:
        return await _complete(unit, found)
    raise DuplicateSourceId(f"Publication with source_id: '{source_id}' already exists")


def _until(campaign: Campaign, now: datetime) -> datetime | None:
    return None if campaign.activity_duration is None else durations.after(now, campaign.activity_duration)


async def _take(
    unit: Unit, campaign: Campaign, customer_id: str, publication_id: str, count: int
) -> list[tuple[str, str]]:
    """Take codes that nobody has. Only when none seem to be left, wait for those that others are just taking."""
    until = _until(campaign, unit.now)
    if count > 1 and campaign.type != AUTO_UPDATE:
        free = await queries.lock_unpublished(unit.conn, unit.project_id, campaign.id, count, unit.now)
        if free < count:
            raise NoVoucherSuitable(f"Campaign {campaign.id} has {free} vouchers left, too few for {count}")
    taken: list[tuple[str, str]] = []
    for wait in (False, True):
        if len(taken) < count:
            missing = count - len(taken)
            taken += await queries.take_unpublished(
                unit.conn,
                unit.project_id,
                campaign.id,
                customer_id,
                publication_id,
                unit.now,
                until,
                missing,
                wait=wait,
            )
        if len(taken) < count and campaign.type == AUTO_UPDATE:
            taken += await _make(unit, campaign, customer_id, publication_id, count - len(taken))
    if taken and len(taken) < count:
        raise generation.NoFreeCode(f"Only {len(taken)} of {count} codes could be made", resource_id=campaign.id)
    if not taken:
        raise NoVoucherSuitable(
            "Couldn't create new vouchers for publication"
            if campaign.type == AUTO_UPDATE
            else f"Campaign {campaign.id} has no vouchers left that are active and not published"
        )
    return taken


async def _make(
    unit: Unit, campaign: Campaign, customer_id: str, publication_id: str, count: int
) -> list[tuple[str, str]]:
    """Make codes for a campaign that grows with its customers, and take them."""
    current = await campaigns.find(unit.conn, unit.project_id, campaign.id, lock="KEY SHARE")
    if current is None or current.type != AUTO_UPDATE:
        raise Restart  # deleted or changed since
    until = _until(campaign, unit.now)
    taken = []
    for code in await generation.make(unit.conn, unit.project_id, campaign, unit.now, count):
        one = await queries.take_code(unit.conn, unit.project_id, code, customer_id, publication_id, unit.now, until)
        if one is not None:
            taken.append(one)
    return taken


def _row(
    publication_id: str,
    now: datetime,
    customer_id: str,
    campaign_id: str | None,
    campaign: str | None,
    taken: list[tuple[str, str]],
    said: Said,
) -> PublicationRow:
    return PublicationRow(
        id=publication_id,
        source_id=said.source_id,
        customer_id=customer_id,
        campaign_id=campaign_id,
        campaign=campaign,
        voucher_ids=[voucher_id for voucher_id, _ in taken],
        voucher_codes=[code for _, code in taken],
        channel=said.channel,
        metadata=said.metadata or {},
        result="SUCCESS",
        failure_code=None,
        failure_message=None,
        created_at=now,
    )


async def _complete(unit: Unit, row: PublicationRow) -> Publication:
    found = await vouchers.find_many(unit.conn, unit.project_id, row.voucher_ids)
    return Publication(row, [found[voucher_id] for voucher_id in row.voucher_ids if voucher_id in found])


async def _keep(unit: Unit, customer: Customer, row: PublicationRow) -> Publication:
    if not await queries.insert(unit.conn, unit.project_id, row):
        raise Restart  # somebody else published with this source id at the same moment
    publication = await _complete(unit, row)
    if any(voucher.gift is not None for voucher in publication.vouchers):
        await keep_gifts(unit, customer.id)
    _log(unit, "customer.publication.succeeded", unit.get(customer.id), row, publication.vouchers)
    return publication


def _log(unit: Unit, kind: str, customer: Customer, row: PublicationRow, published: list[Voucher]) -> None:
    """Log a publication as the reference's events are shaped (`EventCustomerPublicationSucceeded`)."""
    campaign = simple_campaign(row.campaign_id, row.campaign, published[0].campaign_type if published else None)
    by_id = {voucher.id: voucher for voucher in published}
    payload = {
        "customer": simple_view(customer),
        "campaign": campaign,
        "publication": view(row, customer_view(customer), by_id),
        "voucher": voucher_event(published[0]) if len(published) == 1 else None,
    }
    unit.log(kind, customer, {name: part for name, part in payload.items() if part is not None}, row.campaign_id)
