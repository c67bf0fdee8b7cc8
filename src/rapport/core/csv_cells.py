"""Cells of CSV files: what a spreadsheet would run is marked on the way out, and the mark taken off on the way in.

A spreadsheet takes a cell that begins with `=`, `+`, `-`, `@`, a tab or a line break for a formula (in some languages
also with the wide forms of these signs). The mark is a leading apostrophe. What begins with `+` or `-` and goes on with
nothing but digits, spaces and `. , ( ) / -` is a number or a phone number: without letters there is nothing to call,
and it stays as it is.

A text that begins with apostrophes and then looks like a formula gets one more, so that `restore` undoes `neutralise`
for every text. `'tis` looks like no formula and stays as it is.
"""

import re
from typing import Final

MARK: Final = "'"
SIGNS: Final = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""What a formula begins with."""
LOOK_AT: Final = SIGNS | {MARK}
"""A cell that begins with none of these is the same neutralised, restored and as it is."""
_NUMBER: Final = re.compile(r"[+-][0-9 .,()/-]*")


def _is_formula(text: str) -> bool:
    return text[:1] in SIGNS and _NUMBER.fullmatch(text) is None if text else False


def neutralise(text: str) -> str:
    """Return a cell's text as it can be opened in a spreadsheet without being run."""
    return MARK + text if _is_formula(text.lstrip(MARK)) else text


def restore(text: str) -> str:
    """Return the text that `neutralise` was given; a text that carries no mark is returned as it is."""
    return text[1:] if text.startswith(MARK) and _is_formula(text.lstrip(MARK)) else text
