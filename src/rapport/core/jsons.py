"""JSON in and out, and what JSON from outside may hold.

Numbers with a fraction become `Decimal`, so that nothing is rounded on its way to the database or to a filter.
"""

import functools
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from rapport.core.clock import iso
from rapport.core.errors import InvalidPayload

MAX_DEPTH = 32
MAX_EXPONENT = 1000
MAX_INTEGER_BITS = 4096


def _encode_other(value: object) -> object:
    if isinstance(value, datetime):
        return iso(value)
    raise TypeError(type(value).__name__)


_encoder = msgspec.json.Encoder(decimal_format="number", enc_hook=_encode_other)
_any_decoder = msgspec.json.Decoder(float_hook=Decimal)


def encode(value: Any) -> bytes:
    """Write JSON; decimals as numbers."""
    return _encoder.encode(value)


def decode(data: bytes | str) -> Any:
    """Read JSON into plain Python values with decimals. Raises msgspec.DecodeError."""
    return _any_decoder.decode(data)


@functools.cache
def decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    """Return the (cached) decoder of a type."""
    return msgspec.json.Decoder(kind, float_hook=Decimal)


def alike(one: object, other: object) -> bool:
    """Tell whether two JSON values are the same: 1 and 1.0 are, 1 and true (equal in Python) are not."""
    if one is other:
        return True
    if type(one) is str:  # most are such
        return one == other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return isinstance(one, bool) is isinstance(other, bool) and one == other


def check_limits(value: object, path: str = "", depth: int = 0) -> None:
    """Refuse what the database cannot keep or what is too deep. Raises InvalidPayload naming the place."""
    if isinstance(value, dict | list):
        if depth >= MAX_DEPTH:
            raise InvalidPayload(f"Property {path or '.'} is nested deeper than {MAX_DEPTH} levels")
        pairs: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in pairs:
            if type(item) is str and "\x00" not in item and (type(key) is int or "\x00" not in key):
                continue  # most are such
            place = f"{path}.{key}" if isinstance(value, dict) else f"{path}[{key}]"
            _check_scalar(key, place)
            check_limits(item, place, depth + 1)
    else:
        _check_scalar(value, path or ".")


def _check_scalar(value: object, place: str) -> None:
    if isinstance(value, str) and "\x00" in value:
        raise InvalidPayload(f"Property {place} must not contain a NUL character")
    if isinstance(value, Decimal) and not _is_storable(value):
        raise InvalidPayload(f"Property {place} is a number out of range")
    if isinstance(value, int) and value.bit_length() > MAX_INTEGER_BITS:
        raise InvalidPayload(f"Property {place} is a number out of range")


def _is_storable(value: Decimal) -> bool:
    """Whether the database's numeric type, and every filter on it, can hold the number."""
    exponent = value.as_tuple().exponent
    return isinstance(exponent, int) and abs(exponent) <= MAX_EXPONENT and abs(value.adjusted()) <= MAX_EXPONENT
