"""Writes of validation rules."""

from datetime import datetime
from typing import Any

import msgspec

from rapport.core.db import Connection
from rapport.core.errors import DuplicateFound, InvalidPayload, NotFound
from rapport.core.ids import new_id
from rapport.core.jsons import check_limits
from rapport.core.queries import read_now
from rapport.http.caller import Caller
from rapport.rules import conditions, queries
from rapport.rules.conditions import InvalidValidationRules, RuleSet
from rapport.rules.models import NOTHING_APPLICABLE, Assignment, ValidationRule
from rapport.rules.schemas import AssignmentInput, RuleError, ValidationRuleInput, ValidationRuleUpdate
from rapport.segments import queries as segments

RESOURCE = "validation_rules"


def _applicable_to(data: ValidationRuleInput | ValidationRuleUpdate) -> dict[str, Any]:
    if data.bundle_rules:
        raise InvalidValidationRules("Property .bundle_rules is not supported yet")
    given = data.applicable_to
    if given is None:
        return NOTHING_APPLICABLE
    if given.get("included") or given.get("excluded"):
        raise InvalidValidationRules("Property .applicable_to: discounts on single products are not supported yet")
    return {"excluded": [], "included": [], "included_all": bool(given.get("included_all"))}


def _error(change: RuleError | None, current: dict[str, Any] | None) -> dict[str, Any] | None:
    if change is None or change.message is None:
        return current
    return {"message": change.message} if change.message else None


async def _check_segments(conn: Connection, project_id: int, rules: RuleSet) -> None:
    """See that the segments are there; no segment is deleted meanwhile. Raises NotFound."""
    if rules.segment_ids:
        await segments.lock_definitions(conn, project_id)
        existing = await segments.existing(conn, project_id, rules.segment_ids)
        for segment_id in sorted(rules.segment_ids - existing.keys()):
            raise NotFound("segment", segment_id)


async def create(caller: Caller, data: ValidationRuleInput) -> ValidationRule:
    """Create a validation rule (`create-validation-rules`). Raises InvalidValidationRules, NotFound for a segment."""
    raw = data.rules if isinstance(data.rules, dict) else {"logic": ""}
    check_limits(raw, ".rules")
    rules = conditions.parse(raw)
    applicable_to = _applicable_to(data)

    async def work(conn: Connection) -> ValidationRule:
        await _check_segments(conn, caller.project_id, rules)
        rule = ValidationRule(
            id=new_id("val"),
            name=data.name,
            rules=raw,
            error=_error(data.error, None),
            applicable_to=applicable_to,
            type=data.type or "expression",
            context_type=data.context_type or "global",
            segment_ids=sorted(rules.segment_ids),
            created_at=await read_now(conn, caller.db.clock_offset),
            updated_at=None,
        )
        await queries.insert(conn, caller.project_id, rule)
        return rule

    return await caller.db.transaction(work)


async def update(caller: Caller, rule_id: str, data: ValidationRuleUpdate) -> ValidationRule:
    """Change a validation rule (`update-validation-rule`). Raises NotFound, InvalidValidationRules."""
    rules = None
    if isinstance(data.rules, dict):
        check_limits(data.rules, ".rules")
        rules = conditions.parse(data.rules)

    async def work(conn: Connection) -> ValidationRule:
        if rules is not None:
            await _check_segments(conn, caller.project_id, rules)
        rule = await queries.find(conn, caller.project_id, rule_id, lock=True)
        if rule is None:
            raise NotFound(RESOURCE, rule_id)
        changes: dict[str, Any] = {
            name: getattr(data, name) for name in ("name", "type", "context_type") if getattr(data, name) is not None
        }
        if rules is not None:
            changes |= {"rules": data.rules, "segment_ids": sorted(rules.segment_ids)}
        applicable_to = _applicable_to(data)
        if data.applicable_to is not None:
            changes["applicable_to"] = applicable_to
        changes["error"] = _error(data.error, rule.error)
        now = await read_now(conn, caller.db.clock_offset)
        changed = msgspec.structs.replace(rule, **changes, updated_at=now)
        await queries.update(conn, caller.project_id, changed)
        return changed

    return await caller.db.transaction(work)


async def delete(caller: Caller, rule_id: str) -> None:
    """Delete a validation rule with its assignments (`delete-validation-rules`). Raises NotFound."""

    async def work(conn: Connection) -> None:
        if not await queries.delete(conn, caller.project_id, rule_id):
            raise NotFound(RESOURCE, rule_id)

    await caller.db.transaction(work)


async def assign(
    conn: Connection, project_id: int, at: datetime, rule_ids: list[str], kind: str, object_id: str
) -> list[Assignment]:
    """Make rules hold for a campaign or voucher, in the caller's transaction; return the new ones. Raises NotFound."""
    wanted = list(dict.fromkeys(rule_ids))
    for rule_id in await queries.missing(conn, project_id, wanted):
        raise NotFound(RESOURCE, rule_id)
    assignments = [
        Assignment(
            id=new_id("asgm"), rule_id=rule_id, related_object_id=object_id, related_object_type=kind, created_at=at
        )
        for rule_id in wanted
    ]
    return await queries.assign(conn, project_id, assignments)


async def create_assignment(caller: Caller, rule_id: str, data: AssignmentInput, *, force: bool = False) -> Assignment:
    """Assign a rule (`create-validation-rule-assignment`); `force` puts a new assignment in place of the same one.

    Raises NotFound, DuplicateFound.
    """

    async def work(conn: Connection) -> Assignment:
        kind, reference = data.related_object_type, data.related_object_id
        if kind not in queries.RELATED:
            raise InvalidPayload(f"Property .related_object_type: rules for a {kind} are not supported yet")
        object_id = await queries.find_related(conn, caller.project_id, kind, reference)
        if object_id is None:
            raise NotFound(kind, reference)
        now = await read_now(conn, caller.db.clock_offset)
        made = await assign(conn, caller.project_id, now, [rule_id], kind, object_id)
        if not made:
            existing = await queries.find_assignment(conn, caller.project_id, rule_id, object_id)
            if force:
                await queries.unassign(conn, caller.project_id, rule_id, existing)
                return (await assign(conn, caller.project_id, now, [rule_id], kind, object_id))[0]
            raise DuplicateFound(
                "validation_rules_assignment",
                existing,
                f"Duplicated validation_rules_assignment exists with id {existing}",
            )
        return made[0]

    return await caller.db.transaction(work)


async def delete_assignment(caller: Caller, rule_id: str, assignment_id: str) -> None:
    """Take an assignment back (`delete-validation-rule-assignment`). Raises NotFound."""

    async def work(conn: Connection) -> None:
        if await queries.find(conn, caller.project_id, rule_id) is None:
            raise NotFound(RESOURCE, rule_id)
        if not await queries.unassign(conn, caller.project_id, rule_id, assignment_id):
            raise NotFound("validation_rules_assignment", assignment_id)

    await caller.db.transaction(work)
