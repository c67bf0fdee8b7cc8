"""What locations can be filtered on."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from rapport.http.conditions import Reader, instant_field, text_field

FIELDS: Final = ("name", "created_at", "updated_at")


def filters(now: datetime) -> Mapping[str, Reader]:
    """Return what can be filtered on."""
    return {
        "name": text_field("name"),
        "created_at": instant_field("created_at", now),
        "updated_at": instant_field("updated_at", now, optional=True),
    }
