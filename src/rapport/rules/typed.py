"""Operands of rules about metadata, by the metadata schemas: checked and written as the values are stored. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from rapport.metadata.models import Schemas
from rapport.rules.errors import InvalidValidationRules
from rapport.rules.kinds import KINDS, Row
from rapport.rules.reading import path_of
from rapport.segments.filters import InvalidFilter
from rapport.segments.operators import BY_NAME
from rapport.segments.typed import typed_conditions

_COMPARING: Final = frozenset(
    name
    for one in ("$more_than", "$less_than", "$more_than_equal", "$less_than_equal")
    for name in (one, *BY_NAME[one].aliases)
)


def typed(raw: dict[str, Any], schemas: Schemas) -> dict[str, Any]:
    """Return rules as they came in with their operands as the types of the metadata want them.

    What is not understood stays for `conditions.parse` to refuse. Raises InvalidValidationRules.
    """
    return raw if not schemas.resources else _rules(raw, schemas, KINDS)


def _rules(raw: dict[str, Any], schemas: Schemas, kinds: Mapping[str, Row]) -> dict[str, Any]:
    return {number: _rule(rule, schemas, kinds) if isinstance(rule, dict) else rule for number, rule in raw.items()}


def _rule(raw: dict[str, Any], schemas: Schemas, kinds: Mapping[str, Row]) -> dict[str, Any]:
    name, conditions, inner = raw.get("name"), raw.get("conditions"), raw.get("rules")
    row = kinds.get(name) if isinstance(name, str) else None
    if row is None:
        return raw
    changed = dict(raw)
    if isinstance(inner, dict) and row.nested:
        changed["rules"] = _rules(inner, schemas, row.nested)
    if row.takes_property and row.schema is not None and isinstance(conditions, dict):
        keys = path_of(row, raw.get("property"))
        place = f"Rule '{row.name}'"
        try:
            changed["conditions"] = typed_conditions(schemas.of(row.schema), keys, conditions, place, _COMPARING)
        except InvalidFilter as error:
            raise InvalidValidationRules(error.details) from None
    return changed
