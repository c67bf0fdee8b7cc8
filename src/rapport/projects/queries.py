"""All SQL of projects and keys."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from rapport.core.db import Connection, columns
from rapport.http.client_side import SWITCHES, ClientSide
from rapport.projects.models import Key, Kind, Project, ProjectSettings

_LOCK = 7_237_764_002
_PROJECT = columns(Project)
_SWITCHES = ", ".join(f"p.{one}" for one in SWITCHES)
_SETTINGS = f"""
p.id, coalesce(p.display_name, p.name) AS name, p.description, p.currency, p.dial_code, p.time_zone,
p.client_trusted_domains, {_SWITCHES}
"""


async def lock_projects(conn: Connection) -> None:
    """Let no other transaction add projects or keys until this one ends.

    Names of projects and app ids are unique over all projects, which no constraint that begins with `project_id` says.
    """
    await conn.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)


async def find_project(conn: Connection, name: str) -> Project | None:
    """Return the project with this name."""
    row = await conn.fetchrow(f"SELECT {_PROJECT} FROM projects WHERE name = $1 ORDER BY project_id LIMIT 1", name)
    return Project(**dict(row)) if row else None


async def get_project(conn: Connection, project_id: int) -> Project:
    """Return a project that is known to exist."""
    row = await conn.fetchrow(f"SELECT {_PROJECT} FROM projects WHERE project_id = $1", project_id)
    if row is None:
        raise LookupError(project_id)
    return Project(**dict(row))


async def get_settings(conn: Connection, project_id: int) -> ProjectSettings:
    """Return the settings of a project that is known to exist."""
    row = await conn.fetchrow(f"SELECT {_SETTINGS} FROM projects p WHERE p.project_id = $1", project_id)
    if row is None:
        raise LookupError(project_id)
    return ProjectSettings(**dict(row))


async def update_settings(conn: Connection, project_id: int, given: Mapping[str, Any]) -> ProjectSettings:
    """Change the settings that are given, by the names of their columns, and return all; None stays as it is."""
    row = await conn.fetchrow(
        f"""
        UPDATE projects p SET
            display_name = coalesce($2, p.display_name),
            description = coalesce($3, p.description),
            currency = nullif(coalesce($4, p.currency), ''),
            dial_code = nullif(coalesce($5, p.dial_code), ''),
            client_trusted_domains = coalesce($6::text[], p.client_trusted_domains),
            client_redeem_enabled = coalesce($7, p.client_redeem_enabled),
            client_publish_enabled = coalesce($8, p.client_publish_enabled),
            client_list_vouchers_enabled = coalesce($9, p.client_list_vouchers_enabled),
            client_create_customer_enabled = coalesce($10, p.client_create_customer_enabled),
            client_loyalty_events_enabled = coalesce($11, p.client_loyalty_events_enabled),
            client_set_voucher_expiration_date_enabled =
                coalesce($12, p.client_set_voucher_expiration_date_enabled)
        WHERE p.project_id = $1
        RETURNING {_SETTINGS}
        """,
        project_id,
        given["display_name"],
        given["description"],
        given["currency"],
        given["dial_code"],
        given["client_trusted_domains"],
        *(given[one] for one in SWITCHES),
    )
    if row is None:
        raise LookupError(project_id)
    return ProjectSettings(**dict(row))


async def find_project_id(conn: Connection, public_id: str) -> int | None:
    """Return the number of the project with this public id."""
    found: int | None = await conn.fetchval(
        "SELECT project_id FROM projects WHERE id = $1 ORDER BY project_id LIMIT 1", public_id
    )
    return found


async def find_link_secret(conn: Connection, public_id: str) -> tuple[int, bytes] | None:
    """Return the number of the project with this public id, and what signs its links."""
    if "\x00" in public_id:  # as a stranger may write it into a link
        return None
    row = await conn.fetchrow(
        "SELECT project_id, link_secret FROM projects WHERE id = $1 ORDER BY project_id LIMIT 1", public_id
    )
    return None if row is None else (row["project_id"], row["link_secret"])


async def get_link_secret(conn: Connection, project_id: int) -> tuple[str, bytes]:
    """Return the public id of a project that is known to exist, and what signs its links."""
    row = await conn.fetchrow("SELECT id, link_secret FROM projects WHERE project_id = $1", project_id)
    if row is None:
        raise LookupError(project_id)
    return row["id"], row["link_secret"]


async def insert_project(conn: Connection, public_id: str, name: str, time_zone: str, offset: timedelta) -> Project:
    """Add a project and return it. The caller holds `lock_projects`."""
    row = await conn.fetchrow(
        f"""
        INSERT INTO projects (id, name, time_zone, created_at)
        SELECT $1, $2, $3, date_trunc('milliseconds', clock_timestamp() + $4::interval)
        RETURNING {_PROJECT}
        """,
        public_id,
        name,
        time_zone,
        offset,
    )
    return Project(**dict(row or {}))


async def is_time_zone(conn: Connection, name: str) -> bool:
    """Whether the database knows this time zone by its full name."""
    return bool(await conn.fetchval("SELECT EXISTS (SELECT FROM pg_timezone_names WHERE name = $1)", name))


async def find_key(conn: Connection, app_id: str) -> Key | None:
    """Return the key with this app id, of whatever project: what a request is recognised by (api_keys_by_app_id)."""
    row = await conn.fetchrow(
        f"""
        SELECT k.project_id, k.app_id, k.kind, k.token_hash, k.name, k.created_at, p.client_trusted_domains, {_SWITCHES}
        FROM api_keys k JOIN projects p ON p.project_id = k.project_id
        WHERE k.app_id = $1 ORDER BY k.project_id LIMIT 1
        """,
        app_id,
    )
    if row is None:
        return None
    read = dict(row)
    disabled = [one for one in SWITCHES if not read.pop(one)]
    return Key(client_side=ClientSide.of(read.pop("client_trusted_domains"), disabled), **read)


async def count_keys(conn: Connection, project_id: int) -> int:
    """Return how many keys a project has."""
    return int(await conn.fetchval("SELECT count(*) FROM api_keys WHERE project_id = $1", project_id))


async def insert_key(
    conn: Connection, project_id: int, app_id: str, kind: Kind, token_hash: bytes, name: str, offset: timedelta
) -> None:
    """Add a key. The caller holds `lock_projects` and has seen that the app id is free."""
    await conn.execute(
        """
        INSERT INTO api_keys (project_id, app_id, kind, token_hash, name, created_at)
        SELECT $1, $2, $3, $4, $5, date_trunc('milliseconds', clock_timestamp() + $6::interval)
        """,
        project_id,
        app_id,
        kind,
        token_hash,
        name,
        offset,
    )


async def set_token(conn: Connection, project_id: int, app_id: str, token_hash: bytes) -> None:
    """Put another token in place of a key's."""
    await conn.execute(
        "UPDATE api_keys SET token_hash = $3 WHERE project_id = $1 AND app_id = $2", project_id, app_id, token_hash
    )
