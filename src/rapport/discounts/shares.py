"""Percentages of an amount, and its division into parts that sum to it, in whole minor units."""

from collections.abc import Sequence
from fractions import Fraction

from rapport.core.rounding import half_up


def percent_of(percent: Fraction, amount: Fraction) -> int:
    """Return so many percent of an amount, rounded half up."""
    return half_up(percent * amount / 100)


def split(whole: int, weights: Sequence[int | Fraction], most: Sequence[int]) -> list[int]:
    """Return parts of `whole` in proportion to the weights, each at most its `most`.

    What one cannot take goes to the others in proportion. The parts sum to `whole`, or to all that can be taken: what
    has no weight takes nothing. Whole units left over by rounding go to the largest remainders; among equals to the
    heavier, then to the earlier.
    """
    parts = [0] * len(weights)
    open_ones = [index for index, weight in enumerate(weights) if weight > 0 and most[index] > 0]
    rest = whole
    while open_ones and rest > 0:
        offered = _proportional(rest, [weights[index] for index in open_ones])
        full = {index for index, part in zip(open_ones, offered, strict=True) if part >= most[index]}
        if not full:
            for index, part in zip(open_ones, offered, strict=True):
                parts[index] = part
            break
        for index in full:
            parts[index] = most[index]
            rest -= most[index]
        open_ones = [index for index in open_ones if index not in full]
    return parts


def capped(parts: Sequence[int], most: int) -> list[int]:
    """Return the parts, from the first on, until they sum to `most`: the one that goes over is cut, the rest are 0."""
    found = []
    for part in parts:
        found.append(max(0, min(part, most)))
        most -= found[-1]
    return found


def _proportional(whole: int, weights: Sequence[int | Fraction]) -> list[int]:
    total = sum(weights)
    exact = [Fraction(whole * weight) / total for weight in weights]
    parts = [share.numerator // share.denominator for share in exact]
    by_remainder = sorted(range(len(parts)), key=lambda at: (parts[at] - exact[at], -weights[at], at))
    for at in by_remainder[: whole - sum(parts)]:
        parts[at] += 1
    return parts
