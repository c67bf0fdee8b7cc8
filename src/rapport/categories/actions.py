"""Writes of categories."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from rapport.categories import queries
from rapport.categories.models import Category
from rapport.categories.schemas import CategoryInput
from rapport.core.db import Connection, UniqueViolation
from rapport.core.errors import DuplicateFound, NotFound, RapportError, ResourceInUse
from rapport.core.ids import new_id
from rapport.core.jsons import check_limits
from rapport.core.queries import read_now
from rapport.http.caller import Caller

MAX_CATEGORIES = 1_000


class TooManyCategories(RapportError):
    """The project has as many categories as one project may have."""

    key = "too_many_categories"
    message = "Too many categories"


class UsedBy(Protocol):
    """Tells the ids of what uses a category."""

    async def __call__(self, conn: Connection, project_id: int, category_id: str) -> list[str]:
        """Return some of them."""


def _taken(name: str) -> DuplicateFound:
    return DuplicateFound("category", name, f"Duplicated category exists with name {name}")


async def create(caller: Caller, data: CategoryInput) -> Category:
    """Create a category (`create-category`). Raises DuplicateFound for the name, TooManyCategories."""
    check_limits(data.name, ".name")

    async def work(conn: Connection) -> Category:
        await queries.lock_all(conn, caller.project_id)
        if await queries.count(conn, caller.project_id) >= MAX_CATEGORIES:
            raise TooManyCategories(f"A project may have {MAX_CATEGORIES} categories")
        now = await read_now(conn, caller.db.clock_offset)
        category = Category(new_id("cat"), data.name, data.hierarchy, now, None)
        await queries.insert(conn, caller.project_id, category)
        return category

    try:
        return await caller.db.transaction(work)
    except UniqueViolation as error:
        raise _taken(data.name) from error


async def _get_locked(conn: Connection, project_id: int, category_id: str) -> Category:
    category = await queries.find(conn, project_id, category_id, lock=True)
    if category is None:
        raise NotFound("category", category_id)
    return category


async def update(caller: Caller, category_id: str, data: CategoryInput) -> Category:
    """Change a category (`update-category`). Raises NotFound, DuplicateFound for the name."""
    check_limits(data.name, ".name")

    async def work(conn: Connection) -> Category:
        category = await _get_locked(conn, caller.project_id, category_id)
        changed = msgspec.structs.replace(
            category,
            name=data.name,
            hierarchy=data.hierarchy,
            updated_at=await read_now(conn, caller.db.clock_offset),
        )
        await queries.update(conn, caller.project_id, changed)
        return changed

    try:
        return await caller.db.transaction(work)
    except UniqueViolation as error:
        raise _taken(data.name) from error


async def delete(caller: Caller, category_id: str, users: Sequence[UsedBy]) -> None:
    """Delete a category (`delete-category`). Raises NotFound, and ResourceInUse while one of `users` names something.

    The category is locked first: what begins to use it meanwhile waits, and then does not find it any more.
    """

    async def work(conn: Connection) -> None:
        await _get_locked(conn, caller.project_id, category_id)
        for used_by in users:
            found = await used_by(conn, caller.project_id, category_id)
            if found:
                raise ResourceInUse(
                    f"The category is used by {', '.join(found)}", resource_id=category_id, resource_type="category"
                )
        await queries.delete(conn, caller.project_id, category_id)

    await caller.db.transaction(work)


async def get_to_use(
    conn: Connection, project_id: int, category_id: str | None, name: str | None = None
) -> Category | None:
    """Return the category that a campaign, tier or stack is put into, by id or else by name; None where none is named.

    It cannot be deleted before the caller's transaction is over. Raises NotFound.
    """
    if not category_id and not name:
        return None
    check_limits(category_id or name, ".category_id" if category_id else ".category")
    category = await queries.find_to_use(conn, project_id, category_id or None, name or None)
    if category is None:
        raise NotFound("category", category_id or name or "")
    return category
