"""HTTP operations of stacking rules, for the management API."""

from typing import Any

from litestar import Request, Response, delete, get, post, put

from rapport.http.bodies import answer, no_content, read_body
from rapport.http.caller import Caller
from rapport.http.openapi import operation
from rapport.projects.access import check_project
from rapport.redemptions.stacking_rules import actions, queries
from rapport.redemptions.stacking_rules.schemas import (
    StackingRulesAnswer,
    StackingRulesInput,
    StackingRulesList,
    view,
)

_RULES = "/management/v1/projects/{project_id:str}/stacking-rules"
_ONE = f"{_RULES}/{{rules_id:str}}"


@post(
    _RULES,
    status_code=200,
    opt=operation("create-stacking-rules", body=StackingRulesInput, answer=StackingRulesAnswer, management=True),
)
async def create_rules(request: Request[Any, Any, Any], project_id: str, management_caller: Caller) -> Response[bytes]:
    """Set how redeemables are combined, in place of the defaults."""
    await check_project(management_caller, project_id)
    data = await read_body(request, StackingRulesInput)
    return answer(view(await actions.create(management_caller.db, management_caller.project_id, data)))


@get(_RULES, opt=operation("list-stacking-rules", answer=StackingRulesList, management=True))
async def list_rules(project_id: str, management_caller: Caller) -> Response[bytes]:
    """List the stacking rules of the project: one set, or none where the defaults hold."""
    await check_project(management_caller, project_id)
    async with management_caller.db.read() as conn:
        stored = await queries.find(conn, management_caller.project_id)
    data = [] if stored is None else [view(stored)]
    return answer({"object": "list", "data_ref": "data", "data": data, "total": len(data)})


@get(_ONE, opt=operation("get-stacking-rules", answer=StackingRulesAnswer, management=True))
async def get_rules(project_id: str, rules_id: str, management_caller: Caller) -> Response[bytes]:
    """Get the stacking rules."""
    await check_project(management_caller, project_id)
    async with management_caller.db.read() as conn:
        return answer(view(await actions.get(conn, management_caller.project_id, rules_id)))


@put(
    _ONE,
    opt=operation("update-stacking-rules", body=StackingRulesInput, answer=StackingRulesAnswer, management=True),
)
async def update_rules(
    request: Request[Any, Any, Any], project_id: str, rules_id: str, management_caller: Caller
) -> Response[bytes]:
    """Change the stacking rules; what is not named stays, lists are replaced."""
    await check_project(management_caller, project_id)
    data = await read_body(request, StackingRulesInput)
    return answer(view(await actions.update(management_caller.db, management_caller.project_id, rules_id, data)))


@delete(_ONE, status_code=204, opt=operation("delete-stacking-rules", management=True))
async def delete_rules(project_id: str, rules_id: str, management_caller: Caller) -> Response[None]:
    """Delete the stacking rules; the defaults hold again."""
    await check_project(management_caller, project_id)
    await actions.delete(management_caller.db, management_caller.project_id, rules_id)
    return no_content()


handlers = (create_rules, list_rules, get_rules, update_rules, delete_rules)
