"""Making projects and keys; at start, the keys that the environment asks for."""

import hashlib
import hmac
import uuid
from typing import Literal

import structlog

from rapport.core.db import Connection, Database
from rapport.core.ids import new_id
from rapport.projects import queries
from rapport.projects.models import DEFAULT_PROJECT, Kind, NewKey, Project, ProjectSettings
from rapport.projects.schemas import ProjectUpdate, changes
from rapport.settings import Bootstrap, StartError

log = structlog.get_logger()

MAX_NAME = 255

Outcome = Literal["kept", "added", "replaced"]


def hash_token(token: str) -> bytes:
    """Return what is stored of a token: tokens are random and long, so one round of SHA-256 is enough."""
    return hashlib.sha256(token.encode()).digest()


def random_key(kind: Kind) -> Bootstrap:
    """Return a key nobody has yet; both halves look as the reference's do."""
    return Bootstrap(kind=kind, app_id=str(uuid.uuid4()), app_token=str(uuid.uuid4()))


async def create_key(db: Database, project_name: str, kind: Kind, *, time_zone: str | None = None) -> NewKey:
    """Make a key, and the project if there is none of that name.

    Raises StartError for a name that is none, for an unknown time zone, and for one that differs from that of the
    project there is.
    """
    _check_name(project_name)

    async def work(conn: Connection) -> NewKey:
        await queries.lock_projects(conn)
        project = await _ensure_project(conn, db, project_name, time_zone)
        key = random_key(kind)
        await queries.insert_key(
            conn, project.project_id, key.app_id, kind, hash_token(key.app_token), f"{kind} key", db.clock_offset
        )
        return NewKey(
            project_id=project.id, project=project.name, kind=kind, app_id=key.app_id, app_token=key.app_token
        )

    return await db.transaction(work)


async def bootstrap(db: Database, keys: list[Bootstrap]) -> None:
    """See to it that the default project exists and that these keys open it, with these tokens.

    Safe to run from several servers at once. Raises StartError for an app id that belongs to another project or is of
    another kind.
    """

    async def work(conn: Connection) -> list[tuple[Bootstrap, Outcome]]:
        await queries.lock_projects(conn)
        project = await _ensure_project(conn, db, DEFAULT_PROJECT, None)
        return [(key, await _ensure_key(conn, db, project, key)) for key in keys]

    for key, outcome in await db.transaction(work):
        if outcome == "replaced":
            log.warning("the token of a bootstrap key was replaced by the configured one", app_id=key.app_id)
        elif outcome == "added":
            log.info("a bootstrap key was added", app_id=key.app_id, kind=key.kind)


async def bootstrap_if_keyless(db: Database, key: Bootstrap) -> bool:
    """Add the key to the default project if that has none at all; return whether it was added."""

    async def work(conn: Connection) -> bool:
        await queries.lock_projects(conn)
        project = await _ensure_project(conn, db, DEFAULT_PROJECT, None)
        if await queries.count_keys(conn, project.project_id):
            return False
        await _ensure_key(conn, db, project, key)
        return True

    return await db.transaction(work)


async def update(db: Database, project_id: int, data: ProjectUpdate) -> ProjectSettings:
    """Change what a request gives of a project's settings (`update-project`). Raises InvalidPayload.

    Processes know a key and its project's settings for up to `KEY_CACHE_S`: so long the earlier ones may hold.
    """

    async def work(conn: Connection) -> ProjectSettings:
        current = await queries.get_settings(conn, project_id)
        return await queries.update_settings(conn, project_id, changes(data, current))

    return await db.transaction(work)


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise StartError(f"a project's name has 1 to {MAX_NAME} characters that can be printed, and not only spaces")


async def _ensure_project(conn: Connection, db: Database, name: str, time_zone: str | None) -> Project:
    project = await queries.find_project(conn, name)
    if project is None:
        if time_zone is not None and not (time_zone.isascii() and await queries.is_time_zone(conn, time_zone)):
            raise StartError(f"there is no time zone {time_zone!r}; give a name such as Europe/Warsaw")
        return await queries.insert_project(conn, new_id("proj"), name, time_zone or "UTC", db.clock_offset)
    if time_zone is not None and time_zone != project.time_zone:
        raise StartError(f"the project {name!r} exists and its time zone is {project.time_zone}, not {time_zone}")
    return project


async def _ensure_key(conn: Connection, db: Database, project: Project, key: Bootstrap) -> Outcome:
    wanted = hash_token(key.app_token)
    stored = await queries.find_key(conn, key.app_id)
    if stored is None:
        name = f"{key.kind} key (bootstrap)"
        await queries.insert_key(conn, project.project_id, key.app_id, key.kind, wanted, name, db.clock_offset)
        return "added"
    if stored.project_id != project.project_id:
        raise StartError(f"the app id {key.app_id} of a bootstrap key belongs to another project: choose another")
    if stored.kind != key.kind:
        raise StartError(f"the app id {key.app_id} is a {stored.kind} key, and a {key.kind} key was asked for")
    if hmac.compare_digest(stored.token_hash, wanted):
        return "kept"
    await queries.set_token(conn, project.project_id, key.app_id, wanted)
    return "replaced"
