"""Consents as values: what can be asked for, what was said about it, and what came of that."""

from datetime import datetime
from typing import Any

import msgspec

from rapport.customers.models import Channel

UNSUBSCRIBED = "unsubscribed"
"""The consent to nothing at all: given, nobody may be written to. Every project has it, without a row."""
UNSUBSCRIBED_NAME = "Opt-out of all communication"
UNSUBSCRIBED_CATEGORY = "OPT_OUT"


class Definition(msgspec.Struct, frozen=True):
    """One consent that a project asks for; `channels` are those it can be given for, None is any."""

    id: str
    name: str
    category: str | None
    description: str | None
    channels: list[str] | None
    created_at: datetime
    updated_at: datetime | None = None


class Statement(msgspec.Struct, frozen=True):
    """Something said about a consent: on one channel, or (None) on all of them.

    `at` is when, None for just now. `source` and `proof` say how, in the words of who tells us.
    """

    consent_id: str
    channel: Channel | None
    given: bool
    at: datetime | None = None
    source: str | None = None
    proof: dict[str, Any] | None = None

    @property
    def restricts(self) -> bool:
        """Whether it takes something away from who would write."""
        return restricts(self.consent_id, given=self.given)


class Change(msgspec.Struct, frozen=True):
    """One row of the history; `applied` is false where something newer was known already."""

    id: str
    consent_id: str
    channel: str | None
    given: bool
    at: datetime
    recorded_at: datetime
    applied: bool
    source: str | None
    proof: dict[str, Any] | None
    event_source: dict[str, Any]
    group_id: str


def restricts(consent_id: str, *, given: bool) -> bool:
    """Whether saying this takes something away: withdrawing a consent, or giving the one to nothing."""
    return given is (consent_id == UNSUBSCRIBED)
