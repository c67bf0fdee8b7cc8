"""Categories on the wire."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rapport.categories.models import Category
from rapport.core.clock import iso
from rapport.http.answers import Instant

Name = Annotated[str, Meta(min_length=1, max_length=255)]
Hierarchy = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class CategoryInput(msgspec.Struct, kw_only=True):
    """`CategoriesCreateRequestBody` and `CategoriesUpdateRequestBody` of the reference."""

    name: Name
    hierarchy: Hierarchy


class CategoryAnswer(msgspec.Struct, kw_only=True):
    """A category."""

    id: str
    name: str
    hierarchy: Annotated[int, Meta(ge=0)]
    created_at: Instant
    object: Literal["category"]
    updated_at: Instant | UnsetType = UNSET


class CategoriesAnswer(msgspec.Struct, kw_only=True):
    """All categories of the project."""

    data: list[CategoryAnswer]
    total: Annotated[int, Meta(ge=0)]
    object: Literal["list"]
    data_ref: Literal["data"]


def view(category: Category) -> dict[str, Any]:
    """Return the category object of the API."""
    shown: dict[str, Any] = {
        "id": category.id,
        "name": category.name,
        "hierarchy": category.hierarchy,
        "created_at": iso(category.created_at),
        "object": "category",
    }
    return shown if category.updated_at is None else shown | {"updated_at": iso(category.updated_at)}
