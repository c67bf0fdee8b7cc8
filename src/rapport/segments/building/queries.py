"""All SQL of filling, switching and removing segments."""

import string
from collections.abc import AsyncGenerator, Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from rapport.activity.log import Source
from rapport.core.db import Connection
from rapport.segments.models import Unsettled
from rapport.segments.sql import Condition

_UNSETTLED = (
    "id, name, type, state, filter, names, replaces, settled_after::text::bigint AS settled_after, built_to, "
    "build_total"
)

# Ids of log entries are made here: 24 letters and digits of 256 random bits.
_ENTRY_ID = (
    "'ev_' || left(translate(encode(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()), 'base64'), "
    "'+/=', 'Qz'), 24)"
)
# Who matches, in the order of the keys, but read in the order in which they lie: OFFSET 0 keeps the two apart.
_MATCHING = """
SELECT id FROM (
    SELECT c.id FROM customers AS c WHERE c.project_id = $1 AND c.id > $2 AND ({condition}) OFFSET 0
) AS found ORDER BY id
"""
# A row that a writer made is never touched. Nothing happens if the segment is not being filled any more.
_ENTERED = """
WITH filling AS (
    SELECT id FROM segments WHERE project_id = $1 AND id = $2 AND state = 'building' FOR NO KEY UPDATE
), entered AS (
    INSERT INTO segment_members (project_id, segment_id, customer_id, entered_at, logged)
    SELECT $1, filling.id, wanted.id, $4, $5 FROM filling, unnest($3::text[]) WITH ORDINALITY AS wanted (id, place)
    ORDER BY wanted.place
    ON CONFLICT DO NOTHING
    RETURNING customer_id
), built AS (
    UPDATE segments SET built_to = $6, built_count = $7, build_total = $8
    FROM filling WHERE project_id = $1 AND segments.id = filling.id
)
"""
_ENTER = _ENTERED + "SELECT count(*) FROM filling"
_ENTER_AND_LOG = (
    _ENTERED
    + f"""
, logged AS (
    INSERT INTO activity (project_id, id, created_at, type, customer_id, payload, source, group_id)
    SELECT $1, {_ENTRY_ID}, $4, 'customer.segment.entered', c.id,
        jsonb_build_object('customer', jsonb_strip_nulls(jsonb_build_object(
            'id', c.id, 'source_id', c.source_id, 'name', c.name, 'email', c.email, 'object', 'customer'
        )), 'segment', $9::jsonb), $10::jsonb, $11
    FROM entered JOIN customers AS c ON c.project_id = $1 AND c.id = entered.customer_id
)
SELECT count(*) FROM filling
"""
)


ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
PLACES = len(ALPHABET) ** 2


class Range(NamedTuple):
    """The next customers in the order of their ids: after `first` up to and with `last`; None: there are none."""

    first: str
    last: str | None
    size: int


async def projects_with_unsettled(conn: Connection) -> list[int]:
    """Return the projects in which the worker has something to do for a segment; the index is segments_unsettled."""
    rows = await conn.fetch("SELECT DISTINCT project_id FROM segments WHERE state <> 'live' ORDER BY project_id")
    return [row["project_id"] for row in rows]


async def unsettled(conn: Connection, project_id: int, state: str) -> list[Unsettled]:
    """Return the segments in a state, the oldest first."""
    rows = await conn.fetch(
        f"SELECT {_UNSETTLED} FROM segments WHERE project_id = $1 AND state = $2 ORDER BY created_at, id",
        project_id,
        state,
    )
    return [Unsettled(*row) for row in rows]


async def lock_unsettled(conn: Connection, project_id: int) -> list[Unsettled]:
    """Lock the segments that there is something to do for and that nobody else works on, the oldest first."""
    rows = await conn.fetch(
        f"SELECT {_UNSETTLED} FROM segments "
        "WHERE project_id = $1 AND state <> 'live' ORDER BY created_at, id FOR NO KEY UPDATE SKIP LOCKED",
        project_id,
    )
    return [Unsettled(*row) for row in rows]


async def set_settled_after(conn: Connection, project_id: int, segment_ids: list[str]) -> None:
    """Note up to which transaction writers may not know of the segments' change: all that run now."""
    await conn.execute(
        "UPDATE segments SET settled_after = pg_snapshot_xmax(pg_current_snapshot()) "
        "WHERE project_id = $1 AND id = ANY ($2)",
        project_id,
        segment_ids,
    )


async def count_customers(conn: Connection, project_id: int) -> int:
    """Return how many customers a project has."""
    return int(await conn.fetchval("SELECT count(*) FROM customers WHERE project_id = $1", project_id))


async def next_range(conn: Connection, project_id: int, first: str, limit: int) -> Range:
    """Return the next customers in key order."""
    row = await conn.fetchrow(
        "SELECT max(id) AS last, count(*) AS count FROM ("
        "SELECT id FROM customers WHERE project_id = $1 AND id > $2 ORDER BY id LIMIT $3) AS following",
        project_id,
        first,
        limit,
    )
    return Range(first, row["last"], row["count"])


async def lock_for_filling(conn: Connection, project_id: int, segment_id: str) -> bool:
    """Let nobody else fill this segment until the transaction ends; False if somebody does.

    Its statements may take longer than others: all customers are looked at in one.
    """
    return bool(
        await conn.fetchval(
            "SELECT pg_try_advisory_xact_lock($1, hashtext($2)) FROM set_config('statement_timeout', '240s', true)",
            project_id,
            segment_id,
        )
    )


async def count_overdue(conn: Connection, offset: timedelta, minutes: int) -> int:
    """Return how many segments have been waiting for their members for longer than so many minutes."""
    return int(
        await conn.fetchval(
            "SELECT count(*) FROM segments WHERE state IN ('building', 'switching', 'ready') "
            "AND greatest(created_at, updated_at) < clock_timestamp() + $1::interval - make_interval(mins => $2)",
            offset,
            minutes,
        )
    )


async def matching(
    conn: Connection, project_id: int, after: str, condition: Condition, size: Callable[[], int]
) -> AsyncGenerator[list[str], None]:
    """Yield the ids of the customers who match (`first_parameter` 3), in order, `size()` at a time.

    Needs a transaction; what is yielded is as of its snapshot.
    """
    text = _MATCHING.format(condition=condition.text)
    cursor = await conn.cursor(text, project_id, after, *condition.parameters)
    while rows := await cursor.fetch(size()):
        yield [row["id"] for row in rows]


async def enter(
    conn: Connection,
    project_id: int,
    segment_id: str,
    customer_ids: list[str],
    at: datetime,
    log: tuple[dict[str, Any], Source, str] | None,
) -> bool:
    """Make members of customers about whom no writer has decided, and note how far that is; False if it is too late.

    `log`: what the entries say of the segment, whose doing it is, and the group they belong to.
    """
    built = customer_ids[-1], place_of(customer_ids[-1]), PLACES
    text = _ENTER if log is None else _ENTER_AND_LOG
    own = (project_id, segment_id, customer_ids, at, log is not None, *built)
    return bool(await conn.fetchval(text, *own, *(log or ())))


def place_of(customer_id: str) -> int:
    """Return about how many of PLACES customers come before this one: ids are random, and even. Pure."""
    digits = [ALPHABET.find(letter) for letter in customer_id.partition("_")[2][:2].ljust(2, ALPHABET[0])]
    return max(0, digits[0]) * len(ALPHABET) + max(0, digits[1])


async def differing(
    conn: Connection, project_id: int, segment_id: str, span: Range, condition: Condition, *, recorded: bool
) -> list[str]:
    """Return the customers in a range for whom the filter says something else than their row (`first_parameter` 6).

    With `recorded` also the members whom the log does not have yet.
    """
    rows = await conn.fetch(
        "SELECT c.id FROM customers AS c LEFT JOIN segment_members AS member ON member.project_id = c.project_id "
        "AND member.segment_id = $4 AND member.customer_id = c.id "
        "WHERE c.project_id = $1 AND c.id > $2 AND c.id <= $3 AND ("
        f"(({condition.text}) IS TRUE) <> (member.entered_at IS NOT NULL) "
        "OR ($5 AND member.entered_at IS NOT NULL AND NOT member.logged)) ORDER BY c.id",
        project_id,
        span.first,
        span.last,
        segment_id,
        recorded,
        *condition.parameters,
    )
    return [row["id"] for row in rows]


async def set_built(
    conn: Connection, project_id: int, segment_ids: list[str], built_to: str, added: int, total: int
) -> None:
    """Note how far the work on (locked) segments has come: `added` customers more, of `total`."""
    await conn.execute(
        "UPDATE segments SET built_to = $3, built_count = built_count + $4, build_total = $5 "
        "WHERE project_id = $1 AND id = ANY ($2)",
        project_id,
        segment_ids,
        built_to,
        added,
        total,
    )


async def set_state(
    conn: Connection, project_id: int, segment_ids: list[str], before: str, state: str, version: int | None
) -> None:
    """Put those of the segments that still are in one state into another; with a version writers have to know of it."""
    await conn.execute(
        "UPDATE segments SET state = $4, version = coalesce($5, version), built_to = NULL, built_count = 0, "
        "build_total = NULL, settled_after = NULL WHERE project_id = $1 AND id = ANY ($2) AND state = $3",
        project_id,
        segment_ids,
        before,
        state,
        version,
    )


async def take_filter(conn: Connection, project_id: int, beside: str, version: int) -> None:
    """Give a segment the filter of the row that was built beside it, and begin to change over."""
    await conn.execute(
        "UPDATE segments SET filter = beside.filter, conditions = beside.conditions, names = beside.names, "
        "state = 'switching', version = $3, settled_after = NULL, built_to = NULL, built_count = 0, build_total = NULL "
        "FROM segments AS beside WHERE segments.project_id = $1 AND segments.id = beside.replaces "
        "AND segments.state <> 'deleted' AND beside.project_id = $1 AND beside.id = $2",
        project_id,
        beside,
        version,
    )


# In one set of members and not in the other, as far as the next so many of each reach: a walk along the key of both.
# '~' is behind every id.
_MEMBERS = """
SELECT customer_id, logged FROM segment_members WHERE project_id = $1 AND segment_id = {segment} AND customer_id > $4
    AND entered_at IS NOT NULL AND customer_id <= (SELECT coalesce(last, '~') FROM reach)
"""
_LAST = """(
    SELECT CASE WHEN count(*) = $5 THEN max(customer_id) END FROM (
        SELECT customer_id FROM segment_members WHERE project_id = $1 AND segment_id = {segment} AND customer_id > $4
        ORDER BY customer_id LIMIT $5
    ) AS following
)"""
_APART = f"""
WITH reach AS (
    SELECT least({_LAST.format(segment="$2")}, {_LAST.format(segment="$3")}) AS last
), one AS ({_MEMBERS.format(segment="$2")}), other AS ({_MEMBERS.format(segment="$3")}), apart AS (
    SELECT customer_id FROM one FULL JOIN other USING (customer_id)
    WHERE one.logged IS NULL OR other.logged IS NULL OR ($6 AND NOT one.logged)
)
SELECT last, ARRAY (SELECT customer_id FROM apart ORDER BY customer_id) AS apart FROM reach
"""


async def apart(
    conn: Connection, project_id: int, segment_id: str, beside: str, first: str, reach: int, *, recorded: bool
) -> tuple[str | None, list[str]]:
    """Return who, of the next customers, is in just one of two segments, with `recorded` also members the log lacks.

    The first value says up to which customer that is, None for the end; it reaches over `reach` members of each.
    """
    row = await conn.fetchrow(_APART, project_id, segment_id, beside, first, reach, recorded)
    return row["last"], row["apart"]


# Some rows of a segment, by where they lie: a deletion has no LIMIT. The condition stands twice: a row that a writer is
# just changing is looked at again in its new state.
_REMOVE = """
WITH gone AS (
    DELETE FROM {table} WHERE project_id = $1 AND ctid = ANY (ARRAY(
        SELECT ctid FROM {table} WHERE project_id = $1 AND segment_id = $2 AND {condition} LIMIT $3
    )) AND {condition} RETURNING 1
)
SELECT count(*) FROM gone
"""
_SWEEP = _REMOVE.format(table="segment_members", condition="entered_at IS NULL")
_REMOVALS = tuple(_REMOVE.format(table=table, condition="true") for table in ("segment_members", "segment_past"))


async def sweep(conn: Connection, project_id: int, segment_id: str, limit: int) -> int:
    """Remove decisions "out" of a filled segment; return how many, up to `limit`."""
    return int(await conn.fetchval(_SWEEP, project_id, segment_id, limit))


async def remove_members(conn: Connection, project_id: int, segment_id: str, limit: int) -> int:
    """Remove memberships of a deleted segment, those that ended too; return how many, up to `limit`."""
    for text in _REMOVALS:
        removed = int(await conn.fetchval(text, project_id, segment_id, limit))
        if removed:
            return removed
    return 0


async def remove(conn: Connection, project_id: int, segment_id: str) -> None:
    """Remove the row of a deleted segment; who has not heard of its deletion by then reads all definitions again."""
    await conn.execute(
        "WITH gone AS (DELETE FROM segments WHERE project_id = $1 AND id = $2 AND state = 'deleted' RETURNING version) "
        "UPDATE projects SET segments_removed = greatest(segments_removed, gone.version) FROM gone "
        "WHERE projects.project_id = $1",
        project_id,
        segment_id,
    )


async def fill_again(conn: Connection, project_id: int, version: int) -> None:
    """Have every segment that has a filter compared with it anew."""
    await conn.execute(
        "UPDATE segments SET state = 'switching', version = $2, built_to = NULL, built_count = 0, build_total = NULL, "
        "settled_after = NULL WHERE project_id = $1 AND state <> 'deleted' AND filter IS NOT NULL",
        project_id,
        version,
    )
