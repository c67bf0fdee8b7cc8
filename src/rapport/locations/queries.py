"""All SQL of locations."""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any, Final

from rapport.core.clock import parse_instant
from rapport.core.db import Connection, columns
from rapport.core.errors import InvalidQueryParams
from rapport.http.conditions import Conditions, Reader, text_field
from rapport.http.lists import Found, ListSpec, Page, Until
from rapport.http.queries import fetch_page
from rapport.locations.models import Location

_NAMES = Location.__struct_fields__
_COLUMNS = columns(Location)
MAX_DAYS: Final = 100_000

LOCATIONS = ListSpec(
    data_ref="data",
    table="locations",
    row=Location,
    orders={"created_at": "created_at", "updated_at": "coalesce(updated_at, created_at)"},
    default_order="-created_at",
    filters={"end_date": Until("created_at")},
)


def _read_instant(
    column: str, offset: timedelta, operator: str, name: str, given: list[str]
) -> tuple[str, list[Any]] | None:
    """Read a condition on an instant: a date-time, or a number of days before now."""
    if operator in ("$has_value", "$is_unknown"):
        return f"{column} IS {'NOT ' if operator == '$has_value' else ''}NULL", []
    comparison = {"$after": ">", "$before": "<"}.get(operator)
    if comparison is not None:
        try:
            return f"{column} {comparison} {{}}", [parse_instant(given[0].replace(" ", "+"))]
        except ValueError as error:
            raise InvalidQueryParams(f"Query param {name} should be a date in ISO 8601 format") from error
    days = {"$more_than": "<", "$less_than": ">"}.get(operator)
    if days is None:
        return None
    text = given[0]
    if not (text.isascii() and text.isdigit() and int(text[:10]) <= MAX_DAYS and len(text) <= 10):
        raise InvalidQueryParams(f"Query param {name} should be a number of days from 0 to {MAX_DAYS}")
    return f"{column} {days} clock_timestamp() + {{}}::interval - make_interval(days => {{}})", [offset, int(text)]


def filters(offset: timedelta) -> Mapping[str, Reader]:
    """Return what can be filtered on; `offset` moves the clock."""
    return {
        "name": text_field("name"),
        "created_at": partial(_read_instant, "created_at", offset),
        "updated_at": partial(_read_instant, "updated_at", offset),
    }


async def list_page(conn: Connection, project_id: int, page: Page, conditions: Conditions | None) -> Found[Location]:
    """Return one page of locations."""
    further = () if conditions is None else ((conditions.text, conditions.values),)
    return await fetch_page(conn, LOCATIONS, project_id, page, conditions=further)


async def find(conn: Connection, project_id: int, reference: str, *, lock: bool = False) -> Location | None:
    """Return the location with this id or source id (the id wins), locked if asked for; or None."""
    suffix = " FOR NO KEY UPDATE" if lock else ""
    for column in ("id", "source_id"):
        row = await conn.fetchrow(
            f"SELECT {_COLUMNS} FROM locations WHERE project_id = $1 AND {column} = $2{suffix}", project_id, reference
        )
        if row is not None:
            return Location(*row)
    return None


async def lock_all(conn: Connection, project_id: int) -> None:
    """Let no other transaction add a location to the project until this one ends."""
    await conn.execute("SELECT FROM projects WHERE project_id = $1 FOR NO KEY UPDATE", project_id)


async def count(conn: Connection, project_id: int) -> int:
    """Return how many locations the project has."""
    return int(await conn.fetchval("SELECT count(*) FROM locations WHERE project_id = $1", project_id))


async def insert(conn: Connection, project_id: int, location: Location) -> None:
    """Insert a location. Fails where its source id is taken."""
    places = ", ".join(f"${number}" for number in range(2, len(_NAMES) + 2))
    await conn.execute(
        f"INSERT INTO locations (project_id, {_COLUMNS}) VALUES ($1, {places})",
        project_id,
        *[getattr(location, name) for name in _NAMES],
    )


async def update(conn: Connection, project_id: int, location: Location) -> None:
    """Write a locked location. Fails where its source id is taken."""
    await conn.execute(
        "UPDATE locations SET source_id = $3, name = $4, shape = $5, updated_at = $6 WHERE project_id = $1 AND id = $2",
        project_id,
        location.id,
        location.source_id,
        location.name,
        location.shape,
        location.updated_at,
    )


async def delete(conn: Connection, project_id: int, location_id: str) -> None:
    """Delete a locked location."""
    await conn.execute("DELETE FROM locations WHERE project_id = $1 AND id = $2", project_id, location_id)
