"""What the processes take of memory, and the tables of the disk."""

from collections.abc import AsyncIterator

from benchmarks import queries
from benchmarks.report import Line
from benchmarks.world import World

_MB = 1024 * 1024
# A row of the estimate that the size per row is told for.
_ENOUGH_ROWS = 1_000


def memory_line(world: World, what: str) -> Line:
    """Return the memory of the server's processes now; shared pages are divided among those that share them."""
    used = world.running.memory_mb()
    number = len(world.running.processes()["api"])
    return Line(
        what, f"{number} API {used['api']:.0f} MB, worker {used['worker']:.0f} MB, PostgreSQL {used['postgres']:.0f} MB"
    )


async def table_lines(world: World) -> AsyncIterator[Line]:
    """Yield the sizes of the larger tables and of their indexes."""
    async with world.db.read() as conn:
        await queries.settle_tables(conn)
        for name, rows, table_bytes, index_bytes in await queries.table_sizes(conn):
            each = f", {(table_bytes + index_bytes) / rows:,.0f} bytes a row" if rows >= _ENOUGH_ROWS else ""
            yield Line(
                f"table {name}, {rows:,} rows",
                f"{table_bytes / _MB:,.0f} MB and {index_bytes / _MB:,.0f} MB of indexes{each}",
            )
