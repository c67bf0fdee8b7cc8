"""What devices hold on a person."""

import msgspec

from rapport.customers.held.queries import Held, holding_of
from rapport.devices.schemas import Device, view

HELD = Held("devices", Device, at="last_seen_at")
holding = holding_of("devices", HELD, lambda row: msgspec.structs.asdict(view(row)))
