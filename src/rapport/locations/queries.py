"""All SQL of locations."""

from rapport.core.db import Connection, columns
from rapport.http.conditions import Conditions
from rapport.http.lists import Found, ListSpec, Page, Until
from rapport.http.queries import fetch_page
from rapport.locations.models import Location

_NAMES = Location.__struct_fields__
_COLUMNS = columns(Location)

LOCATIONS = ListSpec(
    data_ref="data",
    table="locations",
    row=Location,
    orders={"created_at": "created_at", "updated_at": "coalesce(updated_at, created_at)"},
    default_order="-created_at",
    filters={"end_date": Until("created_at")},
)


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
