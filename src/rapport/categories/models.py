"""A category as a value."""

from datetime import datetime

import msgspec


class Category(msgspec.Struct, frozen=True):
    """One row of categories. Those with a lower `hierarchy` come first."""

    id: str
    name: str
    hierarchy: int
    created_at: datetime
    updated_at: datetime | None
