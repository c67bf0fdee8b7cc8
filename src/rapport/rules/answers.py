"""What the operations of validation rules answer, as the OpenAPI document declares it."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from rapport.http.answers import Count, Instant
from rapport.rules.schemas import Context, Related, Type


class RuleErrorAnswer(msgspec.Struct, kw_only=True):
    """What a shop wants its customer to read when the rules do not hold."""

    message: str


class ValidationRuleAnswer(msgspec.Struct, kw_only=True):
    """A validation rule."""

    id: str
    name: str
    rules: dict[str, Any]
    applicable_to: dict[str, Any]
    type: Type
    context_type: Context
    assignments_count: Count
    created_at: Instant
    updated_at: Instant | None
    object: Literal["validation_rules"]
    error: RuleErrorAnswer | UnsetType = UNSET


class AssignmentAnswer(msgspec.Struct, kw_only=True):
    """That a validation rule holds for a campaign, a voucher or something else."""

    id: str
    rule_id: str
    related_object_id: str
    related_object_type: Related
    created_at: Instant
    object: Literal["validation_rules_assignment"]


class AssignmentsAnswer(msgspec.Struct, kw_only=True):
    """The validation rules that hold for something."""

    object: Literal["list"]
    data_ref: Literal["data"]
    data: list[AssignmentAnswer]
    total: Count
