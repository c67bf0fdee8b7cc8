"""Run the benchmarks and print ratios: `make bench`, `make bench-large`.

Each workload runs over HTTP against a real server with a worker, and what it is held against on the same database.
"""

import argparse

from benchmarks import load, population
from benchmarks.report import Line, show, show_markdown
from benchmarks.server import server
from benchmarks.stages import STAGES, Stage
from benchmarks.world import World


def main() -> None:
    """Run what the command line asks for and print the ratios."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("stages", nargs="*", help=f"which of {', '.join(STAGES)}; all by default")
    parser.add_argument("--seconds", type=int, default=10, help="of each measurement")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2, help="API processes")
    parser.add_argument("--rate", type=float, default=100, help="updates a second beside other work")
    parser.add_argument("--customers", type=int, default=100_000, help="of the larger project")
    parser.add_argument("--rows", type=int, default=50_000, help="of an imported file")
    parser.add_argument("--large", action="store_true", help=f"{population.LARGE:,} customers")
    parser.add_argument("--markdown", action="store_true", help="print the table as the documentation has it")
    options = parser.parse_args()
    chosen = options.stages or list(STAGES)
    if unknown := sorted(set(chosen) - set(STAGES)):
        parser.error(f"there is no stage {', '.join(unknown)}")
    lines: list[Line] = []
    for name in chosen:
        lines += load.run_loop(_run(STAGES[name], options))
    (show_markdown if options.markdown else show)(lines)


async def _run(stage: Stage, options: argparse.Namespace) -> list[Line]:
    """Run a stage on a server of its own; tell each line as it comes."""
    lines = []
    with server(options.workers) as running:
        db = await population.open_database(running.url)
        customers = population.LARGE if options.large else options.customers
        rows = population.LARGE if options.large else options.rows
        world = World(running, db, options.seconds, options.connections, options.rate, customers, rows)
        async for line in stage(world):
            print(" | ".join(filter(None, line.cells)), flush=True)
            lines.append(line)
        await db.close()
    return lines


if __name__ == "__main__":
    main()
