"""Running the steps of the schema: Alembic on SQLAlchemy, loaded only where there are steps to run.

The two take as long to load as the rest of a process and 30 MB of its memory; see `rapport.core.migrations`.
"""

import asyncio
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

from rapport.core import migrations, preflight
from rapport.settings import StartError

LOCK = 7_237_764_001  # of the whole database; the number means nothing

log = structlog.get_logger()


async def run(url: str) -> list[str]:
    """Run the steps that are missing and return them; see `migrations.migrate`.

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
    run_text((migrations.directory() / "sql" / f"{name}.sql").read_text(encoding="utf-8"))


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
    migrations.refuse_newer(before, url)
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


def _steps_after(version: str | None) -> list[str]:
    scripts = _scripts()
    return [script.revision for script in scripts.iterate_revisions("head", version or "base")][::-1]


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations.directory()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
