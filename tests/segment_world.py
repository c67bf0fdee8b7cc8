"""A project whose clock stands still until it is moved: the set-up of the proofs about membership.

The database of such a project has functions `clock_timestamp` and `statement_timestamp` of its own, found before
PostgreSQL's, that read the time from a table. So a value can lie exactly on a bound, and a step can be taken at exactly
the moment that matters.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from rapport.activity.log import INTERNAL, internal
from rapport.core.clock import iso
from rapport.core.db import Connection, Database, connect
from rapport.core.ids import new_id
from rapport.customers import actions as customers
from rapport.customers.deciding import Happening
from rapport.customers.models import Customer
from rapport.customers.schemas import CustomerInput
from rapport.customers.writes import Unit, Writer
from rapport.events import queries as events
from rapport.events.actions import counted
from rapport.events.models import Event
from rapport.http.caller import Caller
from rapport.orders import actions as orders
from rapport.orders.schemas import OrderInput
from rapport.projects.actions import create_key
from rapport.projects.models import NewKey
from rapport.segments import actions
from rapport.segments.membership import SegmentDecider
from rapport.segments.schemas import SegmentInput, SegmentUpdate
from rapport.segments.static import actions as static
from segment_steps import SegmentTasks

MILLISECOND = timedelta(milliseconds=1)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
START = datetime(2026, 6, 15, 12, tzinfo=UTC)
MOST_STEPS = 10_000
MOST_WAITS = 1_000
_HOLD = """
CREATE SCHEMA held;
CREATE TABLE held.clock (at timestamptz NOT NULL);
INSERT INTO held.clock VALUES ('2026-06-15 12:00:00+00');
CREATE FUNCTION held.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT at FROM held.clock';
CREATE FUNCTION held.statement_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT at FROM held.clock';
"""
_WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name = $1
"""


def held(url: str) -> str:
    """Return the address of the same database for connections that go by its own clock."""
    return f"{url}{'&' if '?' in url else '?'}search_path=held%2Cpg_catalog%2Cpublic"


async def hold_clock(url: str) -> str:
    """Make the clock that stands still in a new database; return the address that goes by it."""
    db = await connect(url)
    async with db.read() as conn:
        await conn.execute(_HOLD)
    await db.close()
    return held(url)


class SegmentWorld:
    """One project, who writes to it, and the worker's steps about segments, taken one by one."""

    def __init__(self, url: str, db: Database, key: NewKey, project_id: int) -> None:
        """Use `open_world` to make one."""
        self.url = url
        self.db = db
        self.key = key
        self.project_id = project_id
        self.writer = Writer(db, SegmentDecider())
        self.tasks = SegmentTasks(self.writer)

    @property
    def headers(self) -> dict[str, str]:
        """The keys of the project."""
        return {"X-App-Id": self.key.app_id, "X-App-Token": self.key.app_token}

    async def now(self) -> datetime:
        """Return what the clock shows."""
        return await self.fetchval("SELECT at FROM held.clock")  # type: ignore[no-any-return]

    async def set_clock(self, at: datetime) -> datetime:
        """Set the clock."""
        await self.execute("UPDATE held.clock SET at = $1", at)
        return at

    async def advance(self, by: timedelta) -> datetime:
        """Move the clock."""
        return await self.set_clock(await self.now() + by)

    async def fetchval(self, query: str, *parameters: object) -> Any:
        """Return one value."""
        async with self.db.read() as conn:
            return await conn.fetchval(query, *parameters)

    async def fetch(self, query: str, *parameters: object) -> list[Any]:
        """Return rows."""
        async with self.db.read() as conn:
            return await conn.fetch(query, *parameters)  # type: ignore[no-any-return]

    async def execute(self, query: str, *parameters: object) -> None:
        """Run a statement past the API."""
        async with self.db.read() as conn:
            await conn.execute(query, *parameters)

    async def commit(self, work: Callable[[Unit], Awaitable[Any]], writer: Writer | None = None) -> Any:
        """Run a unit of work."""
        return await (writer or self.writer).commit(internal(self.project_id), work)

    @property
    def caller(self) -> Caller:
        """Who calls the API."""
        return Caller(self.project_id, self.db, "request", INTERNAL)

    async def segment(self, raw: dict[str, Any], kind: str = "auto-update", *, settled: bool = True) -> str:
        """Make a segment with a filter and have it filled, unless told otherwise; return its id."""
        made = await actions.create(
            self.caller, msgspec.convert({"name": "S", "type": kind, "filter": raw}, SegmentInput)
        )
        if settled:
            await self.settle_segments()
        return made.id

    async def static(self, *customers: Customer) -> str:
        """Make a static segment and return its id."""
        data = SegmentInput(name="S", type="static", customers=[one.id for one in customers])
        return (await static.create(self.caller, data)).id

    async def place(self, segment_id: str, *customers: Customer, member: bool) -> None:
        """Put customers into a static segment or take them out."""
        ids = [one.id for one in customers]
        await static.set_customers(self.writer, self.caller, segment_id, ids, member=member)

    async def edit(self, segment_id: str, **fields: Any) -> None:
        """Change a segment."""
        await actions.update(self.caller, segment_id, SegmentUpdate(**fields), ())

    async def drop(self, segment_id: str) -> None:
        """Delete a segment."""
        await actions.delete(self.caller, segment_id, ())

    async def state(self, segment_id: str) -> str | None:
        """Return what the worker is at with a segment."""
        query = "SELECT state FROM segments WHERE project_id = $1 AND id = $2"
        return await self.fetchval(query, self.project_id, segment_id)  # type: ignore[no-any-return]

    async def inside(self, segment_id: str) -> set[str]:
        """Return the source ids of the stored members of a segment."""
        query = (
            "SELECT source_id FROM segment_members JOIN customers ON customers.project_id = $1 AND id = customer_id "
            "WHERE segment_members.project_id = $1 AND segment_id = $2 AND entered_at IS NOT NULL"
        )
        return {row[0] for row in await self.fetch(query, self.project_id, segment_id)}

    async def order(self, source_id: str, customer: str, amount: int = 1, status: str = "PAID", **more: Any) -> None:
        """Save an order of a customer."""
        body = {"source_id": source_id, "amount": amount, "status": status, "customer": {"source_id": customer}}
        await orders.save(self.writer, internal(self.project_id), msgspec.convert({**body, **more}, OrderInput))

    async def remove(self, source_id: str) -> None:
        """Delete a customer."""
        await customers.delete(self.writer, internal(self.project_id), source_id)

    async def save(self, source_id: str, writer: Writer | None = None, **fields: Any) -> Customer:
        """Make or change a customer as the API does."""

        async def work(unit: Unit) -> Customer:
            return (await unit.upsert(msgspec.convert({"source_id": source_id, **fields}, CustomerInput)))[0]

        return await self.commit(work, writer)  # type: ignore[no-any-return]

    async def track(self, customer_id: str, name: str, at: datetime | None = None) -> None:
        """Store an event of a customer at any time, also one that is over or still to come."""

        async def work(unit: Unit) -> None:
            await unit.lock_all([customer_id])
            await add_event(unit, customer_id, name, at or unit.now)

        await self.commit(work)

    async def pass_time(self) -> None:
        """Deal with the time that has passed."""
        await _until_done(lambda: self.tasks.pass_time(self.db))

    async def at_rest(self) -> bool:
        """Tell whether the worker has nothing to do for any segment, hidden ones included."""
        unsettled = "SELECT EXISTS (SELECT FROM segments WHERE project_id = $1 AND state <> 'live')"
        return not await self.fetchval(unsettled, self.project_id)

    async def settle_segments(self) -> None:
        """Do the worker's work for new, changed and deleted segments until there is none."""
        await self._settle(lambda: self.tasks.settle(self.db))

    async def settle(self) -> None:
        """Do all of the worker's work for segments until there is none."""

        async def step() -> bool:
            await self.tasks.watch_clock(self.db)
            passed = await self.tasks.pass_time(self.db)
            return await self.tasks.settle(self.db) or passed

        await self._settle(step)

    async def _settle(self, step: Callable[[], Awaitable[bool]]) -> None:
        """Take steps until every segment is at rest; some wait for transactions, also of the server itself."""
        for _ in range(MOST_WAITS):
            await _until_done(step)
            if await self.at_rest():
                return
            await asyncio.sleep(0.02)
        raise AssertionError("a segment never comes to rest")

    async def forget(self) -> None:
        """Take the project out of the worker's sight."""
        for table in ("segments", "segment_members", "segment_ticks"):
            await self.execute(f"DELETE FROM {table} WHERE project_id = $1", self.project_id)


async def _until_done(step: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(MOST_STEPS):
        if not await step():
            return
    raise AssertionError("the worker never says that it is done")


async def add_event(
    unit: Unit, customer_id: str, name: str, at: datetime, metadata: dict[str, Any] | None = None
) -> None:
    """Store an event of a locked customer, as tracking one does, but at any time."""
    await events.insert(unit.conn, unit.project_id, [Event(customer_id, name, at, new_id("ev"), metadata or {})])
    unit.put(counted(unit.get(customer_id), name, iso(at)))
    unit.happened(customer_id, added=Happening("events", name, at, 0, {"metadata": metadata or {}}))


async def open_world(db: Database, url: str, name: str, zone: str | None = None) -> SegmentWorld:
    """Make a project in a database whose clock is held."""
    key = await create_key(db, f"{name[:80]} {os.urandom(4).hex()}", "server", time_zone=zone)
    async with db.read() as conn:
        project_id = int(await conn.fetchval("SELECT project_id FROM projects WHERE id = $1", key.project_id))
    return SegmentWorld(url, db, key, project_id)


class Paused:
    """A unit of work that is stopped where it calls `here`, its transaction open, until it is let go."""

    def __init__(self) -> None:
        """Not there yet."""
        self._reached = asyncio.Event()
        self._going = asyncio.Event()
        self.task: asyncio.Task[Any] | None = None

    async def here(self) -> None:
        """Stop here."""
        self._reached.set()
        await self._going.wait()

    async def start(self, work: Awaitable[Any]) -> None:
        """Run `work` until it stops."""
        self.task = asyncio.ensure_future(work)
        reached = asyncio.ensure_future(self._reached.wait())
        await asyncio.wait({self.task, reached}, return_when=asyncio.FIRST_COMPLETED)
        reached.cancel()
        if self.task.done():
            self.task.result()
            raise AssertionError("it did not stop on its way")

    async def go_on(self) -> Any:
        """Let it go and wait for its end."""
        self._going.set()
        assert self.task
        return await self.task


async def waits(world: SegmentWorld, work: Awaitable[Any], name: str = "rapport") -> asyncio.Task[Any]:
    """Run `work` until one more connection called `name` waits for a lock; return the task."""
    before = await world.fetchval(_WAITING, name)
    task = asyncio.ensure_future(work)
    while await world.fetchval(_WAITING, name) <= before:
        if task.done():
            task.result()
            raise AssertionError("it did not wait for any lock")
        await asyncio.sleep(0.005)
    return task


@contextlib.asynccontextmanager
async def holding(world: SegmentWorld, *statements: str) -> AsyncIterator[Connection]:
    """Keep what the statements lock until the end of the block."""
    async with world.db.read() as conn, conn.transaction():
        for statement in statements:
            await conn.execute(statement)
        yield conn


def ids(customers: Iterable[Customer]) -> list[str]:
    """Return the ids of customers, in order."""
    return sorted(one.id for one in customers)
