"""The books of a project's promotions, read in one snapshot: what is counted is what the ledger says, at any moment."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from rapport.core.db import Connection, Database

Line = Any
_VOUCHERS = """
SELECT id, code, quantity, redeemed_quantity, balance, locked_quantity, locked_credits, gift_amount, holder_id, binned,
    (SELECT sum(amount) FROM voucher_transactions AS t WHERE t.project_id = $1 AND t.voucher_id = v.id) AS moved,
    (SELECT sum(amount) FROM voucher_transactions AS t WHERE t.project_id = $1 AND t.voucher_id = v.id
        AND t.type = 'CREDITS_ADDITION') AS added,
    (SELECT coalesce(sum(quantity), 0) FROM voucher_locks AS l WHERE l.project_id = $1 AND l.voucher_id = v.id)
        AS locks,
    (SELECT coalesce(sum(credits), 0) FROM voucher_locks AS l WHERE l.project_id = $1 AND l.voucher_id = v.id)
        AS credits
FROM vouchers AS v WHERE project_id = $1
"""
_LEDGER = """
SELECT id, object, result, parent_id, redemption_id, rollback_id, voucher_id, promotion_tier_id, campaign_id,
    coalesce(customer_id, former_customer) AS customer_id, order_id, credits, created_at, effects,
    coalesce((amounts ->> 'amount')::bigint, 0) AS orders_amount,
    coalesce((amounts ->> 'total_amount')::bigint, 0) AS total_amount,
    coalesce((amounts ->> 'total_applied_discount_amount')::bigint, credits, 0) AS discount_amount,
    channel ->> 'channel_id' AS api_key
FROM redemptions WHERE project_id = $1
"""
_PEOPLE = """
SELECT id, redemptions, orders_count, orders_amount, paid, spent
FROM customers AS c, LATERAL (
    SELECT count(*) AS paid, coalesce(sum(total_amount), 0)::bigint AS spent FROM orders AS o
    WHERE o.project_id = $1 AND o.customer_id = c.id AND o.status IN ('PAID', 'FULFILLED')
) AS ordered WHERE c.project_id = $1
"""
# What is counted while a rule or a formula asks for it; what was counted for one that is gone is not kept up.
_COUNTERS = """
SELECT * FROM rule_counters AS c WHERE project_id = $1 AND (EXISTS (
    SELECT FROM rule_counted AS w WHERE w.project_id = $1 AND w.object_id = c.object_id
        AND (w.counted_by = c.counted_by OR w.counted_by IN ('product_units', 'tier_units', 'tier_product_units'))
        AND w.period = split_part(c.period, ' ', 1)
        AND w.goods = CASE WHEN c.counted_by = 'units' THEN c.name::jsonb ->> 0 ELSE '' END)
    OR (c.counted_by = 'all' AND c.period = 'total' AND EXISTS (
        SELECT FROM campaigns WHERE project_id = $1 AND id = c.object_id AND formulas_count)))
"""
_TIERS = """
SELECT tier_id, sum(redeemed)::bigint AS number, sum(total_amount)::bigint AS total,
    sum(total_discount_amount)::bigint AS off FROM promotion_tier_totals WHERE project_id = $1 GROUP BY tier_id
"""
_ACTIVITY = """
SELECT type, coalesce(payload -> 'redemption_rollback' ->> 'id', payload -> 'redemption' ->> 'id') AS id
FROM activity WHERE project_id = $1 AND type LIKE 'customer.redemption.%'
"""
_SPANS = {"day": timedelta(days=1), "week": timedelta(days=7)}


@dataclass(frozen=True)
class Limit:
    """At most so much of what is redeemed of something: `measure` of its standing lines."""

    of: str
    measure: Callable[[Sequence[Line]], int]
    most: int
    name: str


def number(lines: Sequence[Line]) -> int:
    """How many lines there are."""
    return len(lines)


def people(lines: Sequence[Line]) -> int:
    """How many customers have lines."""
    return len({line["customer_id"] for line in lines} - {None})


def by_one(lines: Sequence[Line]) -> int:
    """How many lines the customer has who has the most."""
    return max(Counter(line["customer_id"] for line in lines if line["customer_id"] is not None).values(), default=0)


def orders(lines: Sequence[Line]) -> int:
    """What the orders come to, in minor units."""
    return sum(line["orders_amount"] for line in lines)


def discounts(lines: Sequence[Line]) -> int:
    """What is off, in minor units."""
    return sum(line["discount_amount"] for line in lines)


def units(lines: Iterable[Line], goods: str | None = None, product: str = "") -> int:
    """How many units are discounted, of some goods and of one product of them if named."""
    return sum(
        effect["units"]
        for line in lines
        for effect in line["effects"] or ()
        if "goods" in effect
        and (goods is None or goods in ([effect["goods"]] if isinstance(effect["goods"], str) else effect["goods"]))
        and product in ("", next(filter(None, effect["key"]), ""))
    )


class Books:
    """What is counted and what the ledger says, as it was at one moment."""

    def __init__(self) -> None:
        """Use `read`."""
        self.wrong: list[str] = []
        self.ledger: list[Line] = []
        self.by_object: dict[str, list[Line]] = defaultdict(list)

    @classmethod
    async def read(cls, db: Database, project_id: int) -> "Books":
        """Read them, and note in `wrong` what does not agree."""
        books = cls()
        async with db.snapshot() as conn:
            books.ledger = [*await conn.fetch(_LEDGER, project_id)]
            for line in books.standing:
                for name in ("voucher_id", "promotion_tier_id", "campaign_id"):
                    if line[name] is not None:
                        books.by_object[line[name]].append(line)
            await books._vouchers(conn, project_id)
            await books._people(conn, project_id)
            await books._counters(conn, project_id)
            await books._tiers(conn, project_id)
            await books._activity(conn, project_id)
            await books._orders(conn, project_id)
        return books

    @property
    def single(self) -> list[Line]:
        """All lines but those of the parents of stacks."""
        return [line for line in self.ledger if line["voucher_id"] is not None or line["promotion_tier_id"] is not None]

    @property
    def standing(self) -> list[Line]:
        """What is redeemed: of whatever the redemption is of."""
        return [line for line in self.single if _is(line, "redemption", "SUCCESS") and line["rollback_id"] is None]

    def made(self, kind: str) -> list[Line]:
        """Return what requests did, `redemption` or `redemption_rollback`: a stack is one."""
        return [line for line in self.ledger if _is(line, kind, "SUCCESS") and line["parent_id"] is None]

    def check(self, limits: Iterable[Limit] = (), note: str = "") -> None:
        """Assert that all agrees, and that no limit is passed."""
        over = [
            f"{one.name}: {found} of {one.most}"
            for one in limits
            if (found := one.measure(self.by_object[one.of])) > one.most
        ]
        assert not (self.wrong + over), "\n".join([note, *self.wrong, *over][:20])

    def _same(self, what: Any, counted: Any, said: Any) -> None:
        if counted != said:
            self.wrong.append(f"{what}: counted {counted}, but the ledger says {said}")

    async def _vouchers(self, conn: Connection, project_id: int) -> None:
        self._held: dict[str, int] = defaultdict(int)
        for row in await conn.fetch(_VOUCHERS, project_id):
            code, used = row["code"], len(self.by_object[row["id"]])
            self._same(f"uses of {code}", row["redeemed_quantity"], used)
            if row["quantity"] is not None and used > row["quantity"]:
                self.wrong.append(f"{code} is used {used} times of {row['quantity']}")
            self._same(
                f"locks of {code}", (row["locked_quantity"], row["locked_credits"]), (row["locks"], row["credits"])
            )
            if row["gift_amount"] is None:
                continue
            first = row["gift_amount"] - (row["added"] or 0)
            self._same(f"balance of {code}", row["balance"], first + (row["moved"] or 0))
            if row["balance"] < 0:
                self.wrong.append(f"{code} is overdrawn: {row['balance']}")
            if row["holder_id"] is not None and not row["binned"]:
                self._held[row["holder_id"]] += row["balance"]

    async def _people(self, conn: Connection, project_id: int) -> None:
        kinds = {
            "total_succeeded": ("redemption", "SUCCESS"),
            "total_redeemed": ("redemption", "SUCCESS"),
            "total_failed": ("redemption", "FAILURE"),
            "total_rolled_back": ("redemption_rollback", "SUCCESS"),
        }
        said: dict[str, Counter[str]] = {name: Counter() for name in kinds}
        paid: Counter[str] = Counter()
        for line in self.single:
            for name, kind in kinds.items():
                said[name][line["customer_id"]] += _is(line, *kind)
        for line in self.standing:
            paid[line["customer_id"]] += line["credits"] or 0
        for row in await conn.fetch(_PEOPLE, project_id):
            person, shown = row["id"], row["redemptions"]
            self._same(f"orders of {person}", (row["orders_count"], row["orders_amount"]), (row["paid"], row["spent"]))
            self._same(
                f"summary of {person}",
                {name: shown[name] for name in kinds},
                {name: said[name][person] for name in kinds},
            )
            gift = shown.get("gift") or {}
            self._same(f"what {person} paid with cards", gift.get("redeemed_amount", 0), paid[person])
            self._same(f"what is left on the cards of {person}", gift.get("amount_to_go", 0), self._held[person])

    async def _counters(self, conn: Connection, project_id: int) -> None:
        for row in await conn.fetch(_COUNTERS, project_id):
            lines = self._of_period(self.by_object[row["object_id"]], row["period"])
            what = f"counter {row['object_id']} {row['counted_by']} {row['name']} {row['period']}"
            if row["counted_by"] == "customers":
                self._same(what, row["number"], people(lines))
                continue
            if row["counted_by"] == "units":
                goods, product = json.loads(row["name"])
                self._same(what, row["number"], units(lines, goods, product))
                continue
            if row["counted_by"] == "api_key":
                lines = [line for line in lines if line["api_key"] == row["name"]]
            counted = (row["number"], row["orders_amount"], row["discount_amount"])
            self._same(what, counted, (number(lines), orders(lines), discounts(lines)))

    async def _tiers(self, conn: Connection, project_id: int) -> None:
        for row in await conn.fetch(_TIERS, project_id):
            lines = self.by_object[row["tier_id"]]
            said = number(lines), sum(line["total_amount"] for line in lines), discounts(lines)
            self._same(f"totals of {row['tier_id']}", (row["number"], row["total"], row["off"]), said)

    @staticmethod
    def _of_period(lines: list[Line], period: str) -> list[Line]:
        """Return the lines of a period of a project in UTC."""
        name, _, first = period.partition(" ")
        if name == "total":
            return lines
        since = datetime.fromisoformat(first).replace(tzinfo=UTC)
        until = since + _SPANS[name] if name in _SPANS else (since + timedelta(days=31)).replace(day=1)
        return [line for line in lines if since <= line["created_at"] < until]

    async def _activity(self, conn: Connection, project_id: int) -> None:
        # That a stack could not be rolled back is one entry: nothing was done to what it is of.
        whole = [line for line in self.ledger if _is(line, "redemption_rollback", "FAILURE")]
        told = {line["id"]: line for line in (*self.single, *whole)}.values()
        said = Counter((_TYPES[line["object"], line["result"]], line["id"]) for line in told)
        logged = Counter((row["type"], row["id"]) for row in await conn.fetch(_ACTIVITY, project_id))
        self._same("entries of the activity log", logged - said, said - logged)

    async def _orders(self, conn: Connection, project_id: int) -> None:
        said: dict[str, dict[str, str | None]] = defaultdict(dict)
        for line in self.made("redemption"):
            if line["order_id"] is not None:
                said[line["order_id"]][line["id"]] = line["rollback_id"]
        rows = await conn.fetch(
            "SELECT id, amount, total_amount, discount_amount, items, redemptions FROM orders WHERE project_id = $1",
            project_id,
        )
        for row in rows:
            shown = {name: entry.get("rollback_id") for name, entry in row["redemptions"].items()}
            self._same(f"redemptions of {row['id']}", shown, said[row["id"]])
            off = row["discount_amount"] + sum(item.get("discount_amount", 0) for item in row["items"])
            self._same(f"amounts of {row['id']}", row["total_amount"], max(0, row["amount"] - off))


_TYPES = {
    ("redemption", "SUCCESS"): "customer.redemption.succeeded",
    ("redemption", "FAILURE"): "customer.redemption.failed",
    ("redemption_rollback", "SUCCESS"): "customer.redemption.rollback.succeeded",
    ("redemption_rollback", "FAILURE"): "customer.redemption.rollback.failed",
}


def _is(line: Line, kind: str, result: str) -> bool:
    return bool(line["object"] == kind and line["result"] == result)
