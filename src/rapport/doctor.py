"""`rapport doctor`: looks at everything a running Rapport stands on, and says what is wrong in plain words."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import msgspec

from rapport.core import datadir, embedded, migrations, preflight, queries
from rapport.core.db import Database
from rapport.segments.audit import queries as audit
from rapport.segments.building import queries as building
from rapport.settings import Settings, StartError, unknown_variables
from rapport.work.periodic import SESSION_NAME

WORKER_SILENCE_S = 30.0
OVERDUE_MIN = 10

State = Literal["ok", "note", "problem"]


class Finding(msgspec.Struct, frozen=True):
    """One thing looked at."""

    subject: str
    state: State
    details: str


async def examine(settings: Settings) -> list[Finding]:
    """Look at the settings, the data directory, the database, its schema, the clock, the worker and the segments."""
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
            findings.append(schema := await _schema(db, url))
            findings.append(await _worker(db))
            if schema.state == "ok":
                findings.append(await _filling(db))
                findings.append(await _membership(db))
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
        sessions = await queries.get_sessions(conn, SESSION_NAME)
    if not sessions.count or sessions.active_at is None:
        return Finding("worker", "problem", "no worker is connected: nothing is sent and no time-driven segment moves")
    silence_s = max(0.0, (sessions.now - sessions.active_at).total_seconds())
    state: State = "ok" if silence_s <= WORKER_SILENCE_S else "problem"
    return Finding("worker", state, f"{sessions.count} connections, last active {silence_s:.1f} s ago")


async def _filling(db: Database) -> Finding:
    """Look whether every segment gets its members."""
    async with db.read() as conn:
        overdue = await building.count_overdue(conn, db.clock_offset, OVERDUE_MIN)
    if overdue:
        details = f"{overdue} wait for their members for more than {OVERDUE_MIN} minutes: the worker's log says why"
        return Finding("filling", "problem", details)
    return Finding("filling", "ok", f"no segment waits for its members for more than {OVERDUE_MIN} minutes")


async def _membership(db: Database) -> Finding:
    """Look whether the self-audit ever found a customer in a segment, or out of it, against the filter."""
    async with db.read() as conn:
        found = await audit.totals(conn, None)
    if found.last_at is None:
        return Finding("segments", "ok", "no membership was compared with a filter yet")
    if not found.drifted:
        return Finding("segments", "ok", f"{found.checked} memberships compared with the filters, none differed")
    last = found.last_drift or {}
    said = "in" if last.get("stored") else "out of"
    return Finding(
        "segments",
        "problem",
        f"{found.drifted} of {found.checked} memberships compared were not what the filter says (mended; this is a bug"
        f" of Rapport). The last, at {last.get('at')}: customer {last.get('customer_id')} was {said} segment"
        f" {last.get('segment_id')} of project {last.get('project_id')}",
    )
