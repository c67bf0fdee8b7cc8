"""The columns of files of products and of SKUs, and how their cells are read. Pure."""

from typing import Any, Final

import msgspec

from rapport.core import jsons
from rapport.core.errors import InvalidPayload
from rapport.imports.histories.tables import PASSED_OVER, Plan
from rapport.products.schemas import SCHEMA, Identifier, ProductInput, SkuInput

_OWN: Final = ("id", "source_id", "price", "attributes", "image_url")


class SkuRow(SkuInput, kw_only=True):
    """A SKU as a row has it: with the id or source id of its product."""

    product_id: Identifier | None = None


def _names(text: str) -> list[str]:
    """Read the names of attributes: one after another, with commas between."""
    return [name.strip() for name in text.split(",") if name.strip()]


def _values(text: str) -> dict[str, Any]:
    """Read the values of attributes: a JSON object, whose quotes may be single ones as in the reference's files."""
    for written in (text, text.replace("'", '"')):
        try:
            found = jsons.decode(written)
            jsons.check_limits(found)
        except (msgspec.MsgspecError, RecursionError):
            continue
        except InvalidPayload as error:
            raise ValueError(error.details) from None
        if isinstance(found, dict):
            return found
    raise ValueError("The value should be an object written as JSON")


PRODUCTS: Final = Plan(
    model=ProductInput,
    targets={**PASSED_OVER, "created_at": "", "skus": "", **{name: name for name in (*_OWN, "name")}},
    numbers=frozenset({"price"}),
    cells={"attributes": _names},
    names=("source_id", "id"),
    required=(("name", "source_id", "id"),),
    schema=lambda schemas, _said: schemas.of(SCHEMA),
)
SKUS: Final = Plan(
    model=SkuRow,
    targets={**PASSED_OVER, "created_at": "", **{name: name for name in (*_OWN, "product_id", "sku", "currency")}},
    numbers=frozenset({"price"}),
    cells={"attributes": _values},
    names=("source_id", "id"),
    required=(("product_id",), ("source_id", "id")),
    schema=lambda schemas, _said: schemas.of(SCHEMA),
)
