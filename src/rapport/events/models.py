"""A custom event as a value."""

from datetime import datetime
from typing import Any

import msgspec


class Event(msgspec.Struct, frozen=True):
    """One event row; `location` is where it was, for a visit."""

    customer_id: str
    name: str
    created_at: datetime
    id: str
    metadata: dict[str, Any]
    location: dict[str, str] | None = None
