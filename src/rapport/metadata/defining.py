"""Definitions as they come in: limits, contradictions, what may change. Pure."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from rapport.core.errors import InvalidPayload, ResourceInUse
from rapport.core.jsons import check_limits
from rapport.metadata.models import STANDARD, UNKNOWN_OBJECT, Definition
from rapport.metadata.schemas import DefinitionInput, EventDefinitionInput
from rapport.metadata.values import of_type, one_of

MAX_NAME: Final = 255
MAX_EVENT_NAME: Final = 300
MAX_ACTIVE: Final = 100
MAX_DEFINITIONS: Final = 500
MAX_LISTED: Final = 500
MAX_LISTED_LENGTH: Final = 1_000
MAX_LENGTH: Final = 1_000_000

_LENGTHS: Final = ("min_length", "max_length", "exact_length")
_BOUNDS: Final = ("lt", "lte", "gt", "gte")


def check_name(name: str, place: str, most: int = MAX_NAME) -> None:
    """Refuse what cannot be a name of a key, an object or an event. Raises InvalidPayload."""
    if not name.strip() or len(name) > most:
        raise InvalidPayload(f"Property {place} should have 1 to {most} characters, and not only spaces")
    check_limits(name, place)


def check_object_name(name: str) -> None:
    """Refuse what cannot be a `related_object`. Raises InvalidPayload."""
    check_name(name, ".related_object")
    if name == UNKNOWN_OBJECT:
        raise InvalidPayload(f"Property .related_object must not be {UNKNOWN_OBJECT}: it stands for any object")


def merged(
    current: Mapping[str, Definition],
    given: Mapping[str, DefinitionInput | EventDefinitionInput],
    *,
    owner: str,
    objects: Collection[str],
    path: str = ".properties",
) -> dict[str, Definition]:
    """Return the definitions of `owner` with those of a request in place; each given one replaces what was said before.

    `objects` are the custom objects that there are. Raises InvalidPayload naming the property, and ResourceInUse for
    one that is being purged.
    """
    result = dict(current)
    for key, data in given.items():
        place = f"{path}.{key[:MAX_NAME]}"
        check_name(key, place)
        definition = _definition(data, place)
        known = current.get(key)
        if known is not None and known.type != definition.type:
            raise InvalidPayload(f"Property {place}.type cannot be changed: it is {known.type}")
        if known is not None and known.purge is not None:
            raise ResourceInUse(f"The values of {key} are being purged, see {known.purge}", resource_id=known.purge)
        if definition.type == "object" and not definition.deleted:
            _check_object(definition, place, owner, objects)
        result[key] = definition
    active = sum(not one.deleted for one in result.values())
    if active > MAX_ACTIVE:
        raise InvalidPayload(f"Property {path} would have more than {MAX_ACTIVE} definitions")
    if len(result) > MAX_DEFINITIONS:
        raise InvalidPayload(
            f"Property {path} would have more than {MAX_DEFINITIONS} definitions, removed ones included"
        )
    return result


def _check_object(definition: Definition, place: str, owner: str, objects: Collection[str]) -> None:
    named = definition.object_type
    if owner not in STANDARD:
        raise InvalidPayload(
            f"Property {place}.type must not be object: {owner} is itself an object inside of metadata"
        )
    if named != UNKNOWN_OBJECT and named not in objects:
        raise InvalidPayload(f"Property {place}.object_type names no custom object of this project: {named}")


def _definition(data: DefinitionInput | EventDefinitionInput, place: str) -> Definition:
    if isinstance(data, EventDefinitionInput):
        return Definition(type=data.type, optional=data.optional is not False, deleted=bool(data.deleted))
    definition = Definition(
        type=data.type,
        optional=data.optional is not False,
        array=bool(data.array),
        deleted=bool(data.deleted),
        object_type=data.object_type,
        eq=_listed(data, "eq", place),
        ne=_listed(data, "ne", place),
        lt=_bound(data.lt),
        lte=_bound(data.lte),
        gt=_bound(data.gt),
        gte=_bound(data.gte),
        min_length=data.min_length,
        max_length=data.max_length,
        exact_length=data.exact_length,
    )
    _check_applicable(definition, place)
    _check_possible(definition, place)
    return definition


def _bound(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def _listed(data: DefinitionInput, name: str, place: str) -> tuple[Any, ...] | None:
    values: list[Any] | None = getattr(data, name)
    if not values:
        return None
    if len(values) > MAX_LISTED:
        raise InvalidPayload(f"Property {place}.{name} has more than {MAX_LISTED} values")
    if data.type not in ("string", "number"):
        raise InvalidPayload(f"Property {place}.{name} applies to strings and numbers only")
    found = []
    for index, value in enumerate(values):
        check_limits(value, f"{place}.{name}[{index}]")
        if isinstance(value, str) and len(value) > MAX_LISTED_LENGTH:
            raise InvalidPayload(f"Property {place}.{name}[{index}] has more than {MAX_LISTED_LENGTH} characters")
        try:
            found.append(of_type(Definition(type=data.type), value))
        except ValueError as error:
            raise InvalidPayload(f"Property {place}.{name}[{index}] {error}") from None
    return tuple(found)


def _check_applicable(definition: Definition, place: str) -> None:
    if (definition.type == "object") is not (definition.object_type is not None):
        wanted = "is required for" if definition.type == "object" else "applies only to"
        raise InvalidPayload(f"Property {place}.object_type {wanted} a definition of type object")
    for names, kind in ((_LENGTHS, "string"), (_BOUNDS, "number")):
        for name in names:
            if getattr(definition, name) is not None and definition.type != kind:
                raise InvalidPayload(f"Property {place}.{name} applies to type {kind} only")
    for name in _LENGTHS:
        value = getattr(definition, name)
        if value is not None and not 0 <= value <= MAX_LENGTH:
            raise InvalidPayload(f"Property {place}.{name} should be a number from 0 to {MAX_LENGTH}")


def _check_possible(definition: Definition, place: str) -> None:
    """Refuse rules that no value can fulfil, and allowed values that another rule forbids."""
    least, most, exact = definition.min_length, definition.max_length, definition.exact_length
    if least is not None and most is not None and least > most:
        raise InvalidPayload(f"Property {place}.min_length is more than .max_length")
    if exact is not None and not (least or 0) <= exact <= (MAX_LENGTH if most is None else most):
        raise InvalidPayload(f"Property {place}.exact_length contradicts .min_length or .max_length")
    above = [(bound, strict) for bound, strict in ((definition.gt, True), (definition.gte, False)) if bound is not None]
    below = [(bound, strict) for bound, strict in ((definition.lt, True), (definition.lte, False)) if bound is not None]
    for lower, lower_strict in above:
        for upper, upper_strict in below:
            if lower > upper or (lower == upper and (lower_strict or upper_strict)):
                raise InvalidPayload(f"Property {place} allows no number: more than {lower} and less than {upper}")
    if definition.eq is not None:
        _check_allowed(definition, place)


def _check_allowed(definition: Definition, place: str) -> None:
    for index, value in enumerate(definition.eq or ()):
        try:
            one_of(msgspec.structs.replace(definition, eq=None), value)
        except ValueError as error:
            raise InvalidPayload(f"Property {place}.eq[{index}] contradicts the definition: {error}") from None
