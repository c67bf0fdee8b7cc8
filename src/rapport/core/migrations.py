"""The schema's versions: finding the steps, running them once under a lock, telling whether a database is up to date.

Steps are plain SQL files run by Alembic, each in a transaction of its own (`migrations/` of a source checkout,
`rapport/migrations` of an installed package).
"""

import asyncio
from pathlib import Path
from typing import Any

import structlog
from alembic import command, op
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection as SyncConnection
from sqlalchemy import pool, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.util import await_only

from rapport.core import preflight, queries
from rapport.core.db import Database
from rapport.settings import StartError

LOCK = 7_237_764_001  # of the whole database; the number means nothing

log = structlog.get_logger()


def directory() -> Path:
    """Return where the migration steps are. Raises StartError where they were not installed."""
    package = Path(__file__).resolve().parents[1]
    for place in (package / "migrations", package.parents[1] / "migrations"):
        if (place / "env.py").exists():
            return place
    raise StartError(f"the migration steps are missing from the installation in {package}")


def newest_version() -> str:
    """Return the name of the last step this code brings."""
    return _scripts().get_current_head() or "nothing"


async def check_current(db: Database, url: str) -> None:
    """Raise StartError unless the schema is exactly the one this code works on."""
    async with db.read() as conn:
        found = await queries.find_schema_version(conn)
    _refuse_newer(found, url)
    if found != newest_version():
        raise StartError(
            f"the schema of the database {preflight.place(url)} is at {found or 'nothing'}, this Rapport needs"
            f" {newest_version()}: run `rapport migrate`"
        )


async def migrate(url: str) -> list[str]:
    """Bring the schema up to date and return the steps that were run.

    Of several servers that start together one runs the steps and the others wait for it. Each step is committed on its
    own, so an interrupted run goes on where it stopped. Raises StartError when the database was migrated by newer code
    or a step fails.
    """
    engine = create_async_engine(
        "postgresql+asyncpg://",
        connect_args={"dsn": url, "server_settings": {"application_name": "rapport-migrate", "timezone": "UTC"}},
        poolclass=pool.NullPool,
    )
    try:
        async with engine.connect() as conn:
            return await conn.run_sync(_migrate, url)
    except DBAPIError as error:
        reason = str(error.orig).removeprefix(f"{type(error.orig)}: ").splitlines()[0]
        raise StartError(f"migrating the database {preflight.place(url)} failed: {reason}") from error
    except OSError as error:
        raise StartError(preflight.explain(url, error)) from error
    finally:
        await engine.dispose()


def run_sql(name: str) -> None:
    """Run `migrations/sql/<name>.sql`, any number of statements, inside the step's transaction."""
    run_text((directory() / "sql" / f"{name}.sql").read_text(encoding="utf-8"))


def run_text(statements: str) -> None:
    """Run SQL statements given as one text inside the step's transaction."""
    bind = op.get_bind()
    bind.exec_driver_sql("SELECT 1")  # the adapter opens its transaction with its first statement
    driver: Any = bind.connection.driver_connection
    await_only(driver.execute(statements))


def _migrate(conn: SyncConnection, url: str) -> list[str]:
    _take_lock(conn)
    before = _version(conn)
    conn.commit()
    _refuse_newer(before, url)
    steps = _steps_after(before)
    if steps:
        log.info("migrating the database", steps=len(steps), to=steps[-1])
        config = _config()
        config.attributes["connection"] = conn
        command.upgrade(config, "head")
        conn.commit()
    return steps


def _take_lock(conn: SyncConnection) -> None:
    """Wait for the lock of the whole session, asking anew instead of waiting inside a statement.

    A statement that waits holds a snapshot, for which a step that builds an index concurrently would wait in its turn.
    """
    waited = False
    while not conn.scalar(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": LOCK}):
        conn.rollback()
        if not waited:
            log.info("another process is migrating the database, waiting for it")
            waited = True
        await_only(asyncio.sleep(0.1))
    conn.commit()


def _version(conn: SyncConnection) -> str | None:
    if conn.scalar(text("SELECT to_regclass('alembic_version')::text")) is None:
        return None
    version: str | None = conn.scalar(text("SELECT version_num FROM alembic_version"))
    return version


def _refuse_newer(found: str | None, url: str) -> None:
    known = {script.revision for script in _scripts().walk_revisions()}
    if found is not None and found not in known:
        raise StartError(
            f"the schema of the database {preflight.place(url)} is at {found}, which this Rapport does not know"
            f" (it knows up to {newest_version()}): it was used by a newer Rapport, upgrade this one"
        )


def _steps_after(version: str | None) -> list[str]:
    scripts = _scripts()
    return [script.revision for script in scripts.iterate_revisions("head", version or "base")][::-1]


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(directory()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
