"""All SQL of stacking rules."""

from datetime import datetime, timedelta
from typing import Any

import msgspec

from rapport.core.db import Connection, columns
from rapport.redemptions.stacking import DEFAULTS, StackingRules


class Stored(msgspec.Struct, frozen=True):
    """The rules that a project set."""

    id: str
    rules: dict[str, Any]
    created_at: datetime
    updated_at: datetime | None


_COLUMNS = columns(Stored)
_NOW = "date_trunc('milliseconds', clock_timestamp() + $4::interval)"


def read(stored: dict[str, Any] | None) -> StackingRules:
    """Return rules as they are stored; None: the defaults."""
    return DEFAULTS if stored is None else msgspec.convert(stored, StackingRules)


async def find(conn: Connection, project_id: int, *, lock: bool = False) -> Stored | None:
    """Return what the project set, or None."""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM stacking_rules WHERE project_id = $1{' FOR UPDATE' if lock else ''}", project_id
    )
    return None if row is None else Stored(*row)


async def load(conn: Connection, project_id: int) -> StackingRules:
    """Return the rules that hold for a project."""
    stored = await find(conn, project_id)
    return DEFAULTS if stored is None else read(stored.rules)


async def insert(
    conn: Connection, project_id: int, rules_id: str, rules: dict[str, Any], offset: timedelta
) -> Stored | None:
    """Set the rules of a project that has none; None: it has."""
    row = await conn.fetchrow(
        f"INSERT INTO stacking_rules (project_id, id, rules, created_at) SELECT $1, $2, $3, {_NOW} "
        f"ON CONFLICT DO NOTHING RETURNING {_COLUMNS}",
        project_id,
        rules_id,
        rules,
        offset,
    )
    return None if row is None else Stored(*row)


async def update(
    conn: Connection, project_id: int, rules_id: str, rules: dict[str, Any], offset: timedelta
) -> Stored | None:
    """Replace the rules; None: they are not there any more."""
    row = await conn.fetchrow(
        f"UPDATE stacking_rules SET rules = $3, updated_at = {_NOW} WHERE project_id = $1 AND id = $2 "
        f"RETURNING {_COLUMNS}",
        project_id,
        rules_id,
        rules,
        offset,
    )
    return None if row is None else Stored(*row)


async def delete(conn: Connection, project_id: int, rules_id: str) -> bool:
    """Forget the rules, so that the defaults hold; return whether they were there."""
    done = await conn.execute("DELETE FROM stacking_rules WHERE project_id = $1 AND id = $2", project_id, rules_id)
    return bool(done == "DELETE 1")
