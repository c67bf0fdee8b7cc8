"""A database whose clock stands still, and a project in it for each test: no server, no worker, no luck."""

from collections.abc import AsyncIterator, Callable

import pytest

from rapport.core.db import Database, connect
from segment_world import START, SegmentWorld, hold_clock, open_world


@pytest.fixture(scope="session")
async def held_db(new_database: Callable[[str], str]) -> AsyncIterator[tuple[str, Database]]:
    """The database and its address."""
    url = await hold_clock(new_database("held"))
    db = await connect(url, max_size=20)
    yield url, db
    await db.close()


@pytest.fixture
async def world(held_db: tuple[str, Database], request: pytest.FixtureRequest) -> AsyncIterator[SegmentWorld]:
    """A project of the test's own; its clock begins at START."""
    url, db = held_db
    found = await open_world(db, url, request.node.name)
    await found.set_clock(START)
    yield found
    await found.forget()
