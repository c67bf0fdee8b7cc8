"""Writes of collections of products."""

from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Collection as AnyCollection
from typing import Any, ClassVar

import msgspec

from rapport.core.db import Connection, UniqueViolation
from rapport.core.errors import DuplicateFound, InvalidPayload, NotFound, Related, ResourceInUse
from rapport.core.ids import new_id
from rapport.core.queries import read_now
from rapport.http.caller import Caller
from rapport.metadata.queries import load
from rapport.product_collections import fields, filters, queries
from rapport.product_collections.models import AUTO_UPDATE, Collection, Member
from rapport.product_collections.schemas import CollectionInput, CollectionUpdate, MemberInput, check_kind
from rapport.products.schemas import SCHEMA
from rapport.segments.typed import typed_rows

RESOURCE = "products_collection"

UsedBy = Callable[[Connection, int, str], Awaitable[list[str]]]
"""Returns the ids of what uses a collection: validation rules, which are a higher feature."""


class CollectionInUse(ResourceInUse):
    """A validation rule names the collection."""

    code: ClassVar[int] = 400
    message: ClassVar[str] = "Resource in use"

    def __init__(self, collection_id: str, using: Sequence[str]) -> None:
        """Keep which rules name it: `ResourceInUseError` of the reference."""
        details = f"Resource {RESOURCE} with id {collection_id} is in use by {', '.join(using)}"
        super().__init__(details, resource_id=collection_id, resource_type=RESOURCE)
        self.related = Related("validation_rules", list(using))


async def hold(conn: Connection, project_id: int, ids: AnyCollection[str]) -> None:
    """See that collections are there, and stay until the transaction ends. Raises NotFound."""
    missing = set(ids) - await queries.hold(conn, project_id, ids)
    if missing:
        raise NotFound(RESOURCE, min(missing))


async def create(caller: Caller, data: CollectionInput) -> tuple[Collection, list[Member]]:
    """Create a collection (`create-product-collection`). Raises InvalidPayload, NotFound, DuplicateFound."""
    check_kind(data.type, data)
    if data.type == AUTO_UPDATE:
        filters.parse(data.filter)

    async def work(conn: Connection) -> tuple[Collection, list[Member]]:
        now = await read_now(conn, caller.db.clock_offset)
        filter_ = None if data.filter is None else await _read(conn, caller.project_id, data.filter)
        collection = Collection(new_id("pc"), data.name, data.type, filter_, now, None)
        members = await _members(conn, caller.project_id, data.products or [])
        await queries.insert(conn, caller.project_id, collection)
        await queries.add_members(conn, caller.project_id, collection.id, members)
        return collection, members

    try:
        return await caller.db.transaction(work)
    except UniqueViolation as error:
        raise DuplicateFound(RESOURCE, data.name) from error


async def _read(conn: Connection, project_id: int, raw: dict[str, Any]) -> dict[str, Any]:
    """Return a filter as it is kept, its operands as the schema of products has them. Raises InvalidPayload."""
    filters.parse(raw)
    schemas = await load(conn, project_id)
    kept = typed_rows(raw, schemas.of(SCHEMA), "filter", fields.find)
    filters.parse(kept)
    return filters.stored(kept)


async def _members(conn: Connection, project_id: int, asked: Sequence[MemberInput]) -> list[Member]:
    """Return what is to be in a collection, each once. Raises NotFound, InvalidPayload."""
    parents = await queries.parents_of(conn, project_id, sorted({one.id for one in asked})) if asked else {}
    found: dict[Member, None] = {}
    for place, one in enumerate(asked):
        if one.id not in parents or (parents[one.id] is None) != (one.object == "product"):
            raise NotFound(one.object, one.id)
        parent = parents[one.id]
        if parent is not None and one.product_id not in (None, parent):
            raise InvalidPayload(f"Property .products[{place}].product_id is not the product of the SKU {one.id}")
        found[Member(one.id, None) if parent is None else Member(parent, one.id)] = None
    return list(found)


async def update(caller: Caller, collection_id: str, data: CollectionUpdate) -> tuple[Collection, list[Member]]:
    """Change a collection's name or filter (`put-product-collection`).

    Raises NotFound, InvalidPayload, DuplicateFound.
    """

    async def work(conn: Connection) -> tuple[Collection, list[Member]]:
        current = await queries.find(conn, caller.project_id, collection_id, lock=True)
        if current is None:
            raise NotFound(RESOURCE, collection_id)
        check_kind(current.type, data)
        if data.products is not None:
            raise InvalidPayload("Property .products cannot be changed: make another collection")
        now = await read_now(conn, caller.db.clock_offset)
        after = msgspec.structs.replace(
            current,
            name=current.name if data.name is None else data.name,
            filter=current.filter if data.filter is None else await _read(conn, caller.project_id, data.filter),
            updated_at=now,
        )
        await queries.update(conn, caller.project_id, after)
        return after, (await queries.members_of(conn, caller.project_id, [after.id]))[after.id]

    try:
        return await caller.db.transaction(work)
    except UniqueViolation as error:
        raise DuplicateFound(RESOURCE, str(data.name)) from error


async def delete(caller: Caller, collection_id: str, users: Sequence[UsedBy]) -> None:
    """Delete a collection (`delete-product-collection`).

    Raises NotFound, and CollectionInUse while one of `users` says that it is used. Who begins to use a collection holds
    it by `queries.hold`, so nobody can begin while it is deleted.
    """

    async def work(conn: Connection) -> None:
        if await queries.find(conn, caller.project_id, collection_id, lock=True) is None:
            raise NotFound(RESOURCE, collection_id)
        using = [one for find_users in users for one in await find_users(conn, caller.project_id, collection_id)]
        if using:
            raise CollectionInUse(collection_id, using)
        await queries.remove(conn, caller.project_id, collection_id)

    await caller.db.transaction(work)
