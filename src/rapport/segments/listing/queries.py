"""All SQL of the list of segments."""

from rapport.core.db import Connection
from rapport.http.conditions import Conditions
from rapport.http.lists import Found, Page
from rapport.http.queries import fetch_page
from rapport.segments.models import Segment
from rapport.segments.queries import SEGMENTS, VISIBLE


async def list_page(
    conn: Connection, project_id: int, page: Page, filters: Conditions | None, ids: list[str]
) -> Found[Segment]:
    """Return one page of the segments that fit the filters and, where there are any `ids`, have one of these."""
    conditions: list[tuple[str, tuple[object, ...]]] = [(VISIBLE, ())]
    if filters is not None:
        conditions.append((filters.text, filters.values))
    if ids:
        conditions.append(("id = ANY ({}::text[])", (ids,)))
    return await fetch_page(conn, SEGMENTS, project_id, page, conditions=tuple(conditions))
