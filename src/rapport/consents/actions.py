"""Writes of consents: the definitions of a project, and what customers say about them."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

import msgspec
from msgspec import UnsetType

from rapport.consents import queries, state
from rapport.consents.models import UNSUBSCRIBED, UNSUBSCRIBED_NAME, Change, Definition, Statement
from rapport.consents.schemas import DefinitionInput, read_consents, statements
from rapport.core.clock import LATEST
from rapport.core.db import Connection
from rapport.core.errors import InvalidPayload, NotFound, RapportError, ResourceInUse
from rapport.core.ids import new_id
from rapport.core.jsons import check_limits
from rapport.customers.models import Customer
from rapport.customers.schemas import CustomerInput, simple_view
from rapport.customers.writes import Unit, Writer
from rapport.http.caller import Caller

MAX_DEFINITIONS = 200

Value = TypeVar("Value")


class TooManyConsents(RapportError):
    """The project has as many consents as one project may have."""

    key = "too_many_consents"
    message = "Too many consents"


class UsedBy(Protocol):
    """Tells the ids of what uses a consent."""

    async def __call__(self, conn: Connection, project_id: int, consent_id: str) -> list[str]:
        """Return them."""


class Said(msgspec.Struct, frozen=True):
    """What came of a request: the customer, and whether anything was taken away from who would write to them."""

    customer: Customer
    restricted: bool


def _given(value: Value | UnsetType, otherwise: Value) -> Value:
    return otherwise if isinstance(value, UnsetType) else value


def _check_name(name: str) -> None:
    if name.startswith("cnst_") or name in ("consents", UNSUBSCRIBED, UNSUBSCRIBED_NAME):
        raise InvalidPayload("Property .name is reserved; take another")


async def create_definition(caller: Caller, data: DefinitionInput) -> Definition:
    """Add a consent to the project. Raises InvalidPayload, DuplicateFound, TooManyConsents."""
    if isinstance(data.name, UnsetType):
        raise InvalidPayload("Missing required property .name")
    check_limits(msgspec.to_builtins(data))
    _check_name(data.name)
    channels = _given(data.channels, None)
    new = Definition(
        new_id("cnst"),
        data.name,
        _given(data.category, None),
        _given(data.description, None),
        None if channels is None else list(dict.fromkeys(channels)),
        LATEST,
    )

    async def work(conn: Connection) -> Definition:
        await queries.lock_definitions(conn, caller.project_id)
        known = await queries.definitions(conn, caller.project_id)
        if len(known) >= MAX_DEFINITIONS:
            raise TooManyConsents(f"A project may have {MAX_DEFINITIONS} consents")
        return await queries.insert_definition(conn, caller.project_id, new, caller.db.clock_offset)

    return await caller.db.transaction(work)


async def update_definition(caller: Caller, consent_id: str, data: DefinitionInput) -> Definition:
    """Change what a consent is called. Raises NotFound, InvalidPayload, DuplicateFound.

    The channels stay: what was said about all of them would mean something else.
    """
    check_limits(msgspec.to_builtins(data))
    if not isinstance(data.name, UnsetType):
        _check_name(data.name)

    async def work(conn: Connection) -> Definition:
        current = await _get_locked(conn, caller.project_id, consent_id)
        if isinstance(data.channels, list) and set(data.channels) != set(current.channels or ()):
            raise InvalidPayload("Property .channels cannot be changed; create another consent")
        changed = msgspec.structs.replace(
            current,
            name=_given(data.name, current.name),
            category=_given(data.category, current.category),
            description=_given(data.description, current.description),
        )
        return await queries.update_definition(conn, caller.project_id, changed, caller.db.clock_offset)

    return await caller.db.transaction(work)


async def delete_definition(caller: Caller, consent_id: str, users: Sequence[UsedBy]) -> None:
    """Delete a consent; what customers said about it stays with them.

    Raises NotFound, and ResourceInUse while one of `users` says that it is used.
    """

    async def work(conn: Connection) -> None:
        current = await _get_locked(conn, caller.project_id, consent_id)
        used_by = [one for find in users for one in await find(conn, caller.project_id, current.id)]
        if used_by:
            raise ResourceInUse(
                f"Consent {current.id} is used by {', '.join(used_by)}", resource_id=current.id, resource_type="consent"
            )
        await queries.mark_deleted(conn, caller.project_id, current.id, caller.db.clock_offset)

    await caller.db.transaction(work)


async def _get_locked(conn: Connection, project_id: int, reference: str) -> Definition:
    if reference == UNSUBSCRIBED:
        raise ResourceInUse("The consent unsubscribed belongs to every project as it is")
    found = await queries.find_definition(conn, project_id, reference, lock=True)
    if found is None:
        raise NotFound("consent", reference)
    return found


async def say(unit: Unit, customer_id: str, said: Sequence[Statement], names: Mapping[str, str]) -> Said:
    """Keep what a locked customer says about consents: in their row, in the history and in the activity log.

    `names`: of the consents, by id.
    """
    customer = unit.get(customer_id)
    consents, changes = customer.consents, []
    for one in said:
        outcome = state.apply(consents, one, unit.now)
        consents = outcome.consents
        if outcome.said:
            changes.append(_change(unit, one, outcome))
    if changes:
        await queries.keep_changes(unit.conn, unit.project_id, customer_id, changes)
    applied = [one for one in changes if one.applied]
    if applied:
        changed = msgspec.structs.replace(customer, consents=consents)
        unit.put(changed)
        _log(unit, changed, applied, names)
    return Said(unit.get(customer_id), any(one.restricts for one in said))


def _change(unit: Unit, statement: Statement, outcome: state.Outcome) -> Change:
    return Change(
        id=new_id("cnch"),
        consent_id=statement.consent_id,
        channel=statement.channel,
        given=statement.given,
        at=outcome.at,
        recorded_at=unit.now,
        applied=outcome.applied,
        source=statement.source,
        proof=statement.proof,
        event_source=msgspec.to_builtins(unit.signature.source),
        group_id=unit.signature.request_id,
    )


def _log(unit: Unit, customer: Customer, applied: Sequence[Change], names: Mapping[str, str]) -> None:
    """Log what was given and what was withdrawn; to unsubscribe is to withdraw."""
    for kind, wanted in (("given", False), ("revoked", True)):
        found: dict[str, dict[str, Any]] = {}
        for one in applied:
            if Statement(one.consent_id, None, one.given).restricts is not wanted:
                continue
            name = names.get(one.consent_id, one.consent_id)
            shown = found.setdefault(one.consent_id, {"id": one.consent_id, "name": name, "object": "consent"})
            if one.channel is not None:
                shown.setdefault("channels", []).append(one.channel)
            if one.source is not None:
                shown["source"] = one.source
        if found:
            payload = {"customer": simple_view(customer), "consents": list(found.values())}
            unit.log(f"customer.consents.{kind}", customer, payload)


async def named(unit: Unit) -> tuple[list[Definition], dict[str, str]]:
    """Return the project's consents, and the names of all of them by id."""
    known = await queries.definitions(unit.conn, unit.project_id)
    return known, {UNSUBSCRIBED: UNSUBSCRIBED_NAME, **{one.id: one.name for one in known}}


async def set_consents(writer: Writer, caller: Caller, reference: str, raw: Any) -> Said:
    """Keep what a customer says about consents (`update-customers-consents`). Raises NotFound and InvalidPayload."""
    said = read_consents(raw)

    async def work(unit: Unit) -> Said:
        known, names = await named(unit)
        wanted = statements(said, known)
        customer = await unit.get_locked(reference)
        return await say(unit, customer.id, wanted, names)

    return await writer.commit(caller, work)


async def set_consents_from_client(writer: Writer, caller: Caller, source_id: str, raw: Any) -> Said:
    """As `set_consents`, for a caller who must not learn who is known: who is not is made.

    Raises NotFound for a consent only, and InvalidPayload.
    """
    said = read_consents(raw)

    async def work(unit: Unit) -> Said:
        known, names = await named(unit)
        wanted = statements(said, known)
        customer = (await unit.upsert(CustomerInput(source_id=source_id)))[0]
        return await say(unit, customer.id, wanted, names)

    return await writer.commit(caller, work)
