"""All SQL of consents: definitions, the history of what was said, and who is written to at an address."""

from collections.abc import Sequence
from datetime import timedelta

from rapport.consents.models import Change, Definition
from rapport.core.db import Connection, UniqueViolation, columns
from rapport.core.errors import DuplicateFound
from rapport.customers.queries import DIGITS_OF
from rapport.http.lists import Equals, Found, ListSpec, Page
from rapport.http.queries import fetch_page

CHANGES = ListSpec(
    data_ref="data",
    table="consent_changes",
    row=Change,
    orders={"recorded_at": "recorded_at", "at": "at"},
    default_order="-recorded_at",
    tie="seq",
    filters={"consent_id": Equals("consent_id"), "channel": Equals("channel")},
)

_DEFINITION = columns(Definition)
_NOW = "date_trunc('milliseconds', clock_timestamp() + {}::interval)"

# What was said about the same thing, at the same time, to the same effect is in the history already.
_KEEP = """
INSERT INTO consent_changes
    (project_id, id, customer_id, consent_id, channel, given, at, recorded_at, applied, source, proof, event_source,
     group_id)
SELECT $1, said.id, $2, said.consent_id, said.channel, said.given, said.at, $3, said.applied, said.source,
    nullif(said.proof, 'null'::jsonb), $4, $5
FROM unnest($6::text[], $7::text[], $8::text[], $9::boolean[], $10::timestamptz[], $11::boolean[], $12::text[],
    $13::jsonb[]) AS said (id, consent_id, channel, given, at, applied, source, proof)
WHERE said.applied OR NOT EXISTS (
    SELECT FROM consent_changes AS known WHERE known.project_id = $1 AND known.customer_id = $2
        AND known.consent_id = said.consent_id AND known.channel IS NOT DISTINCT FROM said.channel
        AND known.given = said.given AND known.at = said.at
)
"""  # the index is consent_changes_of_customer


async def definitions(conn: Connection, project_id: int) -> list[Definition]:
    """Return the consents that a project asks for, oldest first, without the one that every project has."""
    rows = await conn.fetch(
        f"SELECT {_DEFINITION} FROM consents WHERE project_id = $1 AND deleted_at IS NULL ORDER BY created_at, id",
        project_id,
    )
    return [Definition(*row) for row in rows]


async def find_definition(
    conn: Connection, project_id: int, reference: str, *, lock: bool = False, share: bool = False
) -> Definition | None:
    """Return the consent with this id or name (the id wins), locked if asked for, or None.

    `share` holds it there: who deletes it waits, and then sees what uses it.
    """
    suffix = " FOR UPDATE" if lock else " FOR SHARE" if share else ""
    rows = await conn.fetch(
        f"SELECT {_DEFINITION} FROM consents WHERE project_id = $1 AND (id = $2 OR name = $2) "
        f"AND deleted_at IS NULL{suffix}",
        project_id,
        reference,
    )
    found = sorted((Definition(*row) for row in rows), key=lambda one: one.id != reference)
    return found[0] if found else None


async def lock_definitions(conn: Connection, project_id: int) -> None:
    """Let no other transaction add consents to the project until this one ends."""
    await conn.execute("SELECT pg_advisory_xact_lock(7237764, $1)", project_id)


async def insert_definition(conn: Connection, project_id: int, new: Definition, offset: timedelta) -> Definition:
    """Insert a consent as of now. Raises DuplicateFound for a name that is taken."""
    try:
        row = await conn.fetchrow(
            "INSERT INTO consents (project_id, id, name, category, description, channels, created_at) "
            f"SELECT $1, $2, $3, $4, $5, $6, {_NOW.format('$7')} RETURNING {_DEFINITION}",
            project_id,
            new.id,
            new.name,
            new.category,
            new.description,
            new.channels,
            offset,
        )
    except UniqueViolation as error:
        raise DuplicateFound("consent", new.name, f"A consent has the name {new.name} already") from error
    return Definition(*row)


async def update_definition(conn: Connection, project_id: int, changed: Definition, offset: timedelta) -> Definition:
    """Write a locked consent's name, category and description. Raises DuplicateFound for a name that is taken."""
    try:
        row = await conn.fetchrow(
            f"UPDATE consents SET name = $3, category = $4, description = $5, updated_at = {_NOW.format('$6')} "
            f"WHERE project_id = $1 AND id = $2 RETURNING {_DEFINITION}",
            project_id,
            changed.id,
            changed.name,
            changed.category,
            changed.description,
            offset,
        )
    except UniqueViolation as error:
        raise DuplicateFound("consent", changed.name, f"A consent has the name {changed.name} already") from error
    return Definition(*row)


async def mark_deleted(conn: Connection, project_id: int, consent_id: str, offset: timedelta) -> None:
    """Take a consent away from users."""
    await conn.execute(
        f"UPDATE consents SET deleted_at = {_NOW.format('$3')} WHERE project_id = $1 AND id = $2",
        project_id,
        consent_id,
        offset,
    )


async def keep_changes(conn: Connection, project_id: int, customer_id: str, changes: Sequence[Change]) -> None:
    """Write what was said about a locked customer's consents in one request into the history."""
    first = changes[0]
    await conn.execute(
        _KEEP,
        project_id,
        customer_id,
        first.recorded_at,
        first.event_source,
        first.group_id,
        [one.id for one in changes],
        [one.consent_id for one in changes],
        [one.channel for one in changes],
        [one.given for one in changes],
        [one.at for one in changes],
        [one.applied for one in changes],
        [one.source for one in changes],
        [one.proof for one in changes],
    )


async def history(conn: Connection, project_id: int, customer_id: str, page: Page) -> Found[Change]:
    """Return one page of what a customer said; the index is consent_changes_of_customer."""
    return await fetch_page(conn, CHANGES, project_id, page, where={"customer_id": customer_id})


async def at_email(conn: Connection, project_id: int, address: str, after: str, limit: int) -> list[str]:
    """Return ids of customers with this mail address, in any case, in order; the index is customers_by_same_email."""
    rows = await conn.fetch(
        "SELECT id FROM customers WHERE project_id = $1 AND email IS NOT NULL AND lower(email) = lower($2) AND id > $3 "
        "ORDER BY id LIMIT $4",
        project_id,
        address,
        after,
        limit,
    )
    return [row["id"] for row in rows]


async def at_phone(conn: Connection, project_id: int, number: str, after: str, limit: int) -> list[str]:
    """Return ids of customers with this phone number, compared by its digits; the index is customers_by_same_phone."""
    rows = await conn.fetch(
        f"SELECT id FROM customers WHERE project_id = $1 AND phone IS NOT NULL "
        f"AND ({DIGITS_OF.format('phone')}) = {DIGITS_OF.format('$2::text')} AND id > $3 ORDER BY id LIMIT $4",
        project_id,
        number,
        after,
        limit,
    )
    return [row["id"] for row in rows]
