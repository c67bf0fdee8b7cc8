"""Values as nasty as the API lets in, and the moments and zones at which time is."""

from datetime import UTC, datetime
from decimal import Decimal

from rapport.segments.tree import EVENTS as EVENTS_SOURCE
from rapport.segments.tree import ORDERS as ORDERS_SOURCE
from rapport.segments.windows import fields as row_fields

ZONES = (
    "UTC",
    "Europe/Warsaw",
    "America/New_York",
    "Asia/Kolkata",
    "Pacific/Apia",
    "America/Havana",
    "America/Sao_Paulo",
)
# Moments at which a day is short, long, missing (Apia, 30 December 2011) or has no or two midnights.
TURNS = (
    datetime(2011, 12, 30, 9, 59, 59, 999_000, UTC),
    datetime(2011, 12, 30, 10, tzinfo=UTC),
    datetime(2018, 11, 4, 3, tzinfo=UTC),
    datetime(2024, 2, 29, 12, tzinfo=UTC),
    datetime(2025, 11, 2, 5, 30, tzinfo=UTC),
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
    datetime(2026, 11, 30, 23, 59, 59, 999_000, UTC),
    datetime(2027, 1, 1, tzinfo=UTC),
)
NASTY = (
    *("", " ", "a", "A", "ab", "aa", "aB", "b", "%", "_", "a_b", "\\", "\\%", "'", '"', "$1", "{}", "{value}", "null"),
    *(
        "true",
        "false",
        "NaN",
        "Infinity",
        "-Infinity",
        "1e5",
        "1E5",
        "100000",
        "0",
        "-0",
        "00",
        "0.0",
        "-0.0",
        "5",
        "5.0",
    ),
    *("5.", ".5", "+5", "05", " 5", "5 ", "5\n", "0x10", "1_000", "١٢", "5\u0301", "12", "12.50", "-3.25", "9" * 120),
    *(
        "0." + "0" * 99 + "1",
        "é",
        "e\u0301",
        "ß",
        "SS",
        "İ",
        "ǆ",
        "[",
        '["a"]',
        "[a",
        "]",
        '{"a": "a"}',
        "}",
        "-",
        "%a",
        "a\\\\",
        "\U0001f600",
        "\ufeff",
        "\u2028",
        "\r\n",
        "\x01",
        "\x7f",
    ),
    *("2026-01-01", "2026-02-30", "2024-02-29", "2025-02-29", "1900-02-29", "2000-02-29", "0000-01-01", "0001-01-01"),
    *(
        "0099-05-05",
        "9999-12-31",
        "10000-01-01",
        "2026-1-1",
        "20260101",
        "2026-01-01 ",
        "\uff12\uff10\uff12\uff16-01-01",
        "2026-04-31",
    ),
    *(
        "2026-01-01T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T23:59:60Z",
        "2026-01-01T12:00",
        "2026-01-01 12:00:30",
    ),
    *("2026-01-01t12:00:00z", "2026-01-01T12:00:00+02", "2026-01-01T12:00:00+0230", "2026-01-01T12:00:00-15:59"),
    *(
        "2026-01-01T12:00:00+16:00",
        "2026-01-01T12:00:00.1Z",
        "2026-01-01T12:00:00.123999999Z",
        "2026-01-01T12:00:00.9999999",
    ),
    *(
        "9999-12-31T23:59:59.999Z",
        "9999-12-31T23:59:59.9999999-15:59",
        "0001-01-01T00:00:00+15:59",
        "2026-01-01T12:00:00,5Z",
    ),
    *(
        "2026-01-01T12:00:00 Z",
        "2026-01-01T12Z",
        "2026-W01-1",
        "-2026-01-01",
        "2026-01-01T12:00:00.1234567890Z",
        "infinity",
        "now",
    ),
)
NUMBERS = (
    *(0, 1, 2, 3, 5, 12, -1, 100_000, 2**63, 10**40, -(10**300)),
    *(
        Decimal(text)
        for text in ("0.0", "-0.0", "5.0", "5.00", "1E+5", "12.5", "-3.25", "1E+1000", "1E-1000", "0.10", "1E-7")
    ),
)
KEYS = ("a", "b", "first.name", 'q"uo\\te', "ключ", "$x", "", "0", "\n\x01")
METADATA = (
    "a",
    "b",
    "a",
    "b",
    "a",
    "b",
    "a.b",
    "a.b.a",
    '"first.name"',
    r'"q\"uo\\te"',
    "ключ",
    '""',
    "0",
    '"a"."$x"',
    '"\n\x01"',
    "a.0",
)
EVENTS = ("review_written", "cart.abandoned", "cart.count", "a b'\"")
EVENT_FIELDS = tuple(f'events."{name}"' if name == "cart.count" else f"events.{name}" for name in EVENTS[:3])
ROW_FIELDS = {
    EVENTS_SOURCE: tuple(f"metadata.{path}" for path in METADATA),
    ORDERS_SOURCE: (
        *(*row_fields.FIXED[ORDERS_SOURCE], "metadata.a", "metadata.b", "metadata.a.b", "total_amount"),
        *("items.name", "items.quantity", "items.product.name", 'items."first.name"'),
    ),
}
SEGMENTS = ("seg_1", "seg_2", "seg_3")
CONSENTS = ("cnst_1", "unsubscribed")
CONSENT_FIELDS = (
    *("cnst_1.given", "cnst_1.at", "cnst_1.source", "cnst_1.channels.email.given", "cnst_1.channels.email.at"),
    *("unsubscribed.given", "unsubscribed.channels.sms.given", "unsubscribed"),
)
LOCATIONS = ("oslo", "a.visits")
