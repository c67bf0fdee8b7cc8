"""The definitions of segments, kept in the memory of a process and read again as far as they have changed."""

import asyncio

import structlog

from rapport.core.db import Connection
from rapport.segments.filters import InvalidFilter
from rapport.segments.matcher import Matcher
from rapport.segments.models import DELETED, Definition, define, in_order
from rapport.segments.stored import queries

# Projects whose definitions are kept at a time.
MAX_PROJECTS = 1_000

log = structlog.get_logger(__name__)


class Definitions:
    """The definitions of many projects."""

    def __init__(self) -> None:
        """Start with nothing remembered."""
        self._projects: dict[int, _Project] = {}

    async def matcher(self, conn: Connection, project_id: int, version: int) -> Matcher:
        """Return the definitions of this version of the project's segments, or of a later one."""
        project = self._projects.get(project_id)
        if project is None:
            if len(self._projects) >= MAX_PROJECTS:
                self._projects.clear()
            project = self._projects[project_id] = _Project()
        return await project.matcher(conn, project_id, version)


class _Project:
    """The definitions of one project; read again, as far as they have changed, when the version says so."""

    def __init__(self) -> None:
        self._version = -1
        self._definitions: dict[str, Definition] = {}
        self._matcher = Matcher(())
        self._lock = asyncio.Lock()

    async def matcher(self, conn: Connection, project_id: int, version: int) -> Matcher:
        if self._version != version:
            async with self._lock:
                if self._version < version:
                    await self._load(conn, project_id)
        return self._matcher

    async def _load(self, conn: Connection, project_id: int) -> None:
        # The version first: what is read after it can only be newer, and is then read again next time.
        version, removed = await queries.read_version(conn, project_id)
        known = self._version if removed <= self._version else -1
        definitions = dict(self._definitions) if known >= 0 else {}
        for segment in await queries.changed_since(conn, project_id, known):
            definitions.pop(segment.id, None)
            if segment.state != DELETED:
                try:
                    definitions[segment.id] = define(segment)
                except InvalidFilter:
                    # One filter that can no longer be read must not stop every write of the project.
                    log.exception("a filter cannot be read: the segment stays as it is", segment_id=segment.id)
        self._matcher = Matcher(in_order(definitions.values()))
        self._definitions, self._version = definitions, version
