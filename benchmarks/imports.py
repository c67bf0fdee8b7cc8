"""Imports of customers against the database doing the same: COPY, a merge into customers, and the same log."""

import csv
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import catalogue, population, queries, uploading
from benchmarks.population import COUNTRIES, Population
from benchmarks.report import Aim, Line
from benchmarks.world import World

SEGMENTS = 100
HEADER = ("source_id", "name", "email", "phone", "birthdate", "city", "country", "tier", "visits", "newsletter")
MAX_GROWTH_MB = 150
ROUNDS = 3
MOST_ROWS_IN_ROUNDS = 100_000


@dataclass(frozen=True)
class Taken:
    """Seconds of the whole, of the upload alone, and by how many MB the worker grew meanwhile at the most."""

    seconds: float
    upload_s: float
    growth_mb: float


@dataclass(frozen=True)
class Round:
    """An import, the seconds of the database alone with the same rows right after it, and its rows of log."""

    taken: Taken
    alone_s: float
    logged: int


async def measure(world: World) -> AsyncIterator[Line]:
    """Yield the lines of a file of new customers and of the same file with other values, without and with segments.

    Import and limit take turns, some rounds of them where the file is not large, each in projects of its own.
    """
    rounds = ROUNDS if world.rows <= MOST_ROWS_IN_ROUNDS else 1
    with tempfile.TemporaryDirectory(prefix="rapport-bench-") as directory:
        files = {what: Path(directory) / f"{what}.csv" for what in ("new", "changed")}
        for number, path in enumerate(files.values()):
            _write(path, world.rows, number)
        for segments, at_least in ((0, 0.5), (SEGMENTS, 0.25)):
            found: dict[str, list[Round]] = {what: [] for what in files}
            for number in range(rounds):
                people = await population.fill(world.db, f"imported beside {segments} segments, {number}", 1_000)
                bare = await population.fill(world.db, f"merged beside {segments} segments, {number}", 1_000)
                if segments:
                    await catalogue.add(world.db, people, segments)
                for what, path in files.items():
                    taken = await _import(world, people, path)
                    found[what].append(Round(taken, *await _alone(world, people, bare, path)))
            for what, some in found.items():
                yield _line(world, f"import of {world.rows:,} {what} customers, {segments} segments", some, at_least)
                yield _growth(f"memory of the worker in that import, {segments} segments", some)


def _line(world: World, name: str, rounds: list[Round], at_least: float) -> Line:
    seconds = median(one.taken.seconds for one in rounds)
    upload_s = median(one.taken.upload_s for one in rounds)
    told = f"{world.rows / seconds:,.0f} rows/s; {seconds:.1f} s, {upload_s:.1f} s of them the upload"
    bare = world.rows / median(one.alone_s for one in rounds)
    limit = f"COPY, merge, {rounds[0].logged:,} rows of log: {bare:,.0f} rows/s"
    return Line(name, told, limit, median(one.alone_s / one.taken.seconds for one in rounds), Aim(at_least=at_least))


def _growth(name: str, rounds: list[Round]) -> Line:
    growth_mb = max(one.taken.growth_mb for one in rounds)
    limit = f"{MAX_GROWTH_MB} MB"
    return Line(name, f"grows by {growth_mb:.0f} MB", limit, growth_mb / MAX_GROWTH_MB, Aim(at_most=1))


def _write(path: Path, rows: int, run: int) -> None:
    with path.open("w", newline="") as file:
        written = csv.writer(file)
        written.writerow(HEADER)
        for number in range(rows):
            country = COUNTRIES[number % 30 * (number % 7) // 6 % len(COUNTRIES)]
            tier = ("none", "bronze", "silver", "gold")[(number + run) % 4]
            written.writerow(
                (
                    f"shop-{number}",
                    f"Name {number}",
                    f"shop-{number}@mail{number % 40}.example.com",
                    f"+48{600_000_000 + number}",
                    f"{1950 + number % 55}-{1 + number % 12:02}-{1 + number % 28:02}",
                    f"{country} {number // 30 % 20}",
                    country,
                    tier,
                    (number * 7919 + run) % 12_500,
                    "true" if number % 5 < 2 else "false",
                )
            )


async def _import(world: World, people: Population, path: Path) -> Taken:
    began, before_mb = time.monotonic(), _worker_mb(world)
    seen_mb = [before_mb]
    action_id = await uploading.upload(world, people.headers, "/v1/customers/importCSV", path)
    upload_s = time.monotonic() - began
    done = await uploading.wait(world, people.headers, action_id, lambda: seen_mb.append(_worker_mb(world)))
    if done != world.rows:
        raise RuntimeError(f"the import has {done} rows of {world.rows}")
    return Taken(time.monotonic() - began, upload_s, max(seen_mb) - before_mb)


def _worker_mb(world: World) -> float:
    kb = 0
    for pid in world.running.processes()["worker"]:
        status = Path(f"/proc/{pid}/status").read_text()
        kb += int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
    return kb / 1024


async def _alone(world: World, people: Population, bare: Population, path: Path) -> tuple[float, int]:
    """Return the seconds that the database takes alone, in one transaction, and how many rows of log those are."""
    async with world.db.read() as conn:
        await queries.keep_log(conn, people.project_id)
        logged = int(await conn.fetchval("SELECT count(*) FROM bare_log"))
        began = time.monotonic()
        async with conn.transaction():
            await queries.merge_file(conn, bare.project_id, str(path))
            await queries.log_the_same(conn, bare.project_id)
        return time.monotonic() - began, logged
