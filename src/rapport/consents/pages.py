"""The public page on which people unsubscribe: looking at it changes nothing, since mail scanners do, too."""

import html
from typing import Any, cast

from litestar import Request, Response, get, post

from rapport.activity.log import Internal, Source
from rapport.consents.actions import Said, named, say
from rapport.consents.links import path_of
from rapport.consents.models import UNSUBSCRIBED, Statement
from rapport.consents.settling import settled
from rapport.core.db import Database
from rapport.core.queries import read_now
from rapport.customers.models import CHANNELS, Channel
from rapport.customers.writes import Unit, Writer
from rapport.http import links
from rapport.projects import queries as projects

_PATH = "/unsubscribe/{channel:str}/{customer_id:str}"
_NAMES = {"email": "emails", "sms": "text messages", "web_push": "notifications", "push": "notifications"}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    "X-Content-Type-Options": "nosniff",
}
_STYLE = (
    "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1rem}"
    "button{font:inherit;padding:.5rem 1rem;margin:.5rem .5rem .5rem 0}"
)
_BROKEN = (
    "<h1>This link does not work</h1><p>It is not complete, or too old. Please use the link in a later message.</p>"
)
_MAX_BODY = 10_000


def _page(content: str, status_code: int = 200) -> Response[bytes]:
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>Unsubscribe</title>'
        f"<style>{_STYLE}</style></head><body>{content}</body></html>"
    )
    return Response(text.encode(), status_code=status_code, media_type="text/html; charset=utf-8", headers=_HEADERS)


def _what(channel: str) -> str:
    return _NAMES.get(channel, f"messages by {html.escape(channel.replace('_', ' '))}")


async def _project(request: Request[Any, Any, Any], channel: str, customer_id: str) -> int | None:
    """Return the project that signed the link, or None where nobody did or its time is over."""
    db: Database = request.app.state.db
    query = request.query_params
    named_project = query.get("project", "")
    if channel not in CHANNELS or not named_project or "\x00" in named_project + customer_id:
        return None
    async with db.read() as conn:
        found = await projects.find_link_secret(conn, named_project)
        now = await read_now(conn, db.clock_offset)
    if found is None:
        return None
    try:
        links.check(found[1], path_of(channel, customer_id), query, now)
    except links.LinkRefused:
        return None
    return found[0]


@get(_PATH, opt={})
async def show_unsubscribe(request: Request[Any, Any, Any], channel: str, customer_id: str) -> Response[bytes]:
    """Ask whether to unsubscribe."""
    if await _project(request, channel, customer_id) is None:
        return _page(_BROKEN, 401)
    return _page(
        '<h1>Unsubscribe?</h1><form method="post">'
        f'<button name="scope" value="channel">No more {_what(channel)}</button>'
        '<button name="scope" value="all">No more messages at all</button></form>'
    )


@post(_PATH, status_code=200, opt={})
async def unsubscribe(request: Request[Any, Any, Any], channel: str, customer_id: str) -> Response[bytes]:
    """Unsubscribe: from the page, or in one click by a mail program (RFC 8058)."""
    project_id = await _project(request, channel, customer_id)
    if project_id is None:
        return _page(_BROKEN, 401)
    body = (await request.body())[:_MAX_BODY]
    everything = b"scope=all" in body.split(b"&")
    one_click = b"One-Click" in body
    source = "one-click unsubscribe" if one_click else "unsubscribe page"
    statement = Statement(UNSUBSCRIBED, None if everything else cast("Channel", channel), given=True, source=source)
    db: Database = request.app.state.db
    writer: Writer = request.app.state.writer
    signature = Internal(project_id, request.scope["state"]["request_id"], Source("USER_PORTAL"))

    async def work(unit: Unit) -> Said | None:
        _, names = await named(unit)
        customer = await unit.find_locked(customer_id)
        return None if customer is None else await say(unit, customer.id, [statement], names)

    said = await writer.commit(signature, work)
    left = 0
    if said is not None:
        left = await settled(db, project_id, [said.customer.id], request.app.state.in_flight)
    late = "<p>A message that was on its way already may still reach you.</p>" if left else ""
    what = "messages of any kind" if everything else _what(channel)
    return _page(f"<h1>You are unsubscribed</h1><p>You will get no more {what}.</p>{late}")


handlers = (show_unsubscribe, unsubscribe)
