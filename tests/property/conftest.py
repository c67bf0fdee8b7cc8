"""A database for the SQL evaluator."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from filter_store import Store
from rapport.core.db import connect


@pytest.fixture(scope="session")
def store(new_database: Callable[[str], str]) -> Iterator[Store]:
    """Lend a store in a database of its own."""
    url = new_database("two_evaluators")
    loop = asyncio.new_event_loop()

    async def lend() -> AsyncIterator[Store]:
        pool = await connect(url)
        try:
            async with pool.read() as conn:
                found = Store(conn, loop.run_until_complete)
                await found.prepare()
                yield found
        finally:
            await pool.close()

    lent = lend()
    try:
        yield loop.run_until_complete(anext(lent))
    finally:
        loop.run_until_complete(lent.aclose())
        loop.close()
