"""A location as a value."""

from datetime import datetime
from typing import Any

import msgspec


class Location(msgspec.Struct, frozen=True):
    """One row of locations: a circle or polygons on the map, in `shape` as the API shows it."""

    id: str
    source_id: str | None
    name: str
    shape: dict[str, Any]
    created_at: datetime
    updated_at: datetime | None
