"""All SQL of campaign templates."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from rapport.core.db import Connection, columns
from rapport.core.ids import random_text
from rapport.http.conditions import Conditions, Reader, text_field
from rapport.http.lists import Found, ListSpec, Page, Part
from rapport.http.queries import fetch_page, fetch_part
from rapport.templates.models import Template

_NAMES = Template.__struct_fields__
_COLUMNS = columns(Template)

TEMPLATES = ListSpec(
    data_ref="data",
    table="campaign_templates",
    row=Template,
    orders={"id": "id"},
    default_order="id",
    by_id=True,
)
FILTERS: Final[Mapping[str, Reader]] = {name: text_field(name) for name in ("id", "name", "campaign_type")}


def new_template_id(at: datetime) -> str:
    """Return the id of a template made at a time: the order of ids is that of time."""
    return f"camp_tpl_{int(at.timestamp() * 1000):012x}{random_text(12)}"


async def lock_all(conn: Connection, project_id: int) -> None:
    """Let no other transaction add a template to the project until this one ends."""
    await conn.execute("SELECT FROM projects WHERE project_id = $1 FOR NO KEY UPDATE", project_id)


async def count(conn: Connection, project_id: int) -> int:
    """Return how many templates the project has."""
    return int(await conn.fetchval("SELECT count(*) FROM campaign_templates WHERE project_id = $1", project_id))


async def list_page(conn: Connection, project_id: int, page: Page, filters: Conditions | None) -> Found[Template]:
    """Return one part of the templates, and how many there are in all."""
    return await fetch_page(conn, TEMPLATES, project_id, page, conditions=_conditions(filters))


async def list_part(conn: Connection, project_id: int, page: Page, filters: Conditions | None) -> Part[Template]:
    """Return one part of the templates, uncounted."""
    return await fetch_part(conn, TEMPLATES, project_id, page, conditions=_conditions(filters))


def _conditions(filters: Conditions | None) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    return () if filters is None else ((filters.text, filters.values),)


async def find(conn: Connection, project_id: int, template_id: str, *, lock: bool = False) -> Template | None:
    """Return a template, locked if asked for, or None."""
    suffix = " FOR NO KEY UPDATE" if lock else ""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM campaign_templates WHERE project_id = $1 AND id = $2{suffix}", project_id, template_id
    )
    return None if row is None else Template(*row)


async def insert(conn: Connection, project_id: int, template: Template) -> None:
    """Insert a template. Fails where its name is taken."""
    places = ", ".join(f"${number}" for number in range(2, len(_NAMES) + 2))
    await conn.execute(
        f"INSERT INTO campaign_templates (project_id, {_COLUMNS}) VALUES ($1, {places})",
        project_id,
        *[getattr(template, name) for name in _NAMES],
    )


async def update(conn: Connection, project_id: int, template: Template) -> None:
    """Write what can be changed of a locked template. Fails where its name is taken."""
    await conn.execute(
        "UPDATE campaign_templates SET name = $3, description = $4, updated_at = $5 WHERE project_id = $1 AND id = $2",
        project_id,
        template.id,
        template.name,
        template.description,
        template.updated_at,
    )


async def delete(conn: Connection, project_id: int, template_id: str) -> bool:
    """Delete a template; return whether it was there."""
    done = await conn.execute(
        "DELETE FROM campaign_templates WHERE project_id = $1 AND id = $2", project_id, template_id
    )
    return bool(done == "DELETE 1")
