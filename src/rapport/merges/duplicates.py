"""The search for customers who may be one person, reason by reason, page by page."""

from collections.abc import Awaitable, Callable
from typing import Any, Literal, NamedTuple

from rapport.core.db import Connection
from rapport.core.errors import InvalidQueryParams
from rapport.customers.models import Customer
from rapport.customers.schemas import simple_view
from rapport.merges import queries
from rapport.merges.queries import FIRST, Key
from rapport.merges.schemas import DuplicateGroup, DuplicateGroups
from rapport.segments.history.queries import customers_by_id


class Reason(NamedTuple):
    """Why customers may be one person, and how the groups are read from the database."""

    name: str
    strength: Literal["strong", "weak"]
    find: Callable[[Connection, int, Key, int], Awaitable[list[Any]]]


REASONS = (
    Reason("email", "strong", queries.same_email),
    Reason("phone", "strong", queries.same_phone),
    Reason("name_and_birthdate", "weak", queries.same_birthdate),
    Reason("name_and_postal_code", "weak", queries.same_postal_code),
)


async def page_of(
    conn: Connection, project_id: int, *, reason: str | None, limit: int, after: str | None
) -> DuplicateGroups:
    """Return up to `limit` groups, those for strong reasons first; `after` is the id of the last one seen.

    A group's id names its reason and its first customer: no address stands in a link. Raises InvalidQueryParams.
    """
    reasons = [one for one in REASONS if reason in (None, one.name)]
    if not reasons:
        raise InvalidQueryParams(f"Query param reason should be one of: {', '.join(one.name for one in REASONS)}")
    start = FIRST
    if after is not None:
        name, _, customer_id = after.partition(":")
        known = await queries.find_key(conn, project_id, customer_id)
        position = next((number for number, one in enumerate(reasons) if one.name == name), None)
        if known is None or position is None or None in _parts(name, known):
            raise InvalidQueryParams(f"Query param starting_after_id names nothing in this list: {after}")
        reasons, start = reasons[position:], known
    found: list[tuple[Reason, int, list[str]]] = []
    for one in reasons:
        rows = await one.find(conn, project_id, start, limit + 1 - len(found))
        found += [(one, row["number"], row["ids"]) for row in rows]
        start = FIRST
        if len(found) > limit:
            break
    groups = await _shown(conn, project_id, found[:limit])
    more = len(found) > limit
    return DuplicateGroups(data=groups, has_more=more, more_starting_after=groups[-1].id if more else None)


def _parts(reason: str, key: Key) -> tuple[Any, ...]:
    """Return by what a customer stands in the order of the groups for a reason."""
    return {
        "email": (key.email,),
        "phone": (key.phone,),
        "name_and_birthdate": (key.birthdate, key.folded_name),
        "name_and_postal_code": (key.name, key.postal_code),
    }[reason]


async def _shown(conn: Connection, project_id: int, found: list[tuple[Reason, int, list[str]]]) -> list[DuplicateGroup]:
    customers = await customers_by_id(conn, project_id, [one for _, _, ids in found for one in ids])
    return [
        DuplicateGroup(
            id=f"{reason.name}:{ids[0]}",
            reason=reason.name,
            strength=reason.strength,
            count=number,
            customers=[_view(customers[one]) for one in ids if one in customers],
        )
        for reason, number, ids in found
    ]


def _view(customer: Customer) -> dict[str, Any]:
    shown = simple_view(customer)
    if customer.phone is not None:
        shown["phone"] = customer.phone
    if customer.birthdate is not None:
        shown["birthdate"] = customer.birthdate.isoformat()
    return shown
