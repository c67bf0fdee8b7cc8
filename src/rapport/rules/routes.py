"""HTTP operations of validation rules and their assignments."""

from typing import Any

from litestar import Request, Response, Router, delete, get, post, put

from rapport.core.errors import NotFound
from rapport.http.bodies import answer, no_content, read_body
from rapport.http.caller import Caller
from rapport.http.lists import BOOLEAN, envelope, read_flag, read_page
from rapport.http.openapi import operation
from rapport.rules import actions, queries
from rapport.rules.answers import AssignmentAnswer, ValidationRuleAnswer
from rapport.rules.schemas import (
    AssignmentInput,
    ValidationRuleInput,
    ValidationRuleUpdate,
    assignment_view,
    rule_view,
)


@post(
    "/v1/validation-rules",
    status_code=200,
    opt=operation("create-validation-rules", answer=ValidationRuleAnswer, body=ValidationRuleInput),
)
async def create_rule(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """Create a validation rule."""
    return answer(rule_view(await actions.create(caller, await read_body(request, ValidationRuleInput)), 0))


@get("/v1/validation-rules", opt=operation("list-validation-rules", item=ValidationRuleAnswer, spec=queries.RULES))
async def list_rules(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """List validation rules, newest first."""
    page = read_page(queries.RULES, request.query_params)
    async with caller.db.read() as conn:
        found = await queries.list_page(conn, caller.project_id, page)
        counts = await queries.assignment_counts(conn, caller.project_id, [rule.id for rule in found.items])
    return answer(envelope(queries.RULES, found, [rule_view(rule, counts.get(rule.id, 0)) for rule in found.items]))


@get("/v1/validation-rules/{rule_id:str}", opt=operation("get-validation-rule", answer=ValidationRuleAnswer))
async def get_rule(rule_id: str, caller: Caller) -> Response[bytes]:
    """Get one validation rule."""
    async with caller.db.read() as conn:
        rule = await queries.find(conn, caller.project_id, rule_id)
        counts = await queries.assignment_counts(conn, caller.project_id, [rule_id])
    if rule is None:
        raise NotFound(actions.RESOURCE, rule_id)
    return answer(rule_view(rule, counts.get(rule_id, 0)))


@put(
    "/v1/validation-rules/{rule_id:str}",
    opt=operation("update-validation-rule", answer=ValidationRuleAnswer, body=ValidationRuleUpdate),
)
async def update_rule(request: Request[Any, Any, Any], rule_id: str, caller: Caller) -> Response[bytes]:
    """Change a validation rule; what the body leaves out stays."""
    rule = await actions.update(caller, rule_id, await read_body(request, ValidationRuleUpdate))
    async with caller.db.read() as conn:
        counts = await queries.assignment_counts(conn, caller.project_id, [rule_id])
    return answer(rule_view(rule, counts.get(rule_id, 0)))


@delete("/v1/validation-rules/{rule_id:str}", status_code=204, opt=operation("delete-validation-rules"))
async def delete_rule(rule_id: str, caller: Caller) -> Response[None]:
    """Delete a validation rule and its assignments."""
    await actions.delete(caller, rule_id)
    return no_content()


@get(
    "/v1/validation-rules-assignments",
    opt=operation("list-validation-rules-assignments", item=AssignmentAnswer, spec=queries.ASSIGNMENTS),
)
async def list_all_assignments(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """List the assignments of all validation rules."""
    page = read_page(queries.ASSIGNMENTS, request.query_params)
    async with caller.db.read() as conn:
        found = await queries.list_assignments(conn, caller.project_id, page)
    return answer(envelope(queries.ASSIGNMENTS, found, [assignment_view(one) for one in found.items]))


@get(
    "/v1/validation-rules/{rule_id:str}/assignments",
    opt=operation("list-validation-rule-assignments", item=AssignmentAnswer, spec=queries.ASSIGNMENTS),
)
async def list_rule_assignments(request: Request[Any, Any, Any], rule_id: str, caller: Caller) -> Response[bytes]:
    """List what a validation rule is assigned to: nothing, if there is no such rule."""
    page = read_page(queries.ASSIGNMENTS, request.query_params)
    async with caller.db.read() as conn:
        found = await queries.list_assignments(conn, caller.project_id, page, rule_id)
    return answer(envelope(queries.ASSIGNMENTS, found, [assignment_view(one) for one in found.items]))


@post(
    "/v1/validation-rules/{rule_id:str}/assignments",
    status_code=200,
    opt=operation(
        "create-validation-rule-assignment",
        body=AssignmentInput,
        answer=AssignmentAnswer,
        query={"force": BOOLEAN},
    ),
)
async def create_assignment(request: Request[Any, Any, Any], rule_id: str, caller: Caller) -> Response[bytes]:
    """Make a validation rule hold for a campaign or a voucher."""
    data = await read_body(request, AssignmentInput)
    force = read_flag(request.query_params, "force")
    assignment = await actions.create_assignment(caller, rule_id, data, force=force)
    return answer(assignment_view(assignment))


@delete(
    "/v1/validation-rules/{rule_id:str}/assignments/{assignment_id:str}",
    status_code=204,
    opt=operation("delete-validation-rule-assignment"),
)
async def delete_assignment(rule_id: str, assignment_id: str, caller: Caller) -> Response[None]:
    """Take an assignment of a validation rule back."""
    await actions.delete_assignment(caller, rule_id, assignment_id)
    return no_content()


router = Router(
    "/",
    route_handlers=[
        create_rule,
        list_rules,
        get_rule,
        update_rule,
        delete_rule,
        list_all_assignments,
        list_rule_assignments,
        create_assignment,
        delete_assignment,
    ],
)
