"""How much one transaction takes on: as much as keeps its locks short."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

TARGET_S = 0.25
FIRST = 50
MOST = 500


class Batches:
    """The size of a project's next batch, by how long the last one took; one that fails makes the next smaller."""

    def __init__(self, *, first: int = FIRST, most: int = MOST, target_s: float = TARGET_S) -> None:
        """Begin with `first` rows, and let a batch take about `target_s` seconds but have no more than `most` rows."""
        self._first, self._most, self._target_s = first, most, target_s
        self._sizes: dict[int, int] = {}

    def size(self, project_id: int) -> int:
        """Return how many rows the next batch should have."""
        return self._sizes.get(project_id, self._first)

    @contextmanager
    def measured(self, project_id: int) -> Iterator[None]:
        """Measure the batch that runs inside, and choose the size of the next."""
        size, started = self.size(project_id), time.monotonic()
        try:
            yield
        except BaseException:
            self._sizes[project_id] = max(1, size // 4)
            raise
        took_s = max(time.monotonic() - started, 0.001)
        self._sizes[project_id] = max(1, min(self._most, 2 * size, int(size * self._target_s / took_s)))
