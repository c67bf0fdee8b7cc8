"""Whatever happens to customers and segments, and whenever: membership is what the filters say, by every account.

A program is drawn as plain data: customers come, change, buy, act and go; segments of all types are made, edited and
deleted; data comes late, ahead of its time, is corrected and taken back; the clock goes on, to the very millisecond at
which something turns. `RAPPORT_SOAK=1` runs many times as many.
"""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx2
import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings

import harness
import segment_checks as checks
from conftest import Api
from filter_values import SEGMENTS
from rapport.core import jsons
from rapport.core.clock import iso
from rapport.core.db import Database, connect
from rapport.core.errors import NotFound
from rapport.customers.models import ADDRESS_FIELDS, Customer
from rapport.customers.writes import Unit
from segment_programs import KEPT, PEOPLE, Program, programs
from segment_world import MILLISECOND, SegmentWorld, add_event, hold_clock, open_world

SOAK = bool(os.environ.get("RAPPORT_SOAK"))
PROGRAMS, CASES = (1_000, 200_000) if SOAK else (40, 5_000)


def with_ids(raw: Any, known: list[str]) -> Any:
    """Put ids of segments in the place of `seg_1` and the like."""
    if isinstance(raw, dict):
        return {name: with_ids(value, known) for name, value in raw.items()}
    if isinstance(raw, list):
        return [with_ids(value, known) for value in raw]
    if known and isinstance(raw, str) and raw in SEGMENTS:
        return known[SEGMENTS.index(raw) % len(known)]
    return raw


class Unchecked(Api):
    """A client whose answers are not held against the document: programs store what no feature would."""

    request = httpx2.Client.request  # type: ignore[assignment]


@dataclass
class Run:
    """A program at work in a project of its own."""

    world: SegmentWorld
    api: Api
    program: Program
    segments: list[str] = field(default_factory=list)
    statics: dict[str, set[str]] = field(default_factory=dict)
    converted: set[str] = field(default_factory=set)
    seen: dict[datetime, set[checks.Pair]] = field(default_factory=dict)
    cases: int = 0
    calm: bool = True

    async def run(self) -> None:
        """Take every step; check after each that leaves nothing for the worker to do, and when that is done."""
        await self.world.set_clock(self.program.now)
        for who in range(min(PEOPLE, len(self.program.states))):
            await self.do_save(who, who, ["name"])
            await self.do_put(who, who, KEPT)
        for choice, kind in enumerate(self.program.kinds):
            await self.do_segment(choice, kind)
        for step, settled in self.program.steps:
            name, *arguments = step
            await getattr(self, f"do_{name}")(*arguments)
            if self.calm:
                await self.check()
            if settled:
                await self.settle()
        await self.settle()
        await checks.assert_history(self.world.db, self.world.project_id, self.seen, self.converted)

    async def settle(self) -> None:
        """Let the worker do all it can, and check."""
        await self.world.settle()
        self.calm = True
        await self.check()

    async def check(self) -> None:
        """Hold everything against everything."""
        picture = await checks.assert_exact(self.world.db, self.world.project_id, self.statics, self.converted)
        self.cases += len(picture.customers) * len(picture.segments)
        self.seen[picture.now] = {pair for pair, (at, _) in picture.members.items() if at is not None}

    async def changes(self) -> None:
        """Note that something is about to be written at this moment: what was seen then is not the last word."""
        self.seen.pop(await self.world.now(), None)

    def call(self, method: str, path: str, body: Any = None, *refusals: int) -> Any:
        """Make a call that may be refused with these statuses; return None if it was."""
        answer = self.api.request(
            method,
            path,
            content=None if body is None else jsons.encode(body),
            headers={"Content-Type": "application/json"},
        )
        assert answer.status_code in (200, 204, *refusals), f"{method} {path} {body}: {answer.text}"
        if answer.status_code not in (200, 204):
            return None
        return jsons.decode(answer.content) if answer.content else {}

    async def do_save(self, who: int, state: int, said: list[str]) -> None:
        """Save a customer through the API."""
        await self.changes()
        values = {name: getattr(self.program.states[state], name) for name in sorted(said)}
        if values.get("birthdate"):
            values["birthdate"] = values["birthdate"].isoformat()
        if "address" in values:
            values["address"] = {name: values["address"].get(name, "") for name in ADDRESS_FIELDS}
        self.call("POST", "/v1/customers", {"source_id": f"c{who}", **values}, 400)

    async def do_put(self, who: int, state: int, kept: Sequence[str]) -> None:
        """Set what features keep of a customer, past the API and through the write path."""
        await self.put(who, lambda _: {name: getattr(self.program.states[state], name) for name in kept})

    async def do_date(self, who: int, name: str, shift: int) -> None:
        """Set a date of a customer."""
        at = await self.later(shift)

        def dates(found: Customer) -> dict[str, Any]:
            field, _, key = name.partition(".")
            value = {"birthdate": at.date(), "last_order_at": at}.get(name, iso(at))
            return {field: {**getattr(found, field), key: value} if key else value}

        await self.put(who, dates)

    async def put(self, who: int, values: Callable[[Customer], dict[str, Any]]) -> None:
        """Set values of a customer if there is one."""
        await self.changes()

        async def work(unit: Unit) -> None:
            found = await unit.get_locked(f"c{who}")
            unit.put(msgspec.structs.replace(found, **values(found)))

        with suppress(NotFound):
            await self.world.commit(work)

    async def do_order(self, who: int, number: int, status: str, amount: int, shift: int | None, state: int) -> None:
        """Save an order, also a late one or one ahead of its time, or change it."""
        await self.changes()
        body = {
            "source_id": f"o{number}",
            "status": status,
            "amount": amount,
            "customer": {"source_id": f"c{who}"},
            "metadata": self.program.states[state].metadata,
        }
        at = None if shift is None else iso(await self.later(shift))
        self.call("POST", "/v1/orders", body if at is None else {**body, "created_at": at})

    async def do_event(self, who: int, name: str, state: int) -> None:
        """Track an event through the API."""
        await self.changes()
        metadata = self.program.states[state].metadata
        self.call("POST", "/v1/events", {"event": name, "customer": {"source_id": f"c{who}"}, "metadata": metadata})

    async def do_event_at(self, who: int, name: str, shift: int, state: int) -> None:
        """Store an event at any time."""
        await self.changes()
        at = await self.later(shift)

        async def work(unit: Unit) -> None:
            customer = await unit.get_locked(f"c{who}")
            await add_event(unit, customer.id, name, at, self.program.states[state].metadata)

        with suppress(NotFound):
            await self.world.commit(work)

    async def do_remove(self, who: int) -> None:
        """Delete a customer."""
        await self.changes()
        self.call("DELETE", f"/v1/customers/c{who}", None, 404)

    async def do_segment(self, choice: int, kind: str) -> None:
        """Make a segment with a filter."""
        await self.changes()
        raw = with_ids(self.program.filters[choice], self.segments)
        made = self.call("POST", "/v1/segments", {"name": "S", "type": kind, "filter": raw}, 400, 404)
        if made:
            self.segments.append(made["id"])
            self.calm = False

    async def do_static(self, some: list[int]) -> None:
        """Make a static segment."""
        await self.changes()
        ids = self.known(some)
        made = self.call("POST", "/v1/segments", {"name": "S", "type": "static", "customers": ids})
        self.segments.append(made["id"])
        self.statics[made["id"]] = set(ids)

    async def do_edit(self, segment: int, choice: int | None, kind: str | None) -> None:
        """Change a segment's name, and its filter or type."""
        if (segment_id := self.chosen(segment)) is None or segment_id in self.statics:
            return
        await self.changes()
        body = {"name": "T"} | ({"type": kind} if kind else {})
        if choice is not None:
            body["filter"] = with_ids(self.program.filters[choice], self.segments)
        if self.call("PUT", f"/v1/segments/{segment_id}", body, 400, 404) is not None:
            self.converted |= {segment_id} if kind else set()
            self.calm = False

    async def do_drop(self, segment: int) -> None:
        """Delete a segment, unless others name it."""
        if (segment_id := self.chosen(segment)) is None:
            return
        await self.changes()
        if self.call("DELETE", f"/v1/segments/{segment_id}", None, 400, 409) is not None:
            self.segments.remove(segment_id)
            self.statics.pop(segment_id, None)
            self.calm = False

    async def do_members(self, segment: int, some: list[int], added: bool) -> None:
        """Put customers into a static segment, or take them out."""
        ids = self.known(some)
        if not self.statics or not ids:
            return
        await self.changes()
        segment_id = list(self.statics)[segment % len(self.statics)]
        self.call("POST" if added else "DELETE", f"/v1/segments/{segment_id}/customers", {"customers": ids})
        members = self.statics[segment_id]
        self.statics[segment_id] = members | set(ids) if added else members - set(ids)

    async def do_advance(self, milliseconds: int) -> None:
        """Move the clock."""
        await self.world.advance(milliseconds * MILLISECOND)
        self.calm = False

    async def do_turn(self, index: int, shift: int) -> None:
        """Move the clock to a moment at which something turns, or a millisecond beside it."""
        picture = await checks.read(self.world.db, self.world.project_id)
        turns = [at for at in checks.next_turns(picture, self.statics) if at < picture.now + timedelta(days=36_500)]
        wanted = [at + shift * MILLISECOND for at in turns[index : index + 1]]
        await self.world.set_clock(max([picture.now + MILLISECOND, *wanted]))
        self.calm = False

    async def do_work(self, times: int) -> None:
        """Let the worker take some of its steps, so that the rest is in the middle of its work."""
        await self.changes()
        for _ in range(times):
            await self.world.tasks.settle(self.world.db)

    async def later(self, milliseconds: int) -> datetime:
        """Return the time so much from now."""
        return await self.world.now() + milliseconds * MILLISECOND

    def known(self, some: list[int]) -> list[str]:
        """Return the ids of those of the customers that there are."""
        found = [self.call("GET", f"/v1/customers/c{who}", None, 404) for who in sorted(set(some))]
        return [one["id"] for one in found if one]

    def chosen(self, number: int) -> str | None:
        """Return a segment."""
        return self.segments[number % len(self.segments)] if self.segments else None


@dataclass
class Place:
    """A server without a worker on a database whose clock is held."""

    loop: asyncio.AbstractEventLoop
    url: str
    db: Database
    server: harness.Server
    cases: int = 0

    def run(self, program: Program) -> None:
        """Run a program in a project of its own."""
        self.loop.run_until_complete(self._run(program))

    async def _run(self, program: Program) -> None:
        world = await open_world(self.db, self.url, "program", program.zone.key)
        with Unchecked(base_url=self.server.base_url, headers=world.headers, timeout=30, verify=False) as api:
            run = Run(world, api, program)
            try:
                await run.run()
            finally:
                self.cases += run.cases
                await world.forget()


@pytest.fixture(scope="module")
def place(new_database: Callable[[str], str], start_server: Callable[..., harness.Server]) -> Iterator[Place]:
    loop = asyncio.new_event_loop()
    url = loop.run_until_complete(hold_clock(new_database("membership_programs")))
    server = start_server(url, "--workers", "1", "--no-worker")
    db = loop.run_until_complete(connect(url))
    yield Place(loop, url, db, server)
    loop.run_until_complete(db.close())
    loop.close()
    server.stop()


def test_membership_is_the_same_by_every_account_whatever_happens(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    @given(program=programs())
    @settings(
        max_examples=PROGRAMS,
        deadline=None,
        print_blob=True,
        phases=[Phase.reuse, Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    def holds(program: Program) -> None:
        place.run(program)

    holds()
    if SOAK:
        with capsys.disabled():
            print(f"\n{PROGRAMS} programs: membership compared {place.cases} times")  # noqa: T201 (asked for)
    assert place.cases >= CASES, "too few cases to prove anything"
