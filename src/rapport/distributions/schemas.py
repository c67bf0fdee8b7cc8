"""Distributions on the wire."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rapport.core.clock import iso
from rapport.customers.schemas import Identifier, Metadata
from rapport.distributions.models import Distribution
from rapport.events.schemas import EventName

MAX_SUBJECT_TEMPLATE = 1_000
MAX_TEXT_TEMPLATE = 100_000
MAX_HTML_TEMPLATE = 300_000

Name = Annotated[str, Meta(min_length=1, max_length=255)]
SubjectTemplate = Annotated[str, Meta(min_length=1, max_length=MAX_SUBJECT_TEMPLATE)]
TextTemplate = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT_TEMPLATE)]
HtmlTemplate = Annotated[str, Meta(min_length=1, max_length=MAX_HTML_TEMPLATE)]
Mailbox = Annotated[str, Meta(min_length=3, max_length=400)]


class SegmentEntered(msgspec.Struct, tag_field="type", tag="customer.segment.entered"):
    """The trigger: a customer enters the segment."""

    segment_id: Identifier


class CustomEvent(msgspec.Struct, tag_field="type", tag="customer.custom_event"):
    """The trigger: a custom event of this name is tracked."""

    event: EventName


class CampaignReference(msgspec.Struct, kw_only=True):
    """The campaign that a code of their own comes from, by id or by name."""

    id: Identifier | None = None
    name: Identifier | None = None


class MessageInput(msgspec.Struct, kw_only=True):
    """What is written: Liquid templates, of which there is a text, an HTML body, or both."""

    subject: SubjectTemplate | UnsetType = UNSET
    text: TextTemplate | None | UnsetType = UNSET
    html: HtmlTemplate | None | UnsetType = UNSET
    sender: Mailbox | None | UnsetType = msgspec.field(default=UNSET, name="from")
    reply_to: Mailbox | None | UnsetType = UNSET


class DistributionInput(msgspec.Struct, kw_only=True):
    """A new distribution, or what is to change about one: then everything may be absent and stays as it is."""

    name: Name | UnsetType = UNSET
    trigger: SegmentEntered | CustomEvent | UnsetType = UNSET
    campaign: CampaignReference | None | UnsetType = UNSET
    channel: str | UnsetType = UNSET
    # The id or name of the consent that customers must have given.
    consent: Identifier | None | UnsetType = UNSET
    message: MessageInput | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    metadata: Metadata | None | UnsetType = UNSET


def view(distribution: Distribution) -> dict[str, Any]:
    """Return the distribution object of the API."""
    trigger: dict[str, Any] = {"type": distribution.trigger_type}
    if distribution.segment_id is not None:
        trigger["segment_id"] = distribution.segment_id
    if distribution.event is not None:
        trigger["event"] = distribution.event
    return {
        "id": distribution.id,
        "name": distribution.name,
        "trigger": trigger,
        "campaign": None if distribution.campaign_id is None else {"id": distribution.campaign_id},
        "channel": distribution.channel,
        "consent": distribution.consent_id,
        "message": {
            "subject": distribution.subject,
            "text": distribution.text_template,
            "html": distribution.html_template,
            "from": distribution.sender,
            "reply_to": distribution.reply_to,
        },
        "active": distribution.active,
        "metadata": distribution.metadata,
        "created_at": iso(distribution.created_at),
        "updated_at": None if distribution.updated_at is None else iso(distribution.updated_at),
        "object": "distribution",
    }


def simple_view(distribution: Distribution) -> dict[str, Any]:
    """Return the distribution as entries of the activity log carry it."""
    return {"id": distribution.id, "name": distribution.name, "channel": distribution.channel, "object": "distribution"}
