"""`rapport doctor`: looks at everything a running Rapport stands on, and says what is wrong in plain words."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import msgspec

from rapport import worker
from rapport.core import datadir, embedded, migrations, preflight, queries
from rapport.core.db import Database
from rapport.settings import Settings, StartError, unknown_variables

WORKER_SILENCE_S = 30.0

State = Literal["ok", "note", "problem"]


class Finding(msgspec.Struct, frozen=True):
    """One thing looked at."""

    subject: str
    state: State
    details: str


async def examine(settings: Settings) -> list[Finding]:
    """Look at the settings, the data directory, the database, its schema, the clock and the worker."""
    findings = [*_settings(settings), *_data_directory(settings)]
    url = settings.database_url or embedded.running_url(settings.data_dir)
    if url is None:
        return [
            *findings,
            Finding("database", "problem", "the embedded database is not running: start `rapport serve`"),
        ]
    try:
        async with _open(settings, url) as db:
            server = await preflight.check_server(db, url)
            findings.append(Finding("database", "ok", f"{preflight.place(url)}, PostgreSQL {server.version}"))
            findings.append(await _schema(db, url))
            findings.append(await _worker(db))
    except StartError as error:
        findings.append(Finding("database", "problem", str(error)))
    return findings


@asynccontextmanager
async def _open(settings: Settings, url: str) -> AsyncIterator[Database]:
    db = await preflight.open_database(url, clock_offset=settings.clock_offset, name="rapport-doctor")
    try:
        yield db
    finally:
        await db.close()


def _settings(settings: Settings) -> list[Finding]:
    unknown = unknown_variables()
    found = [
        Finding("settings", "problem", f"no setting is called {', '.join(unknown)}: misspelt?")
        if unknown
        else Finding("settings", "ok", "readable")
    ]
    moved = f"moved by {settings.clock_offset}, for trying things out only" if settings.clock_offset else "not moved"
    found.append(Finding("clock", "note" if settings.clock_offset else "ok", moved))
    if settings.smtp is None:
        found.append(Finding("mail", "note", f"no RAPPORT_SMTP_URL: kept in {settings.outbox}"))
    else:
        found.append(Finding("mail", "ok", f"sent by {settings.smtp.host}:{settings.smtp.port}"))
    return found


def _data_directory(settings: Settings) -> list[Finding]:
    if not settings.data_dir.exists():
        return [Finding("data directory", "note", f"{settings.data_dir} is not there yet: `rapport serve` makes it")]
    exposed = datadir.exposed(settings.data_dir)
    if exposed:
        return [Finding("data directory", "problem", line) for line in exposed]
    return [Finding("data directory", "ok", f"{settings.data_dir}, closed to other users")]


async def _schema(db: Database, url: str) -> Finding:
    try:
        await migrations.check_current(db, url)
    except StartError as error:
        return Finding("schema", "problem", str(error))
    return Finding("schema", "ok", f"up to date ({migrations.newest_version()})")


async def _worker(db: Database) -> Finding:
    """Look when the worker last asked the database something: it does so every few seconds unless stuck or gone."""
    async with db.read() as conn:
        sessions = await queries.get_sessions(conn, worker.SESSION_NAME)
    if not sessions.count or sessions.active_at is None:
        return Finding("worker", "problem", "no worker is connected: nothing is sent and no time-driven segment moves")
    silence_s = max(0.0, (sessions.now - sessions.active_at).total_seconds())
    state: State = "ok" if silence_s <= WORKER_SILENCE_S else "problem"
    return Finding("worker", state, f"{sessions.count} connections, last active {silence_s:.1f} s ago")
