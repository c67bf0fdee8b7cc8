"""What the operations of distributions and messages answer, as the OpenAPI document declares it."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from rapport.http.answers import Count, Instant


class TriggerAnswer(msgspec.Struct, kw_only=True):
    """What fires a distribution: a segment that is entered, or a custom event."""

    type: Literal["customer.segment.entered", "customer.custom_event"]
    segment_id: str | UnsetType = UNSET
    event: str | UnsetType = UNSET


class CampaignNamed(msgspec.Struct, kw_only=True):
    """The campaign that a code of their own comes from."""

    id: str


class TemplatesAnswer(msgspec.Struct, kw_only=True):
    """What is written: Liquid templates."""

    subject: str
    text: str | None
    html: str | None
    sender: str | None = msgspec.field(name="from")
    reply_to: str | None


class DistributionAnswer(msgspec.Struct, kw_only=True):
    """A distribution."""

    id: str
    name: str
    trigger: TriggerAnswer
    campaign: CampaignNamed | None
    channel: str
    message: TemplatesAnswer
    active: bool
    metadata: dict[str, Any]
    created_at: Instant
    updated_at: Instant | None
    object: Literal["distribution"]


class MessageTrigger(msgspec.Struct, kw_only=True):
    """The entry of the activity log that caused a message."""

    id: str
    type: str


class VoucherCode(msgspec.Struct, kw_only=True):
    """The code that a message carries."""

    code: str


class MessageError(msgspec.Struct, kw_only=True):
    """Why a message was not sent, or not yet."""

    key: str
    message: str | None


class MessageAnswer(msgspec.Struct, kw_only=True):
    """A message to one customer, without its bodies."""

    id: str
    distribution_id: str
    customer_id: str | None
    trigger: MessageTrigger
    channel: str
    state: Literal["QUEUED", "PREPARING", "SENDING", "SENT", "FAILED", "UNCERTAIN", "CANCELED"]
    provider: str | None
    campaign_id: str | None
    publication_id: str | None
    voucher: VoucherCode | None
    sender: str | None = msgspec.field(name="from")
    recipient: str | None = msgspec.field(name="to")
    subject: str | None
    message_id: str | None
    attempts: Count
    next_attempt_at: Instant | None
    error: MessageError | None
    created_at: Instant
    sent_at: Instant | None
    object: Literal["message"]


class WholeMessage(MessageAnswer, kw_only=True):
    """A message with its bodies, as they were handed over."""

    text: str | None
    html: str | None
