"""What a cell says of metadata that is there already: how files show a value is no other value. Pure."""

from collections.abc import Mapping
from typing import Any

from rapport.core import jsons


def without_shown(said: dict[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata without the texts that are how an export shows what is stored: 5 as `5`, a list as JSON."""
    same = {key for key, value in said.items() if isinstance(value, str) and _shown(stored.get(key)) == value}
    return {key: value for key, value in said.items() if key not in same} if same else said


def _shown(value: Any) -> str | None:
    """Return a value as an import reads it from the cell that an export makes of it."""
    if value is None:
        return None
    return value.strip() if isinstance(value, str) else jsons.encode(value).decode()
