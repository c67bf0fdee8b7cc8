"""Devices on the wire and as values."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from rapport.core.clock import iso
from rapport.customers.models import Channel

Identifier = Annotated[str, Meta(min_length=1, max_length=255)]
Platform = Literal["web", "ios", "android", "other"]


class DeviceInput(msgspec.Struct, kw_only=True):
    """A device that was seen; what is absent or null stays. It is known by its id or by its token."""

    id: Identifier | None = None
    platform: Platform | None = None
    channel: Channel | None = None
    token: Annotated[str, Meta(min_length=1, max_length=4_096)] | None = None
    app_version: Annotated[str, Meta(max_length=100)] | None = None


class Device(msgspec.Struct, frozen=True):
    """One device row."""

    id: str
    customer_id: str
    platform: str
    channel: str | None
    token: str | None
    app_version: str | None
    first_seen_at: datetime
    last_seen_at: datetime


class DeviceView(msgspec.Struct, kw_only=True):
    """The device object of the API."""

    id: str
    customer_id: str
    platform: str
    channel: str | None
    token: str | None
    app_version: str | None
    first_seen_at: str
    last_seen_at: str
    object: str = "device"


def view(device: Device) -> DeviceView:
    """Return the device object of the API."""
    times = {"first_seen_at": iso(device.first_seen_at), "last_seen_at": iso(device.last_seen_at)}
    return DeviceView(**msgspec.structs.asdict(device) | times)


def simple_view(device: Device) -> dict[str, Any]:
    """Return the device as the customer object and the activity log carry it: without its token."""
    shown = {
        "id": device.id,
        "platform": device.platform,
        "channel": device.channel,
        "app_version": device.app_version,
        "first_seen_at": iso(device.first_seen_at),
        "last_seen_at": iso(device.last_seen_at),
    }
    return {name: value for name, value in shown.items() if value is not None}
