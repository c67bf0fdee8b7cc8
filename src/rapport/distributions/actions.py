"""Writes of distributions: making one, changing it, deleting it."""

from typing import Any, TypeVar

import msgspec
from msgspec import UnsetType

from rapport.campaigns import queries as campaigns
from rapport.consents import queries as consents
from rapport.consents.models import UNSUBSCRIBED
from rapport.core.clock import LATEST
from rapport.core.db import Connection
from rapport.core.errors import InvalidPayload, NotFound, RapportError
from rapport.core.ids import new_id
from rapport.core.jsons import check_limits
from rapport.distributions import queries
from rapport.distributions.messages import mail, templates
from rapport.distributions.models import CUSTOM_EVENT, EMAIL, SEGMENT_ENTERED, Distribution
from rapport.distributions.schemas import (
    CampaignReference,
    CustomEvent,
    DistributionInput,
    MessageInput,
    SegmentEntered,
)
from rapport.http.caller import Caller
from rapport.segments import queries as segments
from rapport.segments.actions import activate
from rapport.segments.models import STATIC

MAX_DISTRIBUTIONS = 1_000

Value = TypeVar("Value")


class TooManyDistributions(RapportError):
    """The project has as many distributions as one project may have."""

    key = "too_many_distributions"
    message = "Too many distributions"


def _given(value: Value | UnsetType, otherwise: Value) -> Value:
    return otherwise if isinstance(value, UnsetType) else value


def _required(value: Value | UnsetType, path: str) -> Value:
    if isinstance(value, UnsetType):
        raise InvalidPayload(f"Missing required property {path}")
    return value


def _with_message(distribution: Distribution, data: MessageInput) -> Distribution:
    """Return the distribution with what a request says about its message, checked. Pure; raises InvalidPayload."""
    check_limits(msgspec.to_builtins(data), ".message")
    changed = msgspec.structs.replace(
        distribution,
        subject=_given(data.subject, distribution.subject),
        text_template=_given(data.text, distribution.text_template),
        html_template=_given(data.html, distribution.html_template),
        sender=_given(data.sender, distribution.sender),
        reply_to=_given(data.reply_to, distribution.reply_to),
    )
    if changed.text_template is None and changed.html_template is None:
        raise InvalidPayload("Property .message should have text, html, or both")
    templates.check(changed.subject, "plain", ".message.subject")
    if changed.text_template is not None:
        templates.check(changed.text_template, "plain", ".message.text")
    if changed.html_template is not None:
        templates.check(changed.html_template, "html", ".message.html")
    try:
        if changed.sender is not None:
            mail.sender(changed.sender)
    except mail.InvalidAddress as error:
        raise InvalidPayload(
            "Property .message.from should be an address such as shop@example.com or The Shop <shop@example.com>"
        ) from error
    try:
        reply_to = None if changed.reply_to is None else mail.address(changed.reply_to)
    except mail.InvalidAddress as error:
        raise InvalidPayload("Property .message.reply_to should be an address such as shop@example.com") from error
    return msgspec.structs.replace(changed, reply_to=reply_to)


def _metadata(current: dict[str, Any], change: dict[str, Any] | None | UnsetType) -> dict[str, Any]:
    if isinstance(change, UnsetType):
        return current
    if change is None:
        return {}
    check_limits(change, ".metadata")
    return {key: value for key, value in {**current, **change}.items() if value is not None}


def _check_channel(data: DistributionInput) -> None:
    if _given(data.channel, EMAIL) != EMAIL:
        raise InvalidPayload("Property .channel should be email; other channels are not supported yet")


async def _campaign_id(conn: Connection, project_id: int, named: CampaignReference | None) -> str | None:
    if named is None:
        return None
    reference = named.id or named.name
    if reference is None:
        raise InvalidPayload("Property .campaign should have id or name")
    campaign = await campaigns.find(conn, project_id, reference)
    if campaign is None:
        raise NotFound("campaign", reference)
    return campaign.id


async def _consent_id(conn: Connection, project_id: int, reference: str | None) -> str | None:
    """Hold a consent there: deleting it waits for the transaction, and then sees the distribution."""
    if reference is None:
        return None
    if reference == UNSUBSCRIBED:
        raise InvalidPayload("Property .consent: nobody who unsubscribed is written to; name another consent, or none")
    check_limits(reference, ".consent")
    consent = await consents.find_definition(conn, project_id, reference, share=True)
    if consent is None:
        raise NotFound("consent", reference)
    if consent.channels is not None and EMAIL not in consent.channels:
        raise InvalidPayload(f"Property .consent: it is about {', '.join(consent.channels)} only")
    return consent.id


async def _use_segment(conn: Connection, caller: Caller, segment_id: str) -> None:
    """Hold a segment there: deleting it waits for the lock, and then sees the distribution; a passive one turns active.

    Raises NotFound and InvalidPayload.
    """
    await segments.lock_definitions(conn, caller.project_id)
    segment = await segments.find(conn, caller.project_id, segment_id)
    if segment is None:
        raise NotFound("segment", segment_id)
    if segment.type == STATIC:
        raise InvalidPayload(
            "Property .trigger.segment_id: nobody enters a static segment by what they do; take an auto-update one"
        )
    await activate(conn, caller, segment)


def _new(data: DistributionInput) -> Distribution:
    """Return the distribution that a request asks for, not made yet. Pure; raises InvalidPayload."""
    name, trigger = _required(data.name, ".name"), _required(data.trigger, ".trigger")
    message = _required(data.message, ".message")
    _required(message.subject, ".message.subject")
    _check_channel(data)
    check_limits(name, ".name")
    segment_id = trigger.segment_id if isinstance(trigger, SegmentEntered) else None
    event = trigger.event if isinstance(trigger, CustomEvent) else None
    blank = Distribution(
        id=new_id("dist"),
        name=name,
        trigger_type=SEGMENT_ENTERED if event is None else CUSTOM_EVENT,
        segment_id=segment_id,
        event=event,
        campaign_id=None,
        channel=EMAIL,
        subject="",
        text_template=None,
        html_template=None,
        sender=None,
        reply_to=None,
        active=_given(data.active, True),  # noqa: FBT003 (the default)
        metadata=_metadata({}, data.metadata),
        created_at=LATEST,
        updated_at=None,
    )
    check_limits([blank.segment_id, blank.event], ".trigger")
    return _with_message(blank, message)


async def create(caller: Caller, data: DistributionInput) -> Distribution:
    """Create a distribution; what happens from now on fires it, nothing that happened before.

    Raises InvalidPayload (templates are parsed), NotFound for the segment or the campaign, TooManyDistributions.
    """
    new = _new(data)

    async def work(conn: Connection) -> Distribution:
        campaign_id = await _campaign_id(conn, caller.project_id, _given(data.campaign, None))
        if new.segment_id is not None:
            await _use_segment(conn, caller, new.segment_id)
        if await queries.count(conn, caller.project_id) >= MAX_DISTRIBUTIONS:
            raise TooManyDistributions(f"A project may have {MAX_DISTRIBUTIONS} distributions")
        consent_id = await _consent_id(conn, caller.project_id, _given(data.consent, None))
        made = msgspec.structs.replace(new, campaign_id=campaign_id, consent_id=consent_id)
        return await queries.insert(conn, caller.project_id, made, caller.db.clock_offset)

    return await caller.db.transaction(work)


def _same_trigger(distribution: Distribution, data: DistributionInput) -> bool:
    if isinstance(data.trigger, UnsetType):
        return True
    if isinstance(data.trigger, SegmentEntered):
        return distribution.segment_id == data.trigger.segment_id
    return distribution.event == data.trigger.event


async def update(caller: Caller, distribution_id: str, data: DistributionInput) -> Distribution:
    """Change a distribution; what the body leaves out stays. Every attempt to send from now on sees the change.

    Made active again, it is fired by what happens from now on, not by what happened in between.
    Raises NotFound and InvalidPayload.
    """
    _check_channel(data)

    async def work(conn: Connection) -> Distribution:
        campaign_id = await _campaign_id(conn, caller.project_id, _given(data.campaign, None))
        current = await queries.find(conn, caller.project_id, distribution_id, lock=True)
        if current is None:
            raise NotFound("distribution", distribution_id)
        if not _same_trigger(current, data):
            raise InvalidPayload("Property .trigger cannot be changed; create another distribution")
        consent_id = await _consent_id(conn, caller.project_id, _given(data.consent, current.consent_id))
        changed = msgspec.structs.replace(
            current,
            consent_id=consent_id,
            name=_given(data.name, current.name),
            campaign_id=current.campaign_id if isinstance(data.campaign, UnsetType) else campaign_id,
            active=_given(data.active, current.active),
            metadata=_metadata(current.metadata, data.metadata),
        )
        check_limits(changed.name, ".name")
        if not isinstance(data.message, UnsetType):
            changed = _with_message(changed, data.message)
        woken = changed.active and not current.active
        return await queries.update(conn, caller.project_id, changed, woken=woken, offset=caller.db.clock_offset)

    return await caller.db.transaction(work)


async def delete(caller: Caller, distribution_id: str) -> None:
    """Delete a distribution: nothing more is sent, its messages can still be read. Raises NotFound."""

    async def work(conn: Connection) -> None:
        if await queries.find(conn, caller.project_id, distribution_id, lock=True) is None:
            raise NotFound("distribution", distribution_id)
        await queries.mark_deleted(conn, caller.project_id, distribution_id, caller.db.clock_offset)

    await caller.db.transaction(work)
