"""All SQL of devices."""

from rapport.core.db import Connection, Restart, UniqueViolation, columns
from rapport.devices.schemas import Device
from rapport.http.lists import Equals, Found, ListSpec, Page
from rapport.http.queries import fetch_page

DEVICES = ListSpec(
    data_ref="data",
    table="devices",
    row=Device,
    orders={"last_seen_at": "last_seen_at"},
    default_order="-last_seen_at",
    filters={"platform": Equals("platform"), "channel": Equals("channel")},
)

_COLUMNS = columns(Device)
_NAMES = Device.__struct_fields__
_VALUES = ", ".join(f"${index}" for index in range(2, len(_NAMES) + 2))
_SETS = ", ".join(f"{name} = ${index}" for index, name in enumerate(_NAMES, start=2))


async def lock(conn: Connection, project_id: int, device_id: str | None, token: str | None) -> None:
    """Let nobody else move the device of this id, or this token, until the end of the transaction.

    Else those who move one thing at once would find it moved on each time that they have locked its owner.
    """
    await conn.execute(
        "SELECT pg_advisory_xact_lock(one.key) FROM (SELECT DISTINCT hashtextextended(name, $1::bigint) AS key "
        "FROM unnest(ARRAY['device ' || $2::text, 'token ' || $3::text]) AS name WHERE name IS NOT NULL "
        "ORDER BY key) AS one",
        project_id,
        device_id,
        token,
    )


async def find(conn: Connection, project_id: int, device_id: str | None, token: str | None) -> list[Device]:
    """Return the devices with this id or this token: two at most."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM devices WHERE project_id = $1 AND id = $2 "
        f"UNION SELECT {_COLUMNS} FROM devices WHERE project_id = $1 AND token = $3",
        project_id,
        device_id,
        token,
    )
    return [Device(*row) for row in rows]


async def insert(conn: Connection, project_id: int, device: Device) -> None:
    """Insert a device. Raises Restart when its id or token was taken in the meantime."""
    done = await conn.execute(
        f"INSERT INTO devices (project_id, {_COLUMNS}) VALUES ($1, {_VALUES}) ON CONFLICT DO NOTHING",
        project_id,
        *[getattr(device, name) for name in _NAMES],
    )
    if done != "INSERT 0 1":
        raise Restart


async def update(conn: Connection, project_id: int, device: Device) -> None:
    """Write the row of a device whose customer is locked. Raises Restart when its token was taken in the meantime."""
    try:
        done = await conn.execute(
            f"UPDATE devices SET {_SETS} WHERE project_id = $1 AND id = $2",
            project_id,
            *[getattr(device, name) for name in _NAMES],
        )
    except UniqueViolation as error:
        raise Restart from error
    if done != "UPDATE 1":
        raise Restart


async def delete(conn: Connection, project_id: int, device_id: str, customer_id: str) -> Device | None:
    """Delete a device of a locked customer and return it, or None."""
    row = await conn.fetchrow(
        f"DELETE FROM devices WHERE project_id = $1 AND id = $2 AND customer_id = $3 RETURNING {_COLUMNS}",
        project_id,
        device_id,
        customer_id,
    )
    return None if row is None else Device(*row)


async def list_page(conn: Connection, project_id: int, customer_id: str, page: Page) -> Found[Device]:
    """Return one page of a customer's devices; the index is devices_of_customer."""
    return await fetch_page(conn, DEVICES, project_id, page, where={"customer_id": customer_id})
