"""All SQL of validation rules."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from rapport.core.db import Connection, columns
from rapport.http.lists import Equals, Found, From, ListSpec, Page, Until
from rapport.http.queries import fetch_page
from rapport.rules.models import Assignment, ValidationRule

RULES = ListSpec(
    data_ref="data",
    table="validation_rules",
    row=ValidationRule,
    orders={"created_at": "created_at", "updated_at": "coalesce(updated_at, created_at)", "name": "name"},
    default_order="-created_at",
    filters={"start_date": From("created_at"), "end_date": Until("created_at")},
)
ASSIGNMENTS = ListSpec(
    data_ref="data",
    table="validation_rule_assignments",
    row=Assignment,
    orders={"created_at": "created_at", "rule": "rule_id"},
    default_order="-created_at",
    filters={"related_object_id": Equals("related_object_id"), "rule": Equals("rule_id")},
)
_RULE = columns(ValidationRule)
_ASSIGNMENT = columns(Assignment)
RELATED = {
    "campaign": "SELECT id FROM campaigns WHERE project_id = $1 AND (id = $2 OR name = $2) AND state = 'live' "
    "ORDER BY id = $2 DESC LIMIT 1",
    "voucher": "SELECT id FROM vouchers WHERE project_id = $1 AND (id = $2 OR code = $2) AND NOT binned "
    "ORDER BY id = $2 DESC LIMIT 1",
    "promotion_tier": "SELECT tiers.id FROM promotion_tiers AS tiers JOIN campaigns ON campaigns.project_id = $1 "
    "AND campaigns.id = tiers.campaign_id AND campaigns.state = 'live' "
    "WHERE tiers.project_id = $1 AND tiers.id = $2",
}


async def insert(conn: Connection, project_id: int, rule: ValidationRule) -> None:
    """Insert a rule."""
    names = ValidationRule.__struct_fields__
    places = ", ".join(f"${number}" for number in range(2, len(names) + 2))
    await conn.execute(
        f"INSERT INTO validation_rules (project_id, {_RULE}) VALUES ($1, {places})",
        project_id,
        *[getattr(rule, name) for name in names],
    )


async def find(conn: Connection, project_id: int, rule_id: str, *, lock: bool = False) -> ValidationRule | None:
    """Return a rule, locked if asked for, or None."""
    suffix = " FOR NO KEY UPDATE" if lock else ""
    row = await conn.fetchrow(
        f"SELECT {_RULE} FROM validation_rules WHERE project_id = $1 AND id = $2{suffix}", project_id, rule_id
    )
    return None if row is None else ValidationRule(*row)


async def missing(conn: Connection, project_id: int, rule_ids: list[str]) -> list[str]:
    """Lock the rules against change and deletion; return the ids that are not there."""
    rows = await conn.fetch(
        "SELECT id FROM validation_rules WHERE project_id = $1 AND id = ANY ($2) ORDER BY id FOR SHARE",
        project_id,
        rule_ids,
    )
    found = {row["id"] for row in rows}
    return [rule_id for rule_id in rule_ids if rule_id not in found]


async def update(conn: Connection, project_id: int, rule: ValidationRule) -> None:
    """Write a locked rule."""
    await conn.execute(
        "UPDATE validation_rules SET name = $3, rules = $4, error = $5, applicable_to = $6, type = $7, "
        "context_type = $8, segment_ids = $9, updated_at = $10, collection_ids = $11, bundle_rules = $12 "
        "WHERE project_id = $1 AND id = $2",
        project_id,
        rule.id,
        rule.name,
        rule.rules,
        rule.error,
        rule.applicable_to,
        rule.type,
        rule.context_type,
        rule.segment_ids,
        rule.updated_at,
        rule.collection_ids,
        rule.bundle_rules,
    )


async def delete(conn: Connection, project_id: int, rule_id: str) -> bool:
    """Delete a rule with its assignments; return whether it was there."""
    done = await conn.execute("DELETE FROM validation_rules WHERE project_id = $1 AND id = $2", project_id, rule_id)
    return bool(done == "DELETE 1")


async def list_page(conn: Connection, project_id: int, page: Page) -> Found[ValidationRule]:
    """Return one page of rules."""
    return await fetch_page(conn, RULES, project_id, page)


async def assignment_counts(conn: Connection, project_id: int, rule_ids: list[str]) -> dict[str, int]:
    """Return how many assignments each rule has; rules without any are left out."""
    rows = await conn.fetch(
        "SELECT rule_id, count(*) AS number FROM validation_rule_assignments "
        "WHERE project_id = $1 AND rule_id = ANY ($2) GROUP BY rule_id",
        project_id,
        rule_ids,
    )
    return {row["rule_id"]: row["number"] for row in rows}


async def using_segment(conn: Connection, project_id: int, segment_id: str) -> list[str]:
    """Return the ids of the rules that name a segment."""
    rows = await conn.fetch(
        "SELECT id FROM validation_rules WHERE project_id = $1 AND $2 = ANY (segment_ids) ORDER BY id",
        project_id,
        segment_id,
    )
    return [row["id"] for row in rows]


async def using_collection(conn: Connection, project_id: int, collection_id: str) -> list[str]:
    """Return the ids of the rules that name a product collection."""
    rows = await conn.fetch(
        "SELECT id FROM validation_rules WHERE project_id = $1 AND $2 = ANY (collection_ids) ORDER BY id",
        project_id,
        collection_id,
    )
    return [row["id"] for row in rows]


async def assignments_of_rule(conn: Connection, project_id: int, rule_id: str) -> list[Assignment]:
    """Return what a rule is assigned to."""
    rows = await conn.fetch(
        f"SELECT {_ASSIGNMENT} FROM validation_rule_assignments WHERE project_id = $1 AND rule_id = $2 ORDER BY id",
        project_id,
        rule_id,
    )
    return [Assignment(*row) for row in rows]


async def rules_of(conn: Connection, project_id: int, rule_ids: list[str]) -> dict[str, ValidationRule]:
    """Return validation rules by id."""
    rows = await conn.fetch(
        f"SELECT {_RULE} FROM validation_rules WHERE project_id = $1 AND id = ANY ($2)", project_id, rule_ids
    )
    return {row["id"]: ValidationRule(*row) for row in rows}


async def find_related(conn: Connection, project_id: int, kind: str, reference: str) -> str | None:
    """Return the id of the campaign, or of the voucher (also by code), or None."""
    found: str | None = await conn.fetchval(RELATED[kind], project_id, reference)
    return found


async def assign(conn: Connection, project_id: int, assignments: list[Assignment]) -> list[Assignment]:
    """Insert assignments; return those that were not there before."""
    rows = await conn.fetch(
        f"INSERT INTO validation_rule_assignments (project_id, {_ASSIGNMENT}) "
        "SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[]) "
        f"ON CONFLICT (project_id, related_object_id, rule_id) DO NOTHING RETURNING {_ASSIGNMENT}",
        project_id,
        [one.id for one in assignments],
        [one.rule_id for one in assignments],
        [one.related_object_id for one in assignments],
        [one.related_object_type for one in assignments],
        [one.created_at for one in assignments],
    )
    return [Assignment(*row) for row in rows]


async def find_assignment(conn: Connection, project_id: int, rule_id: str, related_object_id: str) -> str:
    """Return the id of the assignment of this rule to this object."""
    found: str = await conn.fetchval(
        "SELECT id FROM validation_rule_assignments WHERE project_id = $1 AND related_object_id = $2 AND rule_id = $3",
        project_id,
        related_object_id,
        rule_id,
    )
    return found


async def assignments_of(conn: Connection, project_id: int, object_ids: list[str]) -> dict[str, list[Assignment]]:
    """Return the assignments of each campaign or voucher, oldest first."""
    rows = await conn.fetch(
        f"SELECT {_ASSIGNMENT} FROM validation_rule_assignments "
        "WHERE project_id = $1 AND related_object_id = ANY ($2) ORDER BY created_at, id",
        project_id,
        object_ids,
    )
    found: dict[str, list[Assignment]] = defaultdict(list)
    for row in rows:
        found[row["related_object_id"]].append(Assignment(*row))
    return found


async def unassign(conn: Connection, project_id: int, rule_id: str, assignment_id: str) -> bool:
    """Delete an assignment; return whether it was there."""
    done = await conn.execute(
        "DELETE FROM validation_rule_assignments WHERE project_id = $1 AND rule_id = $2 AND id = $3",
        project_id,
        rule_id,
        assignment_id,
    )
    return bool(done == "DELETE 1")


async def unassign_objects(conn: Connection, project_id: int, object_ids: list[str]) -> None:
    """Delete the assignments of campaigns or vouchers that go away."""
    await conn.execute(
        "DELETE FROM validation_rule_assignments WHERE project_id = $1 AND related_object_id = ANY ($2)",
        project_id,
        object_ids,
    )


async def list_assignments(
    conn: Connection, project_id: int, page: Page, rule_id: str | None = None
) -> Found[Assignment]:
    """Return one page of assignments, of one rule if it is named."""
    where = None if rule_id is None else {"rule_id": rule_id}
    return await fetch_page(conn, ASSIGNMENTS, project_id, page, where=where)


# What has a campaign, by its kind; the others are one, or have none.
_IN_CAMPAIGNS: Mapping[str, str] = {"voucher": "vouchers", "promotion_tier": "promotion_tiers"}


async def campaigns_of(conn: Connection, project_id: int, assignments: Sequence[Assignment]) -> dict[str, str]:
    """Return the campaigns of what rules are assigned to, by the object's id, where it belongs to one."""
    found: dict[str, str] = {}
    for kind in sorted({one.related_object_type for one in assignments} & _IN_CAMPAIGNS.keys()):
        rows = await conn.fetch(
            f"SELECT id, campaign_id FROM {_IN_CAMPAIGNS[kind]} "
            "WHERE project_id = $1 AND id = ANY ($2) AND campaign_id IS NOT NULL",
            project_id,
            [one.related_object_id for one in assignments if one.related_object_type == kind],
        )
        found |= {row["id"]: row["campaign_id"] for row in rows}
    return found
