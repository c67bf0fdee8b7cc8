"""Links in messages by which whoever reads them can unsubscribe, without a key."""

from datetime import datetime, timedelta
from urllib.parse import quote

from rapport.http import links

LASTS = timedelta(days=5 * 365)


def path_of(channel: str, customer_id: str) -> str:
    """Return the path of the page on which a customer unsubscribes from a channel: what the link's signature covers."""
    return f"/unsubscribe/{channel}/{quote(customer_id, safe='')}"


def unsubscribe_url(base_url: str, secret: bytes, project: str, customer_id: str, channel: str, now: datetime) -> str:
    """Return a link for one customer and channel; `project` is the project's public id."""
    return base_url + links.signed(secret, path_of(channel, customer_id), project, now + LASTS)
