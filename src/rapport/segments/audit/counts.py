"""What the self-audit tells the metrics."""

from rapport.core.db import Connection
from rapport.http.metrics import Count
from rapport.segments.audit import queries


async def counts(conn: Connection, project_id: int | None) -> list[Count]:
    """Return how many memberships were compared with the filters, and how many differed (it must be none)."""
    found = await queries.totals(conn, project_id)
    labels = {} if project_id is None else {"project": await queries.public_id(conn, project_id)}
    return [
        Count("rapport_segment_audit_checked", "Memberships compared with the filter.", found.checked, labels),
        Count("rapport_segment_audit_drift", "Memberships that were not what the filter says.", found.drifted, labels),
    ]
