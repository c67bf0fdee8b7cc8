"""The mail itself: addresses that may be written to, and a message that no value from outside can bend."""

import re
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

import msgspec

from rapport.settings import parse_address, parse_sender

MAX_SUBJECT = 500
MAX_NAME = 100
UNFOLDED = 60

_POLICY = SMTP.clone(cte_type="7bit")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_NEEDS_QUOTES = re.compile(r"[^\w' -]")
_UNSAFE_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|[\ud800-\udfff]")


class InvalidAddress(ValueError):
    """It is not an address that mail can be sent to."""


class Sender(msgspec.Struct, frozen=True):
    """Who a mail is from."""

    name: str
    address: str


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """A mail ready to be handed over: its envelope and its bytes."""

    sender: str
    recipient: str
    content: bytes


def address(text: str) -> str:
    """Return a plain address, its domain in ASCII. Raises InvalidAddress."""
    try:
        return parse_address(text)
    except ValueError as error:
        raise InvalidAddress(text) from error


def sender(text: str) -> Sender:
    """Read `shop@example.com` or `The Shop <shop@example.com>`. Raises InvalidAddress."""
    try:
        name, plain = parse_sender(text)
    except ValueError as error:
        raise InvalidAddress(text) from error
    return Sender(line(name).strip(' "'), plain)


def line(text: str, longest: int = MAX_NAME) -> str:
    """Return the text as one line, control characters as spaces, cut to a length: fit for a header."""
    flat = " ".join(_CONTROL.sub(" ", text).split())
    return flat.encode("utf-8", "replace").decode("utf-8")[:longest]


def body(text: str) -> str:
    """Return a body without the control characters that neither mail nor the database can carry."""
    return _UNSAFE_TEXT.sub("", text)


def message_id(message: str, from_address: str) -> str:
    """Return the Message-ID of a message: the same for every attempt."""
    return f"<{message}@{from_address.rpartition('@')[2]}>"


def _named(name: str, spec: str) -> Address:
    """Return an address with a display name.

    The standard library loses the quotes of a name when it folds a line, so a name that needs them and might be folded
    goes without the characters that do.
    """
    whole = Address(display_name=line(name), addr_spec=spec)
    if len(str(whole)) <= UNFOLDED:
        return whole
    return Address(display_name=line(_NEEDS_QUOTES.sub(" ", name)), addr_spec=spec)


def build(  # noqa: PLR0913 (the parts of a mail)
    *,
    sender: Sender,
    recipient: str,
    recipient_name: str | None,
    reply_to: str | None,
    subject: str,
    text: str | None,
    html: str | None,
    message_id: str,
    date: datetime,
    unsubscribe: str | None = None,
) -> Mail:
    """Return the mail, in seven-bit lines that any server takes. The addresses have been through `address`.

    `unsubscribe`: the link of our own making by which mail programs unsubscribe (RFC 2369, RFC 8058).
    """
    made = EmailMessage(policy=_POLICY)
    made["From"] = _named(sender.name, sender.address)
    made["To"] = _named(recipient_name or "", recipient)
    if reply_to:
        made["Reply-To"] = Address(addr_spec=reply_to)
    made["Subject"] = line(subject, MAX_SUBJECT)
    made["Date"] = format_datetime(date)
    made["Message-ID"] = message_id
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday replies, please
    if text is not None:
        made.set_content(text)
    if html is not None and text is not None:
        made.add_alternative(html, subtype="html")
    elif html is not None:
        made.set_content(html, subtype="html")
    return Mail(sender=sender.address, recipient=recipient, content=_unsubscribing(unsubscribe) + made.as_bytes())


def _unsubscribing(url: str | None) -> bytes:
    """Return the headers of a link, written by hand: the standard library would encode a word this long.

    One click is promised for https only, as the standard asks.
    """
    if url is None:
        return b""
    lines = [f"List-Unsubscribe: <{url}>"]
    if url.startswith("https://"):
        lines.append("List-Unsubscribe-Post: List-Unsubscribe=One-Click")
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")
