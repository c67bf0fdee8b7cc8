"""Values against their definitions: what may be stored, in which form, what a cell of a CSV file stands for. Pure."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from rapport.core import jsons
from rapport.core.clock import parse_date, parse_instant
from rapport.core.errors import InvalidPayload
from rapport.metadata.models import Definition, Schema

MAX_ELEMENTS = 1_000
MAX_URL = 2_048
_SHOWN = 100

_COORDINATE = r"([+-]?[0-9]{1,3}(?:\.[0-9]{1,15})?)"
_GEOPOINT: Final = re.compile(rf"\s*{_COORDINATE}\s*,\s*{_COORDINATE}\s*", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]{1,100}(?:\.[0-9]{0,100})?|\.[0-9]{1,100})", re.ASCII)
_IMAGES: Final = (".jpg", ".jpeg", ".png")
_WORDS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class MetadataInvalid(InvalidPayload):
    """The metadata does not fit its schema; `place` is the path of the property, `reason` what is wrong with it."""

    key: ClassVar[str] = "metadata_validation_failed"
    message: ClassVar[str] = "Metadata validation failed"

    def __init__(self, place: str, reason: str) -> None:
        """Say which property it is about."""
        super().__init__(f"Property {place} {reason}")
        self.place = place
        self.reason = reason


class InvalidValue(ValueError):
    """A text is not what the schema wants; the message is for who wrote it."""


class _Wrong(ValueError):
    """What is wrong with a value, as the end of the sentence "The property …"."""


def check(
    schema: Schema | None,
    metadata: dict[str, Any],
    *,
    before: dict[str, Any] | None = None,
    path: str = ".metadata",
) -> dict[str, Any]:
    """Return the metadata as it is to be stored: typed, without keys that are null.

    `before` is what is stored of a resource that exists: keys whose value stays the same are left alone, whatever they
    hold; where nothing changes at all, nothing is refused. Raises MetadataInvalid naming the property.
    """
    if schema is None or (before is not None and jsons.alike(metadata, before)):
        return metadata
    checked: dict[str, Any] = {}
    active = schema.active
    for key, value in metadata.items():
        if value is None:
            continue
        if before is not None and key in before and jsons.alike(value, before[key]):
            checked[key] = value
            continue
        definition = active.get(key)
        if definition is None:
            _check_undefined(schema, key, path)
            checked[key] = value
        else:
            checked[key] = _stored(schema, definition, value, f"{path}.{key}")
    for key in schema.required:
        if key not in checked:
            raise MetadataInvalid(f"{path}.{key}", "is required")
    return checked


def _check_undefined(schema: Schema, key: str, path: str) -> None:
    if schema.allow_defined_only:
        raise MetadataInvalid(f"{path}.{key[:_SHOWN]}", f"is not defined in the metadata schema of {schema.name}")
    removed = schema.properties.get(key)
    if removed is not None and removed.purge is not None:
        raise MetadataInvalid(f"{path}.{key}", "is being purged and takes no values until that is done")


def _stored(schema: Schema, definition: Definition, value: Any, place: str) -> Any:
    if not definition.array:
        return _one(schema, definition, value, place)
    if not isinstance(value, list):
        raise MetadataInvalid(place, f"must be a list (is {_shown(value)})")
    if len(value) > MAX_ELEMENTS:
        raise MetadataInvalid(place, f"must have at most {MAX_ELEMENTS} elements")
    return [_one(schema, definition, one, f"{place}[{index}]") for index, one in enumerate(value)]


def _one(schema: Schema, definition: Definition, value: Any, place: str) -> Any:
    if definition.type == "object":
        if not isinstance(value, dict):
            raise MetadataInvalid(place, f"must be an object (is {_shown(value)})")
        nested = schema.nested.get(definition.object_type or "")
        return check(nested, value, path=place)
    try:
        return _READ[definition.type](definition, value)
    except _Wrong as error:
        raise MetadataInvalid(place, f"{error} (is {_shown(value)})") from None


def _shown(value: Any) -> str:
    text = jsons.encode(value).decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _string(definition: Definition, value: Any) -> str:
    if not isinstance(value, str):
        raise _Wrong("must be a text")
    length = len(value)
    if definition.exact_length is not None and length != definition.exact_length:
        raise _Wrong(f"must have exactly {definition.exact_length} characters")
    if definition.min_length is not None and length < definition.min_length:
        raise _Wrong(f"must have at least {definition.min_length} characters")
    if definition.max_length is not None and length > definition.max_length:
        raise _Wrong(f"must have at most {definition.max_length} characters")
    _check_listed(definition, value)
    return value


def _number(definition: Definition, value: Any) -> int | Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | float):
        raise _Wrong("must be a number")
    found = Decimal(str(value)) if isinstance(value, float) else value
    if isinstance(found, Decimal) and not found.is_finite():
        raise _Wrong("must be a number")
    if definition.lt is not None and not found < definition.lt:
        raise _Wrong(f"must be less than {definition.lt}")
    if definition.lte is not None and not found <= definition.lte:
        raise _Wrong(f"must be at most {definition.lte}")
    if definition.gt is not None and not found > definition.gt:
        raise _Wrong(f"must be more than {definition.gt}")
    if definition.gte is not None and not found >= definition.gte:
        raise _Wrong(f"must be at least {definition.gte}")
    _check_listed(definition, found)
    return found


def _check_listed(definition: Definition, value: Any) -> None:
    if definition.eq is not None and value not in definition.eq:
        raise _Wrong(f"must be one of {_listed(definition.eq)}")
    if definition.ne is not None and value in definition.ne:
        raise _Wrong(f"must not be one of {_listed(definition.ne)}")


def _listed(values: tuple[Any, ...]) -> str:
    text = ", ".join(map(str, values))
    return text if len(text) <= 2 * _SHOWN else f"{text[: 2 * _SHOWN]}…"


def _boolean(_definition: Definition, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Wrong("must be true or false")
    return value


def _date(_definition: Definition, value: Any) -> str:
    try:
        return parse_date(value).isoformat()
    except (TypeError, ValueError):
        raise _Wrong("must be a date: YYYY-MM-DD") from None


def _datetime(_definition: Definition, value: Any) -> str:
    try:
        return parse_instant(value).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (TypeError, ValueError):
        raise _Wrong("must be a date-time in ISO 8601 format") from None


def _image_url(_definition: Definition, value: Any) -> str:
    try:
        parts = urlsplit(value) if isinstance(value, str) and len(value) <= MAX_URL else None
    except ValueError:
        parts = None
    fits = parts is not None and parts.scheme in ("http", "https") and parts.netloc and " " not in value
    if parts is None or not fits or not parts.path.lower().endswith(_IMAGES):
        raise _Wrong("must be a URL pointing to a JPG, JPEG or PNG image")
    return str(value)


def _geopoint(_definition: Definition, value: Any) -> str:
    found = _GEOPOINT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise _Wrong('must be a latitude and a longitude: "37.786971, -122.399677"')
    latitude, longitude = Decimal(found[1]), Decimal(found[2])
    if abs(latitude) > 90 or abs(longitude) > 180:
        raise _Wrong("must have a latitude from -90 to 90 and a longitude from -180 to 180")
    return f"{_plain(latitude)}, {_plain(longitude)}"


def _plain(number: Decimal) -> str:
    return format(number.normalize() if number else Decimal(0), "f")


_READ: Final[Mapping[str, Callable[[Definition, Any], Any]]] = {
    "string": _string,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
    "datetime": _datetime,
    "image_url": _image_url,
    "geopoint": _geopoint,
}


def of_type(definition: Definition, value: Any) -> Any:
    """Return one value as the type of its definition has it, whatever else the definition asks for.

    Raises ValueError saying what it must be.
    """
    return one_of(Definition(type=definition.type), value)


def one_of(definition: Definition, value: Any) -> Any:
    """Return one value (of a list, an element) as it is to be stored. Raises ValueError saying what it must be."""
    if definition.type == "object":
        raise _Wrong("must be an object")
    return _READ[definition.type](definition, value)


def from_text(schema: Schema | None, key: str, text: str) -> Any:
    """Return what a text stands for, as a value for `check`: by the key's type, unknown keys as text.

    Lists are written as JSON, as exports have them, or by comma, of which lists of geopoints take two numbers each.
    Raises InvalidValue with a message for who wrote the text.
    """
    definition = None if schema is None else schema.active.get(key)
    if definition is None:
        return text
    if definition.type == "object":
        return _object_from_text(definition, text)
    if not definition.array:
        return _one_from_text(definition, text if definition.type == "string" else text.strip())
    listed = _list_from_text(text)
    if listed is not None:
        return listed
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if definition.type == "geopoint":
        parts = [", ".join(parts[index : index + 2]) for index in range(0, len(parts), 2)]
    return [_one_from_text(definition, part) for part in parts]


def _list_from_text(text: str) -> list[Any] | None:
    """Return a list that is written as JSON, as exports have it."""
    if not text.lstrip().startswith("["):
        return None
    try:
        found = jsons.decode(text)
        jsons.check_limits(found)
    except (ValueError, InvalidPayload):
        return None
    return found if isinstance(found, list) else None


def _one_from_text(definition: Definition, text: str) -> Any:
    if definition.type == "number":
        return number_from_text(text)
    if definition.type == "boolean":
        return boolean_from_text(text)
    try:
        return of_type(definition, text)
    except _Wrong as error:
        raise InvalidValue(f"{text[:_SHOWN]!r} {error}") from None


def number_from_text(text: str) -> int | Decimal:
    """Return the number that a text in plain digits stands for. Raises InvalidValue."""
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        raise InvalidValue(f"{text[:_SHOWN]!r} must be a number in plain digits, such as 12.50")
    found = Decimal(text)
    return int(found) if found == found.to_integral_value() else found


def boolean_from_text(text: str) -> bool:
    """Return what `true`, `yes` and `1`, `false`, `no` and `0` stand for. Raises InvalidValue."""
    found = _WORDS.get(text.strip().lower())
    if found is None:
        raise InvalidValue(f"{text[:_SHOWN]!r} must be true or false")
    return found


def _object_from_text(definition: Definition, text: str) -> Any:
    wanted = "a list of objects" if definition.array else "an object"
    try:
        found = jsons.decode(text)
        jsons.check_limits(found)
    except (ValueError, InvalidPayload):
        raise InvalidValue(f"{text[:_SHOWN]!r} must be {wanted} written as JSON") from None
    if not isinstance(found, list if definition.array else dict):
        raise InvalidValue(f"{text[:_SHOWN]!r} must be {wanted} written as JSON")
    return found
