"""A project full of customers: what they look like, who is due when, and the keys to it.

Values are skewed as in life: a third of the customers live in a tenth of the places, most bought little. They are drawn
by number, so that every run has the same ones and a load generator knows each without reading it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from benchmarks import queries
from rapport.core.db import Database, connect
from rapport.projects.actions import create_key

# fmt: off
COUNTRIES = [
    "Poland", "Germany", "France", "Spain", "Italy", "Netherlands", "Belgium", "Austria", "Sweden", "Norway",
    "Denmark", "Finland", "Ireland", "Portugal", "Greece", "Hungary", "Romania", "Bulgaria", "Croatia",
    "Slovenia", "Slovakia", "Czechia", "Estonia", "Latvia", "Lithuania", "Malta", "Cyprus", "Iceland", "Serbia",
    "Albania",
]
# fmt: on
TOWNS_EACH = 20
VISITS = 12_500
IMPORTED_AT_ONCE = 100_000
# From so many customers on, what a workload takes tells more than what it waits for: the aims are about this size.
LARGE = 1_000_000
_AT_ONCE = 50_000
TIMEOUT_S = 3_600


@dataclass(frozen=True)
class Dues:
    """The instants that many customers share.

    One customer in `every` had the last order at `one_at`, ten in `every` at `ten_at`; the first `imported` were made
    at `imported_at`.
    """

    every: int
    one_at: datetime
    ten_at: datetime
    imported: int
    imported_at: datetime


@dataclass(frozen=True)
class Population:
    """A project with customers `bench-1` to `bench-<size>`."""

    project_id: int
    headers: dict[str, str]
    size: int
    dues: Dues


async def open_database(url: str) -> Database:
    """Connect without the product's limit on the time of a statement."""
    return await connect(url, max_size=4, statement_timeout_s=TIMEOUT_S, name="rapport-bench")


async def fill(db: Database, name: str, size: int) -> Population:
    """Make a project with customers, their events and the log of their making, straight by SQL."""
    key = await create_key(db, name, "server")
    async with db.read() as conn:
        project_id = await queries.project_id_of(conn, key.project_id)
        now = await queries.read_now(conn)
        dues = Dues(
            every=max(20, size // 1_000),
            one_at=now - timedelta(days=20),
            ten_at=now - timedelta(days=25),
            imported=min(size, IMPORTED_AT_ONCE),
            imported_at=now - timedelta(days=30),
        )
        for first in range(1, size + 1, _AT_ONCE):
            last = min(size, first + _AT_ONCE - 1)
            due = (dues.every, dues.one_at, dues.ten_at, dues.imported, dues.imported_at)
            await queries.insert_customers(conn, project_id, first, last, COUNTRIES, now, *due)
        await queries.insert_what_happened(conn, project_id)
        await queries.settle_tables(conn)
    return Population(project_id, {"X-App-Id": key.app_id, "X-App-Token": key.app_token}, size, dues)


def source_id(number: int) -> str:
    """Return what the shop calls a customer, by number from 1."""
    return f"bench-{number}"


def visits_base(number: int) -> int:
    """Return the ten that a customer's `metadata.visits` is in, as it was filled: always five above it."""
    spread = number * 7919 % 1250
    return spread * spread // 1250 * 10
