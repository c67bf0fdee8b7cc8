"""The schemas of projects, kept in the memory of a process and read again when they have changed."""

from rapport.core.db import Connection
from rapport.metadata import queries
from rapport.metadata.models import NO_SCHEMAS, Schemas

# Projects whose schemas are kept at a time.
MAX_PROJECTS = 1_000


class Definitions:
    """The schemas of many projects."""

    def __init__(self) -> None:
        """Start with nothing remembered."""
        self._known: dict[int, tuple[int, Schemas]] = {}

    async def schemas(self, conn: Connection, project_id: int, version: int) -> Schemas:
        """Return the project's schemas as of this version, or of a later one; version 0 is that of a project without.

        A round trip only where the version is one that this process has not seen.
        """
        if version == 0:
            return NO_SCHEMAS
        known = self._known.get(project_id)
        if known is None or known[0] < version:
            loaded = await queries.load_versioned(conn, project_id)
            # Another task may have read a later one meanwhile.
            known = self._known.get(project_id)
            if known is None or known[0] < loaded[0]:
                if len(self._known) >= MAX_PROJECTS:
                    self._known.clear()
                known = self._known[project_id] = loaded
        return known[1]
