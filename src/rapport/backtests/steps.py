"""The worker's side of back-tests: a few orders a step. Nothing is written but what belongs to the back-test."""

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from rapport.async_actions.models import Action
from rapport.async_actions.tasks import ActionSteps
from rapport.backtests import queries, replay
from rapport.backtests.counting import Key, Page, by_month, count, seen_key
from rapport.backtests.models import Backtest
from rapport.backtests.replay import Trial
from rapport.core.errors import NotFound
from rapport.customers.models import Customer
from rapport.customers.writes import Unit, Writer
from rapport.orders.models import Order
from rapport.orders.schemas import OrderInput
from rapport.redemptions.attempts import is_amount_missing
from rapport.redemptions.effects import without
from rapport.redemptions.models import Redemption
from rapport.redemptions.reading import Asked, read_situation
from rapport.redemptions.situations import Situation
from rapport.redemptions.stacking_rules.queries import load
from rapport.rules.counters import Counter, Spent
from rapport.work.periodic import Periodic

KIND: Final = "BACKTEST"
ORDERS_AT_ONCE: Final = 250
COUNTS_REMOVED_AT_ONCE: Final = 20_000
STEP_EVERY_S: Final = 0.25


def _key(one: Counter) -> Key:
    return one.key


class _Replay:
    """One step: some orders, with what belongs to them."""

    def __init__(self, unit: Unit, one: Backtest, tried: Trial) -> None:
        self._unit, self._one, self._tried = unit, one, tried
        self._segments: dict[str, frozenset[str]] = {}

    async def run(self, found: Sequence[Order]) -> Backtest:
        """Replay the orders; return the back-test as it is then."""
        unit, one = self._unit, self._one
        customers = await self._customers(found)
        orders = [
            order if order.customer_id in customers else msgspec.structs.replace(order, customer_id=None)
            for order in found
        ]
        mine = await self._redemptions(orders)
        pairs = []
        for order in orders:
            before, compared = _before(order, mine.get(order.id, []), one.campaign_id)
            pairs.append((await self._situation(before, customers), compared))
        asked = [replay.counters(self._tried, at) for at, _ in pairs]
        keys = {_key(counter) for counters in asked for counter in counters} | {seen_key(who) for who in customers}
        page = Page(await queries.read_counts(unit.conn, unit.project_id, one.id, keys))
        for (at, compared), counters in zip(pairs, asked, strict=True):
            self._try(page, at, compared, counters)
        counts = {key: page.counts[key] for key in page.changed}
        await queries.write_counts(unit.conn, unit.project_id, one.id, counts)
        await queries.add_samples(unit.conn, unit.project_id, one.id, page.samples)
        return msgspec.structs.replace(one, cursor_at=found[-1].created_at, cursor_id=found[-1].id)

    def _try(self, page: Page, at: Situation, compared: list[Redemption], counters: Collection[Counter]) -> None:
        order = at.order
        assert order is not None
        at = dataclasses.replace(at, standing={key: page.counts.get(_key(key), Spent()) for key in counters})
        outcome = replay.replay(self._tried, at)
        if outcome.use is not None:
            for key, spent in replay.after(outcome.use.redeemed, at.standing, at.zone).items():
                if spent != at.standing[key]:
                    page.put(_key(key), spent)
        count(self._one.tally, page, order, outcome, compared, self._tried)
        by_month(self._one.tally, order, outcome, at.zone)

    async def _customers(self, orders: Sequence[Order]) -> dict[str, Customer]:
        """Return the customers of the orders; none of them is erased or merged before what is kept of them is there."""
        unit = self._unit
        ids = sorted({order.customer_id for order in orders if order.customer_id is not None})
        return await queries.hold_customers(unit.conn, unit.project_id, ids)

    async def _redemptions(self, orders: Sequence[Order]) -> dict[str, list[Redemption]]:
        """Return the redemptions that stand on the orders, where the draft is compared with some."""
        if self._one.campaign_id is None:
            return {}
        ids = {name for order in orders for name in order.redemptions}
        ids |= {name for order in orders for entry in order.redemptions.values() for name in entry.get("stacked") or ()}
        found: dict[str, list[Redemption]] = defaultdict(list)
        for row in await queries.find_redeemed(self._unit.conn, self._unit.project_id, ids):
            found[row.order_id or ""].append(row)
        return found

    async def _situation(self, order: Order, customers: dict[str, Customer]) -> Situation:
        """Return what a redemption of the order at its time would have been decided on, but for what rules count."""
        unit = self._unit
        asked = Asked(
            customer=None if order.customer_id is None else customers[order.customer_id],
            order=order,
            is_amount_missing=is_amount_missing(OrderInput(id=order.id), order),
            metadata={},
            api_key=tuple(self._one.draft.api_key),
        )
        return await read_situation(
            unit.conn,
            unit.project_id,
            dataclasses.replace(unit.moment, now=order.created_at),
            asked,
            [self._tried.redeemable],
            [self._tried.uncounted],
            segments_among=self._among,
        )

    async def _among(self, customer: Customer, segment_ids: Collection[str]) -> frozenset[str]:
        if customer.id not in self._segments:
            self._segments[customer.id] = await self._unit.segments_among(customer, segment_ids)
        return self._segments[customer.id]


def _before(order: Order, standing: Sequence[Redemption], campaign_id: str | None) -> tuple[Order, list[Redemption]]:
    """Return an order as it would be without the redemptions of a campaign, and these. Pure."""
    mine = [row for row in standing if row.campaign_id == campaign_id]
    kept = list(standing)
    for row in reversed(mine):
        kept.remove(row)
        order = without(order, [row], kept)
    return order, mine


async def step(unit: Unit, action: Action) -> Action:
    """Replay some orders, or remove what was counted for the replay. Raises NotFound where it was deleted."""
    await unit.open()
    backtest_id = action.parameters["backtest_id"]
    one = await queries.lock(unit.conn, unit.project_id, backtest_id)
    if one is None:
        raise NotFound("backtest", backtest_id)
    if one.orders_total is None:
        total = await queries.count_orders(unit.conn, unit.project_id, one)
        one = msgspec.structs.replace(one, orders_total=total)
    if one.is_replayed:
        return await _tidy(unit, action, one)
    orders = await queries.next_orders(unit.conn, unit.project_id, one, ORDERS_AT_ONCE)
    if orders:
        tried = replay.trial(one.draft, await load(unit.conn, unit.project_id))
        one = await _Replay(unit, one, tried).run(orders)
    if len(orders) < ORDERS_AT_ONCE:
        one = msgspec.structs.replace(one, is_replayed=True)
    await queries.save(unit.conn, unit.project_id, one)
    return msgspec.structs.replace(action, total=one.orders_total, done_count=one.tally.orders)


async def _tidy(unit: Unit, action: Action, one: Backtest) -> Action:
    removed = await queries.remove_counts(unit.conn, unit.project_id, one.id, COUNTS_REMOVED_AT_ONCE)
    if removed == COUNTS_REMOVED_AT_ONCE:
        return action
    await queries.finish(unit.conn, unit.project_id, one.id, unit.now)
    result = {"message": f"Replayed {one.tally.orders} orders.", "url": f"/v1/backtests/{one.id}"}
    return msgspec.structs.replace(action, status="DONE", result=result | {"done_count": one.tally.orders})


def periodics(writer: Writer) -> list[Periodic]:
    """Return what the worker does again and again; the back-tests of a project are done one after another."""
    return [
        Periodic("backtests: replay", STEP_EVERY_S, ActionSteps("backtests", writer, {KIND: step}, in_order=True).run)
    ]
