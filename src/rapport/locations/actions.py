"""Writes of locations: additions, for the reference has only operations that read."""

import msgspec

from rapport.core.db import Connection, UniqueViolation
from rapport.core.errors import DuplicateFound, NotFound, RapportError
from rapport.core.ids import new_id
from rapport.core.jsons import check_limits
from rapport.core.queries import read_now
from rapport.http.caller import Caller
from rapport.locations import queries
from rapport.locations.models import Location
from rapport.locations.schemas import LocationInput, LocationUpdate
from rapport.locations.shapes import shape_of

MAX_LOCATIONS = 10_000


class TooManyLocations(RapportError):
    """The project has as many locations as one project may have."""

    key = "too_many_locations"
    message = "Too many locations"


def _check(data: LocationInput | LocationUpdate) -> None:
    check_limits(data.name, ".name")
    check_limits(data.source_id, ".source_id")


def _taken(source_id: str | None) -> DuplicateFound:
    return DuplicateFound("location", source_id or "", f"Duplicated location exists with source_id {source_id}")


async def create(caller: Caller, data: LocationInput) -> Location:
    """Create a location. Raises InvalidPayload, DuplicateFound for the source id, TooManyLocations."""
    _check(data)
    shape = shape_of(data.shape)

    async def work(conn: Connection) -> Location:
        await queries.lock_all(conn, caller.project_id)
        if await queries.count(conn, caller.project_id) >= MAX_LOCATIONS:
            raise TooManyLocations(f"A project may have {MAX_LOCATIONS} locations")
        now = await read_now(conn, caller.db.clock_offset)
        location = Location(new_id("loc"), data.source_id, data.name, shape, now, None)
        await queries.insert(conn, caller.project_id, location)
        return location

    try:
        return await caller.db.transaction(work)
    except UniqueViolation as error:
        raise _taken(data.source_id) from error


async def _get_locked(conn: Connection, project_id: int, reference: str) -> Location:
    location = await queries.find(conn, project_id, reference, lock=True)
    if location is None:
        raise NotFound("location", reference)
    return location


async def update(caller: Caller, reference: str, data: LocationUpdate) -> Location:
    """Change a location. Raises NotFound, InvalidPayload, DuplicateFound for the source id."""
    _check(data)

    async def work(conn: Connection) -> Location:
        location = await _get_locked(conn, caller.project_id, reference)
        changed = msgspec.structs.replace(
            location,
            name=data.name or location.name,
            shape=location.shape if data.shape is None else shape_of(data.shape),
            source_id=location.source_id if data.source_id is None else data.source_id or None,
        )
        if changed == location:
            return location
        changed = msgspec.structs.replace(changed, updated_at=await read_now(conn, caller.db.clock_offset))
        await queries.update(conn, caller.project_id, changed)
        return changed

    try:
        return await caller.db.transaction(work)
    except UniqueViolation as error:
        raise _taken(data.source_id) from error


async def delete(caller: Caller, reference: str) -> None:
    """Delete a location for good; events and orders that name it stay as they are. Raises NotFound."""

    async def work(conn: Connection) -> None:
        location = await _get_locked(conn, caller.project_id, reference)
        await queries.delete(conn, caller.project_id, location.id)

    await caller.db.transaction(work)
