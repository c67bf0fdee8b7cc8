"""A custom event as a value."""

from datetime import datetime
from typing import Any

import msgspec


class Event(msgspec.Struct, frozen=True):
    """One row of events."""

    id: str
    name: str
    metadata: dict[str, Any]
    created_at: datetime
