"""Deleting products and SKUs: into the bin, back from it, and for good."""

from rapport.core.db import Connection
from rapport.core.errors import NotFound
from rapport.core.queries import read_now
from rapport.http.caller import Caller
from rapport.products import queries
from rapport.products.models import Product, Sku
from rapport.products.queries import PRODUCT_ROWS, SKU_ROWS
from rapport.trash_bin import queries as trash_bin
from rapport.trash_bin.actions import NotRestored
from rapport.trash_bin.models import Entry, Kind


async def delete_product(caller: Caller, reference: str, *, force: bool) -> None:
    """Delete a product and its SKUs (`delete-product`): into the bin, or for good. Raises NotFound."""

    async def work(conn: Connection) -> None:
        product = await queries.find(conn, PRODUCT_ROWS, caller.project_id, reference, lock=True)
        if product is None:
            raise NotFound("product", reference)
        await (_product_for_good(conn, caller, product.id) if force else _product_into_bin(conn, caller, product))

    await caller.db.transaction(work)


async def delete_sku(caller: Caller, product_reference: str, reference: str, *, force: bool) -> None:
    """Delete a SKU (`delete-sku`): into the bin, or for good. Raises NotFound."""

    async def work(conn: Connection) -> None:
        product = await queries.find(conn, PRODUCT_ROWS, caller.project_id, product_reference, lock=True)
        if product is None:
            raise NotFound("product", product_reference)
        sku = await queries.find(conn, SKU_ROWS, caller.project_id, reference, lock=True)
        if sku is None or sku.product_id != product.id:
            raise NotFound("sku", reference)
        if force:
            await queries.remove(conn, SKU_ROWS, caller.project_id, [sku.id])
        else:
            await _sku_into_bin(conn, caller, sku)

    await caller.db.transaction(work)


async def _product_into_bin(conn: Connection, caller: Caller, product: Product) -> None:
    entry_id = trash_bin.new_entry_id(await read_now(conn, caller.db.clock_offset))
    await queries.hide(conn, PRODUCT_ROWS, caller.project_id, product.id, entry_id)
    await queries.hide_skus_of(conn, caller.project_id, product.id, entry_id)
    resource = product.id, product.name or product.source_id or product.id, None
    await trash_bin.add(conn, caller, entry_id, "product", resource, {}, caller.db.clock_offset)


async def _sku_into_bin(conn: Connection, caller: Caller, sku: Sku) -> None:
    entry_id = trash_bin.new_entry_id(await read_now(conn, caller.db.clock_offset))
    await queries.hide(conn, SKU_ROWS, caller.project_id, sku.id, entry_id)
    resource = sku.id, sku.sku or sku.source_id or sku.id, sku.product_id
    await trash_bin.add(conn, caller, entry_id, "sku", resource, {}, caller.db.clock_offset)


async def _product_for_good(conn: Connection, caller: Caller, product_id: str) -> None:
    await trash_bin.forget_children(conn, caller.project_id, product_id)
    await queries.remove(conn, PRODUCT_ROWS, caller.project_id, [product_id])


async def _remove_product(conn: Connection, caller: Caller, entry: Entry) -> None:
    await _product_for_good(conn, caller, entry.resource_id)


async def _restore_product(conn: Connection, caller: Caller, entry: Entry) -> None:
    if not await queries.show(conn, PRODUCT_ROWS, caller.project_id, entry.resource_id, entry.id):
        raise NotRestored("The product is not there any more", resource_id=entry.id)
    await queries.show_skus_of(conn, caller.project_id, entry.resource_id, entry.id)


async def _remove_sku(conn: Connection, caller: Caller, entry: Entry) -> None:
    await queries.remove(conn, SKU_ROWS, caller.project_id, [entry.resource_id])


async def _restore_sku(conn: Connection, caller: Caller, entry: Entry) -> None:
    product_id = entry.resource_parent_id or ""
    if not await queries.find_all(conn, PRODUCT_ROWS, caller.project_id, [product_id], [], lock=True):
        raise NotRestored("The SKU's product is deleted; restore that first", resource_id=entry.id)
    if not await queries.show(conn, SKU_ROWS, caller.project_id, entry.resource_id, entry.id):
        raise NotRestored("The SKU is not there any more", resource_id=entry.id)


bin_kinds = {
    "product": Kind(remove=_remove_product, restore=_restore_product),
    "sku": Kind(remove=_remove_sku, restore=_restore_sku),
}
