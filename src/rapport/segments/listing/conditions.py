"""The `filters` of the list of segments, and its `ids`, read into SQL on the table of segments."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from rapport.http import conditions
from rapport.http.conditions import Conditions

_TEXTS = ("id", "name", "type")

PARAMETERS: Mapping[str, dict[str, Any]] = {
    "ids": {**conditions.IDS},
    "filters": conditions.schema((*_TEXTS, "created_at")),
}
"""The query parameters of the list that are read here, as schemas."""


def read_conditions(query: Iterable[tuple[str, str]], now: datetime) -> Conditions | None:
    """Read the `filters` among the parameters of a query; None where there are none. Raises InvalidQueryParams."""
    fields = {name: conditions.text_field(name) for name in _TEXTS}
    return conditions.read_conditions(query, {**fields, "created_at": conditions.instant_field("created_at", now)})
