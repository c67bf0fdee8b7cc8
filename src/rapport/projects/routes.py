"""HTTP operations of projects, for the management API: a key's own project, and its settings."""

from typing import Any

from litestar import Request, Response, Router, get, put

from rapport.http.bodies import answer, read_body
from rapport.http.caller import Caller
from rapport.http.openapi import operation
from rapport.projects import actions, queries
from rapport.projects.access import check_project
from rapport.projects.schemas import ProjectList, ProjectUpdate, ProjectView, check_known, view

_ALL = "/management/v1/projects"
_ONE = f"{_ALL}/{{project_id:str}}"


async def _own(caller: Caller) -> ProjectView:
    async with caller.db.read() as conn:
        return view(await queries.get_settings(conn, caller.project_id))


@get(_ALL, opt=operation("list-projects", answer=ProjectList, management=True))
async def list_projects(management_caller: Caller) -> Response[bytes]:
    """List the projects that the key opens: its own."""
    return answer(ProjectList(data=[await _own(management_caller)], total=1))


@get(_ONE, opt=operation("get-project", answer=ProjectView, management=True))
async def get_project(project_id: str, management_caller: Caller) -> Response[bytes]:
    """Get the project that the key belongs to."""
    await check_project(management_caller, project_id)
    return answer(await _own(management_caller))


@put(_ONE, opt=operation("update-project", body=ProjectUpdate, answer=ProjectView, management=True))
async def update_project(
    request: Request[Any, Any, Any], project_id: str, management_caller: Caller
) -> Response[bytes]:
    """Change settings of the project: its name and description, and what client keys may do; what is left out stays.

    A change of what client keys may do holds within five seconds.
    """
    await check_project(management_caller, project_id)
    check_known(await read_body(request, dict[str, Any]))
    data = await read_body(request, ProjectUpdate)
    return answer(view(await actions.update(management_caller.db, management_caller.project_id, data)))


router = Router("/", route_handlers=[list_projects, get_project, update_project])
