"""Past moments in a query."""

from dataclasses import dataclass
from typing import Any

from rapport.core.errors import InvalidQueryParams
from rapport.http.lists import InstantFilter


@dataclass(frozen=True)
class PastInstant(InstantFilter):
    """As InstantFilter, with a time of day: a date alone would leave open whose midnight it means."""

    def read(self, name: str, value: str) -> Any:
        """Turn the parameter's text into an instant. Raises InvalidQueryParams."""
        if len(value) <= len("2026-01-31"):
            raise InvalidQueryParams(f"Query param {name} should be a date-time, such as 2026-01-31T12:00:00.000Z")
        return super().read(name, value)
