"""A validation rule and its assignment as values."""

from datetime import datetime
from typing import Any

import msgspec

NOTHING_APPLICABLE: dict[str, Any] = {"excluded": [], "included": [], "included_all": False}


class ValidationRule(msgspec.Struct, frozen=True):
    """One row of validation_rules; `rules` and `bundle_rules` are the reference's JSON."""

    id: str
    name: str
    rules: dict[str, Any]
    error: dict[str, Any] | None
    applicable_to: dict[str, Any]
    type: str
    context_type: str
    segment_ids: list[str]
    created_at: datetime
    updated_at: datetime | None
    collection_ids: list[str] = []
    bundle_rules: dict[str, Any] = {}


class Assignment(msgspec.Struct, frozen=True):
    """One row of validation_rule_assignments: a rule holds for a campaign, a voucher or something else."""

    id: str
    rule_id: str
    related_object_id: str
    related_object_type: str
    created_at: datetime


class Assigned(msgspec.Struct, frozen=True):
    """A rule as it is read with the voucher it holds for: by itself, or through its campaign."""

    rule_id: str
    related_object_type: str
    rules: dict[str, Any]
    error: dict[str, Any] | None
    applicable_to: dict[str, Any] = msgspec.field(default_factory=NOTHING_APPLICABLE.copy)
    bundle_rules: dict[str, Any] = {}
