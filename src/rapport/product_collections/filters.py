"""The filter of a collection: read once, and its meaning in Python for one product or SKU. Pure."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from rapport.core import jsons
from rapport.core.errors import InvalidPayload
from rapport.product_collections import fields
from rapport.product_collections.models import Item
from rapport.segments.filters import parse_rows
from rapport.segments.times import Clock
from rapport.segments.tree import Facts, Group

MAX_BYTES = 65_536
_KEPT = 1_000


def parse(raw: object) -> Group:
    """Read a filter as the API takes it (`create-product-collection`). Raises InvalidPayload naming the place."""
    if not isinstance(raw, Mapping) or "junction" not in raw:
        raise InvalidPayload("'AUTO_UPDATE' collection must contain valid filter with 'junction' property")
    junction = raw["junction"]
    if not isinstance(junction, str) or junction.lower() not in ("and", "or"):
        raise InvalidPayload("Property .filter has wrong `junction` property. It must be one of: and, or")
    if len(jsons.encode(raw)) > MAX_BYTES:
        raise InvalidPayload(f"Property .filter is longer than {MAX_BYTES} bytes")
    return parse_rows(raw, "filter", fields.find)


def stored(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a filter that has been parsed as it is kept and shown: its junctions in small letters."""
    found = dict(raw)
    if "junction" in raw:
        found["junction"] = raw["junction"].lower()
    if "groups" in raw:
        found["groups"] = [stored(one) for one in raw["groups"]]
    return found


@lru_cache(maxsize=_KEPT)
def parsed(text: str) -> Group:
    """Return a stored filter, which was read when it was stored; `text` is its JSON."""
    return parse_rows(jsons.decode(text), "filter", fields.find)


def matches(root: Group, item: Item, now: datetime, zone: ZoneInfo) -> bool:
    """Tell whether a product or SKU is in a collection with this filter at `now`; `zone` is the project's."""
    return root.check(_facts(item), Clock(now, zone))


def _facts(item: Any) -> Facts:
    return Facts(item, frozenset(), {})
