"""A message as a value, and when it is tried again."""

from datetime import datetime, timedelta

import msgspec

# After each temporary failure, how long until the next attempt: eight attempts in about a day.
PAUSES = (
    timedelta(seconds=10),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
    timedelta(hours=15),
)
MAX_ATTEMPTS = len(PAUSES) + 1
# How long a worker may hold a message: while it prepares a batch, and while it hands one over to a mail server, which
# takes no longer than the limits in `smtp` let it. A file in the outbox takes no longer than preparing.
PREPARING_LEASE = timedelta(seconds=120)
SENDING_LEASE = timedelta(seconds=300)
RESENDABLE = ("FAILED", "UNCERTAIN")


class Message(msgspec.Struct, frozen=True):
    """One message row, without the bodies. `customer_id` is None once the customer was erased."""

    id: str
    distribution_id: str
    trigger_id: str
    trigger_type: str
    customer_id: str | None
    channel: str
    state: str
    attempts: int
    failures: int
    next_attempt_at: datetime | None
    provider: str | None
    campaign_id: str | None
    publication_id: str | None
    voucher_code: str | None
    sender: str | None
    recipient: str | None
    subject: str | None
    message_id: str | None
    error_key: str | None
    error_message: str | None
    created_at: datetime
    sent_at: datetime | None


class Claimed(msgspec.Struct, frozen=True):
    """A message in somebody's hands: `attempt` is what every later write names."""

    id: str
    distribution_id: str
    trigger_id: str
    customer_id: str
    channel: str
    attempts: int
    failures: int
    created_at: datetime
    error_key: str | None
    error_message: str | None


class Prepared(msgspec.Struct, frozen=True):
    """What is about to be handed over, as the message row keeps it."""

    provider: str
    campaign_id: str | None
    publication_id: str | None
    voucher_code: str | None
    sender: str
    recipient: str
    subject: str
    text_body: str | None
    html_body: str | None
    message_id: str


def pause_after(failures: int) -> timedelta | None:
    """Return how long to wait after so many temporary failures; None: give up."""
    return PAUSES[failures - 1] if failures <= len(PAUSES) else None
