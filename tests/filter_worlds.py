"""Random customers, events, orders, filters and moments, as nasty as the API lets in, and close enough to meet."""

import string
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from filter_values import (
    CONSENT_FIELDS,
    CONSENTS,
    EVENT_FIELDS,
    EVENTS,
    KEYS,
    LOCATIONS,
    METADATA,
    NASTY,
    NUMBERS,
    ROW_FIELDS,
    SEGMENTS,
    TURNS,
    ZONES,
)
from rapport.customers.models import ADDRESS_FIELDS, Customer
from rapport.orders.models import COUNTED
from rapport.segments.fields import FIXED, Kind, find
from rapport.segments.filters import SOURCES, InvalidFilter, parse
from rapport.segments.operators import BY_NAME, Form, Narrowing, Presence, Recurring, TimeTest, ValueTest
from rapport.segments.tree import EVENTS as EVENTS_SOURCE
from rapport.segments.tree import ORDERS as ORDERS_SOURCE
from rapport.segments.windows import fields as row_fields

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
        consents=st.dictionaries(st.sampled_from(CONSENTS), _consents(times), max_size=2),
        devices=st.lists(_devices(pool.texts, times), max_size=3),
        marketing=st.dictionaries(
            st.sampled_from(("email", "sms")),
            st.dictionaries(st.sampled_from(("sent", "opened")), summary, max_size=2),
            max_size=2,
        ),
        in_store=_in_store(times, amounts),
        created_at=pool.instants, updated_at=pool.instants,
    )  # fmt: skip


def _consents(times: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    said = {"given": st.booleans(), "at": times, "source": st.sampled_from(("form", "true", "5"))}
    channels = st.dictionaries(st.sampled_from(("email", "sms")), st.fixed_dictionaries(said), max_size=2)
    return st.fixed_dictionaries({}, optional={**said, "channels": channels})


def _devices(texts: st.SearchStrategy[str], times: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"id": texts, "platform": st.sampled_from(("ios", "web")), "first_seen_at": times, "last_seen_at": times},
        optional={"app_version": texts},
    )


def _in_store(times: st.SearchStrategy[str], amounts: st.SearchStrategy[int]) -> st.SearchStrategy[dict[str, Any]]:
    seen = dict.fromkeys(("first_visit_at", "last_visit_at", "first_purchase_at", "last_purchase_at"), times)
    counted = {"visits": st.integers(0, 3), "purchases": st.integers(0, 3), "amount": amounts}
    locations = st.dictionaries(st.sampled_from(LOCATIONS), st.fixed_dictionaries(counted, optional=seen), max_size=2)
    visits = st.fixed_dictionaries({"count": st.integers(0, 3)})
    purchases = st.fixed_dictionaries({"count": st.integers(0, 3), "amount": amounts})
    return st.fixed_dictionaries(
        {}, optional={**seen, "visits": visits, "purchases": purchases, "locations": locations}
    )


FIELDS = (
    *FIXED,
    *(f"consents.{path}" for path in CONSENT_FIELDS),
    *("devices.platform", "devices.last_seen_at", "devices.app_version", "marketing.email.sent.count"),
    *("marketing.email.opened.last_at", "marketing.sms.sent.first_at", "in_store.locations.oslo.visits"),
    *("in_store.locations.a.visits.purchases", "in_store.locations.oslo.last_visit_at"),
    *(f"metadata.{path}" for path in METADATA),
    *("system_metadata.a", "summary.orders.last_order_products.name", "summary.orders.last_order_products.quantity"),
    *(
        "referrals.campaigns.a",
        "referrals.campaigns.a.b",
        "loyalty.campaigns.Gold.points",
        "loyalty.campaigns.a.points.points",
    ),
    *(f"{name}{suffix}" for name in EVENT_FIELDS for suffix in ("", ".count", ".first_at", ".last_at")),
    # Windows more often than by chance: there is most to them.
    *(*EVENT_FIELDS, *EVENT_FIELDS, "orders", "orders", "orders", "orders", "orders"),
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


def follows_time(meaning: object) -> bool:
    """Tell whether time alone may change what a test says."""
    return isinstance(meaning, Recurring) or (isinstance(meaning, TimeTest) and meaning.holds is not None)


def is_possible(name: str, conditions: dict[str, Any], source: str | None = None) -> bool:
    """Tell whether the conditions on a field are accepted together."""
    raw = {name: {"conditions": conditions}}
    try:
        parse(raw if source is None else {"orders" if source == ORDERS_SOURCE else "events.x": {"where": raw}})
    except InvalidFilter as error:
        if error.details.endswith(("can never hold together", "nothing can be both after and before")):
            return False
        raise
    return True


@st.composite
def operators_on(draw: st.DrawFn, name: str, pool: Pool, source: str | None = None) -> dict[str, Any]:
    """Draw operators on a field of a customer, or of an event or order; they may exclude each other."""
    kind = (find(name) if source is None else row_fields.find(source, name)).kind
    fitting = [
        spelling
        for spelling, operator in BY_NAME.items()
        if kind in operator.meanings and (source is None or not follows_time(operator.meanings[kind]))
    ]
    found: dict[str, Any] = {}
    for spelling in draw(st.lists(st.sampled_from(fitting), min_size=1, max_size=2, unique=True)):
        meaning = BY_NAME[spelling].meanings[kind]
        one = _operands(meaning, kind, pool)
        single = isinstance(meaning, Narrowing | Presence | Recurring)
        found[spelling] = draw(one if single else one | st.lists(one, min_size=1, max_size=3))
    return found


@st.composite
def conditions(draw: st.DrawFn, name: str, pool: Pool, source: str | None = None) -> dict[str, Any]:
    """Draw the conditions on a field."""
    found = draw(operators_on(name, pool, source))
    if not is_possible(name, found, source):
        found = dict([next(iter(found.items()))])
    kind = (find(name) if source is None else row_fields.find(source, name)).kind
    if kind in SOURCES and draw(st.booleans()):
        return {"conditions": found, "where": draw(wheres(pool, SOURCES[kind]))}
    return {"conditions": found}


@st.composite
def wheres(draw: st.DrawFn, pool: Pool, source: str, depth: int = 1) -> dict[str, Any]:
    """Draw conditions on an event or order itself."""
    names = draw(st.lists(st.sampled_from(ROW_FIELDS[source]), min_size=1, max_size=2, unique=True))
    found: dict[str, Any] = {name: draw(conditions(name, pool, source)) for name in names}
    if draw(st.booleans()):
        found["junction"] = draw(st.sampled_from(("and", "or")))
    if depth and draw(st.integers(0, 3)) == 0:
        found["groups"] = draw(st.lists(wheres(pool, source, depth - 1), min_size=1, max_size=2))
    return found


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
class Row:
    """An event or order of the customer with number `who`; `values` are what conditions on it look at."""

    who: int
    source: str
    name: str
    at: datetime
    values: dict[str, Any]

    @property
    def counts(self) -> bool:
        """Whether it counts at all."""
        return self.source == EVENTS_SOURCE or self.name in COUNTED

    @property
    def amount(self) -> int:
        """What it adds to a sum."""
        return int(self.values.get("total_amount", 0))


def event(who: int, name: str, at: datetime, metadata: Any = None) -> Row:
    """Return an event."""
    return Row(who, EVENTS_SOURCE, name, at, {"metadata": metadata or {}})


def order(who: int, at: datetime, total_amount: int, status: str = "PAID", **values: Any) -> Row:
    """Return an order."""
    known = {"source_id": None, "amount": total_amount, "discount_amount": 0, "items": [], "metadata": {}}
    return Row(who, ORDERS_SOURCE, status, at, {**known, "total_amount": total_amount, **values})


@dataclass(frozen=True)
class World:
    """Customers with their events, orders and segments, filters, and a moment in a zone."""

    now: datetime
    zone: ZoneInfo
    customers: list[Customer]
    rows: list[Row]
    members: frozenset[tuple[str, int]]
    filters: list[dict[str, Any]]


def rows(pool: Pool, numbers: st.SearchStrategy[int]) -> st.SearchStrategy[Row]:
    """Draw an event or order."""
    metadata = st.dictionaries(st.sampled_from(KEYS), pool.values, max_size=3)
    items = st.lists(
        st.fixed_dictionaries(
            {}, optional={"name": pool.texts, "quantity": pool.numbers, "product": metadata, "first.name": pool.values}
        ),
        max_size=3,
    )
    amounts = st.integers(0, 5) | st.integers(0, 2**53 - 1)
    bought = st.builds(
        order, numbers, pool.instants, amounts, st.sampled_from(("PAID", "FULFILLED", "PAID", "CREATED", "CANCELED")),
        source_id=st.none() | pool.texts, amount=amounts, discount_amount=amounts, metadata=metadata, items=items,
    )  # fmt: skip
    return bought | st.builds(event, numbers, st.sampled_from(EVENTS), pool.instants, metadata)


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
        rows=draw(st.lists(rows(pool, numbers), max_size=20)),
        members=frozenset(draw(st.lists(st.tuples(st.sampled_from(SEGMENTS), numbers), max_size=4))),
        filters=draw(st.lists(filters(pool), min_size=2, max_size=6)),
    )
