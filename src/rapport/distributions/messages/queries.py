"""All SQL of messages."""

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from rapport.core.db import Connection, columns
from rapport.distributions.messages.models import Claimed, Message, Prepared
from rapport.http.lists import Equals, Found, ListSpec, Page
from rapport.http.queries import fetch_page

MESSAGES = ListSpec(
    data_ref="data",
    table="messages",
    row=Message,
    orders={"created_at": "created_at"},
    default_order="-created_at",
    filters={"state": Equals("state"), "customer_id": Equals("customer_id")},
)
OF_CUSTOMER = ListSpec(
    data_ref="data",
    table="messages",
    row=Message,
    orders={"created_at": "created_at"},
    default_order="-created_at",
    filters={"state": Equals("state"), "distribution_id": Equals("distribution_id")},
)
_MESSAGE = columns(Message)
_PREPARED = Prepared.__struct_fields__
_NOW = "date_trunc('milliseconds', clock_timestamp() + {}::interval)"

_FIRST_DUE = f"""
SELECT project_id, {_NOW.format("$1")} AS now, first.moment FROM projects
CROSS JOIN LATERAL (
    SELECT next_attempt_at AS moment FROM messages
    WHERE messages.project_id = projects.project_id AND state = 'QUEUED'
    ORDER BY next_attempt_at LIMIT 1
) AS first
ORDER BY project_id
"""

_FIRST_EXPIRED = f"""
SELECT project_id, {_NOW.format("$1")} AS now, first.moment FROM projects
CROSS JOIN LATERAL (
    SELECT lease_until AS moment FROM messages
    WHERE messages.project_id = projects.project_id AND state IN ('PREPARING', 'SENDING')
    ORDER BY lease_until LIMIT 1
) AS first
ORDER BY project_id
"""

_QUEUE = """
WITH entry AS MATERIALIZED (
    SELECT id, customer_id FROM activity WHERE project_id = $1 AND id = ANY ($5::text[]) FOR SHARE
)
INSERT INTO messages (project_id, id, distribution_id, trigger_id, trigger_type, customer_id, channel, state,
    next_attempt_at, created_at)
SELECT $1, wanted.id, distribution_id, trigger_id, trigger_type, entry.customer_id, channel, 'QUEUED', $2, $2
FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
    AS wanted (id, distribution_id, trigger_id, trigger_type, channel)
JOIN entry ON entry.id = wanted.trigger_id
ON CONFLICT DO NOTHING
"""

_CLAIM = f"""
WITH due AS MATERIALIZED (
    SELECT id FROM messages
    WHERE project_id = $1 AND state = 'QUEUED' AND next_attempt_at <= $2
    ORDER BY next_attempt_at LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE messages
SET state = 'PREPARING', attempts = attempts + 1, next_attempt_at = NULL, lease_until = $2 + $3::interval
FROM due WHERE messages.project_id = $1 AND messages.id = due.id
RETURNING {", ".join(f"messages.{name}" for name in Claimed.__struct_fields__)}
"""

_DOUBTFUL = "state = 'SENDING' AND provider <> 'outbox'"
_RECOVER = f"""
UPDATE messages SET
    state = CASE WHEN customer_id IS NULL THEN 'CANCELED' WHEN {_DOUBTFUL} THEN 'UNCERTAIN' ELSE 'QUEUED' END,
    failures = failures + 1,
    next_attempt_at = CASE WHEN customer_id IS NULL OR {_DOUBTFUL} THEN NULL ELSE $2::timestamptz END,
    lease_until = NULL,
    error_key = CASE WHEN customer_id IS NULL THEN NULL WHEN {_DOUBTFUL} THEN $3 ELSE $5 END,
    error_message = CASE WHEN customer_id IS NULL THEN NULL WHEN {_DOUBTFUL} THEN $4 ELSE $6 END
WHERE project_id = $1 AND state IN ('PREPARING', 'SENDING') AND lease_until <= $2
RETURNING id, state, created_at, customer_id IS NULL AS is_erased
"""
# What is on its way is settled by who has it; nothing of it is written any more.
_ERASE = """
UPDATE messages SET customer_id = NULL, sender = NULL, recipient = NULL, subject = NULL, text_body = NULL,
    html_body = NULL, message_id = NULL, error_key = NULL, error_message = NULL,
    state = CASE WHEN state IN ('QUEUED', 'PREPARING') THEN 'CANCELED' ELSE state END,
    next_attempt_at = NULL, lease_until = CASE WHEN state = 'SENDING' THEN lease_until END
WHERE project_id = $1 AND customer_id = $2
"""


class Ended(NamedTuple):
    """How writing the end of an attempt went: whether it is written, and whether the customer was erased meanwhile."""

    is_written: bool
    is_erased: bool


class Left(NamedTuple):
    """A message that was left behind by a dead worker, as it is now."""

    id: str
    state: str
    created_at: datetime
    is_erased: bool


async def list_messages(conn: Connection, project_id: int, distribution_id: str, page: Page) -> Found[Message]:
    """Return one page of a distribution's messages; the index is messages_of_distribution."""
    return await fetch_page(conn, MESSAGES, project_id, page, where={"distribution_id": distribution_id})


async def list_of_customer(conn: Connection, project_id: int, customer_id: str, page: Page) -> Found[Message]:
    """Return one page of the messages to a customer; the index is messages_of_customer."""
    return await fetch_page(conn, OF_CUSTOMER, project_id, page, where={"customer_id": customer_id})


async def find_message(
    conn: Connection, project_id: int, distribution_id: str, message_id: str, *, lock: bool = False
) -> Message | None:
    """Return a message, locked if asked for, or None."""
    row = await conn.fetchrow(
        f"SELECT {_MESSAGE} FROM messages WHERE project_id = $1 AND id = $2 AND distribution_id = $3"
        + (" FOR NO KEY UPDATE" if lock else ""),
        project_id,
        message_id,
        distribution_id,
    )
    return None if row is None else Message(*row)


async def bodies(conn: Connection, project_id: int, message_id: str) -> tuple[str | None, str | None]:
    """Return a message's text and HTML as they were handed over."""
    row = await conn.fetchrow(
        "SELECT text_body, html_body FROM messages WHERE project_id = $1 AND id = $2", project_id, message_id
    )
    return row["text_body"], row["html_body"]


async def find_entry(conn: Connection, project_id: int, entry_id: str) -> dict[str, Any] | None:
    """Return the payload of an entry of the activity log, or None."""
    return await conn.fetchval(  # type: ignore[no-any-return]
        "SELECT payload FROM activity WHERE project_id = $1 AND id = $2", project_id, entry_id
    )


async def queue(conn: Connection, project_id: int, at: datetime, wanted: list[tuple[str, str, str, str, str]]) -> int:
    """Queue messages (id, distribution, entry, type of entry, channel) not queued before; return how many.

    The customer is the entry's. It is locked: whoever erases or merges them meets the messages or leaves no entry.
    """
    done = await conn.execute(_QUEUE, project_id, at, *[[one[index] for one in wanted] for index in range(5)])
    return int(done.rpartition(" ")[2])


async def projects_with_due(conn: Connection, offset: timedelta) -> list[int]:
    """Return the projects in which a message is due; one probe of messages_due each."""
    return await _projects_past(conn, _FIRST_DUE, offset)


async def projects_with_expired(conn: Connection, offset: timedelta) -> list[int]:
    """Return the projects in which a lease ran out; one probe of messages_leased each."""
    return await _projects_past(conn, _FIRST_EXPIRED, offset)


async def _projects_past(conn: Connection, query: str, offset: timedelta) -> list[int]:
    rows = await conn.fetch(query, offset)
    return [row["project_id"] for row in rows if row["moment"] <= row["now"]]


async def claim(conn: Connection, project_id: int, at: datetime, lease: timedelta, limit: int) -> list[Claimed]:
    """Take messages that are due, oldest first, for as long as the lease; the index is messages_due."""
    rows = await conn.fetch(_CLAIM, project_id, at, lease, limit)
    return sorted((Claimed(*row) for row in rows), key=lambda one: (one.created_at, one.id))


async def release(conn: Connection, project_id: int, claimed: list[tuple[str, int]], at: datetime) -> None:
    """Put back messages (id, attempt) that nothing was done with."""
    await conn.execute(
        "UPDATE messages SET state = 'QUEUED', next_attempt_at = $2, lease_until = NULL "
        "FROM unnest($3::text[], $4::integer[]) AS held (id, attempt) "
        "WHERE project_id = $1 AND messages.id = held.id AND attempts = held.attempt AND state = 'PREPARING'",
        project_id,
        at,
        [message_id for message_id, _ in claimed],
        [attempt for _, attempt in claimed],
    )


async def recover(
    conn: Connection, project_id: int, at: datetime, doubtful: tuple[str, str], again: tuple[str, str]
) -> list[Left]:
    """Settle messages whose lease ran out. `doubtful` and `again` are the errors they show.

    What nothing was handed over of is queued again; what may have been is UNCERTAIN. The index is messages_leased.
    """
    rows = await conn.fetch(_RECOVER, project_id, at, *doubtful, *again)
    return [Left(*row) for row in rows]


async def start_sending(
    conn: Connection, project_id: int, message_id: str, attempt: int, lease_until: datetime, prepared: Prepared
) -> bool:
    """Keep what is about to be handed over; return False when the message is in other hands."""
    sets = ", ".join(f"{name} = ${index}" for index, name in enumerate(_PREPARED, start=5))
    done = await conn.execute(
        f"UPDATE messages SET state = 'SENDING', lease_until = $4, error_key = NULL, error_message = NULL, {sets} "
        "WHERE project_id = $1 AND id = $2 AND attempts = $3 AND state = 'PREPARING'",
        project_id,
        message_id,
        attempt,
        lease_until,
        *[getattr(prepared, name) for name in _PREPARED],
    )
    return bool(done == "UPDATE 1")


async def finish(
    conn: Connection,
    project_id: int,
    message_id: str,
    attempt: int,
    state: str,
    *,
    error: tuple[str, str] | None = None,
    sent_at: datetime | None = None,
) -> Ended:
    """Write how an attempt ended for good; nothing is written when the message is in other hands.

    A result that comes after the lease ran out still settles the doubt. An error may hold the address: it is not kept
    of an erased customer.
    """
    row = await conn.fetchrow(
        "UPDATE messages SET state = $4, lease_until = NULL, sent_at = $7, "
        "error_key = CASE WHEN customer_id IS NOT NULL THEN $5 END, "
        "error_message = CASE WHEN customer_id IS NOT NULL THEN $6 END "
        "WHERE project_id = $1 AND id = $2 AND attempts = $3 AND state IN ('PREPARING', 'SENDING', 'UNCERTAIN') "
        "RETURNING customer_id IS NULL AS is_erased",
        project_id,
        message_id,
        attempt,
        state,
        None if error is None else error[0],
        None if error is None else error[1],
        sent_at,
    )
    return Ended(row is not None, row is not None and row["is_erased"])


async def in_flight(conn: Connection, project_id: int, customer_ids: Collection[str], offset: timedelta) -> int:
    """Return how many messages to these customers are being handed over; the index is messages_leased.

    What a dead worker left behind is among them until its lease is over: nobody knows whether it is dead.
    """
    return int(
        await conn.fetchval(
            "SELECT count(*) FROM messages WHERE project_id = $1 AND state = 'SENDING' AND customer_id = ANY ($2) "
            f"AND lease_until > {_NOW.format('$3')}",
            project_id,
            list(customer_ids),
            offset,
        )
    )


async def put_off(
    conn: Connection, project_id: int, message_id: str, attempt: int, until: datetime, error: tuple[str, str]
) -> bool:
    """Queue a message again for later, after an attempt that surely handed nothing over."""
    done = await conn.execute(
        "UPDATE messages SET state = 'QUEUED', failures = failures + 1, next_attempt_at = $4, lease_until = NULL, "
        "error_key = $5, error_message = $6 "
        "WHERE project_id = $1 AND id = $2 AND attempts = $3 AND state IN ('PREPARING', 'SENDING', 'UNCERTAIN') "
        "AND customer_id IS NOT NULL",
        project_id,
        message_id,
        attempt,
        until,
        *error,
    )
    return bool(done == "UPDATE 1")


async def queue_again(conn: Connection, project_id: int, message_id: str, at: datetime) -> Message:
    """Queue a locked message because a person asked for it."""
    row = await conn.fetchrow(
        "UPDATE messages SET state = 'QUEUED', failures = 0, next_attempt_at = $3, error_key = NULL, "
        f"error_message = NULL WHERE project_id = $1 AND id = $2 RETURNING {_MESSAGE}",
        project_id,
        message_id,
        at,
    )
    return Message(*row)


async def stream_of_customer(
    conn: Connection, project_id: int, customer_id: str
) -> AsyncIterator[tuple[Message, str | None, str | None]]:
    """Yield a customer's messages with text and HTML, oldest first, inside a transaction (messages_of_customer)."""
    query = (
        f"SELECT {_MESSAGE}, text_body, html_body FROM messages WHERE project_id = $1 AND customer_id = $2 "
        "ORDER BY created_at, id"
    )
    async for row in conn.cursor(query, project_id, customer_id, prefetch=50):
        *values, text, html = row
        yield Message(*values), text, html


async def handed_over(conn: Connection, project_id: int, customer_id: str) -> list[tuple[str, datetime]]:
    """Return id and time of a customer's messages that may lie in the outbox; the index is messages_of_customer."""
    rows = await conn.fetch(
        "SELECT id, created_at FROM messages WHERE project_id = $1 AND customer_id = $2 AND provider = 'outbox'",
        project_id,
        customer_id,
    )
    return [(row["id"], row["created_at"]) for row in rows]


async def erase_of_customer(conn: Connection, project_id: int, customer_id: str) -> int:
    """Cancel and empty a customer's messages; return how many (messages_of_customer)."""
    done = await conn.execute(_ERASE, project_id, customer_id)
    return int(done.rpartition(" ")[2])


async def list_naming(
    conn: Connection, project_id: int, customer_id: str, since: datetime, until: datetime, named: list[str]
) -> list[tuple[str, datetime]]:
    """Return id and time of a customer's messages of a time that hold one of these texts; messages_of_customer."""
    rows = await conn.fetch(
        "SELECT id, created_at FROM messages "
        "WHERE project_id = $1 AND customer_id = $2 AND coalesce(sent_at, created_at) BETWEEN $3 AND $4 "
        "AND EXISTS (SELECT FROM unnest($5::text[]) AS one (value) "
        "WHERE strpos(concat_ws(' ', recipient, subject, text_body, html_body, error_message), one.value) > 0)",
        project_id,
        customer_id,
        since,
        until,
        named,
    )
    return [(row["id"], row["created_at"]) for row in rows]


async def empty(conn: Connection, project_id: int, message_ids: list[str]) -> None:
    """Forget what messages say, and to which address."""
    await conn.execute(
        "UPDATE messages SET recipient = NULL, subject = NULL, text_body = NULL, html_body = NULL, "
        "error_message = NULL WHERE project_id = $1 AND id = ANY ($2)",
        project_id,
        message_ids,
    )


async def move_to_customer(
    conn: Connection, project_id: int, giver_id: str, taker_id: str, only: Sequence[str] | None
) -> list[str]:
    """Give a customer's messages, all or some, to another; return their ids (messages_of_customer)."""
    rows = await conn.fetch(
        "UPDATE messages SET customer_id = $3 WHERE project_id = $1 AND customer_id = $2 "
        "AND ($4::text[] IS NULL OR id IN (SELECT unnest($4::text[]))) RETURNING id",
        project_id,
        giver_id,
        taker_id,
        only,
    )
    return [row["id"] for row in rows]
