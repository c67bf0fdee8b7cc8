"""HTTP operations of the catalogue."""

from typing import Any

from litestar import Request, Response, Router, delete, get, post, put

from rapport.core.db import Connection
from rapport.core.errors import NotFound
from rapport.customers.writes import Writer
from rapport.http.bodies import answer, no_content, read_body
from rapport.http.caller import Caller
from rapport.http.lists import BOOLEAN, envelope, read_flag, read_page
from rapport.http.openapi import operation
from rapport.products import actions, queries, removal
from rapport.products.answers import ProductAnswer, SkuAnswer
from rapport.products.models import Product
from rapport.products.queries import PRODUCT_ROWS, SKU_ROWS
from rapport.products.schemas import SHOWN_SKUS, ProductInput, SkuInput, view_product, view_sku, view_with_skus

_FORCE = {"force": BOOLEAN}


async def _get(conn: Connection, project_id: int, reference: str) -> Product:
    product = await queries.find(conn, PRODUCT_ROWS, project_id, reference)
    if product is None:
        raise NotFound("product", reference)
    return product


@post("/v1/products", status_code=200, opt=operation("create-product", answer=ProductAnswer, body=ProductInput))
async def create_product(request: Request[Any, Any, Any], caller: Caller, writer: Writer) -> Response[bytes]:
    """Create a product, or update the one with the same id or source id."""
    data = await read_body(request, ProductInput)
    product = await actions.commit(
        writer, caller, lambda unit: actions.create_product(unit, data), "product", data.source_id
    )
    return answer(view_product(product))


@get("/v1/products", opt=operation("list-products", item=ProductAnswer, spec=queries.PRODUCTS))
async def list_products(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """List products with their first SKUs, oldest first."""
    page = read_page(queries.PRODUCTS, request.query_params)
    async with caller.db.read() as conn:
        found = await queries.list_products(conn, caller.project_id, page)
        ids = [product.id for product in found.items]
        skus = await queries.first_skus(conn, caller.project_id, ids, SHOWN_SKUS)
    shown = [view_with_skus(product, *skus[product.id]) for product in found.items]
    return answer(envelope(queries.PRODUCTS, found, shown))


@get("/v1/products/{product_id:str}", opt=operation("get-product", answer=ProductAnswer))
async def get_product(product_id: str, caller: Caller) -> Response[bytes]:
    """Get a product by id or source id, with its first SKUs."""
    async with caller.db.read() as conn:
        product = await _get(conn, caller.project_id, product_id)
        skus = await queries.first_skus(conn, caller.project_id, [product.id], SHOWN_SKUS)
    return answer(view_with_skus(product, *skus[product.id]))


@put("/v1/products/{product_id:str}", opt=operation("update-product", answer=ProductAnswer, body=ProductInput))
async def update_product(
    request: Request[Any, Any, Any], product_id: str, caller: Caller, writer: Writer
) -> Response[bytes]:
    """Update a product by id or source id; what the body leaves out stays, and so do its ids."""
    data = await read_body(request, ProductInput)
    product = await writer.commit(caller, lambda unit: actions.update_product(unit, product_id, data))
    return answer(view_product(product))


@delete("/v1/products/{product_id:str}", status_code=204, opt=operation("delete-product", query=_FORCE))
async def delete_product(request: Request[Any, Any, Any], product_id: str, caller: Caller) -> Response[None]:
    """Move a product and its SKUs to the bin; with `force`, delete them for good."""
    await removal.delete_product(caller, product_id, force=read_flag(request.query_params, "force"))
    return no_content()


@get("/v1/products/{product_id:str}/skus", opt=operation("list-SKUs-in-product", item=SkuAnswer, spec=queries.SKUS))
async def list_skus(request: Request[Any, Any, Any], product_id: str, caller: Caller) -> Response[bytes]:
    """List the SKUs of a product, oldest first."""
    page = read_page(queries.SKUS, request.query_params)
    async with caller.db.read() as conn:
        product = await _get(conn, caller.project_id, product_id)
        found = await queries.list_skus(conn, caller.project_id, product.id, page)
    return answer(envelope(queries.SKUS, found, [view_sku(sku) for sku in found.items]))


@post(
    "/v1/products/{product_id:str}/skus",
    status_code=200,
    opt=operation("create-sku", answer=SkuAnswer, body=SkuInput),
)
async def create_sku(
    request: Request[Any, Any, Any], product_id: str, caller: Caller, writer: Writer
) -> Response[bytes]:
    """Create a SKU of a product, or update the one with the same id or source id."""
    data = await read_body(request, SkuInput)
    sku = await actions.commit(
        writer, caller, lambda unit: actions.save_sku(unit, product_id, data), "sku", data.source_id
    )
    return answer(view_sku(sku))


@put(
    "/v1/products/{product_id:str}/skus/{sku_id:str}",
    opt=operation("update-sku", answer=SkuAnswer, body=SkuInput),
)
async def update_sku(
    request: Request[Any, Any, Any], product_id: str, sku_id: str, caller: Caller, writer: Writer
) -> Response[bytes]:
    """Update a SKU by id or source id; what the body leaves out stays, and so do its ids."""
    data = await read_body(request, SkuInput)
    sku = await writer.commit(caller, lambda unit: actions.save_sku(unit, product_id, data, sku_id))
    return answer(view_sku(sku))


@delete("/v1/products/{product_id:str}/skus/{sku_id:str}", status_code=204, opt=operation("delete-sku", query=_FORCE))
async def delete_sku(request: Request[Any, Any, Any], product_id: str, sku_id: str, caller: Caller) -> Response[None]:
    """Move a SKU to the bin; with `force`, delete it for good."""
    await removal.delete_sku(caller, product_id, sku_id, force=read_flag(request.query_params, "force"))
    return no_content()


@get("/v1/skus/{sku_id:str}", opt=operation("get-sku", answer=SkuAnswer))
async def get_sku(sku_id: str, caller: Caller) -> Response[bytes]:
    """Get a SKU by id or source id."""
    async with caller.db.read() as conn:
        sku = await queries.find(conn, SKU_ROWS, caller.project_id, sku_id)
    if sku is None:
        raise NotFound("sku", sku_id)
    return answer(view_sku(sku))


router = Router(
    "/",
    route_handlers=[
        create_product,
        list_products,
        get_product,
        update_product,
        delete_product,
        list_skus,
        create_sku,
        update_sku,
        delete_sku,
        get_sku,
    ],
)
