"""Who a person is: those who were merged into them, and the names and addresses by which they were known before."""

from collections.abc import Sequence
from itertools import zip_longest

from rapport.activity import queries as activity
from rapport.core.clock import LATEST
from rapport.core.db import Connection
from rapport.customers.models import Customer
from rapport.privacy import queries

# How many source ids, addresses and numbers each, the latest first.
MOST_EARLIER = 100


async def known_before(conn: Connection, project_id: int, people: Sequence[Customer]) -> list[Customer]:
    """Return the person with source ids, emails and phones that only the log still knows of, one of each at a time.

    What is another customer's by now is left out: a text with it is about that one.
    """
    found: list[Customer] = []
    for one in people:
        logged = await activity.names_of_customer(conn, project_id, one.id, MOST_EARLIER)
        current = [{getattr(each, name) for each in people} for name in ("source_id", "email", "phone")]
        earlier = [sorted(values - now) for values, now in zip(logged, current, strict=True)]
        others = await queries.taken_by_others(conn, project_id, [each.id for each in people], *earlier)
        free = [[value for value in values if value not in others] for values in earlier]
        found += [
            Customer(id=one.id, created_at=LATEST, updated_at=LATEST, source_id=source_id, email=email, phone=phone)
            for source_id, email, phone in zip_longest(*free)
        ]
    return found
