"""Writes of validation rules."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UnsetType

from rapport.core.db import Connection
from rapport.core.errors import DuplicateFound, InvalidPayload, NotFound
from rapport.core.ids import new_id
from rapport.core.jsons import check_limits
from rapport.core.queries import read_now
from rapport.http.caller import Caller
from rapport.metadata.queries import load
from rapport.product_collections.actions import hold
from rapport.rules import bundles, conditions, queries, unit_limits
from rapport.rules.applicable import checked, collections_of
from rapport.rules.conditions import RuleSet
from rapport.rules.counted import queries as counted
from rapport.rules.counters import Watch, watch_of
from rapport.rules.models import NOTHING_APPLICABLE, Assignment, ValidationRule
from rapport.rules.schemas import AssignmentInput, RuleError, ValidationRuleInput, ValidationRuleUpdate
from rapport.rules.typed import typed
from rapport.segments import queries as segments

RESOURCE = "validation_rules"


async def _read(caller: Caller, raw: Any) -> dict[str, Any]:
    """Return rules as they are to be kept, typed by the project's metadata schemas.

    Raises InvalidValidationRules, InvalidPayload.
    """
    check_limits(raw, ".rules")
    async with caller.db.read() as conn:
        schemas = await load(conn, caller.project_id)
    kept = typed(raw, schemas)
    conditions.parse(kept)
    return kept


def _bundle(raw: Any) -> dict[str, Any]:
    check_limits(raw, ".bundle_rules")
    return bundles.checked(raw)


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


def _collections(rules: RuleSet, applicable_to: dict[str, Any]) -> list[str]:
    return sorted(rules.needs.collections | collections_of(applicable_to))


async def create(caller: Caller, data: ValidationRuleInput) -> ValidationRule:
    """Create a validation rule (`create-validation-rules`).

    Raises InvalidValidationRules, NotFound for a segment or a product collection.
    """
    raw = await _read(caller, data.rules if isinstance(data.rules, dict) else {"logic": ""})
    bundle_rules = _bundle(data.bundle_rules)
    rules = conditions.parse(raw, bundle_rules)
    check_limits(data.applicable_to, ".applicable_to")
    applicable_to = NOTHING_APPLICABLE if data.applicable_to is None else checked(data.applicable_to)

    async def work(conn: Connection) -> ValidationRule:
        await _check_segments(conn, caller.project_id, rules)
        await hold(conn, caller.project_id, _collections(rules, applicable_to))
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
            collection_ids=_collections(rules, applicable_to),
            bundle_rules=bundle_rules,
        )
        await queries.insert(conn, caller.project_id, rule)
        return rule

    return await caller.db.transaction(work)


async def update(caller: Caller, rule_id: str, data: ValidationRuleUpdate) -> ValidationRule:
    """Change a validation rule (`update-validation-rule`); what it is assigned to follows at once.

    Raises NotFound, InvalidValidationRules.
    """
    raw = await _read(caller, data.rules) if isinstance(data.rules, dict) else None
    bundle_rules = None if isinstance(data.bundle_rules, UnsetType) else _bundle(data.bundle_rules)
    check_limits(data.applicable_to, ".applicable_to")
    applicable_to = None if data.applicable_to is None else checked(data.applicable_to)

    async def work(conn: Connection) -> ValidationRule:
        if raw is not None:
            await _check_segments(conn, caller.project_id, conditions.parse(raw))
        rule = await queries.find(conn, caller.project_id, rule_id, lock=True)
        if rule is None:
            raise NotFound(RESOURCE, rule_id)
        changes: dict[str, Any] = {
            name: getattr(data, name) for name in ("name", "type", "context_type") if getattr(data, name) is not None
        }
        rules = conditions.parse(
            rule.rules if raw is None else raw, rule.bundle_rules if bundle_rules is None else bundle_rules
        )
        given = {"rules": raw, "applicable_to": applicable_to, "bundle_rules": bundle_rules}
        changes |= {name: value for name, value in given.items() if value is not None}
        changes["segment_ids"] = sorted(rules.segment_ids)
        changes["collection_ids"] = _collections(rules, applicable_to or rule.applicable_to)
        # Those that it names already cannot have been deleted.
        await hold(conn, caller.project_id, set(changes["collection_ids"]) - set(rule.collection_ids))
        changes["error"] = _error(data.error, rule.error)
        now = await read_now(conn, caller.db.clock_offset)
        changed = msgspec.structs.replace(rule, **changes, updated_at=now)
        if _counted(rule) != _counted(changed):
            assignments = await queries.assignments_of_rule(conn, caller.project_id, rule_id)
            await _watch(conn, caller.project_id, [(one, changed) for one in assignments], is_change=True)
        await queries.update(conn, caller.project_id, changed)
        return changed

    return await caller.db.transaction(work)


def _counted(rule: ValidationRule, object_id: str = "", campaign_id: str = "") -> set[Watch]:
    """Return what has to be counted because a rule is assigned to something of a campaign (or else to itself)."""
    counts = conditions.parse(rule.rules).needs.counts
    return unit_limits.watches(rule.applicable_to, object_id, campaign_id) | {
        watch_of(count, campaign_id if count.scope == "campaign" else object_id)
        for count in counts
        if count.by != "customer"
    }


async def _watch(
    conn: Connection, project_id: int, assigned: list[tuple[Assignment, ValidationRule]], *, is_change: bool = False
) -> None:
    """Have counted what the rules of assignments ask for; see budgets.py. `is_change`: they may ask for less."""
    asking = [(one, rule) for one, rule in assigned if _counted(rule)]
    if not asking and not (is_change and assigned):
        return
    await counted.shut_redemptions_out(conn, project_id)
    campaigns = await queries.campaigns_of(conn, project_id, [one for one, _ in asking])
    watches = {
        (one.id, watch)
        for one, rule in asking
        for watch in _counted(rule, one.related_object_id, campaigns.get(one.related_object_id, one.related_object_id))
    }
    await counted.watch(conn, project_id, [one.id for one, _ in assigned], watches)


async def prepare(conn: Connection, project_id: int, rule_ids: Collection[str]) -> None:
    """Wait for the redemptions under way where rules that are about to be assigned count.

    Before any row is locked: redemptions hold this off first, and then wait for rows.
    """
    wanted = await queries.rules_of(conn, project_id, sorted(set(rule_ids))) if rule_ids else {}
    if any(_counted(rule) for rule in wanted.values()):
        await counted.shut_redemptions_out(conn, project_id)


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
    made = await queries.assign(conn, project_id, assignments)
    rules = await queries.rules_of(conn, project_id, wanted)
    await _watch(conn, project_id, [(one, rules[one.rule_id]) for one in made])
    return made


async def create_assignment(caller: Caller, rule_id: str, data: AssignmentInput, *, force: bool = False) -> Assignment:
    """Assign a rule (`create-validation-rule-assignment`); `force` puts a new assignment in place of the same one.

    Raises NotFound, DuplicateFound.
    """

    async def work(conn: Connection) -> Assignment:
        kind, reference = data.related()
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
