"""What a benchmark says in the end: one line for each workload, with its limit, the ratio and the aim."""

from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

# From here on the digits after the point say nothing.
_MANY = 100


@dataclass(frozen=True)
class Aim:
    """What a ratio should be: at least, or at most."""

    at_least: float | None = None
    at_most: float | None = None

    def met(self, ratio: float) -> bool:
        """Tell whether a ratio meets it."""
        low = self.at_least is None or ratio >= self.at_least
        return low and (self.at_most is None or ratio <= self.at_most)

    def __str__(self) -> str:
        """Write it as the tables do."""
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"


@dataclass(frozen=True)
class Line:
    """One measurement and what it is held against; without a ratio it is only told."""

    workload: str
    measured: str
    limit: str = ""
    ratio: float | None = None
    aim: Aim | None = None

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """The line as a row of a table."""
        ratio = "" if self.ratio is None else f"{self.ratio:,.{2 if self.ratio < _MANY else 0}f}"
        if self.aim is None or self.ratio is None:
            return self.workload, self.measured, self.limit, ratio, ""
        return self.workload, self.measured, self.limit, ratio, f"{self.aim}{'' if self.aim.met(self.ratio) else ' ✗'}"


_HEADINGS = ("Workload", "Measured", "Against", "Ratio", "Aim")


def show(lines: Iterable[Line]) -> None:
    """Print the table; ✗ marks an aim that was missed."""
    table = Table(*_HEADINGS)
    for line in lines:
        table.add_row(*line.cells)
    Console(width=150).print(table)


def show_markdown(lines: Iterable[Line]) -> None:
    """Print the table as docs/benchmarks.md has it."""
    print(f"| {' | '.join(_HEADINGS)} |\n|{'---|' * len(_HEADINGS)}")
    for line in lines:
        print(f"| {' | '.join(line.cells)} |")
