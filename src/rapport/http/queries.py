"""The one implementation of lists in SQL."""

from collections.abc import Mapping
from typing import Any

from rapport.core.db import Connection, columns
from rapport.core.errors import InvalidQueryParams
from rapport.http.lists import Found, ListSpec, Page, Part


class _Statement:
    """WHERE conditions and their parameters, collected together."""

    def __init__(self, project_id: int) -> None:
        self.parameters: list[Any] = [project_id]
        self.conditions: list[str] = ["project_id = $1"]

    def add(self, condition: str, *values: Any) -> None:
        """Add a condition with a `{}` for each value."""
        places = []
        for value in values:
            self.parameters.append(value)
            places.append(f"${len(self.parameters)}")
        self.conditions.append(condition.format(*places))

    def where(self) -> str:
        return " AND ".join(self.conditions)


async def _after(
    conn: Connection,
    spec: ListSpec,
    project_id: int,
    page: Page,
    where: Mapping[str, Any] | None,
    statement: _Statement,
) -> None:
    """Continue after the row that `starting_after_id` names; PostgreSQL sorts a missing value as the largest.

    Raises InvalidQueryParams when the list has no such row; one that only the filters leave out will do.
    """
    column, tie = spec.orders[page.order], spec.tie
    named = _Statement(project_id)
    for name, value in {**(where or {}), "id": page.starting_after_id}.items():
        named.add(f"{name} = {{}}", value)
    row = await conn.fetchrow(
        f"SELECT {column} AS value, {tie} AS tie FROM {spec.table} WHERE {named.where()}", *named.parameters
    )
    if row is None:
        raise InvalidQueryParams(f"Query param starting_after_id names nothing in this list: {page.starting_after_id}")
    comparison = "<" if page.descending else ">"
    if row["value"] is not None:
        beyond = "" if page.descending else f" OR {column} IS NULL"
        statement.add(f"(({column}, {tie}) {comparison} ({{}}, {{}}){beyond})", row["value"], row["tie"])
    else:
        beyond = f" OR {column} IS NOT NULL" if page.descending else ""
        statement.add(f"(({column} IS NULL AND {tie} {comparison} {{}}){beyond})", row["tie"])


def _statement(
    project_id: int,
    page: Page,
    where: Mapping[str, Any] | None,
    conditions: tuple[tuple[str, tuple[Any, ...]], ...],
) -> _Statement:
    statement = _Statement(project_id)
    for column, value in (where or {}).items():
        statement.add(f"{column} = {{}}", value)
    for item, value in page.filters:
        statement.add(item.condition, value)
    for text, values in conditions:
        statement.add(text, *values)
    return statement


async def fetch_part(
    conn: Connection,
    spec: ListSpec,
    project_id: int,
    page: Page,
    *,
    where: Mapping[str, Any] | None = None,
    conditions: tuple[tuple[str, tuple[Any, ...]], ...] = (),
) -> Part[Any]:
    """Return one part of a list, uncounted: what it costs does not grow with the list.

    `where` adds equalities, `conditions` adds SQL with `{}` for its values. Raises InvalidQueryParams for a cursor that
    is not there.
    """
    statement = _statement(project_id, page, where, conditions)
    comparison, direction = ("<", "DESC") if page.descending else (">", "ASC")
    if page.starting_after is not None:
        statement.add(f"{spec.cursor_of(page.order)} {comparison} {{}}", page.starting_after)
    if page.starting_after_id is not None:
        await _after(conn, spec, project_id, page, where, statement)
    parameters = [*statement.parameters, page.limit + 1, (page.page - 1) * page.limit]
    rows = await conn.fetch(
        f"SELECT {columns(spec.row)} FROM {spec.table} WHERE {statement.where()} "
        f"ORDER BY {spec.orders[page.order]} {direction}, {spec.tie} {direction} "
        f"LIMIT ${len(parameters) - 1} OFFSET ${len(parameters)}",
        *parameters,
    )
    return Part([spec.row(*row) for row in rows[: page.limit]], len(rows) > page.limit)


async def fetch_page(
    conn: Connection,
    spec: ListSpec,
    project_id: int,
    page: Page,
    *,
    where: Mapping[str, Any] | None = None,
    conditions: tuple[tuple[str, tuple[Any, ...]], ...] = (),
) -> Found[Any]:
    """Return one page of a list with its total: as `fetch_part`.

    `total` counts the whole list; a cursor narrows the page, not the total.
    """
    statement = _statement(project_id, page, where, conditions)
    total = await conn.fetchval(f"SELECT count(*) FROM {spec.table} WHERE {statement.where()}", *statement.parameters)
    part = await fetch_part(conn, spec, project_id, page, where=where, conditions=conditions)
    return Found(part.items, total, part.has_more)
