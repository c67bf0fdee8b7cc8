"""Membership: what a customer's new state means for every segment, inside the transaction that changes it."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from rapport.core.db import Connection, Database
from rapport.customers.models import Customer
from rapport.customers.writes import Decision, Moment
from rapport.segments import queries
from rapport.segments.evaluate import Facts, evaluate
from rapport.segments.filters import Window
from rapport.segments.models import Definition, definitions

# Projects whose definitions are kept in memory at a time.
MAX_PROJECTS = 1_000

Times = Mapping[str, Mapping[Window, Sequence[datetime]]]


@dataclass(frozen=True, slots=True)
class Definitions:
    """A project's segments with filters, in the order in which they are evaluated, as of one version."""

    version: int
    ordered: tuple[Definition, ...]
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What was read after the locks."""

    definitions: Definitions
    members: Mapping[str, frozenset[str]]
    times: Times


def decide(
    definitions: Definitions,
    customer: Customer,
    members: frozenset[str],
    times: Mapping[Window, Sequence[datetime]],
    now: datetime,
    zone: ZoneInfo,
    only: frozenset[str] | None = None,
) -> Decision:
    """Return which segments (all, or those in `only`) the customer enters and leaves, and when to look again. Pure.

    Segments are evaluated after those that their filters name, so a chain settles in one pass.
    """
    current = set(members)
    next_check_at: datetime | None = None
    entered: list[tuple[str, str, bool]] = []
    left: list[tuple[str, str, bool]] = []
    facts = Facts(customer, current, times)
    for definition in definitions.ordered:
        if only is not None and definition.id not in only:
            continue
        verdict = evaluate(definition.filter, facts, now, zone)
        if verdict.until is not None and (next_check_at is None or verdict.until < next_check_at):
            next_check_at = verdict.until
        change = (definition.id, definition.name, definition.recorded)
        if verdict.matches and definition.id not in current:
            current.add(definition.id)
            entered.append(change)
        elif not verdict.matches and definition.id in current:
            current.remove(definition.id)
            left.append(change)
    return Decision(entered, left, next_check_at)


class SegmentDecider:
    """Decides with the definitions that are current at the moment, kept in memory between requests."""

    def __init__(self) -> None:
        """Start with nothing remembered."""
        self._definitions: dict[int, Definitions] = {}

    async def open(self, conn: Connection, db: Database, project_id: int, customer_ids: list[str]) -> Moment:
        """Read the time, the definitions' version and the memberships; definitions and events only where needed."""
        now, zone_name, version, pairs = await queries.open_moment(conn, project_id, db.clock_offset, customer_ids)
        found = self._definitions.get(project_id)
        if found is None or found.version != version:
            found = await self._load(conn, project_id)
        members: dict[str, set[str]] = defaultdict(set)
        for customer_id, segment_id in pairs:
            members[customer_id].add(segment_id)
        zone = ZoneInfo(zone_name)
        times = await self._times(conn, project_id, now, zone, customer_ids, found)
        known = Known(found, {one: frozenset(ids) for one, ids in members.items()}, times)
        return Moment(now, zone, known)

    async def _load(self, conn: Connection, project_id: int) -> Definitions:
        # The version first: what is read after it can only be newer, and is then read again next time.
        version = await queries.read_version(conn, project_id)
        ordered = tuple(definitions(await queries.all_with_filter(conn, project_id)))
        windows = tuple(dict.fromkeys(window for one in ordered for window in one.filter.windows))
        found = Definitions(version, ordered, windows)
        if len(self._definitions) >= MAX_PROJECTS:
            self._definitions.clear()
        self._definitions[project_id] = found
        return found

    async def _times(
        self,
        conn: Connection,
        project_id: int,
        now: datetime,
        zone: ZoneInfo,
        customer_ids: list[str],
        found: Definitions,
    ) -> Times:
        if not found.windows or not customer_ids:
            return {}
        times: dict[str, dict[Window, Sequence[datetime]]] = defaultdict(dict)
        for number, customer_id, instants in await queries.event_times(
            conn, project_id, now, zone, customer_ids, found.windows
        ):
            times[customer_id][found.windows[number]] = instants
        return times

    async def decide(
        self,
        conn: Connection,
        project_id: int,
        moment: Moment,
        customers: list[Customer],
        *,
        events_added: bool,
        only: frozenset[str] | None,
    ) -> list[Decision]:
        """Decide for each customer; events of this very transaction are read again.

        Lets other work of the process go on between customers: there may be many, and many segments.
        """
        known: Known = moment.known
        ids = [customer.id for customer in customers]
        times = known.times
        if events_added:
            times = await self._times(conn, project_id, moment.now, moment.zone, ids, known.definitions)
        decided: list[Decision] = []
        for customer in customers:
            if decided:
                await asyncio.sleep(0)
            members, events = known.members.get(customer.id, frozenset()), times.get(customer.id, {})
            decided.append(decide(known.definitions, customer, members, events, moment.now, moment.zone, only))
        return decided

    async def write(self, conn: Connection, project_id: int, moment: Moment, decisions: dict[str, Decision]) -> None:
        """Write the memberships that changed."""
        entered = [(change[0], customer_id) for customer_id, one in decisions.items() for change in one.entered]
        left = [(change[0], customer_id) for customer_id, one in decisions.items() for change in one.left]
        if left:
            await queries.leave(conn, project_id, left)
        if entered:
            await queries.enter(conn, project_id, moment.now, entered)

    async def forget(self, conn: Connection, project_id: int, customer_id: str) -> None:
        """Remove a deleted customer from every segment."""
        await queries.leave_all(conn, project_id, customer_id)
