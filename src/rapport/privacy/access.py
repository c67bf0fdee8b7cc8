"""Access requests: everything that is held on one person as one JSON file, written while it is read.

{"object": "customer_data", "customer": {…}, "merged": […], "<holding>": […], …}
"""

import hashlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from rapport.core import jsons
from rapport.core.clock import iso
from rapport.core.db import Connection, Database
from rapport.core.errors import NotFound
from rapport.core.queries import read_now
from rapport.customers import queries as customers
from rapport.customers.holdings import Holding
from rapport.customers.models import Customer
from rapport.customers.schemas import view
from rapport.merges.queries import merged_into
from rapport.privacy.actions import get_left_behind
from rapport.privacy.people import known_before
from rapport.projects import queries as projects

Pieces = AsyncGenerator[bytes, None]

# Bytes of JSON that are gathered before they are handed on.
PIECE = 65_536


async def pieces(db: Database, project_id: int, holdings: Sequence[Holding], reference: str) -> Pieces:
    """Yield the file of a customer (id or source id) in pieces, all of one snapshot.

    A customer who was deleted in the plain way is found by the id. Raises NotFound, before anything is yielded.
    """
    async with db.snapshot() as conn:
        customer = await customers.find(conn, project_id, reference)
        person = customer or await get_left_behind(conn, project_id, holdings, reference)
        people = [person, *await merged_into(conn, project_id, person.id)]
        head = {
            "object": "customer_data",
            "created_at": iso(await read_now(conn, db.clock_offset)),
            "customer": {"id": person.id} if customer is None else view(customer),
            "merged": [view(one) for one in people[1:]],
        }
        waiting = bytearray(jsons.encode(head)[:-1])
        earlier = await known_before(conn, project_id, people)
        for one in holdings:
            waiting += b"," + jsons.encode(one.name) + b":["
            separator = b""
            async for row in _rows(conn, project_id, one, people, earlier):
                waiting += separator + row
                separator = b","
                if len(waiting) > PIECE:
                    yield bytes(waiting)
                    waiting.clear()
            waiting += b"]"
        waiting += b"}"
        yield bytes(waiting)


async def _rows(
    conn: Connection, project_id: int, holding: Holding, people: Sequence[Customer], earlier: Sequence[Customer]
) -> AsyncGenerator[bytes, None]:
    """Yield what a feature holds on a person as JSON; what is found by texts is looked for by earlier names, too."""
    seen: set[bytes] = set()
    for one in (*people, *earlier) if holding.by_text else people:
        async for row in holding.gather(conn, project_id, one):
            written = jsons.encode(row)
            if holding.by_text:
                digest = hashlib.sha256(written).digest()
                if digest in seen:
                    continue
                seen.add(digest)
            yield written


async def pieces_of_project(db: Database, project: str, holdings: Sequence[Holding], reference: str) -> Pieces:
    """As `pieces`, for a project by its name. Raises NotFound."""
    async with db.read() as conn:
        found = await projects.find_project(conn, project)
    if found is None:
        raise NotFound("project", project)
    async with aclosing(pieces(db, found.project_id, holdings, reference)) as whole:
        async for piece in whole:
            yield piece
