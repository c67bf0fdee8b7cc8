"""The write path for many customers at once: found, locked and made by a fixed number of statements."""

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import chain, islice

from rapport.core.clock import LATEST
from rapport.core.db import under_way
from rapport.core.errors import NotFound
from rapport.core.ids import new_id
from rapport.customers import queries
from rapport.customers.models import Customer
from rapport.customers.schemas import CustomerInput, apply
from rapport.customers.writes import Unit

Make = Callable[[str], Customer | None]
_ATTEMPTS = 20
# So many rows are inserted by the database while those after them are made here.
_AT_ONCE = 250


async def find_or_make(
    unit: Unit, ids: Collection[str], source_ids: Collection[str], make: Make, nameless: Sequence[Customer] = ()
) -> tuple[dict[str, Customer], dict[str, Customer]]:
    """Lock the customers with these ids and source ids, open the unit, and return them by id and by source id.

    Who is not there under a source id is inserted as `make` says (by source id; None makes nobody), as are all that
    are `nameless`. LATEST as their `created_at` stands for now. Announce in the unit who was made.
    """
    by_id: dict[str, Customer] = {}
    by_source: dict[str, Customer] = {}

    def keep(found: Customer, *, made: bool) -> None:
        kept = by_id[found.id] = unit._keep(found, created=made)  # noqa: SLF001 (one path in two files)
        if kept.source_id is not None:
            by_source[kept.source_id] = kept
        if made:
            unit.foretell(kept)

    names, wanted, more = sorted(ids), sorted(source_ids), list(nameless)
    for _ in range(_ATTEMPTS):
        for one in await queries.lock_both(unit.conn, unit.project_id, names, wanted):
            keep(one, made=False)
        if missing := [name for name in (*names, *wanted) if name not in by_id and name not in by_source]:
            await _follow(unit, missing, by_id, by_source)
        to_make = (made for one in wanted if one not in by_source and (made := make(one)) is not None)
        new: list[Customer] = []
        await _insert(unit, chain(more, to_make), new, lambda one: keep(one, made=True))
        # Somebody else has made them at the same moment.
        wanted = [one.source_id for one in new if one.id not in by_id and one.source_id is not None]
        if not wanted:
            await unit.open()
            return by_id, by_source
        names, more = [], []
    raise AssertionError("rows that are neither found nor inserted")


async def _insert(unit: Unit, fresh: Iterable[Customer], new: list[Customer], keep: Callable[[Customer], None]) -> None:
    """Insert the customers, add them all to `new`, and keep those that were inserted.

    While the database inserts some, the next are made, and what is to be logged of those before is written.
    """
    offset, coming = unit._db.clock_offset, iter(fresh)  # noqa: SLF001 (one path in two files)
    done: list[Customer] = []
    some = list(islice(coming, _AT_ONCE))
    while some:
        new += some
        async with under_way(queries.insert_many(unit.conn, unit.project_id, some, offset)) as inserting:
            for one in done:
                keep(one)
            some = list(islice(coming, _AT_ONCE))
        done = await inserting
    for one in done:
        keep(one)


async def _follow(
    unit: Unit, missing: Sequence[str], by_id: dict[str, Customer], by_source: dict[str, Customer]
) -> None:
    """Lock those whom customers of these names were merged into, and add them under those names."""
    aliases = await queries.find_aliases(unit.conn, unit.project_id, list(missing))
    if not aliases:
        return
    locked = await queries.lock_many(unit.conn, unit.project_id, sorted(set(aliases.values())))
    kept = {one.id: unit._keep(one) for one in locked}  # noqa: SLF001 (one path in two files)
    for name, customer_id in aliases.items():
        if customer_id in kept:
            by_id[name] = by_source[name] = kept[customer_id]


async def upsert_many(unit: Unit, inputs: Sequence[CustomerInput], also_lock: Collection[str] = ()) -> list[Customer]:
    """Do what `Unit.upsert` does, by a fixed number of statements. Raises NotFound and InvalidPayload."""
    blanks: dict[int, Customer] = {}
    first: dict[str, int] = {}
    for place, one in enumerate(inputs):
        if one.id is None and one.source_id is not None:
            first.setdefault(one.source_id, place)
        elif one.id is None:
            blanks[place] = _fresh(one)

    def make(source_id: str) -> Customer | None:
        return _fresh(inputs[first[source_id]])

    ids = {one.id for one in inputs if one.id is not None}
    by_id, by_source = await find_or_make(unit, ids.union(also_lock), list(first), make, list(blanks.values()))
    for name in sorted(ids - by_id.keys()):
        # As everywhere, what is given as an id may be a source id.
        found = await queries.lock(unit.conn, unit.project_id, name)
        if found is None:
            raise NotFound("customer", name)
        by_id[name] = unit._keep(found)  # noqa: SLF001 (one path in two files)
    found_ids = []
    for place, one in enumerate(inputs):
        if place in blanks:
            found_ids.append(blanks[place].id)
        else:
            found_ids.append((by_source[str(one.source_id)] if one.id is None else by_id[one.id]).id)
        unit.change(found_ids[-1], one)
    return [unit.get(one) for one in found_ids]


def _fresh(one: CustomerInput) -> Customer:
    return apply(one, Customer(id=new_id("cust"), created_at=LATEST, updated_at=LATEST, source=one.source or "API"))
