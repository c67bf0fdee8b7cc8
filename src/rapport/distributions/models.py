"""A distribution as a value, and which entries of the activity log fire it."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from rapport.activity.log import SILENT, Logged

SEGMENT_ENTERED = "customer.segment.entered"
CUSTOM_EVENT = "customer.custom_event"
EMAIL = "email"


class Distribution(msgspec.Struct, frozen=True):
    """One distribution row, without what only the trigger reads."""

    id: str
    name: str
    trigger_type: str
    segment_id: str | None
    event: str | None
    campaign_id: str | None
    channel: str
    subject: str
    text_template: str | None
    html_template: str | None
    sender: str | None
    reply_to: str | None
    active: bool
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime | None
    consent_id: str | None = None


class Listening(msgspec.Struct, frozen=True):
    """An active distribution as the trigger sees it; `active_from` is a transaction id."""

    id: str
    trigger_type: str
    segment_id: str | None
    event: str | None
    channel: str
    active_from: int

    @property
    def subject(self) -> tuple[str, str | None]:
        """What it listens to."""
        return self.trigger_type, self.segment_id if self.trigger_type == SEGMENT_ENTERED else self.event

    def hears(self, xid: int, entry: Logged) -> bool:
        """Whether an entry about its subject is later than when it was made active, and the customer's doing."""
        return xid > self.active_from and entry.source.get("reason") not in SILENT


def subject_of(entry: Logged) -> tuple[str, str | None]:
    """Return what an entry of the log is about, in the terms of `Listening.subject`."""
    if entry.type == SEGMENT_ENTERED:
        return entry.type, entry.payload.get("segment", {}).get("id")
    if entry.type == CUSTOM_EVENT:
        return entry.type, entry.payload.get("event", {}).get("type")
    return entry.type, None


def fired(listening: Iterable[Listening], entries: Iterable[tuple[int, Logged]]) -> Iterator[tuple[Listening, Logged]]:
    """Return each distribution with each entry (given with its transaction id) that fires it. Pure."""
    by_subject: dict[tuple[str, str | None], list[Listening]] = {}
    for one in listening:
        by_subject.setdefault(one.subject, []).append(one)
    for xid, entry in entries:
        if entry.customer_id is None:
            continue
        for one in by_subject.get(subject_of(entry), ()):
            if one.hears(xid, entry):
                yield one, entry
