"""A management key opens its own project and no other."""

from rapport.core.errors import NotFound
from rapport.http.caller import Caller
from rapport.projects.queries import get_project


async def check_project(caller: Caller, project_id: str) -> None:
    """Raise NotFound unless the project of a path is the caller's own."""
    async with caller.db.read() as conn:
        project = await get_project(conn, caller.project_id)
    if project.id != project_id:
        raise NotFound("project", project_id)
