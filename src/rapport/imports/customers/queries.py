"""SQL about the customers of imports."""

from rapport.core.db import Connection

# What is logged of a customer beside the import's own doings, and beside what follows from the customer by itself
# (activity_of_customer); and that somebody has put them into a static segment, which is not logged
# (segment_members_of_customer).
_TOUCHED = """
SELECT customer_id, min(type) AS type FROM activity
WHERE project_id = $1 AND customer_id = ANY ($2) AND group_id <> ALL ($3::text[]) AND type NOT LIKE 'customer.segment.%'
GROUP BY customer_id
UNION ALL
SELECT DISTINCT member.customer_id, 'they are in a static segment' FROM segment_members AS member
JOIN segments ON segments.project_id = $1 AND segments.id = member.segment_id
    AND segments.type = 'static' AND segments.state <> 'deleted'
WHERE member.project_id = $1 AND member.customer_id = ANY ($2) AND member.entered_at IS NOT NULL
"""


async def touched_since(
    conn: Connection, project_id: int, customer_ids: list[str], request_ids: list[str]
) -> dict[str, str]:
    """Return those of the customers to whom something happened beside some requests, and what, for instance."""
    rows = await conn.fetch(_TOUCHED, project_id, customer_ids, request_ids) if customer_ids else []
    return {row["customer_id"]: row["type"] for row in rows}
