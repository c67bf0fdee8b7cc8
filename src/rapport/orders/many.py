"""Many orders at once, by a fixed number of statements: placed, given other values, taken back."""

from collections.abc import Mapping, Sequence

import msgspec

from rapport.core import jsons
from rapport.core.db import Restart
from rapport.core.errors import NotFound, RapportError
from rapport.core.ids import new_id
from rapport.customers.many import upsert_many
from rapport.customers.models import Customer
from rapport.customers.schemas import CustomerInput
from rapport.customers.writes import Unit
from rapport.orders import queries
from rapport.orders.actions import Placed, blank, keep_summaries, log_change, person, read_anew
from rapport.orders.catalogue import Catalogue, lock, read
from rapport.orders.models import Order
from rapport.orders.schemas import OrderInput, apply, checked

People = tuple[CustomerInput | None, CustomerInput | None]


class Known:
    """Orders as they are now, by id and by source id; the id wins."""

    def __init__(self, orders: Sequence[Order]) -> None:
        """Begin with what is stored."""
        self.by_id: dict[str, Order] = {}
        self._by_source: dict[str, str] = {}
        for order in orders:
            self.keep(order)

    def keep(self, order: Order) -> None:
        """Note what has become of an order."""
        self.by_id[order.id] = order
        if order.source_id is not None:
            self._by_source[order.source_id] = order.id

    def find(self, data: OrderInput) -> Order | None:
        """Return the order that a request is about, None for a new one. Raises NotFound."""
        if isinstance(data.id, str):
            found = self.named(data.id)
            if found is None:
                raise NotFound("order", data.id)
            return found
        return self.named(data.source_id) if isinstance(data.source_id, str) else None

    def named(self, reference: str) -> Order | None:
        """Return the order with this id or source id."""
        return self.by_id.get(reference) or self.by_id.get(self._by_source.get(reference, ""))


async def place_many(unit: Unit, inputs: Sequence[OrderInput]) -> list[Placed | RapportError]:
    """Do what `open_order` and `place` do with each of the orders, in their order.

    What cannot be placed for what it says is answered with the error, and nothing of it is done; what only shows once
    customers are locked is raised (NotFound, InvalidPayload), as is UniqueViolation for a source id that is taken.
    """
    await unit.open()
    schemas = unit.moment.schemas
    references = sorted({str(name) for one in inputs for name in (one.id, one.source_id) if isinstance(name, str)})
    stored = await queries.find_named(unit.conn, unit.project_id, references)
    catalogue = await read(unit.conn, unit.project_id, inputs)
    outcomes, people = _wanted(unit, stored, catalogue, inputs)
    named = [one for pair in people.values() for one in pair if one is not None]
    before_ids = {one.customer_id for one in stored if one.customer_id is not None}
    locked = iter(await upsert_many(unit, named, before_ids))
    owners = {place: tuple(None if one is None else next(locked) for one in pair) for place, pair in people.items()}
    if stored and await queries.find_named(unit.conn, unit.project_id, references, lock=True) != stored:
        raise Restart
    if unit.moment.schemas != schemas or (any(catalogue.changed) and not await lock(unit, catalogue)):
        raise Restart
    await catalogue.write(unit)
    placed = _owned(unit, inputs, outcomes, owners)
    await write_many(unit, [(one.before, one.after) for one in placed.values()])
    return [placed.get(place, outcome) for place, outcome in enumerate(outcomes)]


def _wanted(
    unit: Unit, stored: Sequence[Order], catalogue: Catalogue, inputs: Sequence[OrderInput]
) -> tuple[list[Placed | RapportError], dict[int, People]]:
    """Return what becomes of each order but for whose it is, and who takes part in it."""
    known = Known(stored)
    outcomes: list[Placed | RapportError] = []
    people: dict[int, People] = {}
    for place, data in enumerate(inputs):
        try:
            before = known.find(data)
            taking_part = (
                person(data.customer, data.customer_id, "customer"),
                person(data.referrer, data.referrer_id, "referrer"),
            )
            current = before or blank(new_id("ord"), unit.now)
            filled, draft = catalogue.filled(data, unit.moment.schemas, unit.now)
            after = checked(filled, apply(filled, current), before, unit.moment.schemas)
        except RapportError as error:
            outcomes.append(error)
            continue
        known.keep(after)
        catalogue.keep(draft)
        outcomes.append(Placed(before, after))
        people[place] = taking_part
    return outcomes, people


def _owned(
    unit: Unit,
    inputs: Sequence[OrderInput],
    outcomes: Sequence[Placed | RapportError],
    owners: Mapping[int, tuple[Customer | None, ...]],
) -> dict[int, Placed]:
    """Return the orders with their customers; of one that comes again, each begins where the last one ended."""
    latest: dict[str, Order] = {}
    made: set[str] = set()
    placed: dict[int, Placed] = {}
    for place, one in enumerate(outcomes):
        if isinstance(one, RapportError):
            continue
        before = latest.get(one.after.id, one.before)
        customer, referrer = owners[place]
        after = msgspec.structs.replace(
            one.after,
            customer_id=before.customer_id if customer is None and before is not None else customer and customer.id,
            referrer_id=before.referrer_id if referrer is None and before is not None else referrer and referrer.id,
        )
        if before is None:
            made.add(after.id)
        if after.id in made and not isinstance(inputs[place].created_at, str):
            after = msgspec.structs.replace(after, created_at=unit.now if before is None else before.created_at)
        if before is not None and same(before, after):
            after = before
        elif before is not None and after.id not in made:
            after = msgspec.structs.replace(after, updated_at=unit.now)
        latest[after.id] = after
        placed[place] = Placed(before, after)
    return placed


def same(one: Order, other: Order) -> bool:
    """Tell whether two orders are the same in all their values."""
    return one == other and jsons.alike(one.metadata, other.metadata) and jsons.alike(one.items, other.items)


async def write_many(unit: Unit, changes: Sequence[tuple[Order | None, Order | None]]) -> None:
    """Write what becomes of locked orders (None: not there), keep the summaries of their locked customers, and log it.

    An order that comes again begins where it ended before. Raises Restart when a new order's source id has been taken.
    """
    changes = [(before, after) for before, after in changes if before is not after]
    first: dict[str, Order | None] = {}
    last: dict[str, Order | None] = {}
    anew: set[str] = set()
    for before, after in changes:
        order = after or before
        if order is None:
            raise AssertionError("a change of nothing")
        first.setdefault(order.id, before)
        last[order.id] = after
    new = [after for order_id, after in last.items() if first[order_id] is None and after is not None]
    if new and not await queries.insert_many(unit.conn, unit.project_id, new):
        raise Restart
    for order_id, after in last.items():
        if first[order_id] is not None and after is not None:
            await queries.update(unit.conn, unit.project_id, after)
    gone = [order_id for order_id, after in last.items() if after is None]
    if gone:
        await queries.remove(unit.conn, unit.project_id, gone)
    for before, after in changes:
        anew.update(keep_summaries(unit, before, after))
        log_change(unit, before, after)
    for customer_id in sorted(anew):
        await read_anew(unit, customer_id)
