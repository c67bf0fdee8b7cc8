"""Rounding to whole minor units."""

from fractions import Fraction


def half_up(exact: Fraction) -> int:
    """Return a number that is not negative, rounded half up."""
    return (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)
