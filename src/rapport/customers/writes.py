"""The write path: every change to a customer is one `Unit` of work, one transaction.

    lock the customers → read the moment and what segments need → decide → write rows, membership and activity → commit

Customers, orders, events, redemptions, segment back-fills and the passing of time all come through here, so membership
is never older than the data. Segments are a higher feature; they take part through the `Decider` that `app.py` and
`worker.py` hand to the `Writer`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from rapport.activity import queries as activity
from rapport.activity.log import BACK_FILL, Entry, Signature, Source
from rapport.core import jsons
from rapport.core.clock import LATEST
from rapport.core.db import Connection, Database, Restart, under_way
from rapport.core.errors import DuplicateFound, NotFound, RapportError
from rapport.core.ids import new_id
from rapport.customers import queries
from rapport.customers.deciding import Change, Decider, Decision, Happening, Moment, Turn
from rapport.customers.errors import UnknownCustomer
from rapport.customers.models import Customer, differs
from rapport.customers.schemas import CustomerInput, apply, view
from rapport.metadata.values import check

Result = TypeVar("Result")
_INSERT_ATTEMPTS = 20


class Unit:
    """One transaction about a few customers. Lock first, then read, then change; `Writer.commit` does the rest."""

    def __init__(self, conn: Connection, db: Database, decider: Decider, signature: Signature) -> None:
        """Made by `Writer.commit`."""
        self.conn = conn
        self.project_id = signature.project_id
        self.signature = signature
        self._db = db
        self._decider = decider
        self._moment: Moment | None = None
        self._stored: dict[str, Customer] = {}
        self._current: dict[str, Customer] = {}
        self._created: set[str] = set()
        self._announced: set[str] = set()
        self._written: dict[str, msgspec.Raw] = {}
        self._changes: dict[str, Change] = {}
        self._entries: list[Entry] = []
        self._logged_at: datetime | None = None
        # What was decided about each customer, once the unit is finished.
        self.decided: dict[str, Decision] = {}
        # In whose name turns are logged, if not in that of the unit.
        self.turned_by: Source | None = None

    @asynccontextmanager
    async def part(self) -> AsyncIterator["Unit"]:
        """Begin a piece of this unit that is decided, logged and written at its end, or undone alone when it raises.

        Customers that this unit has locked by itself must not be changed in both.
        """
        async with self.conn.transaction():
            part = Unit(self.conn, self._db, self._decider, self.signature)
            part.turned_by = self.turned_by
            yield part
            await part.finish()

    @property
    def now(self) -> datetime:
        """The time of this unit, taken after its locks."""
        return self.moment.now

    @property
    def moment(self) -> Moment:
        """The time and what was read with it; known once the unit is open."""
        if self._moment is None:
            raise AssertionError("lock customers or call open() first")
        return self._moment

    async def open(self) -> None:
        """Read the moment; the locking functions do it themselves."""
        self._moment = await self._decider.open(self.conn, self._db, self.project_id, list(self._stored))

    def _keep(self, customer: Customer, *, created: bool = False) -> Customer:
        self._stored.setdefault(customer.id, customer)
        if created:
            self._created.add(customer.id)
        return self._current.setdefault(customer.id, customer)

    async def find_locked(self, reference: str) -> Customer | None:
        """Lock the customer with this id or source id, or return None."""
        customer = await queries.lock(self.conn, self.project_id, reference)
        if customer is not None:
            self._keep(customer)
        await self.open()
        return customer

    async def get_locked(self, reference: str) -> Customer:
        """Lock the customer with this id or source id. Raises NotFound."""
        customer = await self.find_locked(reference)
        if customer is None:
            raise NotFound("customer", reference)
        return customer

    async def lock_all(self, ids: list[str]) -> list[Customer]:
        """Lock those of the customers that still exist, in the order of their ids."""
        customers = [self._keep(found) for found in await queries.lock_many(self.conn, self.project_id, ids)]
        await self.open()
        return customers

    def foretell(self, customer: Customer) -> None:
        """Write already what `announce` will log of a customer who was inserted and is not changed before."""
        self._written[customer.id] = msgspec.Raw(jsons.encode(view(customer)))

    def was_made(self, customer_id: str) -> bool:
        """Tell whether this unit has inserted the customer."""
        return customer_id in self._created

    def touched(self) -> list[tuple[Customer | None, Customer]]:
        """Return the locked customers as they were (None: made by this unit) and as they are now."""
        return [
            (None if customer_id in self._created else self._stored[customer_id], customer)
            for customer_id, customer in self._current.items()
        ]

    def announce(self, customer_id: str) -> None:
        """Log that a customer was made, as they were inserted."""
        customer = self._current[customer_id]
        self._announced.add(customer_id)
        written = self._written.pop(customer_id, None) if customer is self._stored[customer_id] else None
        self.log("customer.created", customer, {"customer": view(customer) if written is None else written})

    async def upsert(self, *inputs: CustomerInput, also_lock: Sequence[str] = ()) -> list[Customer]:
        """Find or create each customer, set what the inputs say, and log it; `also_lock` locks more ids.

        The customer is named by `id` (which must exist) or `source_id` (made when unknown); without either a new one is
        made. Raises NotFound and InvalidPayload.
        """
        if also_lock or len(inputs) > 1:
            # In one order whatever they are called by: otherwise units about the same people wait for each other.
            named = {str(name) for one in inputs for name in (one.id, one.source_id) if isinstance(name, str)}
            for customer in await queries.lock_named(self.conn, self.project_id, sorted(named.union(also_lock))):
                self._keep(customer)
        order = sorted(range(len(inputs)), key=lambda index: (str(inputs[index].id), str(inputs[index].source_id)))
        ids = [""] * len(inputs)
        for index in order:
            ids[index] = (await self._lock_input(inputs[index])).id
        await self.open()
        for index, change in enumerate(inputs):
            self.change(ids[index], change)
        return [self._current[customer_id] for customer_id in ids]

    async def _lock_input(self, change: CustomerInput) -> Customer:
        if change.id is not None:
            customer = await queries.lock(self.conn, self.project_id, str(change.id))
            if customer is None:
                raise NotFound("customer", str(change.id))
            return self._keep(customer)
        source = change.source or "API"
        blank = Customer(id=new_id("cust"), created_at=LATEST, updated_at=LATEST, source=source)
        fresh = apply(change, blank)
        for _ in range(_INSERT_ATTEMPTS):
            found = await queries.lock_or_insert(self.conn, self.project_id, fresh, self._db.clock_offset)
            if found is not None:
                customer, existed = found
                return self._keep(customer, created=not existed)
            if fresh.source_id is not None and (
                kept := await queries.lock(self.conn, self.project_id, fresh.source_id)
            ):
                return self._keep(kept)
        raise AssertionError("a row that is neither found nor inserted")

    def change(self, customer_id: str, change: CustomerInput) -> None:
        """Set what a request says about a locked customer, and log what came of it.

        Raises InvalidPayload, also where the metadata does not fit its schema.
        """
        current = self._current[customer_id]
        changed = self._checked(change, current, apply(change, current))
        if customer_id in self._created and customer_id not in self._announced:
            self.put(changed)
            self.announce(customer_id)
        else:
            self.set(changed)

    def set(self, customer: Customer) -> None:
        """Set the new state of a locked customer and log that they were updated, if it is another state."""
        if differs(customer, self._current[customer.id]):
            changed = msgspec.structs.replace(customer, updated_at=self.now)
            self.log("customer.updated", changed, {"customer": view(changed)})
            self.put(changed)

    def _checked(self, change: CustomerInput, current: Customer, changed: Customer) -> Customer:
        schema = self.moment.schemas.of("customer")
        is_new = current.id in self._created
        if schema is None or (change.metadata is None and not is_new):
            return changed
        metadata = check(schema, changed.metadata, before=None if is_new else current.metadata)
        return msgspec.structs.replace(changed, metadata=metadata)

    def put(self, customer: Customer) -> None:
        """Set the new state of a locked customer."""
        self._current[customer.id] = customer

    def get(self, customer_id: str) -> Customer:
        """Return the state of a locked customer, with what this unit has changed."""
        return self._current[customer_id]

    def find(self, customer_id: str | None) -> Customer | None:
        """Return the state of a customer if this unit has locked it."""
        return None if customer_id is None else self._current.get(customer_id)

    def log(
        self,
        kind: str,
        customer: Customer | None,
        payload: dict[str, Any],
        campaign_id: str | None = None,
        source: Source | None = None,
    ) -> None:
        """Log a fact; it commits with the unit. `source` is who caused it, if not the one in whose name all is done."""
        self._entries.append(Entry(kind, None if customer is None else customer.id, payload, campaign_id, source))

    def _change(self, customer_id: str) -> Change:
        found = self._changes.get(customer_id)
        if found is None:
            found = self._changes[customer_id] = Change(None, self._current[customer_id])
        return found

    def look_at(self, segment_ids: Mapping[str, Collection[str]]) -> None:
        """Decide for each of these locked customers about some segments although nothing may have changed."""
        for customer_id, wanted in segment_ids.items():
            self._change(customer_id).look_at.update(wanted)

    def happened(self, customer_id: str, *, added: Happening | None = None, removed: Happening | None = None) -> None:
        """Say that an event or order that counts was written, or counts no more, for a locked customer."""
        if added is not None:
            self._change(customer_id).added.append(added)
        if removed is not None:
            self._change(customer_id).removed.append(removed)

    def set_members(self, segment_id: str, customer_ids: Collection[str], *, member: bool) -> None:
        """Put locked customers into a static segment, or take them out of it."""
        for customer_id in customer_ids:
            self._change(customer_id).placed[segment_id] = member

    async def segments_among(self, customer: Customer, segment_ids: Collection[str]) -> frozenset[str]:
        """Return those of the segments that the customer is in by this state of theirs."""
        return await self._decider.among(self.conn, self.project_id, self.moment, customer, segment_ids)

    async def delete(self, *customers: Customer) -> None:
        """Delete locked customers and their memberships, and log it."""
        for customer in customers:
            self.log("customer.deleted", customer, {"customer": view(customer)})
        await self.remove(*customers)

    async def remove(self, *customers: Customer) -> None:
        """Delete locked customers and their memberships without a word in the log."""
        ids = [customer.id for customer in customers]
        # The row first: that waits for a static segment that is just taking the customer in, whose row is then removed.
        await queries.delete(self.conn, self.project_id, *ids)
        await self._decider.forget(self.conn, self.project_id, self.moment, *ids)
        for customer_id in ids:
            del self._current[customer_id]
            self._changes.pop(customer_id, None)

    async def restore(self, customer: Customer) -> None:
        """Insert a customer who was there before, as one that is new to every segment. Raises DuplicateFound."""
        await queries.restore(self.conn, self.project_id, customer)
        self._keep(customer, created=True)

    async def _update(self, customer: Customer, log: list[Any] | None = None) -> None:
        """Write a row; one whose source id has just become an alias makes the unit run again, or is refused."""
        if not await queries.update(self.conn, self.project_id, customer, log, named=self._is_named(customer)):
            self._refuse_alias(customer)

    def _is_named(self, customer: Customer) -> bool:
        """Tell whether the source id is new to the row."""
        return customer.id in self._created or customer.source_id != self._stored[customer.id].source_id

    def _refuse_alias(self, customer: Customer) -> None:
        if customer.id in self._created:
            raise Restart
        raise DuplicateFound("customer", str(customer.source_id))

    async def _check_names(self) -> None:
        """As `_update` does, for many rows: see to it that no source id that is new to its row is an alias by now."""
        named = [one for one in self._current.values() if one.source_id is not None and self._is_named(one)]
        aliases = named and await queries.find_aliases(
            self.conn, self.project_id, [str(one.source_id) for one in named]
        )
        for customer in named:
            if aliases and customer.source_id in aliases:
                self._refuse_alias(customer)

    def check_made(self, result: object) -> None:
        """Raise UnknownCustomer where a customer was made in a name that makes none; or else what failed anyhow."""
        if self._created and not self.signature.makes_customers:
            raise result if isinstance(result, RapportError) else UnknownCustomer

    async def finish(self) -> None:
        """Decide about what changed and write rows, membership and activity. Called by `Writer.commit`."""
        changed = []
        for customer_id, customer in self._current.items():
            is_changed = differs(customer, self._stored[customer_id])
            if is_changed:
                changed.append(customer)
            if is_changed or customer_id in self._created:
                self._change(customer_id)
        if self._changes:
            await self._decide()
        if len(self._created) == 1 and not changed:
            # Its row is written again only for the check that comes with it, in the statement of the log.
            changed = [self._current[one] for one in self._created if one in self._current]
        if len(changed) > 1 or len(self._created) > 1:
            await self._check_names()
            pairs = [(self._stored[customer.id], customer) for customer in changed]
            if pairs:
                await self._update_many(pairs)
            changed = []
        await self._write(changed)

    async def _update_many(self, pairs: list[tuple[Customer, Customer]]) -> None:
        """Write the rows of many; while the database does, what is to be logged becomes JSON."""
        async with under_way(queries.update_many(self.conn, self.project_id, pairs)):
            self._entries = [entry.written() for entry in self._entries]

    async def _write(self, changed: list[Customer]) -> None:
        """Write the row of one customer, if there is one still to be written, and the log."""
        if not self._entries:
            if changed:
                await self._update(changed[0])
            return
        signature, at = self.signature, self._logged_at or self.now
        log = at, signature.request_id, signature.source, self._entries
        if changed:
            await self._update(changed[0], activity.append_parameters(*log))
        else:
            await activity.append(self.conn, self.project_id, *log)

    async def _decide(self) -> None:
        """Decide about all that changed, write memberships, log them."""
        for customer_id, change in self._changes.items():
            change.old = None if customer_id in self._created else self._stored[customer_id]
            change.new = self._current[customer_id]
        decided = await self._decider.decide(self.conn, self.project_id, self.moment, list(self._changes.values()))
        decisions = list(zip(self._changes, decided, strict=True))
        self.decided = dict(decisions)
        for customer_id, decision in decisions:
            self._logged_at = max(self._logged_at or self.now, decision.not_before or self.now)
            self._log_turns(self._current[customer_id], "left", decision.left)
            self._log_turns(self._current[customer_id], "entered", decision.entered)
        await self._decider.write(self.conn, self.project_id, self.moment, decisions)

    def _log_turns(self, customer: Customer, kind: str, turns: Sequence[Turn]) -> None:
        for turn in turns:
            if turn.logged:
                segment = {"id": turn.segment_id, "name": turn.name, "object": "segment"}
                source = BACK_FILL if turn.back_fill else self.turned_by
                payload = {"customer": view(customer), "segment": segment}
                self.log(f"customer.segment.{kind}", customer, payload, source=source)


class Writer:
    """Runs units of work on one database."""

    def __init__(self, db: Database, decider: Decider) -> None:
        """Decide about membership with `decider`."""
        self.db = db
        self._decider = decider

    @asynccontextmanager
    async def within(self, conn: Connection, signature: Signature) -> AsyncIterator[Unit]:
        """Begin a unit in an open transaction; it is decided, logged and written at its end."""
        unit = Unit(conn, self.db, self._decider, signature)
        yield unit
        await unit.finish()

    async def commit(self, signature: Signature, work: Callable[[Unit], Awaitable[Result]]) -> Result:
        """Run `work` in one unit and commit it; the answer is given only after the commit.

        `work` runs again from the start after a deadlock, so it must not keep anything outside its unit.
        """

        async def run(conn: Connection) -> Result:
            async with self.within(conn, signature) as unit:
                result = await work(unit)
                unit.check_made(result)
            return result

        return await self.db.transaction(run)
