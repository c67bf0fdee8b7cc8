"""Budgets in the database: exact, all or none, filled again by the passing of time."""

import asyncio
from datetime import timedelta

from promotions import rows
from rapport.core.db import Connection, Database
from rapport.http.attempts import queries
from rapport.http.attempts.budgets import WINDOW, Subject, subjects
from rapport.http.attempts.tasks import FullBudgets

NOW = timedelta(0)


async def spend(db: Database, project_id: int, asked: list[Subject], attempts: int = 1, at: timedelta = NOW) -> bool:
    """Take attempts off budgets, or nothing."""

    class Overdrawn(Exception):
        pass

    async def work(conn: Connection) -> None:
        if not await queries.spend(conn, project_id, asked, attempts, at):
            raise Overdrawn

    try:
        await db.transaction(work)
    except Overdrawn:
        return False
    return True


async def wait_s(db: Database, project_id: int, one: Subject, at: timedelta = NOW) -> float:
    """Return how long another attempt has to wait."""
    async with db.read() as conn:
        return one.wait_s((await queries.left(conn, project_id, [one], at)).get(one.digest, 0.0))


async def test_a_budget_of_n_is_n_whoever_comes_at_the_same_moment(db: Database, project_id: int) -> None:
    for limit in (1, 7, 13, 50):
        asked = subjects([("customer", f"c{limit}", limit)])
        done = await asyncio.gather(*(spend(db, project_id, asked) for _ in range(80)))
        assert sum(done) == limit


async def test_time_gives_back_one_attempt_after_another(db: Database, project_id: int) -> None:
    (one,) = asked = subjects([("address", "192.0.2.1", 60)])
    assert sum([await spend(db, project_id, asked) for _ in range(70)]) == 60
    assert 50 < await wait_s(db, project_id, one) <= 60
    later = timedelta(seconds=125)
    assert await wait_s(db, project_id, one, later) <= 0
    assert [await spend(db, project_id, asked, at=later) for _ in range(4)] == [True, True, False, False]
    assert sum([await spend(db, project_id, asked, at=2 * WINDOW) for _ in range(70)]) == 60


async def test_several_attempts_at_once_are_taken_whole_or_not(db: Database, project_id: int) -> None:
    asked = subjects([("key", "k", 10)])
    assert [await spend(db, project_id, asked, 4) for _ in range(3)] == [True, True, False]
    assert [await spend(db, project_id, asked) for _ in range(3)] == [True, True, False]
    # More than the whole budget is the whole budget.
    assert await spend(db, project_id, subjects([("key", "other", 3)]), 5)


async def test_a_budget_that_is_used_up_leaves_the_others_as_they_are(db: Database, project_id: int) -> None:
    small, large = ("customer", "ann", 2), ("key", "k", 5)
    assert [await spend(db, project_id, subjects([small, large])) for _ in range(4)] == [True, True, False, False]
    assert [await spend(db, project_id, subjects([large])) for _ in range(4)] == [True, True, True, False]


async def test_a_clock_that_is_moved_back_locks_nobody_out(db: Database, project_id: int) -> None:
    (one,) = asked = subjects([("customer", "ann", 1)])
    assert await spend(db, project_id, asked, at=timedelta(days=31))
    assert await wait_s(db, project_id, one) <= 0
    assert [await spend(db, project_id, asked) for _ in range(2)] == [True, False]


async def test_projects_have_budgets_of_their_own_and_names_are_not_kept(db: Database, project_id: int) -> None:
    asked = subjects([("customer", "ann@example.com", 1)])
    assert await spend(db, project_id, asked)
    assert not await spend(db, project_id, asked)
    async with db.read() as conn:
        other = -project_id
        assert await queries.left(conn, other, asked, NOW) == {}
        kept = await conn.fetchrow("SELECT * FROM failed_attempts WHERE project_id = $1", project_id)
    assert b"ann" not in bytes(kept["subject"])


async def test_the_worker_removes_budgets_that_are_full(db: Database, project_id: int) -> None:
    await spend(db, project_id, subjects([("customer", "ann", 10)]))
    await spend(db, project_id, subjects([("customer", "bob", 10)]), 10)
    async with db.read() as conn:
        assert await queries.remove_full(conn, project_id, timedelta(minutes=1), 10) == 0
        assert await queries.remove_full(conn, project_id, timedelta(minutes=7), 10) == 1
        assert project_id in await queries.projects_with_full(conn, timedelta(minutes=61))
        assert project_id not in await queries.projects_with_full(conn, NOW)
    assert await rows(db, project_id, "failed_attempts") == 1
    later = Database(db._pool, timedelta(minutes=61))
    while await FullBudgets().remove(later):
        pass
    assert await rows(db, project_id, "failed_attempts") == 0
