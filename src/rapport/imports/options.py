"""The options of an import, as a request or a command gives them. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from rapport.core.errors import InvalidPayload
from rapport.imports.models import CUSTOMERS, PAST, Options

_CHARACTERS: Final = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "none": "", "auto": ""}
_SWITCHES: Final = {"true": True, "1": True, "false": False, "0": False}
_CHOICES: Final = {
    "mode": ("replace", "merge"),
    "encoding": ("auto", "utf-8", "utf-16", "windows-1252"),
    "format": ("auto", "csv", "ndjson"),
}


def read_options(given: Mapping[str, str], kind: str = CUSTOMERS) -> Options:
    """Read the options of an import from texts; others are ignored. Raises InvalidPayload naming the one.

    Of what is history, `segment_events` is false if not given. Customers come as CSV only.
    """
    readers = {
        "dry_run": _switch,
        "segment_events": _switch,
        "mode": _choice,
        "encoding": _choice,
        "format": _choice,
        "separator": _character,
        "quote": _character,
    }
    found: dict[str, Any] = {name: read(name, given[name]) for name, read in readers.items() if given.get(name)}
    options = Options(**{"segment_events": kind not in PAST, **found})
    if options.format == "ndjson" and kind not in PAST:
        raise InvalidPayload(f"Option format: files of {kind} are CSV")
    if options.separator and options.separator == options.quote:
        raise InvalidPayload("Options separator and quote should differ")
    return options


def _switch(name: str, text: str) -> bool:
    value = _SWITCHES.get(text.lower())
    if value is None:
        raise InvalidPayload(f"Option {name} should be true or false")
    return value


def _choice(name: str, text: str) -> str:
    if text.lower() not in _CHOICES[name]:
        raise InvalidPayload(f"Option {name} should be one of: {', '.join(_CHOICES[name])}")
    return text.lower()


def _character(name: str, text: str) -> str:
    value = _CHARACTERS.get(text.lower(), text)
    if len(value) > 1 or (value and (not value.isascii() or value in "\r\n\x00 " or value.isalnum())):
        raise InvalidPayload(f"Option {name} should be one character that is no letter, digit or blank, or its name")
    return value
