"""Events in files: their columns, how rows are applied through the write path, and how that is undone."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from rapport.bulk.kinds import event_time
from rapport.bulk.schemas import PastEvent
from rapport.core.clock import parse_instant
from rapport.core.errors import RapportError
from rapport.customers import queries as customers
from rapport.customers.writes import Unit
from rapport.events.actions import Happened, check
from rapport.events.past import record_new, take_back
from rapport.events.queries import Key
from rapport.events.schemas import EventView
from rapport.imports.customers.rows import is_person
from rapport.imports.histories.people import begin, sign_as_past, undo_people, unknown, with_people
from rapport.imports.histories.tables import PASSED_OVER, JsonLines, Plan, Said, Table, failed, reader
from rapport.imports.models import Done, Options, RowFailed
from rapport.metadata.values import check as check_metadata

PLAN: Final = Plan(
    model=PastEvent,
    targets={
        **PASSED_OVER,
        **{name: name for name in ("id", "event", "created_at")},
        "type": "event",
        "event_id": "id",
        **{f"customer_{name}": f"customer.{name}" for name in ("id", "source_id", "name", "email", "phone")},
        **{f"location_{name}": f"location.{name}" for name in ("id", "source_id", "name")},
    },
    names=("id",),
    required=(("event",), ("customer.source_id", "customer.id")),
    schema=lambda schemas, said: schemas.event(said["event"]),
)
_UNNAMED: Final = "The customer has no id and no source_id"


class Events:
    """Events, as the engine of imports knows them."""

    ndjson = True

    async def reader(self, unit: Unit, header: Sequence[str], options: Options, *, lines: bool) -> Table | JsonLines:
        """Make sense of a header. Raises UnusableFile."""
        return await reader(PLAN, unit, header, options, lines=lines)

    async def apply(self, unit: Unit, said: Sequence[Said], options: Options) -> list[Done | RowFailed]:
        """Record the events that rows tell of; those with time and id that are there already are unchanged."""
        _ = options
        await begin(unit, said)
        nobody = await unknown(unit, {one.data.customer.id for one in said if isinstance(one.data.customer.id, str)})
        read = [_read(unit, one, nobody) for one in said]
        stored = iter(await record_new(unit, [one for one in read if isinstance(one, Happened)]))
        return with_people(unit, [_outcome(next(stored)) if isinstance(one, Happened) else one for one in read])

    async def undo(
        self, unit: Unit, done: Sequence[tuple[str, dict[str, list[Any]] | None]], request_ids: list[str]
    ) -> list[tuple[str, str | None]]:
        """Remove the events that the import brought, and undo what it did to customers."""
        sign_as_past(unit)
        people = [subject for subject, _ in done if is_person(subject)]
        keys = {subject: _key(subject) for subject, _ in done if not is_person(subject)}
        owners = {key[0] for key in keys.values()}
        moved = await customers.find_aliases(unit.conn, unit.project_id, sorted(owners))
        keys = {subject: (moved.get(key[0], key[0]), *key[1:]) for subject, key in keys.items()}
        wanted = {key[0] for key in keys.values()} | set(people)
        there = {one.id for one in await unit.lock_all(sorted(wanted))}
        present = [key for key in keys.values() if key[0] in there]
        gone = await take_back(unit, present) if present else []
        removed = {(one.customer_id, one.name, one.created_at, one.id) for one in gone}
        outcomes: dict[str, tuple[str, str | None]] = {
            subject: ("DELETED" if key in removed else "GONE", None) for subject, key in keys.items()
        }
        outcomes |= await undo_people(unit, done, request_ids)
        return [outcomes[subject] for subject, _ in done]


def _read(unit: Unit, one: Said, nobody: set[str]) -> Happened | RowFailed:
    """Return an event as it is to be stored, or why it cannot be."""
    data: PastEvent = one.data
    if not data.customer.is_named:
        return RowFailed(_UNNAMED)
    if data.customer.id in nobody:
        return RowFailed(f"There is no customer with the id {data.customer.id}", one.headers.get("customer.id"))
    try:
        check(data)
        at = event_time(data)
        check_metadata(unit.moment.schemas.event(data.event), data.metadata or {})
    except RapportError as error:
        return failed(error, one.headers)
    if at is not None and at > unit.now:
        return RowFailed("The event is in the future", one.headers.get("created_at"))
    if isinstance(data.metadata, dict):
        said = {key: value for key, value in data.metadata.items() if value is not None}
        data = msgspec.structs.replace(data, metadata=said)
    return Happened(data, at, data.id)


def _outcome(event: EventView | None) -> Done:
    """Return what became of an event; what it goes by begins with its customer, so that it is found with them."""
    if event is None:
        return Done("unchanged", "", {})
    key = msgspec.json.encode([event.id, event.created_at, event.type]).decode()
    return Done("created", f"{event.customer['id']}/{key}", None)


def _key(subject: str) -> Key:
    customer_id, _, rest = subject.partition("/")
    event_id, at, name = msgspec.json.decode(rest)
    return customer_id, name, parse_instant(at), event_id
