"""What the filter of a collection can look at: the row `r` in SQL, an Item in Python. Pure."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from rapport.product_collections.models import Item
from rapport.segments.fields import MAX_NAME_LENGTH, Bind, Field, Json, Kind, UnknownField, keys_of
from rapport.segments.json_values import elements, storable
from rapport.segments.times import to_ms

_TEXTS: Final = ("id", "product_id", "source_id", "name", "object", "image_url")


def _column(name: str, kind: Kind, read: Callable[[Item], Any]) -> Field:
    def sql(_bind: Bind) -> str:
        return f"r.{name}"

    return Field(name, kind, read, sql, integral=kind is Kind.NUMBER)


def _plain(name: str, kind: Kind) -> Field:
    return _column(name, kind, lambda item: getattr(item, name))


def _instant(name: str) -> Field:
    def read(item: Item) -> int | None:
        value: datetime | None = getattr(item, name)
        return None if value is None else to_ms(value)

    return _column(name, Kind.INSTANT, read)


def _json(path: str, column: str, keys: tuple[str, ...], kind: Kind = Kind.JSON) -> Field:
    def read(item: Item) -> list[Any]:
        return elements(getattr(item, column), keys)

    return Field(path, kind, read, lambda _bind: "", json=Json(f"r.{column}", keys, is_list=not keys))


FIXED: Final[Mapping[str, Field]] = {
    **{name: _plain(name, Kind.TEXT) for name in _TEXTS},
    "price": _plain("price", Kind.NUMBER),
    "created_at": _instant("created_at"),
    "updated_at": _instant("updated_at"),
    # The names of a product's attributes.
    "attributes": _json("attributes", "attributes", ()),
    # The SKUs of a product, by id, source id or name; they can be counted.
    "skus": _json("skus", "skus", (), Kind.PRODUCTS),
}
# The values of a SKU's attributes, and metadata.
_OPEN: Final = ("attributes", "metadata")
PATTERNS: Final = (*FIXED, *(f"{name}.<path>" for name in _OPEN))
"""Every field as docs/products.md writes it."""


def find(path: str) -> Field:
    """Return the field of this name. Raises UnknownField."""
    if path in FIXED:
        return FIXED[path]
    column, dot, rest = path.partition(".")
    if dot and column in _OPEN and storable(path) and len(path.encode()) <= MAX_NAME_LENGTH:
        return _json(path, column, keys_of(rest))
    raise UnknownField(path)
