"""Merging two customers into one, trying it, and undoing it; each in one transaction of the write path.

Who goes leaves their row and their segments; their rows of every holding become the other's, and their id and source id
lead to the other from then on. What the log says of their memberships stays theirs, entering and leaving by turns.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from rapport.activity import queries as activity
from rapport.activity.log import ADJUSTMENT, Internal
from rapport.core import jsons
from rapport.core.db import Restart
from rapport.core.errors import InvalidPayload, NotFound, RapportError
from rapport.core.ids import new_id
from rapport.customers import queries as customers
from rapport.customers.holdings import Holding
from rapport.customers.models import Customer
from rapport.customers.schemas import view
from rapport.customers.writes import Unit, Writer
from rapport.http.caller import Caller
from rapport.merges import queries
from rapport.merges.counting import recounted
from rapport.merges.models import DONE, Merge, Moved, Profiles, combined
from rapport.merges.schemas import FieldChoices, MergeInput, MergePreview
from rapport.segments.history import queries as segments
from rapport.segments.history.schemas import simple_segment


class CustomersChanged(RapportError):
    """One of the customers has changed since the preview; ask for a new one."""

    code = 409
    key = "customers_changed"
    message = "Customers have changed since the preview"


@dataclass(frozen=True, slots=True)
class _Done:
    """What a merge did: its record, who came out, the static segments that were new, the version before."""

    merge: Merge
    customer: Customer
    entered: dict[str, str]
    version: str


class _TriedOnly(Exception):
    """Carries what a merge comes to out of its transaction, which is undone by it."""

    def __init__(self, preview: MergePreview) -> None:
        super().__init__("a preview")
        self.preview = preview


async def merge(
    writer: Writer, caller: Caller, holdings: Sequence[Holding], reference: str, data: MergeInput
) -> tuple[Merge, Customer]:
    """Merge one customer into another (an addition to the reference); return the merge and who came out of it.

    Raises NotFound, InvalidPayload (both are one already), CustomersChanged.
    """

    async def work(unit: Unit) -> tuple[Merge, Customer]:
        done = await _merge(unit, caller, holdings, reference, data)
        return done.merge, done.customer

    return await writer.commit(Internal(caller.project_id, caller.request_id, ADJUSTMENT), work)


async def preview(
    writer: Writer, caller: Caller, holdings: Sequence[Holding], reference: str, data: MergeInput
) -> MergePreview:
    """Do the merge, see what comes of it, and take it back. Raises NotFound and InvalidPayload."""
    data = msgspec.structs.replace(data, version=None)

    async def work(unit: Unit) -> None:
        done = await _merge(unit, caller, holdings, reference, data)
        shown = await segments.with_filter(unit.conn, unit.project_id)
        await unit.finish()
        decided = unit.decided[done.customer.id]
        turned = [
            [simple_segment(one.segment_id, one.name, "auto-update") for one in turns if shown.get(one.segment_id)]
            for turns in (decided.entered, decided.left)
        ]
        static = [simple_segment(segment_id, name, "static") for segment_id, name in done.entered.items()]
        raise _TriedOnly(
            MergePreview(
                customer=view(done.customer),
                entered=[*static, *turned[0]],
                left=turned[1],
                moved=done.merge.counts,
                version=done.version,
            )
        )

    try:
        await writer.commit(Internal(caller.project_id, caller.request_id, ADJUSTMENT), work)
    except _TriedOnly as tried:
        return tried.preview
    raise AssertionError("a preview does not end by itself")


async def _merge(unit: Unit, caller: Caller, holdings: Sequence[Holding], reference: str, data: MergeInput) -> _Done:
    target, source = await _lock_both(unit, reference, data.source)
    version = await _version(unit, target, source, data)
    if data.version not in (None, version):
        raise CustomersChanged("Ask for a new preview, or leave the version out", resource_id=target.id)
    fields = {} if data.fields is None else msgspec.structs.asdict(data.fields)
    chosen = {name: side for name, side in fields.items() if side is not None}
    after = combined(target, source, chosen, data.metadata or {})
    await queries.take_time(unit.conn)
    static = await segments.static_of_customer(unit.conn, unit.project_id, source.id)
    own = await segments.static_of_customer(unit.conn, unit.project_id, target.id)
    entered = {segment_id: name for segment_id, name in static.items() if segment_id not in own}
    aliases = await customers.aliases_of(unit.conn, unit.project_id, source.id)
    await _leave(unit, source)
    names = [source.id, source.source_id, target.source_id]
    fresh = [name for name in names if name is not None and name != after.source_id]
    await customers.set_aliases(unit.conn, unit.project_id, target.id, [*aliases, *fresh])
    await unit.remove(source)
    rows = {one.name: await one.move(unit.conn, unit.project_id, source.id, target.id) for one in holdings}
    after = msgspec.structs.replace(await recounted(unit.conn, unit.project_id, after), updated_at=unit.now)
    unit.put(after)
    await decide_anew(unit, [target.id])
    for segment_id in static:
        unit.set_members(segment_id, [target.id], member=True)
    counts = {name: len(ids) for name, ids in rows.items()}
    record = Merge(new_id("merge"), DONE, source.id, target.id, counts, unit.now, None)
    moved = Moved(rows, list(static), list(entered), aliases)
    await queries.insert(unit.conn, unit.project_id, record, Profiles(source, target, after), moved)
    log_both(unit, caller, "customer.merged", record, after, source)
    return _Done(record, after, entered, version)


async def _lock_both(unit: Unit, reference: str, other: str) -> tuple[Customer, Customer]:
    """Lock target and source in the order of their ids, whatever they are called by."""
    ids = [(await customers.get(unit.conn, unit.project_id, name)).id for name in (reference, other)]
    if ids[0] == ids[1]:
        raise InvalidPayload("Property .source names the same customer as the path")
    locked = {customer.id: customer for customer in await unit.lock_all(ids)}
    if len(locked) < 2:
        raise Restart  # deleted or merged since
    return locked[ids[0]], locked[ids[1]]


async def _version(unit: Unit, target: Customer, source: Customer, data: MergeInput) -> str:
    """Return a text that differs once anything is written about either of the two, or other choices are made."""
    last = [await activity.last_entry(unit.conn, unit.project_id, one.id) for one in (target, source)]
    said = [data.fields or FieldChoices(), sorted((data.metadata or {}).items())]
    state: list[Any] = [target, source, [None if one is None else one.id for one in last], said]
    return hashlib.sha256(jsons.encode(state)).hexdigest()[:32]


async def _leave(unit: Unit, source: Customer) -> None:
    """Log that the source leaves the segments that it entered by the log."""
    for segment_id, name, _ in await segments.logged_of_customer(unit.conn, unit.project_id, source.id):
        segment = {"id": segment_id, "name": name, "object": "segment"}
        unit.log("customer.segment.left", source, {"customer": view(source), "segment": segment})


async def decide_anew(unit: Unit, customer_ids: Sequence[str]) -> None:
    """Have all segments decided for locked customers, whatever seems to have changed."""
    known = list(await segments.with_filter(unit.conn, unit.project_id))
    unit.look_at(dict.fromkeys(customer_ids, known))


def log_both(unit: Unit, caller: Caller, kind: str, merge: Merge, target: Customer, source: Customer) -> None:
    """Log a merge, or its undoing, with both customers, in the name of who asked for it."""
    about = {"id": merge.id, "source_id": source.id, "target_id": target.id, "object": "merge"}
    for customer in (target, source):
        # Each with what is theirs: either of the two may be erased after an undoing.
        unit.log(kind, customer, {"customer": view(customer), "merge": about}, source=caller.source)


async def get(caller: Caller, merge_id: str) -> Merge:
    """Return a merge. Raises NotFound."""
    async with caller.db.read() as conn:
        found = await queries.find(conn, caller.project_id, merge_id)
    if found is None:
        raise NotFound("merge", merge_id)
    return found
