"""What a customer's consents are after everything that was said, in whatever order it became known. Pure.

The newest word counts. What is said about all channels replaces what was said earlier about one of them; what is said
about one channel stands beside what was said about all.

    {"<id>": {"given": true, "at": …, "source": …, "channels": {"email": {"given": false, "at": …, "source": …}}}}
"""

from datetime import datetime
from typing import Any

import msgspec

from rapport.consents.models import UNSUBSCRIBED, Statement, restricts
from rapport.core.clock import iso, parse_instant

Consents = dict[str, dict[str, Any]]


class Outcome(msgspec.Struct, frozen=True):
    """What came of a statement: the consents after it, when it was made, whether it is the newest word.

    `said`: whether it is anything new, to be kept in the history.
    """

    consents: Consents
    at: datetime
    applied: bool
    said: bool


def word_on(consents: Consents, consent_id: str, channel: str | None) -> dict[str, Any] | None:
    """Return the newest word on a consent for a channel (None: for all), or None where nothing was said."""
    entry = consents.get(consent_id, {})
    own: dict[str, Any] | None = entry.get("channels", {}).get(channel)
    return own or (entry if "given" in entry else None)


def is_given(consents: Consents, consent_id: str, channel: str) -> bool:
    """Whether a consent is given for a channel."""
    word = word_on(consents, consent_id, channel)
    return word is not None and bool(word["given"])


def may_be_written_to(consents: Consents, channel: str, consent_id: str | None) -> bool:
    """Whether messages on a channel are allowed: no opt-out, and the consent they need, if any, is given."""
    if is_given(consents, UNSUBSCRIBED, channel):
        return False
    return consent_id is None or is_given(consents, consent_id, channel)


def _words(entry: dict[str, Any], channel: str | None) -> list[dict[str, Any]]:
    """Return what a statement on a channel, or on all, would replace."""
    channels = entry.get("channels", {})
    if channel is not None:
        own = channels.get(channel)
        return [own] if own else [entry] if "given" in entry else []
    return [*([entry] if "given" in entry else []), *channels.values()]


def _is_newer(statement: Statement, at: str, word: dict[str, Any]) -> bool:
    """Whether a statement counts against a word; of two at the same time the one that takes away does."""
    if statement.at is None or at != word["at"]:
        return bool(at >= word["at"])
    return statement.restricts and not restricts(statement.consent_id, given=bool(word["given"]))


def apply(consents: Consents, statement: Statement, now: datetime) -> Outcome:
    """Return what comes of a statement that becomes known now.

    Without a time it is the newest word whatever was said before, even under a clock that ran ahead. A time that is
    still to come counts as now.
    """
    entry = consents.get(statement.consent_id, {})
    words = _words(entry, statement.channel)
    if statement.at is None:
        at = max([now, *(parse_instant(word["at"]) for word in words)])
        repeated = all((word["given"], word.get("source")) == (statement.given, statement.source) for word in words)
        if words and repeated and statement.proof is None and (statement.channel or "given" in entry):
            return Outcome(consents, at, applied=False, said=False)
    else:
        at = min(statement.at, now)
    written = iso(at)
    target = words[0] if words and (statement.channel or "given" in entry) else None
    if target is not None and (target["given"], target["at"]) == (statement.given, written):
        return Outcome(consents, at, applied=False, said=statement.at is None)
    if target is not None and not _is_newer(statement, written, target):
        return Outcome(consents, at, applied=False, said=True)
    word = {"given": statement.given, "at": written}
    if statement.source is not None:
        word["source"] = statement.source
    channels = entry.get("channels", {})
    if statement.channel is not None:
        general = {name: value for name, value in entry.items() if name != "channels"}
        changed = {**general, "channels": {**channels, statement.channel: word}}
    else:
        left = {name: one for name, one in channels.items() if not _is_newer(statement, written, one)}
        changed = {**word, "channels": left} if left else word
    return Outcome({**consents, statement.consent_id: changed}, at, applied=True, said=True)


def combined(one: Consents, other: Consents) -> Consents:
    """Return the consents of two customers who are one: the newest word of either, and of equals the one that takes."""
    found = one
    for consent_id, entry in other.items():
        words = [(None, entry)] if "given" in entry else []
        for channel, word in [*words, *entry.get("channels", {}).items()]:
            at = parse_instant(word["at"])
            statement = Statement(consent_id, channel, word["given"], at, word.get("source"))
            found = apply(found, statement, at).consents
    return found
