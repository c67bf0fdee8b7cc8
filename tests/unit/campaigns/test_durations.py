from datetime import UTC, datetime

import pytest

from rapport.campaigns import durations


@pytest.mark.parametrize(
    ("start", "text", "end"),
    [
        ((2026, 1, 31), "P1M", (2026, 2, 28)),
        ((2024, 1, 31), "P1M", (2024, 2, 29)),
        ((2024, 2, 29), "P1Y", (2025, 2, 28)),
        ((2026, 11, 30), "P3M", (2027, 2, 28)),
        ((2026, 1, 1), "P24D", (2026, 1, 25)),
        ((2026, 1, 1), "P2W", (2026, 1, 15)),
        ((2026, 1, 1), "PT36H", (2026, 1, 2, 12)),
        ((2026, 1, 1), "P1DT1H30M15S", (2026, 1, 2, 1, 30, 15)),
    ],
)
def test_a_duration_is_added(start: tuple[int, ...], text: str, end: tuple[int, ...]) -> None:
    assert durations.after(datetime(*start, tzinfo=UTC), text) == datetime(*end, tzinfo=UTC)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize("text", ["", "P", "PT", "24D", "P24", "P1.5D", "P-1D", "p1d", "P1D ", "P1H", "P٢D", "P1DT"])
def test_what_is_not_a_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        durations.parse(text)


def test_a_duration_beyond_the_calendar_has_no_end() -> None:
    assert durations.after(datetime(2026, 1, 1, tzinfo=UTC), "P999Y") == datetime(3025, 1, 1, tzinfo=UTC)
    assert durations.after(datetime(9990, 1, 1, tzinfo=UTC), "P999Y") is None
