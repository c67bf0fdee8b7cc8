"""Reading what a decision about redeemables looks at, and no more than that: a plain voucher needs nothing else."""

import dataclasses
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from rapport.core.db import Connection
from rapport.customers.deciding import Moment
from rapport.customers.models import Customer
from rapport.discounts.cart import CatalogueItem
from rapport.orders.models import Order
from rapport.product_collections.queries import collections_of
from rapport.products import queries as products
from rapport.products.models import Product, Sku
from rapport.redemptions.reach import products_of
from rapport.redemptions.redeemables.models import Redeemable
from rapport.redemptions.situations import Rules, Situation, redeemed_of
from rapport.redemptions.variables import Variables, read_variables
from rapport.rules import budgets
from rapport.rules.applicable import collections_of as collections_named
from rapport.rules.counters import Counter, Spent, Use
from rapport.rules.facts import Facts, item_of
from rapport.rules.unit_limits import limited

SegmentsAmong = Callable[[Customer, Collection[str]], Awaitable[frozenset[str]]]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a request says about its circumstances."""

    customer: Customer | None
    order: Order | None
    is_amount_missing: bool = False
    metadata: Mapping[str, Any]
    api_key: tuple[str, ...]
    audience_only: bool = False


async def read_situation(
    conn: Connection,
    project_id: int,
    moment: Moment,
    asked: Asked,
    redeemables: Sequence[Redeemable],
    rules: Sequence[Rules],
    *,
    segments_among: SegmentsAmong,
) -> Situation:
    """Return what the redeemables are decided on, with what their rules and discounts need."""
    at = Situation(
        now=moment.now,
        zone=moment.zone,
        customer=asked.customer,
        order=asked.order,
        is_amount_missing=asked.is_amount_missing,
        metadata=asked.metadata,
        api_key=asked.api_key,
        audience_only=asked.audience_only,
    )
    named = frozenset[str]().union(*(rule_set.needs.segments for parsed in rules for _, rule_set in parsed))
    segments: frozenset[str] = frozenset()
    if asked.customer is not None and named:
        segments = await segments_among(asked.customer, named)
    uses = [
        Use(redeemed_of(redeemable, at, None), tuple(parsed), Facts(now=moment.now, zone=moment.zone))
        for redeemable, parsed in zip(redeemables, rules, strict=True)
        if any(
            rule_set.needs.counts or (not asked.audience_only and any(limited(assigned.applicable_to)))
            for assigned, rule_set in parsed
        )
    ]
    added = await _catalogue(conn, project_id, asked.order, redeemables)
    collections = await _collections(conn, project_id, moment, asked.order, rules, added.values())
    standing: dict[Counter, Spent] = {}
    if uses:
        products = products_of([] if asked.order is None else asked.order.items, collections)
        standing = await budgets.read(conn, project_id, uses, moment.zone, products)
    variables = Variables()
    if asked.order is not None:
        variables = await read_variables(conn, project_id, asked.customer, redeemables, rules)
    return dataclasses.replace(
        at,
        segments=segments,
        collections=collections,
        standing=standing | variables.counted,
        products=added,
        formulas=variables.named,
        exact=frozenset(variables.counted),
        uncounted=variables.uncounted,
    )


async def _collections(
    conn: Connection,
    project_id: int,
    moment: Moment,
    order: Order | None,
    rules: Sequence[Rules],
    added: Iterable[CatalogueItem],
) -> dict[str, frozenset[str]]:
    """Return what of the order, and of what discounts add to it, is in the product collections that rules name."""
    wanted = {
        one
        for parsed in rules
        for assigned, rule_set in parsed
        for one in (*rule_set.needs.collections, *collections_named(assigned.applicable_to))
    }
    if order is None or not wanted:
        return {}
    every = [*order.items, *({"product": one.product, "sku": one.sku} for one in added)]
    if not every:
        return {}
    items = [item_of(index, raw) for index, raw in enumerate(every)]
    product_ids = {one for item in items for one in item.product_ids}
    sku_ids = {one for item in items for one in item.sku_ids}
    found: dict[str, set[str]] = defaultdict(set)
    where = await collections_of(conn, project_id, product_ids, sku_ids, wanted, now=moment.now)
    for thing_id, names in where.items():
        for name in names:
            found[name].add(thing_id)
    return {name: frozenset(things) for name, things in found.items()}


def _units(discount: Mapping[str, Any] | None) -> list[str]:
    if discount is None or discount["type"] != "UNIT":
        return []
    return [str(one["unit_type"]) for one in discount.get("units") or [discount]]


async def _catalogue(
    conn: Connection, project_id: int, order: Order | None, redeemables: Sequence[Redeemable]
) -> dict[str, CatalogueItem]:
    """Return what the catalogue says of the products and SKUs that discounts add, by what the discounts call them."""
    names = sorted({name for one in redeemables for name in _units(one.discount)})
    if not names or order is None:
        return {}
    found, skus = await products.find_named(conn, project_id, (names, names), (names, names))
    by_id = {one.id: one for one in found}
    known: dict[str, CatalogueItem] = {}
    for product in found:
        for name in {product.id, product.source_id} & set(names):
            known[str(name)] = CatalogueItem(_product_view(product), None, product.price)
    for sku in skus:
        parent = by_id.get(sku.product_id)
        price = sku.price
        if price is None and parent is not None:
            price = parent.price
        shown = {"id": sku.product_id} if parent is None else _product_view(parent)
        for name in {sku.id, sku.source_id} & set(names):
            known[str(name)] = CatalogueItem(shown, _sku_view(sku), price)
    return known


def _told(shown: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in shown.items() if value is not None}


def _product_view(product: Product) -> dict[str, Any]:
    shown = {"id": product.id, "source_id": product.source_id, "name": product.name, "price": product.price}
    return _told(shown | {"metadata": product.metadata or None})


def _sku_view(sku: Sku) -> dict[str, Any]:
    shown = {"id": sku.id, "source_id": sku.source_id, "sku": sku.sku, "price": sku.price}
    return _told(shown | {"metadata": sku.metadata or None})
