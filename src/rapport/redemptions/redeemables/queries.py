"""All SQL that reads what is to be redeemed: one round trip for the vouchers of a request, one for its tiers."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from rapport.categories import queries as categories
from rapport.categories.models import Category as StoredCategory
from rapport.core.clock import iso
from rapport.core.db import Connection, columns
from rapport.promotions.models import RedeemableTier
from rapport.promotions.queries import find_tiers
from rapport.promotions.stacks.queries import find_stacks
from rapport.redemptions.redeemables.models import (
    NOTHING_HELD,
    STACK,
    TIER,
    VOUCHER,
    Held,
    NamedCategory,
    Redeemable,
)
from rapport.redemptions.stacking import DEFAULTS, StackingRules
from rapport.redemptions.stacking_rules.queries import load, read
from rapport.rules.models import Assigned
from rapport.vouchers.models import Voucher
from rapport.vouchers.queries import EXISTS, FIELDS, TABLES

# What names a code's images is worked out for vouchers that are shown only.
_COLUMNS = {True: columns(Voucher), False: columns(Voucher).replace("asset_id", "NULL AS asset_id")}
_CATEGORY = "id, name, hierarchy, created_at, updated_at"
# What is to be redeemed, with its campaign, every rule that holds for it, its category, what sessions hold back of it
# and how the project stacks: one round trip for the whole decision. What is not there (locks, a category, stacking
# rules) is not looked for or found by one look at an index.
_VOUCHERS = f"""
SELECT {{columns}}, (
    SELECT coalesce(jsonb_agg(jsonb_build_array(rule.id, assignment.related_object_type, rule.rules, rule.error,
        rule.applicable_to, rule.bundle_rules)
        ORDER BY assignment.created_at, assignment.id), '[]')
    FROM validation_rule_assignments AS assignment
    JOIN validation_rules AS rule ON rule.project_id = $1 AND rule.id = assignment.rule_id
    WHERE assignment.project_id = $1 AND assignment.related_object_id IN (found.id, found.campaign_id)
) AS assigned, CASE WHEN locked_quantity > 0 OR locked_credits > 0 THEN (
    SELECT ARRAY[coalesce(sum(quantity) FILTER (WHERE live AND NOT own), 0)::bigint,
        coalesce(sum(credits) FILTER (WHERE live AND NOT own), 0)::bigint, count(*) FILTER (WHERE NOT live),
        count(*) FILTER (WHERE own)]
    FROM (SELECT quantity, credits, expires_at > $3 AS live, session_key IS NOT DISTINCT FROM $4 AS own
        FROM voucher_locks WHERE project_id = $1 AND voucher_id = found.id) AS locks
) END AS held, CASE WHEN category_id IS NOT NULL THEN (
    SELECT to_jsonb(one) FROM (
        SELECT {_CATEGORY} FROM categories WHERE project_id = $1 AND id = found.category_id
    ) AS one
) END AS category_row, (SELECT rules FROM stacking_rules WHERE project_id = $1) AS stacking,
formulas_count IS TRUE OR EXISTS (
    SELECT FROM rule_counted WHERE project_id = $1 AND object_id IN (found.id, found.campaign_id)
) AS is_counted
FROM (SELECT {FIELDS}, vouchers.locked_quantity, vouchers.locked_credits, campaigns.formulas_count FROM {TABLES}
    WHERE vouchers.project_id = $1 AND {{condition}} AND {EXISTS}) AS found
"""


def vouchers_where(condition: str, *, shown: bool) -> str:
    """Return the query of vouchers that a condition of ours holds for; with `shown`, with the ids of their images."""
    return _VOUCHERS.format(condition=condition, columns=_COLUMNS[shown])


_BY_CODE = {shown: vouchers_where("vouchers.code = ANY ($2)", shown=shown) for shown in (True, False)}
_WIDTH = len(Voucher.__struct_fields__)


class Asked(msgspec.Struct, frozen=True):
    """One of the things that a request wants to redeem."""

    object: str
    id: str
    credits: int | None = None


class Found(msgspec.Struct, frozen=True):
    """What was asked for, in the order of the request, a stack as its tiers; and how the project stacks.

    What there is not stands among them without a source.
    """

    redeemables: list[Redeemable]
    rules: StackingRules

    @property
    def missing(self) -> list[Redeemable]:
        """What there is not."""
        return [one for one in self.redeemables if one.source is None]


async def find_redeemables(
    conn: Connection,
    project_id: int,
    asked: Sequence[Asked],
    now: datetime,
    session_key: str | None = None,
    *,
    shown: bool,
) -> Found:
    """Return what a request wants to redeem, and the stacking rules: one round trip for each kind of thing in it.

    `shown`: the vouchers will be in the answer.
    """
    rules: StackingRules | None = None
    found: dict[tuple[str, str], list[Redeemable]] = {}
    codes = [one.id for one in asked if one.object == VOUCHER]
    if codes:
        rows = await conn.fetch(_BY_CODE[shown], project_id, codes, now, session_key)
        rules = read(rows[0]["stacking"]) if rows else DEFAULTS
        for row in rows:
            one = _voucher(row)
            found[VOUCHER, one.id] = [one]
    tier_ids = [one.id for one in asked if one.object == TIER]
    if tier_ids:
        for tier_id, tier in (await find_tiers(conn, project_id, tier_ids)).items():
            found[TIER, tier_id] = [tier_redeemable(tier)]
    stack_ids = [one.id for one in asked if one.object == STACK]
    if stack_ids:
        for stack_id, stack in (await find_stacks(conn, project_id, stack_ids)).items():
            found[STACK, stack_id] = [tier_redeemable(tier, stack_id) for tier in stack.tiers]
    if tier_ids or stack_ids:
        await _add_categories(conn, project_id, found)
    if rules is None:
        rules = await load(conn, project_id)
    return Found([one for wanted in asked for one in _asked_for(found.get((wanted.object, wanted.id)), wanted)], rules)


def _asked_for(found: list[Redeemable] | None, asked: Asked) -> list[Redeemable]:
    if not found:
        return [Redeemable(object=asked.object, id=asked.id, assigned=[], is_counted=False)]
    if asked.credits is None:
        return found
    return [msgspec.structs.replace(one, asked_credits=asked.credits) for one in found]


def _voucher(row: Any) -> Redeemable:
    voucher = Voucher(*row[:_WIDTH])
    held, category = row["held"], row["category_row"]
    return Redeemable(
        object=VOUCHER,
        id=voucher.code,
        voucher=voucher,
        assigned=[Assigned(*one) for one in row["assigned"]],
        held=NOTHING_HELD if held is None else Held(*held),
        categories=() if category is None else (category_of(category),),
        is_counted=row["is_counted"],
    )


def category_of(row: Mapping[str, Any]) -> NamedCategory:
    """Return a category as JSON has it."""
    times = {name: row[name] and iso(datetime.fromisoformat(row[name])) for name in ("created_at", "updated_at")}
    return NamedCategory(**{**row, **times})


async def _add_categories(conn: Connection, project_id: int, found: dict[tuple[str, str], list[Redeemable]]) -> None:
    for key, several in found.items():
        if key[0] != VOUCHER:
            found[key] = await with_categories(conn, project_id, several)


async def with_categories(conn: Connection, project_id: int, tiers: list[Redeemable]) -> list[Redeemable]:
    """Return tiers with the categories that they are in; without one, without asking."""
    ids = {one for redeemable in tiers if redeemable.tier is not None for one in redeemable.tier.category_ids}
    known = await categories.find_many(conn, project_id, sorted(ids))
    return [
        one
        if one.tier is None
        else msgspec.structs.replace(
            one, categories=tuple(named_category(known[name]) for name in one.tier.category_ids if name in known)
        )
        for one in tiers
    ]


def named_category(category: StoredCategory) -> NamedCategory:
    """Return a category as answers show it."""
    return NamedCategory(
        id=category.id,
        hierarchy=category.hierarchy,
        name=category.name,
        created_at=iso(category.created_at),
        updated_at=None if category.updated_at is None else iso(category.updated_at),
    )


def tier_redeemable(found: RedeemableTier, stack_id: str | None = None) -> Redeemable:
    """Return a tier as something to be redeemed, without its categories."""
    return Redeemable(
        object=TIER,
        id=found.tier.id,
        tier=found.tier,
        assigned=found.assigned,
        stack_id=stack_id,
    )


def vouchers_of(rows: Sequence[Any]) -> list[Redeemable]:
    """Return vouchers as something to be redeemed."""
    return [_voucher(row) for row in rows]


async def read_metadata(
    conn: Connection, project_id: int, campaign_ids: list[str], publication_ids: list[str]
) -> dict[tuple[str, str | None], dict[str, Any]]:
    """Return the metadata of campaigns and of publications, by what it is of (`campaign`, `publication`) and its id."""
    rows = await conn.fetch(
        "SELECT 'campaign', id, metadata FROM campaigns WHERE project_id = $1 AND id = ANY ($2) "
        "UNION ALL SELECT 'publication', id, metadata FROM publications WHERE project_id = $1 AND id = ANY ($3)",
        project_id,
        campaign_ids,
        publication_ids,
    )
    return {(kind, thing): metadata for kind, thing, metadata in rows}
