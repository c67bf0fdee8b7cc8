"""Values of a shape nobody declared, as metadata: where a path leads, and what a value is as text, number, time.

Each meaning stands beside its SQL. A path is followed as PostgreSQL's jsonpath does in lax mode, and a list found at
its end stands for its elements; null is nothing.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from rapport.segments import times
from rapport.segments.times import Day, Moment

Number = int | Decimal

# A number written as text, also in an operand: short, plain, ASCII. The same expression in Python and PostgreSQL.
DECIMAL = "-?[0-9]{1,100}(?:[.][0-9]{1,100})?"
_DECIMAL = re.compile(DECIMAL)
_DIGITS = re.compile("-?[0-9]+(?:[.][0-9]+)?")

PRODUCT_TEXTS = ("product_id", "source_id", "sku_id", "sku_source_id", "sku", "name")


def elements(root: Any, keys: Sequence[str]) -> list[Any]:
    """Return what the path `keys` finds in `root`: the elements of lists, without nulls."""
    if len(keys) == 1 and isinstance(root, dict):  # as most are
        value = root.get(keys[0])
        if not isinstance(value, list):
            return [] if value is None else [value]
    found = [root]
    for key in keys:
        step: list[Any] = []
        for value in found:
            if isinstance(value, dict):
                if key in value:
                    step.append(value[key])
            elif isinstance(value, list):
                step.extend(item[key] for item in value if isinstance(item, dict) and key in item)
        found = step
    flat: list[Any] = []
    for value in found:
        if isinstance(value, list):
            flat.extend(value)
        else:
            flat.append(value)
    return [value for value in flat if value is not None]


def jsonpath(keys: Sequence[str]) -> str:
    """Return the jsonpath that finds what `elements` finds (and nulls), its keys quoted."""
    return "lax $" + "".join(f".{quoted(key)}" for key in keys) + "[*]"


def quoted(key: str) -> str:
    """Write a text in jsonpath."""
    escaped = "".join(
        f"\\{letter}" if letter in '"\\' else f"\\u{ord(letter):04x}" if letter < " " else letter for letter in key
    )
    return f'"{escaped}"'


def storable(text: str) -> bool:
    """Tell whether PostgreSQL can hold this text at all."""
    return "\x00" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def plain(number: float | Decimal) -> str:
    """Write a number in digits without exponent or trailing zeros, as `trim_scale(numeric)::text` does."""
    text = format(Decimal(str(number) if isinstance(number, float) else number), "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def text_of(value: Any) -> str | None:
    """Return the text of a text, boolean or number; None for objects and lists."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return plain(value) if isinstance(value, int | float | Decimal) else None


def text_of_sql(value: str) -> str:
    """Return SQL for `text_of` of a jsonb expression."""
    return (
        f"CASE jsonb_typeof({value}) WHEN 'number' THEN trim_scale({value}::numeric)::text "
        f"WHEN 'string' THEN {value} #>> '{{}}' WHEN 'boolean' THEN {value} #>> '{{}}' END"
    )


def scalars_of(texts: Sequence[str]) -> list[str | bool | Decimal]:
    """Return all JSON scalars whose text is one of these."""
    found: list[str | bool | Decimal] = []
    for text in texts:
        if text in ("true", "false"):
            found.append(text == "true")
        elif _DIGITS.fullmatch(text) and plain(Decimal(text)) == text:
            found.append(Decimal(text))
        found.append(text)
    return found


def number_in(text: str) -> Decimal | None:
    """Read a number written as text, or return None."""
    return Decimal(text) if _DECIMAL.fullmatch(text) else None


def number_of(value: Any) -> Number | None:
    """Return the number of a number, or of a text that is one; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | Decimal):
        return value
    if isinstance(value, float):
        return Decimal(str(value))
    return number_in(value) if isinstance(value, str) else None


def number_of_sql(value: str) -> str:
    """Return SQL for `number_of` of a jsonb expression."""
    return (
        f"CASE WHEN jsonb_typeof({value}) = 'number' THEN {value}::numeric "
        f"WHEN jsonb_typeof({value}) = 'string' AND {value} #>> '{{}}' ~ '^(?:{DECIMAL})$' "
        f"THEN ({value} #>> '{{}}')::numeric END"
    )


def moment_of(value: Any) -> Moment | None:
    """Return the day or instant that a text names; None for anything else."""
    return times.parse(value) if isinstance(value, str) else None


def instant_of(value: Any) -> int | None:
    """Return the instant that a date-time names, in milliseconds since 1970; None for anything else."""
    moment = moment_of(value)
    return None if isinstance(moment, Day) else moment


def is_day_sql(text: str) -> str:
    """Return SQL that tells whether a text is a date."""
    return f"({_common_sql(text, times.COMMON_DATE)} OR {text} ~ '^(?:{times.DATE})$')"


def _common_sql(text: str, expression: str) -> str:
    """Return SQL for what nearly all dates and date-times are: a short expression is several times faster."""
    return f"({text} ~ '^(?:{expression})$' AND {text} >= '0001' COLLATE \"C\")"


def instant_of_sql(text: str) -> str:
    """Return SQL for `instant_of` of a text expression, as timestamptz or NULL; finer than milliseconds is kept."""
    # Six digits of the second at most: PostgreSQL would round the seventh up, over the next millisecond. E'' because
    # the meaning of a backslash in '' is a setting.
    common = _common_sql(text, times.COMMON_DATE_TIME)
    return (
        f"CASE WHEN {common} OR {text} ~ '^(?:{times.DATE_TIME})$' THEN LEAST(GREATEST("
        f"(regexp_replace({text}, '([.][0-9]{{6}})[0-9]+', E'\\\\1') || "
        f"CASE WHEN {text} ~ '[Tt ][0-9:.]+$' THEN 'Z' ELSE '' END)::timestamptz, "
        "'0001-01-01 00:00:00+00'::timestamptz), '9999-12-31 23:59:59.999+00'::timestamptz) END"
    )
