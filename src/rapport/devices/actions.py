"""Writes of devices: seen on a customer, taken over by another, forgotten."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from rapport.core.clock import LATEST
from rapport.core.db import Connection, Restart
from rapport.core.errors import NotFound
from rapport.core.ids import new_id
from rapport.core.jsons import check_limits
from rapport.customers import queries as customers
from rapport.customers.schemas import simple_view as customer_view
from rapport.customers.writes import Unit, Writer
from rapport.devices import queries
from rapport.devices.schemas import Device, DeviceInput, simple_view
from rapport.http.caller import Caller

MAX_DEVICES = 50


def check(data: DeviceInput, place: str = "") -> None:
    """Refuse what cannot be stored. Raises InvalidPayload."""
    check_limits(msgspec.to_builtins(data), place)


async def owners(conn: Connection, project_id: int, data: DeviceInput) -> list[str]:
    """Return the customers who have a device of this id or token: to be locked before `seen`.

    Until the end of the transaction no other request that asks this moves them to somebody else.
    """
    await queries.lock(conn, project_id, data.id, data.token)
    return sorted({one.customer_id for one in await queries.find(conn, project_id, data.id, data.token)})


async def seen(
    unit: Unit, customer_id: str, data: DeviceInput, known_owners: Sequence[str], *, at: datetime | None = None
) -> Device:
    """Keep that a device was seen on a locked customer; a device, or a token, of somebody else's becomes theirs.

    `at`: when that was, now if None.
    `known_owners` were locked with the customer; Restart is raised where there are others by now.
    """
    found = await queries.find(unit.conn, unit.project_id, data.id, data.token)
    if any(one.customer_id not in known_owners and one.customer_id != customer_id for one in found):
        raise Restart
    current = next((one for one in found if one.id == data.id), None)
    if current is None and data.id is None:
        current = next(iter(found), None)
    for other in found:
        if current is None or other.id != current.id:  # its token is on another device now
            await queries.delete(unit.conn, unit.project_id, other.id, other.customer_id)
            _forget(unit, other, "token_moved")
    if current is not None and current.customer_id != customer_id:
        _forget(unit, current, "customer_changed")
    device = _seen(at or unit.now, current, customer_id, data)
    if current is None:
        await queries.insert(unit.conn, unit.project_id, device)
    else:
        await queries.update(unit.conn, unit.project_id, device)
    await _show(unit, current, device)
    return device


def _seen(at: datetime, current: Device | None, customer_id: str, data: DeviceInput) -> Device:
    blank = Device(data.id or new_id("dev"), customer_id, "other", None, None, None, LATEST, LATEST)
    known = current or blank
    is_theirs = current is not None and current.customer_id == customer_id
    return Device(
        id=known.id,
        customer_id=customer_id,
        platform=data.platform or known.platform,
        channel=data.channel or known.channel,
        token=data.token or known.token,
        app_version=data.app_version or known.app_version,
        first_seen_at=min(known.first_seen_at, at) if is_theirs else at,
        last_seen_at=max(known.last_seen_at, at) if is_theirs else at,
    )


async def _show(unit: Unit, current: Device | None, device: Device) -> None:
    """Put a device into its customer's object, and log it if it is news; of too many the longest unseen goes."""
    customer = unit.get(device.customer_id)
    left = [one for one in customer.devices if one["id"] != device.id]
    left.sort(key=lambda one: (one["last_seen_at"], one["id"]))
    gone = left[: max(0, len(left) + 1 - MAX_DEVICES)]
    unit.put(msgspec.structs.replace(customer, devices=[*left[len(gone) :], simple_view(device)]))
    for one in gone:
        removed = await queries.delete(unit.conn, unit.project_id, one["id"], customer.id)
        if removed is not None:
            _log(unit, "removed", removed, {"reason": "too_many"})
    if current is None or current.customer_id != device.customer_id:
        _log(unit, "added", device)
    elif msgspec.structs.replace(current, last_seen_at=device.last_seen_at) != device:
        _log(unit, "updated", device)


def _log(unit: Unit, kind: str, device: Device, more: dict[str, Any] | None = None) -> None:
    customer = unit.get(device.customer_id)
    payload = {"customer": customer_view(customer), "device": simple_view(device), **(more or {})}
    unit.log(f"customer.device.{kind}", customer, payload)


def _forget(unit: Unit, device: Device, reason: str) -> None:
    """Take a device out of its customer's object; a customer who was deleted has none."""
    customer = unit.find(device.customer_id)
    if customer is None:
        return
    left = [one for one in customer.devices if one["id"] != device.id]
    unit.put(msgspec.structs.replace(customer, devices=left))
    _log(unit, "removed", device, {"reason": reason})


async def add(writer: Writer, caller: Caller, reference: str, data: DeviceInput) -> Device:
    """Keep that a device was seen on a customer. Raises NotFound and InvalidPayload."""
    check(data)

    async def work(unit: Unit) -> Device:
        customer = await customers.get(unit.conn, unit.project_id, reference)
        known = await owners(unit.conn, unit.project_id, data)
        await unit.lock_all(sorted({customer.id, *known}))
        if unit.find(customer.id) is None:
            raise NotFound("customer", reference)
        return await seen(unit, customer.id, data, known)

    return await writer.commit(caller, work)


async def remove(writer: Writer, caller: Caller, reference: str, device_id: str) -> None:
    """Forget a device of a customer. Raises NotFound."""

    async def work(unit: Unit) -> None:
        customer = await unit.get_locked(reference)
        removed = await queries.delete(unit.conn, unit.project_id, device_id, customer.id)
        if removed is None:
            raise NotFound("device", device_id)
        _forget(unit, removed, "deleted")

    await writer.commit(caller, work)
