"""All SQL by which what imports hold on a person is found and removed."""

from typing import Any

from rapport.core.db import Connection

# Some of the texts ($2) stand in a failed row: as a cell, quoted or, where they are long ($3), anywhere in it.
_NAMES = """(cells && $2 OR EXISTS (
    SELECT FROM unnest($2::text[]) AS one (text)
    WHERE strpos(lower(reason || ' ' || array_to_string(cells, ' ')),
        lower(CASE WHEN length(one.text) >= $3 THEN one.text ELSE '"' || one.text || '"' END)) > 0
))"""
_FILES = """
SELECT DISTINCT chunk.import_id FROM import_chunks AS chunk
LEFT JOIN import_chunks AS next ON next.project_id = chunk.project_id AND next.import_id = chunk.import_id
    AND next.number = chunk.number + 1
CROSS JOIN LATERAL (
    SELECT lower(encode(chunk.content || substring(coalesce(next.content, '') FOR 1100), 'escape')) AS text OFFSET 0
) AS piece
WHERE chunk.project_id = $1 AND EXISTS (
    SELECT FROM unnest($2::bytea[]) AS one (bytes) WHERE strpos(piece.text, lower(encode(one.bytes, 'escape'))) > 0)
"""
_RESULTS = """
UPDATE async_actions SET result = jsonb_set(result, '{failed}', (
    SELECT coalesce(jsonb_agg(row), '[]') FROM jsonb_array_elements(result -> 'failed') AS row
    WHERE NOT (row ->> 'source_id' = ANY ($2) OR EXISTS (
        SELECT FROM unnest($2::text[]) AS one (text)
        WHERE length(one.text) >= $3 AND strpos(lower(row ->> 'reason'), lower(one.text)) > 0))
))
WHERE project_id = $1 AND id IN (SELECT action_id FROM imports WHERE project_id = $1 AND failed > 0)
    AND EXISTS (
        SELECT FROM unnest($2::text[]) AS one (text) WHERE strpos(lower(result ->> 'failed'), lower(one.text)) > 0)
"""


async def failures_naming(conn: Connection, project_id: int, values: list[str], long: int) -> list[Any]:
    """Return the failed rows in which one of the values stands."""
    return await conn.fetch(  # type: ignore[no-any-return]
        "SELECT import_id, line, reason, cells FROM import_failures "
        f"WHERE project_id = $1 AND {_NAMES} ORDER BY import_id, line",
        project_id,
        values,
        long,
    )


async def remove_failures_naming(conn: Connection, project_id: int, values: list[str], long: int) -> int:
    """Remove the failed rows in which one of the values stands; return how many."""
    done = await conn.execute(
        f"DELETE FROM import_failures WHERE project_id = $1 AND {_NAMES}", project_id, values, long
    )
    return int(done.split()[-1])


async def remove_from_results(conn: Connection, project_id: int, values: list[str], long: int) -> int:
    """Remove the failed rows with one of the values from what the actions of imports tell; return of how many."""
    return int((await conn.execute(_RESULTS, project_id, values, long)).split()[-1])


async def remove_file_names(conn: Connection, project_id: int, values: list[str], long: int) -> int:
    """Forget the names of files in which one of the values stands; return of how many."""
    done = await conn.execute(
        "UPDATE imports SET file_name = NULL WHERE project_id = $1 AND EXISTS (SELECT FROM unnest($2::text[]) "
        "AS one (text) WHERE length(one.text) >= $3 AND strpos(lower(file_name), lower(one.text)) > 0)",
        project_id,
        values,
        long,
    )
    return int(done.split()[-1])


# What was done to a customer, or names one: an order's values, an event's customer.
_CHANGES_OF = """
SELECT import_id, one.key AS subject, one.value AS changes
FROM import_changes, jsonb_each(changes) AS one
WHERE project_id = $1 AND strpos(changes::text, $2) > 0 AND strpos(one.key || one.value::text, $2) > 0
ORDER BY import_id, step, one.key
"""
_REST = (
    "(SELECT coalesce(jsonb_object_agg(one.key, one.value), '{{}}') FROM jsonb_each({0}) AS one "
    "WHERE strpos(one.key || one.value::text, $2) = 0)"
)
_REMOVE_CHANGES_OF = (
    f"UPDATE import_changes SET changes = {_REST.format('changes')}, outcomes = {_REST.format('outcomes')} "
    "WHERE project_id = $1 AND (strpos(changes::text, $2) > 0 OR strpos(outcomes::text, $2) > 0)"
)


async def changes_of(conn: Connection, project_id: int, customer_id: str) -> list[Any]:
    """Return what imports did to a customer and to what names them, as far as it is kept."""
    return await conn.fetch(_CHANGES_OF, project_id, customer_id)  # type: ignore[no-any-return]


async def remove_changes_of(conn: Connection, project_id: int, customer_id: str) -> int:
    """Remove what undoing imports takes of a customer, and of what names them; return from how many steps."""
    return int((await conn.execute(_REMOVE_CHANGES_OF, project_id, customer_id)).split()[-1])


async def files_with(conn: Connection, project_id: int, needles: list[bytes]) -> list[str]:
    """Return the imports of which a piece of the file that is still kept holds one of these."""
    return [row["import_id"] for row in await conn.fetch(_FILES, project_id, needles)]
