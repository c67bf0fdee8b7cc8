"""Operands: what an operator may be given, read when a filter is parsed; a wrong type is named, never guessed."""

from decimal import Decimal

from rapport.core.jsons import MAX_EXPONENT
from rapport.segments import times
from rapport.segments.json_values import number_in, plain, storable, text_of
from rapport.segments.times import DAY_MS, Moment

MAX_TEXT_LENGTH = 1000
MAX_COUNT = 1000
MAX_DAYS = 36_500
MAX_DIGITS = 1000


class WrongOperand(ValueError):
    """The operand is not what the operator takes; the text says what it takes."""


def text(raw: object) -> str:
    """Read a text."""
    if not isinstance(raw, str):
        raise WrongOperand("takes a text")
    if len(raw) > MAX_TEXT_LENGTH:
        raise WrongOperand(f"takes a text of at most {MAX_TEXT_LENGTH} characters")
    if not storable(raw):
        raise WrongOperand("takes a text without NUL characters and lone surrogates")
    return raw


def scalar(raw: object) -> str:
    """Read a text, number or boolean as the text it stands for: 5 and "5" are the same operand."""
    if isinstance(raw, str):
        return text(raw)
    if isinstance(raw, int | float | Decimal) and not isinstance(raw, bool):
        return plain(_number(raw, "takes a text, a number or a boolean"))
    found = text_of(raw)
    if found is None:
        raise WrongOperand("takes a text, a number or a boolean")
    return found


def number(raw: object) -> Decimal:
    """Read a number, or a text that is one in plain decimal digits."""
    return _number(raw, "takes a number")


def _number(raw: object, message: str) -> Decimal:
    found: Decimal | None = None
    if isinstance(raw, str):
        found = number_in(raw)
    elif isinstance(raw, float):
        found = Decimal(str(raw))
    elif isinstance(raw, int | Decimal) and not isinstance(raw, bool):
        found = Decimal(raw)
    if found is None or not found.is_finite():
        raise WrongOperand(message)
    # Zeros at the end do not count: 1E+1000 comes back from the database written out.
    digits = "".join(map(str, found.as_tuple().digits)).rstrip("0")
    if (found and abs(found.adjusted()) > MAX_EXPONENT) or len(digits) > MAX_DIGITS:
        raise WrongOperand(f"{message} of at most {MAX_DIGITS} digits")
    return found


def _whole(raw: object, most: int, message: str) -> int:
    found = _number(raw, message)
    if not 0 <= found <= most or found != int(found):
        raise WrongOperand(message)
    return int(found)


def count(raw: object) -> int:
    """Read a whole number from 0 to 1,000."""
    return _whole(raw, MAX_COUNT, f"takes a whole number from 0 to {MAX_COUNT}")


def days(raw: object) -> int:
    """Read a whole number of calendar days, 0 to 36,500."""
    return _whole(raw, MAX_DAYS, f"takes a whole number of days from 0 to {MAX_DAYS}")


def span(raw: object) -> int:
    """Read a number of 24-hour spans, 0 to 36,500, fractions allowed, as milliseconds cut downwards."""
    message = f"takes a number of days from 0 to {MAX_DAYS}"
    found = _number(raw, message)
    if not 0 <= found <= MAX_DAYS:
        raise WrongOperand(message)
    return int(found * DAY_MS)


def moment(raw: object) -> Moment:
    """Read an ISO date or date-time."""
    found = times.parse(raw) if isinstance(raw, str) else None
    if found is None:
        raise WrongOperand("takes a date (2026-01-31) or a date-time (2026-01-31T12:00:00Z)")
    return found


def nothing(raw: object) -> bool:
    """Read the operand of an operator that needs none: true or an empty text."""
    if raw is True or raw in ("", "true"):
        return True
    raise WrongOperand('takes true, "", [] or [true]')
