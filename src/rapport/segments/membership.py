"""Membership: what a change of a customer means for the segments, inside the transaction that makes it."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import timedelta
from heapq import heapify, heappop, heappush
from zoneinfo import ZoneInfo

from rapport.core.db import Connection, Database
from rapport.customers.deciding import Change, Decision, Happening, Moment, Turn
from rapport.customers.models import Customer
from rapport.metadata.definitions import Definitions as MetadataDefinitions
from rapport.segments.definitions import Definitions
from rapport.segments.evaluate import matches
from rapport.segments.indexes import Clocks
from rapport.segments.matcher import BLANK, FieldTests, Matcher, clocks
from rapport.segments.models import Definition, Stored, StoredMoment
from rapport.segments.stored import queries
from rapport.segments.times import Clock, to_ms
from rapport.segments.tree import Facts, Window
from rapport.segments.window_index import Pairs, WindowIndex
from rapport.segments.windows.queries import load_windows

Windows = Mapping[Window, Pairs]
_ABSENT = Stored(None, logged=False)
# A back-fill locks no customer, and may have looked at a clock that is later than that of a writer who comes after it.
_LATER = timedelta(minutes=1)
# Of deciding, before other work of the process goes on.
_AT_A_STRETCH_S = 0.002


@dataclass(frozen=True, slots=True)
class Known:
    """What decisions begin with: the definitions, the moment as they look at it, and who had dates still to come."""

    matcher: Matcher
    at: Clocks
    ahead: frozenset[str]


@dataclass(slots=True)
class Writes:
    """What has to be written for a decision: rows of membership and of moments."""

    joined: list[tuple[str, bool]] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    ruled_out: list[str] = field(default_factory=list)
    logged_now: list[str] = field(default_factory=list)
    moments_added: set[tuple[str, StoredMoment]] = field(default_factory=set)
    moments_removed: set[tuple[str, StoredMoment]] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a decision about one customer looks at: rows of membership, windows, and which rows were just made."""

    stored: Mapping[str, Stored]
    windows: Windows
    fresh: AbstractSet[str]


def decide(matcher: Matcher, change: Change, positions: set[int], at: Situation, moment: Moment) -> Decision:
    """Return which of the segments (and of those that name what turns) the customer enters and leaves. Pure.

    Segments are evaluated after those that their filters name, so a chain settles in one pass.
    """
    deciding = _Deciding(change, at, moment)
    agenda = list(positions)
    for segment_id in deciding.place():
        agenda.extend(matcher.naming(segment_id))
    heapify(agenda)
    last = -1
    while agenda:
        number = heappop(agenda)
        if number == last:
            continue
        last = number
        if deciding.decide(matcher.ordered[number]):
            for naming in matcher.naming(matcher.ordered[number].id):
                heappush(agenda, naming)
    return Decision(deciding.entered, deciding.left, deciding.not_before, deciding.writes)


class _Deciding:
    """The decision about one customer while it is made."""

    def __init__(self, change: Change, at: Situation, moment: Moment) -> None:
        self._change, self._at, self._moment = change, at, moment
        self._current = {segment_id for segment_id, row in at.stored.items() if row.is_in}
        self._facts = Facts(change.new, self._current, at.windows)
        self._clock = Clock(moment.now, moment.zone)
        self.entered: list[Turn] = []
        self.left: list[Turn] = []
        self.not_before = moment.now
        self.writes = Writes()

    def place(self) -> list[str]:
        """Put the customer in and out of static segments; return those that turn."""
        turned = []
        for segment_id, member in self._change.placed.items():
            if member is not (segment_id in self._current):
                turned.append(segment_id)
                if member:
                    self._current.add(segment_id)
                    self.writes.joined.append((segment_id, False))
                else:
                    self._current.discard(segment_id)
                    self.writes.left.append(segment_id)
        return turned

    def decide(self, one: Definition) -> bool:
        """Decide about a segment; return whether it turns."""
        row = self._at.stored.get(one.id, _ABSENT)
        is_in = one.filter.root.check(self._facts, self._clock)
        if is_in is row.is_in:
            if is_in and one.recorded and not row.logged:
                self.entered.append(Turn(one.id, one.name, logged=True, back_fill=True))
                self.writes.logged_now.append(one.id)
            return False
        if is_in:
            self.entered.append(Turn(one.id, one.name, one.recorded, self._was_in(one)))
            self.writes.joined.append((one.id, one.recorded))
            self._current.add(one.id)
        else:
            self.left.append(Turn(one.id, one.name, row.logged))
            (self.writes.ruled_out if one.always else self.writes.left).append(one.id)
            self._current.discard(one.id)
            if row.entered_at is not None and self._moment.now < row.entered_at < self._moment.now + _LATER:
                self.not_before = max(self.not_before, row.entered_at)
        return True

    def _was_in(self, one: Definition) -> bool:
        """Tell whether the customer would have been in a segment under construction before this change."""
        change = self._change
        if one.id not in self._at.fresh or change.old is None or change.added or change.removed:
            return False
        return one.filter.root.check(Facts(change.old, self._current, self._at.windows), self._clock)


class SegmentDecider:
    """Decides with the definitions that are current at the moment, kept in memory between requests."""

    def __init__(self) -> None:
        """Start with nothing remembered."""
        self._definitions = Definitions()
        self._metadata = MetadataDefinitions()

    async def open(self, conn: Connection, db: Database, project_id: int, customer_ids: list[str]) -> Moment:
        """Read the time, the zone, and the definitions of segments and metadata if they have changed."""
        found = await queries.open_moment(conn, project_id, db.clock_offset, customer_ids)
        zone = ZoneInfo(found.zone_name)
        matcher = await self._definitions.matcher(conn, project_id, found.version)
        known = Known(matcher, clocks(found.now, found.ticked_to, zone), frozenset(found.ahead))
        schemas = await self._metadata.schemas(conn, project_id, found.metadata_version)
        return Moment(found.now, zone, known, schemas)

    async def decide(
        self, conn: Connection, project_id: int, moment: Moment, changes: Sequence[Change]
    ) -> list[Decision]:
        """Decide about each change; only segments that it may turn are looked at.

        Lets other work of the process go on between customers: there may be many.
        """
        known: Known = moment.known
        matcher = known.matcher
        reached: list[set[int]] = []
        moments: list[Writes] = []
        for change in changes:
            fields = touched(matcher, change)
            reached.append(wanted(matcher, change, fields, known.at, ahead=change.new.id in known.ahead))
            moments.append(dates_of(matcher, change, fields, known.at.now))
        for change, positions in zip(changes, reached, strict=True):
            if change.added or change.removed:
                positions.update(await self._counting(conn, project_id, moment, change))
        if not any(reached) and not any(change.placed for change in changes):
            return [Decision(more=one) for one in moments]
        situations = await self._situations(conn, project_id, moment, changes, reached)
        await self._note_times_to_come(conn, project_id, moment, changes, moments)
        decided: list[Decision] = []
        rested_at = time.monotonic()
        for change, positions, at, dates in zip(changes, reached, situations, moments, strict=True):
            if time.monotonic() - rested_at > _AT_A_STRETCH_S:
                await asyncio.sleep(0)
                rested_at = time.monotonic()
            decision = decide(matcher, change, positions, at, moment)
            decision.more.moments_added, decision.more.moments_removed = dates.moments_added, dates.moments_removed
            decided.append(decision)
        return decided

    async def _counting(self, conn: Connection, project_id: int, moment: Moment, change: Change) -> set[int]:
        """Return the segments that events or orders of this change may turn."""
        known: Known = moment.known
        probes: list[tuple[WindowIndex, list[Happening], list[Happening]]] = []
        for kind in {(one.source, one.name) for one in (*change.added, *change.removed)}:
            for index in known.matcher.windows.get(kind, {}).values():
                window = index.probe
                added, removed = (
                    [one for one in some if (one.source, one.name) == kind and counted_at(window, one, moment.zone)]
                    for some in (change.added, change.removed)
                )
                if added or removed:
                    probes.append((index, added, removed))
        found: set[int] = set()
        if not probes:
            return found
        windows = [deeper(index.probe, len(added) - 1) for index, added, _ in probes]
        rows = await load_windows(conn, project_id, moment.now, moment.zone, [change.new.id], windows)
        loaded = {number: pairs for number, _, pairs in rows}
        for number, (index, added, removed) in enumerate(probes):
            after = loaded.get(number, [])
            before = undone(after, added, removed)
            holding, held = (index.holding(pairs, known.at.now) for pairs in (after, before))
            for owners in index.differing(held, holding):
                found.update(owners)
            for owners in index.crossed(before, known.at, ahead=change.new.id in known.ahead):
                found.update(owners)
        return found

    async def _note_times_to_come(
        self, conn: Connection, project_id: int, moment: Moment, changes: Sequence[Change], moments: Sequence[Writes]
    ) -> None:
        """Add the times to come of the events and orders that a segment under construction counts."""
        windows = moment.known.matcher.windows_while_filling
        if not windows:
            return
        by_id = {change.new.id: writes for change, writes in zip(changes, moments, strict=True)}
        for number, customer_id, pairs in await load_windows(
            conn, project_id, moment.now, moment.zone, list(by_id), windows, ahead=True
        ):
            name = window_field(windows[number].source, windows[number].name)
            by_id[customer_id].moments_added |= {
                (name, StoredMoment(is_day=False, at=at)) for at, _ in pairs if at > to_ms(moment.now)
            }

    async def _situations(
        self,
        conn: Connection,
        project_id: int,
        moment: Moment,
        changes: Sequence[Change],
        positions: Sequence[set[int]],
    ) -> list[Situation]:
        """Read what the decisions look at: for segments that may turn, and for those that name them."""
        matcher: Matcher = moment.known.matcher
        reached = set().union(*positions)
        for segment_id in (*(matcher.ordered[one].id for one in frozenset(reached)), *_placed(changes)):
            reached |= matcher.followers(segment_id)
        definitions = [matcher.ordered[number] for number in sorted(reached)]
        ids = {one.id for one in definitions}.union(_placed(changes), *(one.filter.segment_ids for one in definitions))
        people = [change.new.id for change in changes]
        # Nothing is stored of who was just made but what they came with.
        known = [change.new.id for change in changes if change.old is not None]
        counting = [change.new.id for change in changes if change.old is not None or change.added]
        fresh: dict[str, set[str]] = defaultdict(set)
        if matcher.always:
            pairs = [(matcher.ordered[one].id, who) for one in sorted(matcher.always) for who in people]
            for segment_id, customer_id in await queries.claim(conn, project_id, pairs):
                fresh[customer_id].add(segment_id)
        stored = await queries.stored_rows(conn, project_id, known, sorted(ids)) if known else {}
        windows = list(dict.fromkeys(window for one in definitions for window in one.filter.windows))
        pairs_of: dict[str, dict[Window, Pairs]] = defaultdict(dict)
        rows = await load_windows(conn, project_id, moment.now, moment.zone, counting, windows) if windows else []
        for number, customer_id, inside in rows:
            pairs_of[customer_id][windows[number]] = inside
        return [Situation(stored.get(who, {}), pairs_of.get(who, {}), fresh.get(who, frozenset())) for who in people]

    async def write(
        self, conn: Connection, project_id: int, moment: Moment, decided: Sequence[tuple[str, Decision]]
    ) -> None:
        """Write the memberships that changed, and the moments."""
        some = [(customer_id, decision.more) for customer_id, decision in decided if decision.more is not None]
        left = [(segment_id, who) for who, one in some for segment_id in one.left]
        ruled_out = [(segment_id, who) for who, one in some for segment_id in one.ruled_out]
        joined = [(segment_id, who, logged) for who, one in some for segment_id, logged in one.joined]
        logged_now = [(segment_id, who) for who, one in some for segment_id in one.logged_now]
        if left:
            await queries.leave(conn, project_id, moment.now, left)
        if ruled_out:
            await queries.rule_out(conn, project_id, moment.now, ruled_out)
        if joined:
            await queries.enter(conn, project_id, moment.now, joined)
        if logged_now:
            await queries.set_logged(conn, project_id, logged_now)
        added = [(path, date, who) for who, one in some for path, date in one.moments_added]
        removed = [(path, date, who) for who, one in some for path, date in one.moments_removed]
        if added or removed:
            await queries.keep_moments(conn, project_id, moment.now, added, removed)

    async def among(
        self, conn: Connection, project_id: int, moment: Moment, customer: Customer, segment_ids: Collection[str]
    ) -> frozenset[str]:
        """Return those of the segments that the customer is in by this state, whatever is stored of it yet."""
        matcher: Matcher = moment.known.matcher
        asked = set(segment_ids)
        agenda = list(asked)
        while agenda:
            number = matcher.position.get(agenda.pop())
            further = matcher.ordered[number].filter.segment_ids - asked if number is not None else ()
            asked.update(further)
            agenda.extend(further)
        with_filter = sorted(matcher.position[one] for one in asked if one in matcher.position)
        definitions = [matcher.ordered[number] for number in with_filter]
        fixed = sorted(asked.difference(matcher.position))
        rows = (await queries.stored_rows(conn, project_id, [customer.id], fixed)).get(customer.id, {}) if fixed else {}
        current = {segment_id for segment_id, row in rows.items() if row.is_in}
        windows = list(dict.fromkeys(window for one in definitions for window in one.filter.windows))
        loaded = await load_windows(conn, project_id, moment.now, moment.zone, [customer.id], windows)
        pairs = {windows[number]: found for number, _, found in loaded}
        facts = Facts(customer, current, pairs)
        for one in definitions:
            if matches(one.filter, facts, moment.now, moment.zone):
                current.add(one.id)
        return frozenset(current.intersection(segment_ids))

    async def forget(self, conn: Connection, project_id: int, moment: Moment, *customer_ids: str) -> None:
        """Remove deleted customers from every segment; those being filled are told not to take them in any more."""
        matcher: Matcher = moment.known.matcher
        building = [matcher.ordered[number].id for number in sorted(matcher.always)]
        await queries.leave_all(conn, project_id, moment.now, customer_ids, building)


def touched(matcher: Matcher, change: Change) -> list[FieldTests]:
    """Return the tests of the fields that a change touches; of a new customer only what tells them apart. Pure."""
    if change.old is None:
        return list(matcher.of_new.touched(BLANK, change.new))
    return [] if change.old is change.new else list(matcher.touched(change.old, change.new))


def wanted(matcher: Matcher, change: Change, fields: Sequence[FieldTests], at: Clocks, *, ahead: bool) -> set[int]:
    """Return the segments that the change of a customer's own data may turn, and those that are asked for. Pure.

    `fields` are those that it touches. `ahead`: a date of the customer may have been still to come when it was written.
    """
    found = {matcher.position[one] for one in change.look_at if one in matcher.position}
    found |= matcher.always
    if change.old is None:
        found |= matcher.baseline
    before = BLANK if change.old is None else change.old
    for tests in fields:
        tests.flips(before, change.new, at, found, ahead=ahead)
    return found


def dates_of(matcher: Matcher, change: Change, fields: Sequence[FieldTests], now: Clock) -> Writes:
    """Return which dates the customer has now and had not before, in the fields that time is watched in. Pure."""
    writes = Writes()
    for tests in matcher.timed_fields if change.old is None else fields:
        if tests.is_timed:
            old = set() if change.old is None else tests.moments(change.old, now)
            new = tests.moments(change.new, now)
            writes.moments_added |= {(tests.field.path, one) for one in new - old}
            writes.moments_removed |= {(tests.field.path, one) for one in old - new}
    for tests in matcher.watched_while_filling:
        writes.moments_added |= {(tests.field.path, one) for one in tests.moments(change.new, now)}
    # What is taken back stays there: another one may have the same time.
    for one in change.added:
        if to_ms(one.at) > now.now and (one.source, one.name) in matcher.windows:
            date = StoredMoment(is_day=False, at=to_ms(one.at))
            writes.moments_added.add((window_field(one.source, one.name), date))
    return writes


def window_field(source: str, name: str) -> str:
    """Return under which name `segment_moments` holds the times to come of events and orders."""
    return f"{source}.{name}"


def _placed(changes: Sequence[Change]) -> set[str]:
    return {segment_id for change in changes for segment_id in change.placed}


def counted_at(window: Window, one: Happening, zone: ZoneInfo) -> bool:
    """Tell whether an event or order is one that a window looks at, whenever."""
    lower, upper = window.fixed(zone)
    return lower <= to_ms(one.at) < upper and (window.where is None or window.where.check(one.values, zone))


def deeper(window: Window, by: int) -> Window:
    """Return the window with `by` more of its newest rows: so many are taken away to see what was before. Pure."""
    return window if window.limit is None or by <= 0 else replace(window, limit=window.limit + by)


def undone(pairs: Pairs, added: Sequence[Happening], removed: Sequence[Happening]) -> list[tuple[int, int]]:
    """Return what was there before: without what was added, with what was removed; newest first."""
    before = list(pairs)
    for one in added:
        pair = (to_ms(one.at), one.amount)
        if pair in before:
            before.remove(pair)
    before += [(to_ms(one.at), one.amount) for one in removed]
    return sorted(before, reverse=True)
