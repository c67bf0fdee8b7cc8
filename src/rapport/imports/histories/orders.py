"""Orders in files: their columns, how rows are applied through the write path, and how that is undone."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from rapport.core import jsons
from rapport.core.clock import iso, parse_instant
from rapport.core.db import Restart
from rapport.core.errors import RapportError
from rapport.customers.schemas import CustomerInput
from rapport.customers.writes import Unit
from rapport.imports.customers.rows import is_person
from rapport.imports.histories.people import begin, sign_as_past, undo_people, unknown, with_people
from rapport.imports.histories.tables import PASSED_OVER, JsonLines, Plan, Said, Table, failed, reader
from rapport.imports.models import Done, Options, RowFailed
from rapport.imports.stored import without_shown
from rapport.orders import queries
from rapport.orders.actions import Placed
from rapport.orders.many import Known, place_many, write_many
from rapport.orders.models import Order
from rapport.orders.schemas import MAX_ITEMS, OrderInput

_OWN: Final = ("id", "source_id", "status", "amount", "initial_amount", "discount_amount", "created_at", "items")
_ITEM: Final = ("product_id", "sku_id", "quantity", "price", "related_object", "amount", "discount_amount", "source_id")
_WORKED_OUT: Final = (
    "total_amount", "items_discount_amount", "total_discount_amount", "applied_discount_amount",
    "items_applied_discount_amount", "total_applied_discount_amount",
)  # fmt: skip
PLAN: Final = Plan(
    model=OrderInput,
    targets={
        **PASSED_OVER,
        **dict.fromkeys(_WORKED_OUT, ""),
        **{name: name for name in _OWN},
        **{
            f"{who}_{name}": f"{who}.{name}"
            for who, names in (
                ("customer", ("id", "source_id", "name", "email", "phone")),
                ("referrer", ("id", "source_id")),
                ("location", ("id", "source_id", "name")),
            )
            for name in names
        },
        **{name: f"items.{name}" for name in _ITEM[:5]},
        **{f"item_{name}": f"items.{name}" for name in _ITEM},
        **{
            f"{what}_{name}": f"items.{what}.{name}"
            for what, names in (("product", ("source_id", "name")), ("sku", ("source_id",)))
            for name in names
        },
        "sku": "items.sku.sku",
    },
    numbers=frozenset(
        {"amount", "initial_amount", "discount_amount"}
        | {f"items.{name}" for name in ("quantity", "price", "amount", "discount_amount")}
    ),
    json=frozenset({"items"}),
    names=("source_id", "id"),
    required=(("source_id", "id"),),
    items="items",
    together=MAX_ITEMS,
    schema=lambda schemas, _said: schemas.of("order"),
)
# What undoing gives back: the values, of which those about money only together.
_MONEY: Final = ("amount", "initial_amount", "discount_amount", "items")
_VALUES: Final = ("source_id", "status", "customer_id", "referrer_id", "created_at", "location", "updated_at", *_MONEY)


class Orders:
    """Orders, as the engine of imports knows them."""

    ndjson = True

    async def reader(self, unit: Unit, header: Sequence[str], options: Options, *, lines: bool) -> Table | JsonLines:
        """Make sense of a header. Raises UnusableFile."""
        return await reader(PLAN, unit, header, options, lines=lines)

    async def apply(self, unit: Unit, said: Sequence[Said], options: Options) -> list[Done | RowFailed]:
        """Place the orders that rows are about, in their order."""
        _ = options
        await begin(unit, said)
        nobody = await unknown(unit, {name for one in said for name in _ids(one.data)})
        refused = {place: why for place, one in enumerate(said) if (why := _refused(one, nobody)) is not None}
        wanted = await _new_metadata(unit, [one for place, one in enumerate(said) if place not in refused])
        placed = iter(await place_many(unit, wanted))
        outcomes = [refused.get(place) or _outcome(next(placed), one.headers) for place, one in enumerate(said)]
        return with_people(unit, outcomes)

    async def undo(
        self, unit: Unit, done: Sequence[tuple[str, dict[str, list[Any]] | None]], request_ids: list[str]
    ) -> list[tuple[str, str | None]]:
        """Remove the orders that the import made, give the others their values back, and likewise with customers."""
        sign_as_past(unit)
        people = [subject for subject, _ in done if is_person(subject)]
        orders = [(subject, changes) for subject, changes in done if not is_person(subject)]
        locked = await _lock(unit, orders, people)
        outcomes: dict[str, tuple[str, str | None]] = {}
        writes: list[tuple[Order, Order | None]] = []
        for subject, changes in orders:
            order = locked.get(subject)
            if order is None:
                outcomes[subject] = "GONE", None
                continue
            after, outcomes[subject] = _undone(order, changes)
            if outcomes[subject][0] != "KEPT":
                writes.append((order, after))
        await write_many(unit, writes)
        outcomes |= await undo_people(unit, done, request_ids)
        return [outcomes[subject] for subject, _ in done]


def _ids(data: OrderInput) -> list[str]:
    named = [one.id for one in (data.customer, data.referrer) if isinstance(one, CustomerInput)]
    return [one for one in (*named, data.customer_id, data.referrer_id) if isinstance(one, str)]


async def _new_metadata(unit: Unit, said: Sequence[Said]) -> list[OrderInput]:
    """Return orders as rows of a table have them, but for metadata that is how files show what is stored."""
    names = {
        str(one.data.id or one.data.source_id)
        for one in said
        if one.headers and isinstance(one.data.metadata, dict) and (one.data.id or one.data.source_id)
    }
    stored = Known(await queries.find_named(unit.conn, unit.project_id, sorted(names)) if names else ())
    found = []
    for one in said:
        data: OrderInput = one.data
        order = stored.named(str(data.id or data.source_id))
        if order is not None and isinstance(data.metadata, dict):
            data = msgspec.structs.replace(data, metadata=without_shown(data.metadata, order.metadata))
        found.append(data)
    return found


def _refused(one: Said, nobody: set[str]) -> RowFailed | None:
    """Return why an order cannot be placed for whose it is; nobody is to be made anew for each order of theirs."""
    for name in ("customer", "referrer"):
        named = getattr(one.data, name)
        if isinstance(named, CustomerInput) and named.has_data and not named.is_named:
            return RowFailed(f"The {name} has no id and no source_id")
    for name in _ids(one.data):
        if name in nobody:
            return RowFailed(f"There is no customer with the id {name}", one.headers.get("customer.id"))
    return None


def _outcome(one: Placed | RapportError, headers: Mapping[str, str]) -> Done | RowFailed:
    if isinstance(one, RapportError):
        return failed(one, headers)
    if one.before is None:
        return Done("created", one.after.id, None)
    if one.before is one.after:
        return Done("unchanged", one.after.id, {})
    return Done("updated", one.after.id, _changes(one.before, one.after))


def _changes(before: Order, after: Order) -> dict[str, list[Any]]:
    """Return by path what a value was and what it is now; always whose it is, so that it is found with them."""
    pairs = {name: (getattr(before, name), getattr(after, name)) for name in _VALUES}
    changes = {
        name: [_plain(old), _plain(new)]
        for name, (old, new) in pairs.items()
        if name == "customer_id" or not jsons.alike(old, new)
    }
    for key in before.metadata.keys() | after.metadata.keys():
        old, new = before.metadata.get(key), after.metadata.get(key)
        if not jsons.alike(old, new):
            changes[f"metadata.{key}"] = [old, new]
    return changes


def _plain(value: Any) -> Any:
    return iso(value) if isinstance(value, datetime) else value


async def _lock(
    unit: Unit, orders: Sequence[tuple[str, dict[str, list[Any]] | None]], people: Sequence[str]
) -> dict[str, Order]:
    """Lock customers and then their orders. Raises Restart when one has changed hands meanwhile."""
    ids = [subject for subject, _ in orders]
    stored = await queries.find_named(unit.conn, unit.project_id, ids)
    before = [changes["customer_id"][0] for _, changes in orders if changes is not None]
    owners = {one for one in (*people, *before, *(order.customer_id for order in stored)) if one is not None}
    await unit.lock_all(sorted(owners))
    locked = await queries.find_named(unit.conn, unit.project_id, ids, lock=True)
    if [(one.id, one.customer_id) for one in locked] != [(one.id, one.customer_id) for one in stored]:
        raise Restart
    return {one.id: one for one in locked}


def _undone(order: Order, changes: dict[str, list[Any]] | None) -> tuple[Order | None, tuple[str, str | None]]:
    """Return what becomes of an order, and the outcome."""
    if order.redemptions and changes is None:
        return order, ("KEPT", "Codes were redeemed on the order")
    if changes is None:
        changed_since = order.updated_at is not None
        return (
            (order, ("KEPT", "The order has changed since the import made it"))
            if changed_since
            else (None, ("DELETED", None))
        )
    now = {name: _plain(getattr(order, name)) for name in _VALUES}
    now |= {f"metadata.{key}": value for key, value in order.metadata.items()}
    differs = {path for path, (_, after) in changes.items() if not jsons.alike(now.get(path), after)}
    if differs.intersection(_MONEY):
        differs.update(path for path in _MONEY if path in changes)
    after = _restored(order, {path: pair[0] for path, pair in changes.items() if path not in differs})
    shown = sorted(differs - {"updated_at"})
    if not shown:
        return after, ("RESTORED", None)
    kept = len(shown) == len([path for path, pair in changes.items() if path != "updated_at" and pair[0] != pair[1]])
    return after, ("KEPT" if kept else "PARTLY", f"Changed since: {', '.join(shown)}")


def _restored(order: Order, values: Mapping[str, Any]) -> Order:
    fields = {path: value for path, value in values.items() if not path.startswith("metadata.")}
    for name in ("created_at", "updated_at"):
        if fields.get(name) is not None:
            fields[name] = parse_instant(fields[name])
    metadata = dict(order.metadata)
    for path, value in values.items():
        if path.startswith("metadata."):
            metadata[path.removeprefix("metadata.")] = value
    metadata = {key: value for key, value in metadata.items() if value is not None}
    after = msgspec.structs.replace(order, **fields, metadata=metadata)
    total = after.amount - after.discount_amount - after.items_discount_amount
    return msgspec.structs.replace(after, total_amount=total)
