"""All SQL of categories."""

from collections.abc import Sequence

from rapport.categories.models import Category
from rapport.core.db import Connection, columns

_COLUMNS = columns(Category)


async def lock_all(conn: Connection, project_id: int) -> None:
    """Let no other transaction add a category to the project until this one ends."""
    await conn.execute("SELECT FROM projects WHERE project_id = $1 FOR NO KEY UPDATE", project_id)


async def count(conn: Connection, project_id: int) -> int:
    """Return how many categories the project has."""
    return int(await conn.fetchval("SELECT count(*) FROM categories WHERE project_id = $1", project_id))


async def insert(conn: Connection, project_id: int, category: Category) -> None:
    """Insert a category. Fails where its name is taken."""
    await conn.execute(
        f"INSERT INTO categories (project_id, {_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6)",
        project_id,
        category.id,
        category.name,
        category.hierarchy,
        category.created_at,
        category.updated_at,
    )


async def find_all(conn: Connection, project_id: int) -> list[Category]:
    """Return the categories of a project, those that come first at the front."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM categories WHERE project_id = $1 ORDER BY hierarchy, created_at, id", project_id
    )
    return [Category(*row) for row in rows]


async def find_many(conn: Connection, project_id: int, ids: Sequence[str]) -> dict[str, Category]:
    """Return the categories that exist among `ids`, by id; without `ids`, without asking."""
    if not ids:
        return {}
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM categories WHERE project_id = $1 AND id = ANY ($2)", project_id, list(set(ids))
    )
    return {row["id"]: Category(*row) for row in rows}


async def find(conn: Connection, project_id: int, category_id: str, *, lock: bool = False) -> Category | None:
    """Return a category or None; with `lock`, nobody changes it or begins to use it meanwhile."""
    suffix = " FOR UPDATE" if lock else ""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM categories WHERE project_id = $1 AND id = $2{suffix}", project_id, category_id
    )
    return None if row is None else Category(*row)


async def find_named(conn: Connection, project_id: int, keys: Sequence[str]) -> dict[str, Category]:
    """Return the categories with these ids or names, by either; none is deleted while this transaction goes on."""
    if not keys:
        return {}
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM categories WHERE project_id = $1 AND (id = ANY ($2) OR name = ANY ($2)) FOR KEY SHARE",
        project_id,
        list(set(keys)),
    )
    found = [Category(*row) for row in rows]
    return {one.name: one for one in found} | {one.id: one for one in found}


async def find_to_use(conn: Connection, project_id: int, category_id: str | None, name: str | None) -> Category | None:
    """Return the category with this id, or else with this name; it is not deleted while this transaction goes on."""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM categories WHERE project_id = $1 "
        "AND (id = $2 OR ($2::text IS NULL AND name = $3)) FOR KEY SHARE",
        project_id,
        category_id,
        name,
    )
    return None if row is None else Category(*row)


async def update(conn: Connection, project_id: int, category: Category) -> None:
    """Write a locked category. Fails where its name is taken."""
    await conn.execute(
        "UPDATE categories SET name = $3, hierarchy = $4, updated_at = $5 WHERE project_id = $1 AND id = $2",
        project_id,
        category.id,
        category.name,
        category.hierarchy,
        category.updated_at,
    )


async def delete(conn: Connection, project_id: int, category_id: str) -> None:
    """Delete a locked category that nothing uses."""
    await conn.execute("DELETE FROM categories WHERE project_id = $1 AND id = $2", project_id, category_id)
