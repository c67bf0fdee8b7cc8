"""Ticks go on whatever happens, and finish what they have begun."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest
import structlog
from structlog.testing import capture_logs

from faults.servers import OwnDatabase
from rapport.core import preflight
from rapport.core.db import Database
from rapport.work import periodic
from rapport.work.periodic import Periodic, run_all

Scenario = Callable[[Database, asyncio.Event], Awaitable[None]]


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[structlog.typing.EventDict]]:
    """Collect what the ticks log, and shorten their pauses after errors."""
    monkeypatch.setattr(periodic, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(periodic, "LONGEST_PAUSE_S", 0.05)
    monkeypatch.setattr(periodic, "log", structlog.get_logger())
    with capture_logs() as entries:
        yield entries


def on_database(database: OwnDatabase, scenario: Scenario) -> None:
    async def work() -> None:
        db = await preflight.open_database(database.url())
        try:
            async with asyncio.timeout(30):
                await scenario(db, asyncio.Event())
        finally:
            await db.close()

    asyncio.run(work())


def test_a_step_with_more_to_do_is_repeated_at_once_and_otherwise_after_its_pause(
    database: OwnDatabase, logs: list[structlog.typing.EventDict]
) -> None:
    moments: list[float] = []

    async def scenario(db: Database, stop: asyncio.Event) -> None:
        async def step(_: Database) -> bool:
            moments.append(asyncio.get_running_loop().time())
            if len(moments) == 4:
                stop.set()
            return len(moments) < 3

        await run_all(db, [Periodic("steps", 0.2, step)], stop)

    on_database(database, scenario)

    assert len(moments) == 4
    assert moments[2] - moments[0] < 0.1
    assert moments[3] - moments[2] >= 0.2
    assert logs == []


def test_a_failing_step_is_logged_and_tried_again_and_holds_up_no_other(
    database: OwnDatabase, logs: list[structlog.typing.EventDict]
) -> None:
    runs = {"bad": 0, "good": 0}

    async def scenario(db: Database, stop: asyncio.Event) -> None:
        async def bad(_: Database) -> bool:
            runs["bad"] += 1
            if runs["bad"] <= 3:
                raise ValueError("broken")
            stop.set()
            return False

        async def good(_: Database) -> bool:
            runs["good"] += 1
            return False

        await run_all(db, [Periodic("bad", 0.01, bad), Periodic("good", 0.001, good)], stop)

    on_database(database, scenario)

    assert runs["bad"] == 4
    assert runs["good"] >= 3
    told = [(entry["event"], entry["name"], entry.get("failures"), entry.get("error")) for entry in logs]
    assert told == [
        ("a step failed", "bad", 1, "ValueError"),
        ("a step failed", "bad", 2, "ValueError"),
        ("a step failed", "bad", 3, "ValueError"),
        ("works again", "bad", None, None),
    ]


def test_an_absent_database_is_survived(database: OwnDatabase, logs: list[structlog.typing.EventDict]) -> None:
    answers: list[str] = []

    async def scenario(db: Database, stop: asyncio.Event) -> None:
        async def step(db: Database) -> bool:
            async with db.read() as conn:
                answers.append(await conn.fetchval("SELECT 'yes'"))
            if any(entry["event"] == "a step failed" for entry in logs):
                stop.set()
            return False

        running = asyncio.create_task(run_all(db, [Periodic("asks", 0.01, step)], stop))
        while not answers:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(database.stop)
        while not any(entry["event"] == "a step failed" for entry in logs):
            await asyncio.sleep(0.01)
        await asyncio.to_thread(database.start)
        await running

    on_database(database, scenario)

    assert logs[-1]["event"] == "works again"
    assert [entry for entry in logs if entry.get("exc_info") is not None] == []


def test_a_step_that_is_running_when_told_to_end_is_finished(
    database: OwnDatabase, logs: list[structlog.typing.EventDict]
) -> None:
    finished: list[bool] = []

    async def scenario(db: Database, stop: asyncio.Event) -> None:
        async def step(_: Database) -> bool:
            stop.set()
            await asyncio.sleep(0.2)
            finished.append(True)
            return True

        await run_all(db, [Periodic("slow", 1, step)], stop, grace_s=5)

    on_database(database, scenario)

    assert finished == [True]
    assert logs == []


def test_a_step_that_does_not_finish_is_given_up(database: OwnDatabase, logs: list[structlog.typing.EventDict]) -> None:
    async def scenario(db: Database, stop: asyncio.Event) -> None:
        async def step(_: Database) -> bool:
            stop.set()
            await asyncio.sleep(60)
            return False

        await run_all(db, [Periodic("stuck", 1, step)], stop, grace_s=0.1)

    on_database(database, scenario)

    assert [(entry["event"], entry["names"]) for entry in logs] == [("gave up steps that did not finish", ["stuck"])]


def test_a_step_over_its_limit_counts_as_failed(database: OwnDatabase, logs: list[structlog.typing.EventDict]) -> None:
    runs: list[int] = []

    async def scenario(db: Database, stop: asyncio.Event) -> None:
        async def step(_: Database) -> bool:
            runs.append(1)
            if len(runs) == 2:
                stop.set()
                return False
            await asyncio.sleep(60)
            return False

        await run_all(db, [Periodic("long", 0.01, step, limit_s=0.05)], stop)

    on_database(database, scenario)

    assert [entry["event"] for entry in logs] == ["a step failed", "works again"]
