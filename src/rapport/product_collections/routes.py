"""HTTP operations of collections of products."""

from typing import Any

from litestar import Request, Response, Router, delete, get, post, put

from rapport.core.errors import NotFound
from rapport.http.bodies import answer, no_content, read_body
from rapport.http.caller import Caller
from rapport.http.lists import envelope, read_page
from rapport.http.openapi import operation
from rapport.product_collections import actions, queries
from rapport.product_collections.answers import CollectionAnswer, ItemAnswer
from rapport.product_collections.schemas import CollectionInput, CollectionUpdate, view, view_item


@get(
    "/v1/product-collections",
    opt=operation("list-product-collections", item=CollectionAnswer, spec=queries.COLLECTIONS),
)
async def list_collections(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """List collections of products, newest first."""
    page = read_page(queries.COLLECTIONS, request.query_params)
    async with caller.db.read() as conn:
        found = await queries.list_page(conn, caller.project_id, page)
        members = await queries.members_of(conn, caller.project_id, [one.id for one in found.items])
    return answer(envelope(queries.COLLECTIONS, found, [view(one, members[one.id]) for one in found.items]))


@post(
    "/v1/product-collections",
    status_code=200,
    opt=operation("create-product-collection", answer=CollectionAnswer, body=CollectionInput),
)
async def create_collection(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """Create a collection: a list of products and SKUs, or a filter that says what is in it."""
    return answer(view(*await actions.create(caller, await read_body(request, CollectionInput))))


@get("/v1/product-collections/{collection_id:str}", opt=operation("get-product-collection", answer=CollectionAnswer))
async def get_collection(collection_id: str, caller: Caller) -> Response[bytes]:
    """Get a collection."""
    async with caller.db.read() as conn:
        collection = await queries.find(conn, caller.project_id, collection_id)
        if collection is None:
            raise NotFound(actions.RESOURCE, collection_id)
        members = await queries.members_of(conn, caller.project_id, [collection.id])
    return answer(view(collection, members[collection.id]))


@put(
    "/v1/product-collections/{collection_id:str}",
    opt=operation("put-product-collection", answer=CollectionAnswer, body=CollectionUpdate),
)
async def update_collection(request: Request[Any, Any, Any], collection_id: str, caller: Caller) -> Response[bytes]:
    """Update the name of a collection, or the filter of one that has a filter."""
    return answer(view(*await actions.update(caller, collection_id, await read_body(request, CollectionUpdate))))


@delete("/v1/product-collections/{collection_id:str}", status_code=204, opt=operation("delete-product-collection"))
async def delete_collection(request: Request[Any, Any, Any], collection_id: str, caller: Caller) -> Response[None]:
    """Delete a collection that no validation rule names."""
    await actions.delete(caller, collection_id, request.app.state.collection_users)
    return no_content()


@get(
    "/v1/product-collections/{collection_id:str}/products",
    opt=operation("list-products-in-collection", item=ItemAnswer, spec=queries.ITEMS),
)
async def list_items(request: Request[Any, Any, Any], collection_id: str, caller: Caller) -> Response[bytes]:
    """List the products and SKUs that are in a collection now, newest first."""
    page = read_page(queries.ITEMS, request.query_params)
    async with caller.db.read() as conn:
        collection = await queries.find(conn, caller.project_id, collection_id)
        if collection is None:
            raise NotFound(actions.RESOURCE, collection_id)
        moment = await queries.read_moment(conn, caller.project_id, caller.db.clock_offset)
        found = await queries.list_items(conn, caller.project_id, collection, page, *moment)
        parents = sorted({one.product_id for one in found.items if one.product_id is not None})
        products = await queries.products_of(conn, caller.project_id, parents) if parents else {}
    return answer(envelope(queries.ITEMS, found, [view_item(one, products) for one in found.items]))


router = Router(
    "/",
    route_handlers=[
        list_collections,
        create_collection,
        get_collection,
        update_collection,
        delete_collection,
        list_items,
    ],
)
