"""Random customers, events, filters and moments, as nasty as the API lets in, and close enough to meet."""

import string
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from rapport.customers.models import ADDRESS_FIELDS, Customer
from rapport.segments.fields import FIXED, Kind, find
from rapport.segments.operators import BY_NAME, Form, Narrowing, Presence, Recurring, TimeTest, ValueTest

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
SEGMENTS = ("seg_1", "seg_2", "seg_3")

safe_letters = st.characters(codec="utf-8", exclude_characters="\x00")
any_text = st.one_of(
    st.sampled_from(NASTY), st.text(safe_letters, max_size=5), st.text(string.digits + "-:.TZ+ e", max_size=24)
)
any_number = st.one_of(
    st.sampled_from(NUMBERS),
    st.integers(-(10**30), 10**30),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=3),
)
zones = st.sampled_from(ZONES).map(ZoneInfo)
nows = st.one_of(
    st.sampled_from(TURNS),
    st.builds(
        lambda turn, shift: turn + timedelta(milliseconds=shift), st.sampled_from(TURNS), st.integers(-(10**10), 10**10)
    ),
    st.integers(0, 4 * 10**12).map(lambda ms: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)),
)


def near(now: datetime) -> st.SearchStrategy[datetime]:
    """Draw instants whole days, or nearly, from `now`."""
    return st.builds(
        lambda days, hours, ms: now + timedelta(days=days, hours=hours, milliseconds=ms),
        st.sampled_from((0, 0, 1, -1, 2, -2, 7, -7, 30, -30, 31, -31, 45, 365, -365)),
        st.sampled_from((0, 0, 0, 1, -1, 5, -5, 12, -13)),
        st.sampled_from((0, 0, 0, 1, -1, 500)),
    )


def _written(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Pool:
    """A few values that customers and operands share, so that they meet."""

    def __init__(self, draw: st.DrawFn, now: datetime) -> None:
        """Draw them."""
        self.now = now
        instants = draw(st.lists(near(now), min_size=2, max_size=5))
        texts = draw(st.lists(any_text, min_size=2, max_size=5))
        numbers = draw(st.lists(any_number, min_size=1, max_size=4))
        self.instants = st.sampled_from(instants) | near(now)
        self.texts = st.sampled_from(texts)
        self.parts = self.texts | st.builds(
            lambda text, first, last: text[first:last], self.texts, *[st.integers(0, 6)] * 2
        )
        self.numbers = st.sampled_from(numbers) | st.integers(-2, 5)
        self.moments = st.one_of(
            self.instants.map(_written),
            self.instants.map(lambda at: at.date().isoformat()),
            st.sampled_from(NASTY[NASTY.index("2026-01-01") :]),
        )
        self.values = self._values()

    def _values(self) -> st.SearchStrategy[Any]:
        """Draw what metadata may hold."""
        scalars = st.one_of(self.texts, self.numbers, self.numbers.map(str), self.moments, self.moments, st.booleans())
        values: st.SearchStrategy[Any] = scalars | st.none()
        for _ in range(3):
            lists = st.lists(values, max_size=3)
            values = st.one_of(values, lists, st.dictionaries(st.sampled_from(KEYS), values, max_size=3))
        return scalars | values


def customers(pool: Pool) -> st.SearchStrategy[Customer]:
    """Draw a customer; its id is a placeholder."""
    maybe = st.none() | pool.texts
    amounts = st.integers(-5, 5) | st.integers(0, 2**40)
    points = st.fixed_dictionaries({"points": amounts, "referred_customers": st.integers(0, 3)})
    objects = st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, pool.values))
    metadata = st.fixed_dictionaries(
        {"a": pool.values, "b": pool.values}, optional=dict.fromkeys(KEYS[2:], pool.values)
    )
    products = st.dictionaries(
        st.sampled_from(("product_id", "sku", "name", "quantity")), pool.texts | pool.numbers, max_size=3
    )
    times = pool.instants.map(_written)
    summary = st.fixed_dictionaries({"count": st.integers(0, 3), "first_at": times, "last_at": times})
    return st.builds(
        Customer,
        id=st.just(""), source_id=maybe, name=maybe, description=maybe, email=maybe, phone=maybe, source=pool.texts,
        birthdate=st.none() | pool.instants.map(lambda at: at.date()) | st.dates(),
        address=st.dictionaries(st.sampled_from(ADDRESS_FIELDS), pool.texts, max_size=3),
        metadata=metadata, system_metadata=objects,
        orders_count=st.integers(0, 3) | st.integers(0, 2**40), orders_amount=amounts,
        last_order_amount=st.none() | amounts, last_order_at=st.none() | pool.instants,
        last_order_products=st.lists(products, max_size=2),
        redemptions=st.dictionaries(
            st.sampled_from(("total_redeemed", "gift")),
            st.integers(0, 3) | st.fixed_dictionaries({"amount_to_go": amounts}),
        ),
        loyalty=st.builds(
            lambda own, named: {**own, "campaigns": named},
            points, st.dictionaries(st.sampled_from(("Gold", "a.points")), points, max_size=2),
        ),
        referrals=st.fixed_dictionaries({"total": st.integers(0, 2), "campaigns": st.lists(objects, max_size=2)}),
        events=st.dictionaries(st.sampled_from(EVENTS), summary, max_size=3),
        created_at=pool.instants, updated_at=pool.instants,
    )  # fmt: skip


FIELDS = (
    *FIXED,
    *(f"metadata.{path}" for path in METADATA),
    *("system_metadata.a", "summary.orders.last_order_products.name", "summary.orders.last_order_products.quantity"),
    *(
        "referrals.campaigns.a",
        "referrals.campaigns.a.b",
        "loyalty.campaigns.Gold.points",
        "loyalty.campaigns.a.points.points",
    ),
    *(f"{name}{suffix}" for name in EVENT_FIELDS for suffix in ("", ".count", ".first_at", ".last_at")),
)


def _operands(  # noqa: PLR0911 (one per form)
    meaning: object, kind: Kind, pool: Pool
) -> st.SearchStrategy[Any]:
    days = st.sampled_from((0, 1, 2, 7, 30, 31, 365))
    match meaning:
        case Presence() | Recurring():
            return st.sampled_from((True, "", [], [True]))
        case ValueTest(form=Form.COUNT):
            return st.integers(0, 3)
        case ValueTest(form=Form.NUMBER):
            return pool.numbers | any_number | st.sampled_from(("0", "-0.0", "12.50", "5"))
        case ValueTest() if kind is Kind.SEGMENTS:
            return st.sampled_from(SEGMENTS)
        case ValueTest():
            loose = kind in (Kind.JSON, Kind.PRODUCTS)
            return st.one_of(pool.parts, pool.moments, pool.numbers, st.booleans()) if loose else pool.parts | any_text
        case TimeTest() | Narrowing():
            reads = meaning.read.__name__
            if reads == "nothing":
                return st.just(value=True)
            if reads == "moment":
                times = pool.instants.map(_written) | pool.instants.map(lambda at: at.date().isoformat())
                return times | st.sampled_from(("9999-12-31", "0001-01-01", "2011-12-30", "2011-12-31"))
            return days if reads == "days" else days | st.sampled_from(("0.5", Decimal("1.25"), 0.001, 36_500))
    raise TypeError(meaning)


@st.composite
def conditions(draw: st.DrawFn, name: str, pool: Pool) -> dict[str, Any]:
    """Draw the conditions on a field."""
    kind = find(name).kind
    fitting = [spelling for spelling, operator in BY_NAME.items() if kind in operator.meanings]
    found: dict[str, Any] = {}
    for spelling in draw(st.lists(st.sampled_from(fitting), min_size=1, max_size=2, unique=True)):
        meaning = BY_NAME[spelling].meanings[kind]
        one = _operands(meaning, kind, pool)
        single = isinstance(meaning, Narrowing | Presence | Recurring)
        found[spelling] = draw(one if single else one | st.lists(one, min_size=1, max_size=3))
    return {"conditions": found}


@st.composite
def filters(draw: st.DrawFn, pool: Pool, depth: int = 2) -> dict[str, Any]:
    """Draw a filter as the API takes it."""
    names = draw(st.lists(st.sampled_from(FIELDS), min_size=1, max_size=2, unique=True))
    found: dict[str, Any] = {name: draw(conditions(name, pool)) for name in names}
    if draw(st.booleans()):
        found["junction"] = draw(st.sampled_from(("and", "or")))
    if depth and draw(st.integers(0, 3)) == 0:
        found["groups"] = draw(st.lists(filters(pool, depth - 1), min_size=1, max_size=2))
    return found


@dataclass(frozen=True)
class World:
    """Customers with their events and segments, filters, and a moment in a zone."""

    now: datetime
    zone: ZoneInfo
    customers: list[Customer]
    events: list[tuple[int, str, datetime]]
    members: frozenset[tuple[str, int]]
    filters: list[dict[str, Any]]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draw a world; ids of customers are their numbers."""
    now = draw(nows)
    pool = Pool(draw, now)
    found = draw(st.lists(customers(pool), min_size=2, max_size=6))
    numbers = st.integers(0, len(found) - 1)
    return World(
        now=now,
        zone=draw(zones),
        customers=found,
        events=draw(st.lists(st.tuples(numbers, st.sampled_from(EVENTS), pool.instants), max_size=15)),
        members=frozenset(draw(st.lists(st.tuples(st.sampled_from(SEGMENTS), numbers), max_size=4))),
        filters=draw(st.lists(filters(pool), min_size=2, max_size=6)),
    )
