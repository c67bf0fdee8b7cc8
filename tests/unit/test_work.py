import time

import pytest

from rapport.work.batches import FIRST, MOST, Batches
from rapport.work.turns import Turns


async def test_a_project_that_fails_rests_and_holds_up_no_other() -> None:
    taken: list[int] = []

    async def step(project_id: int) -> bool:
        taken.append(project_id)
        if project_id == 1:
            raise ValueError
        return project_id == 3

    turns = Turns("test")
    assert await turns.take([1, 2, 3], step) is True
    assert await turns.take([1, 2], step) is False
    assert taken == [1, 2, 3, 2]


async def test_a_database_that_is_away_is_told_at_once() -> None:
    async def step(_project_id: int) -> bool:
        raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        await Turns("test").take([1, 2], step)


def test_batches_grow_while_they_are_quick_and_shrink_when_they_are_slow_or_fail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    batches = Batches()

    def run(seconds: float) -> int:
        size = batches.size(7)
        with batches.measured(7):
            assert batches.size(7) == size
            clock[0] += seconds
        return batches.size(7)

    assert batches.size(7) == FIRST
    assert [run(0.001) for _ in range(5)] == [100, 200, 400, MOST, MOST]
    assert run(2.5) == 50
    with pytest.raises(ValueError, match="cut off"), batches.measured(7):
        raise ValueError("cut off")
    assert batches.size(7) == 12
    for _ in range(9):
        run(100.0)
    assert batches.size(7) == 1
