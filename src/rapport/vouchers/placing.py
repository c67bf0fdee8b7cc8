"""The category that a voucher is put into, by id, or by a name that need not be that of a category."""

from collections.abc import Mapping

from rapport.categories import queries
from rapport.categories.models import Category
from rapport.core.db import Connection
from rapport.core.errors import NotFound


async def load(conn: Connection, project_id: int, *keys: str | None) -> dict[str, Category]:
    """Return the categories that requests name, by id and by name; none is deleted while this transaction goes on."""
    return await queries.find_named(conn, project_id, [key for key in keys if key])


def placed(known: Mapping[str, Category], category: str | None, category_id: str | None) -> dict[str, str | None]:
    """Return what is kept of a request's `category` and `category_id`; empty texts are none. Raises NotFound for an id.

    A name that no category has is kept as it is: shops mark codes with words of their own.
    """
    found = known.get(category_id or category or "")
    if category_id and (found is None or found.id != category_id):
        raise NotFound("category", category_id)
    if found is None:
        return {"category": category or None, "category_id": None}
    return {"category": found.name, "category_id": found.id}
