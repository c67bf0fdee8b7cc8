"""A project on a server without a worker: the test takes the worker's steps itself, one by one, when it wants them."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import voucherify

import harness
from conftest import Api
from rapport.core.db import Database, connect
from rapport.customers.writes import Writer
from rapport.distributions.messages.tasks import Lane
from rapport.distributions.tasks import trigger
from rapport.projects.actions import create_key
from rapport.segments.membership import SegmentDecider
from rapport.settings import Settings, load
from segment_steps import SegmentTasks

GOLD = {"junction": "and", "metadata.tier": {"conditions": {"$is": ["gold"]}}}


class World:
    """One project, its API, and the worker's steps."""

    def __init__(self, api: Api, db: Database, project_id: int, database_url: str, outbox: Path) -> None:
        self.api = api
        self.db = db
        self.project_id = project_id
        self.database_url = database_url
        self.outbox = outbox
        self.smtp_url: str | None = None

    def settings(self, **overrides: Any) -> Settings:
        """Return the settings of a worker."""
        known = {"database_url": self.database_url, "data_dir": self.outbox.parent, "smtp_url": self.smtp_url}
        return load(**known | overrides)

    def lane(self, db: Database | None = None, **overrides: Any) -> Lane:
        """Return a lane of its own."""
        return Lane(Writer(db or self.db, SegmentDecider()), self.settings(**overrides))

    async def fill_segments(self) -> None:
        """Do the worker's work for new segments until there is none."""
        tasks = SegmentTasks(Writer(self.db, SegmentDecider()))
        while await tasks.settle(self.db):
            pass

    async def pass_time(self, db: Database) -> None:
        """Look again at the customers whose moment has come by the clock of this database."""
        tasks = SegmentTasks(Writer(db, SegmentDecider()))
        while await tasks.pass_time(db):
            pass

    async def read_log(self) -> None:
        """Queue what the activity log asks for."""
        while await trigger(self.db):
            pass

    async def send(self, lane: Lane | None = None, db: Database | None = None) -> None:
        """Send everything that is due."""
        used = lane or self.lane(db)
        while await used.run(db or self.db):
            pass
        if lane is None:
            await used.close()

    async def work(self) -> None:
        """Do what the worker does."""
        await self.read_log()
        await self.send()

    @asynccontextmanager
    async def later(self, by: timedelta) -> AsyncIterator[Database]:
        """Lend the database with a clock that is ahead."""
        db = await connect(self.database_url, clock_offset=by)
        try:
            yield db
        finally:
            await db.close()

    def sdk(self) -> voucherify.ApiClient:
        """Return the official SDK, with the keys of this project."""
        configuration = voucherify.Configuration(host=str(self.api.base_url))
        configuration.api_key = {name: self.api.headers[name] for name in ("X-App-Id", "X-App-Token")}
        return voucherify.ApiClient(configuration)

    async def segment(self, name: str = "Gold") -> str:
        """Make the segment of gold customers, filled."""
        made = self.api.call("POST", "/v1/segments", {"name": name, "type": "auto-update", "filter": GOLD})
        await self.fill_segments()
        return str(made["id"])

    def customer(self, source_id: str, **fields: Any) -> dict[str, Any]:
        """Make or change a customer, with an address unless told otherwise."""
        body = {"source_id": source_id, "email": self.address(source_id), **fields}
        return self.api.call("POST", "/v1/customers", body)  # type: ignore[no-any-return]

    def address(self, source_id: str) -> str:
        """Return the address of a customer: in this project only."""
        return f"{source_id}.{self.project_id}@example.com"

    def gold(self, source_id: str, **fields: Any) -> dict[str, Any]:
        """Make a customer gold."""
        return self.customer(source_id, metadata={"tier": "gold"}, **fields)

    def distribution(self, trigger: dict[str, Any], **fields: Any) -> dict[str, Any]:
        """Make a distribution."""
        message = {"subject": "Hello {{ customer.name }}", "text": "Dear {{ customer.name }}!"}
        body = {
            "name": "Welcome",
            "trigger": trigger,
            "channel": "email",
            **fields,
            "message": message | fields.get("message", {}),
        }
        return self.api.call("POST", "/v1/distributions", body)  # type: ignore[no-any-return]

    async def on_gold(self, **fields: Any) -> dict[str, Any]:
        """Make a distribution to who becomes gold."""
        return self.distribution({"type": "customer.segment.entered", "segment_id": await self.segment()}, **fields)

    def on_event(self, event: str = "review_written", **fields: Any) -> dict[str, Any]:
        """Make a distribution to who tracks an event."""
        return self.distribution({"type": "customer.custom_event", "event": event}, **fields)

    def track(self, source_id: str, event: str = "review_written", **metadata: Any) -> None:
        """Track an event of a customer."""
        body = {"event": event, "customer": {"source_id": source_id}, "metadata": metadata}
        self.api.call("POST", "/v1/events", body)

    def messages(self, distribution: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
        """Return the messages of a distribution, oldest first."""
        path = f"/v1/distributions/{distribution['id']}/messages"
        found = self.api.call("GET", path, params={"order": "created_at", "limit": 100, **query})
        return found["data"]  # type: ignore[no-any-return]

    def message(self, distribution: dict[str, Any]) -> dict[str, Any]:
        """Return the one message of a distribution, with its bodies."""
        (found,) = self.messages(distribution)
        return self.api.call("GET", f"/v1/distributions/{distribution['id']}/messages/{found['id']}")  # type: ignore[no-any-return]

    def activity(self, customer: dict[str, Any], prefix: str = "customer.email") -> list[str]:
        """Return the types of what was logged about a customer, oldest first."""
        path = f"/v1/customers/{customer['id']}/activity"
        found = self.api.call("GET", path, params={"limit": 100, "order": "created_at"})["data"]
        return [entry["type"] for entry in found if entry["type"].startswith(prefix)]


@asynccontextmanager
async def make_world(server: harness.Server, database_url: str, run_dir: Path, name: str) -> AsyncIterator[World]:
    """Make a project on a server that was started with `--no-worker`."""
    db = await connect(database_url, max_size=10)
    key = await create_key(db, f"{name[:80]} {os.urandom(4).hex()}", "server")
    async with db.read() as conn:
        project_id = int(await conn.fetchval("SELECT project_id FROM projects WHERE id = $1", key.project_id))
    headers = {"X-App-Id": key.app_id, "X-App-Token": key.app_token}
    with Api(base_url=server.base_url, headers=headers, timeout=30) as api:
        yield World(api, db, project_id, database_url, run_dir / f"mail-{project_id}-{os.urandom(3).hex()}" / "outbox")
    await db.close()


def start_without_worker(start: Callable[..., harness.Server], database_url: str) -> harness.Server:
    """Start a server whose messages only the tests send."""
    return start(database_url, "--workers", "1", "--no-worker")
