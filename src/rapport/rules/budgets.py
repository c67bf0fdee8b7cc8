"""Limits and budgets: a limit of N is N under any concurrency. The protocol of a redemption and of its rollback.

Inside the transaction of a redemption, in this order:

1. `begin` before the assigned rules are read: from here on no rule that counts is assigned until the transaction ends.
2. Read the redeemables with their rules; make a `Use` of each, in the order of application.
3. `standing = await read(…)`: what was counted so far. `judge(uses, standing, zone)` decides; with violations, record
   the failures and stop here.
4. Lock and write everything else, the lines of the ledger too.
5. `take(…)`, last: adds to the counters under their row locks, and decides again on what they really are. A violation
   means that somebody else was faster: undo the transaction and decide anew (`raise Restart`).

A rollback calls `begin` first, marks the redemptions in the ledger, and then calls `give_back`.

A validation calls only `read` and `judge`, in any connection; one with a session calls `begin` first and `hold` last.

Units that sessions hold back count as discounted for everybody else: `read` and `take` add them to what was counted.
They are held, and looked at again by `take`, under the locks of their counters, or else of the customer.

Why this holds. What has to be counted stands in `rule_counted`, written with the assignment while no redemption is
under way (`queries.shut_redemptions_out`, the other side of `begin`). So every redemption knows every counter that it
has to do with, whichever rule asks for it, and without such a rule there is no counter to be written. What formulas
name of a campaign is counted likewise, from the first redemption on that needs it (`count_campaigns`). A counter that
is not there yet begins with what the ledger says, the lines of this transaction included; should another transaction
have made it meanwhile, only the difference is added, under its lock. Units that were discounted are counted as
redemptions are, by what they are units of; see unit_limits.py. Numbers per customer need no counter: they are counted
in the ledger under the lock of the customer, whom the redemption has locked. Where two customers become one, their
counters of customers begin anew; one that is just beginning is waited for (`queries.recount_customers`).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from rapport.core.db import Connection, Restart
from rapport.rules import conditions, unit_limits
from rapport.rules.conditions import Violation
from rapport.rules.counted import queries
from rapport.rules.counters import (
    Counter,
    Redeemed,
    Spent,
    Use,
    Watch,
    asked,
    counter,
    counters,
    counts_of,
    of_customer,
    redemptions_of,
)
from rapport.rules.models import Assigned
from rapport.rules.unit_limits import ProductsOf

Refusal = tuple[Assigned, Violation]


async def begin(conn: Connection, project_id: int) -> None:
    """Hold assignments of counting rules off until the transaction ends. First, in a statement of its own."""
    await queries.hold_assignments_off(conn, project_id)


async def read(
    conn: Connection,
    project_id: int,
    uses: Sequence[Use],
    zone: ZoneInfo,
    products: ProductsOf,
    session_key: str | None = None,
) -> dict[Counter, Spent]:
    """Return what the rules of these redeemables ask for, as it is now.

    `zone` is the project's; `products`: see `unit_limits.asked`. What the session holds back is not counted.
    """
    wanted = asked(uses, zone) | unit_limits.asked(uses, products)
    counted = await _standing(conn, project_id, wanted, [one for one in wanted if one.is_stored])
    return await _with_held(conn, project_id, uses, counted, session_key)


async def _standing(
    conn: Connection, project_id: int, wanted: Collection[Counter], stored: Sequence[Counter]
) -> dict[Counter, Spent]:
    """Return what counters come to: what is stored of those that may be, and of the others what the ledger says."""
    if not wanted:
        return {}
    found = await queries.read_counters(conn, project_id, list(stored))
    missing = [one for one in wanted if one not in found]
    return found | await queries.count_in_ledger(conn, project_id, missing)


async def read_for_formulas(
    conn: Connection, project_id: int, wanted: Collection[Counter]
) -> tuple[dict[Counter, Spent], frozenset[str]]:
    """Return numbers that formulas name, as they are now, and the campaigns among them that nobody counts so far.

    Their numbers are what the ledger says, as are those of one customer. Once `count_campaigns` has been called for
    them, they have a counter; so that what a redemption read holds, it must be one of the `exact` ones of `take`.
    """
    of_all = [one for one in wanted if one.is_stored]
    watched = set(await queries.watched(conn, project_id, [one.object_id for one in of_all])) if of_all else set()
    kept = [one for one in of_all if _watch(one.object_id) in watched]
    uncounted = frozenset(one.object_id for one in of_all).difference(one.object_id for one in kept)
    return await _standing(conn, project_id, wanted, kept), uncounted


async def wait_for_counts(conn: Connection, project_id: int, campaign_ids: Collection[str]) -> None:
    """Let nobody else count redemptions of these campaigns for formulas until this transaction ends.

    After everything else is locked, and before `read`.
    """
    watched = await queries.watched(conn, project_id, sorted(campaign_ids))
    for object_id in sorted(one.object_id for one in watched if one == _watch(one.object_id)):
        await queries.add(conn, project_id, redemptions_of(object_id), Spent())


def _watch(campaign_id: str) -> Watch:
    """Return what says that `redemptions_of` a campaign are counted."""
    return Watch(campaign_id, "all", "total")


def _turn(key: Counter) -> tuple[bool, Counter]:
    """Return what counters are locked by: one order for all, beginning with those of `wait_for_counts`."""
    return key != redemptions_of(key.object_id), key


async def count_campaigns(conn: Connection, project_id: int, campaign_ids: Sequence[str]) -> None:
    """Count from now on how often campaigns are redeemed, for formulas. In the place of `begin`: others wait."""
    watched = await queries.watched(conn, project_id, list(campaign_ids))
    if set(map(_watch, campaign_ids)) <= set(watched):
        await begin(conn, project_id)  # somebody else was faster
        return
    await queries.shut_redemptions_out(conn, project_id)
    await queries.count_for_formulas(conn, project_id, campaign_ids)


async def _with_held(
    conn: Connection, project_id: int, uses: Sequence[Use], counted: dict[Counter, Spent], session_key: str | None
) -> dict[Counter, Spent]:
    """Return what was counted with the units that sessions hold back, other than this one for these redeemables."""
    units = [one for one in counted if one.is_of_units]
    if not units:
        return counted
    ids = [use.redeemed.object_id for use in uses]
    held = await queries.held_units(conn, project_id, units, uses[0].redeemed.at, session_key, ids)
    return counted | {key: counted[key].plus(Spent(number)) for key, number in held.items()}


def judge(uses: Sequence[Use], standing: Mapping[Counter, Spent], zone: ZoneInfo) -> list[Refusal | None]:
    """Return for each redeemable, in order, the first assigned rule that it violates, or None.

    The earlier ones of a request count as redeemed for the later ones. Pure.
    """
    spent = dict(standing)
    found: list[Refusal | None] = []
    for use in uses:
        refused: Refusal | None
        refusals = (
            (assigned, violation)
            for assigned, rule_set in use.rules
            if (violation := _judge(use, assigned, rule_set, spent, zone)) is not None
        )
        # A bundle can still be completed: it is named where nothing else is in the way.
        refused = min(refusals, key=lambda one: one[1].bundle is not None, default=None)
        count(use.redeemed, spent, zone)
        found.append(refused or _over(use, spent))
    return found


def count(redeemed: Redeemed, spent: dict[Counter, Spent], zone: ZoneInfo) -> None:
    """Add a redemption to those of the numbers that it has to do with, in place. Pure otherwise."""
    for key in _touched(redeemed, spent):
        spent[key] = spent[key].plus(_added(key, redeemed, spent, zone))


def _judge(
    use: Use, assigned: Assigned, rule_set: conditions.RuleSet, spent: Mapping[Counter, Spent], zone: ZoneInfo
) -> Violation | None:
    facts = use.facts
    if rule_set.needs.counts:
        facts = replace(facts, counts=counts_of(use, assigned, rule_set, spent, zone))
    return conditions.judge(rule_set, facts)


def _over(use: Use, spent: Mapping[Counter, Spent]) -> Refusal | None:
    """Return what is violated where more units are discounted than there are left; spent with these units.

    Who decides knows what is left, and discounts no more: so it is less than it was then.
    """
    over = any(
        use.redeemed.spent_on(key).number and spent.get(key, Spent()).number > most for key, most in use.most.items()
    )
    return (use.rules[0][0], Violation("redemption_rules_violated", None)) if over and use.rules else None


def _touched(redeemed: Redeemed, spent: Mapping[Counter, Spent]) -> list[Counter]:
    """Return those of the counters that a redemption adds to; numbers of customers before those of the one customer."""
    names = {
        "customer": redeemed.customer_id,
        "customer_units": redeemed.customer_id,
        "api_key": redeemed.api_key,
        "user": redeemed.user,
    }
    found = [
        key
        for key in spent
        if key.object_id in redeemed.objects
        and names.get(key.counted_by, key.name) == key.name
        and (key.since is None or key.since <= redeemed.at)
        and (key.until is None or redeemed.at < key.until)
    ]
    return sorted(found, key=lambda key: key.counted_by == "customer")


def _added(key: Counter, redeemed: Redeemed, spent: Mapping[Counter, Spent], zone: ZoneInfo) -> Spent:
    if key.counted_by != "customers":
        return redeemed.spent_on(key)
    own = _own(key, redeemed, zone)
    is_new = own is not None and spent.get(own, Spent()).number == 0
    return Spent(int(is_new))


def _own(key: Counter, redeemed: Redeemed, zone: ZoneInfo) -> Counter | None:
    """Return the counter of the customer beside one of customers."""
    watch = Watch(key.object_id, "customers", key.period.partition(" ")[0])  # type: ignore[arg-type]  # a period's name
    return counter(of_customer(watch), redeemed, zone)


async def take(
    conn: Connection,
    project_id: int,
    uses: Sequence[Use],
    standing: Mapping[Counter, Spent],
    zone: ZoneInfo,
    exact: Collection[Counter] = (),
) -> list[Refusal | None]:
    """Count redemptions whose lines are in the ledger already; return for each what it violates now, or None.

    `standing` is what `read` returned in this transaction. With a violation the transaction must be undone. What the
    session of these redemptions held back for them has been let go. Raises Restart where one of `exact`, in which more
    depends on than whether a rule holds, is not what it was.
    """
    every = [use.redeemed for use in uses]
    keys = await _counters(conn, project_id, every, zone)
    if not keys:
        return [None] * len(uses)
    before = dict(standing) | await _customers_before(conn, project_id, every, keys, zone)
    deltas = _deltas(every, keys, before, zone)
    found = dict(before)
    for key in sorted(keys, key=_turn):
        after = await queries.add(conn, project_id, key, deltas[key])
        found[key] = after.plus(deltas[key], -1)
    if any(found[key] != standing[key] for key in exact):
        raise Restart
    limited = {key: found[key] for key in keys if key in standing}
    found |= await _with_held(conn, project_id, uses, limited, None)
    return _judged_anew(uses, standing, found, zone)


def _judged_anew(
    uses: Sequence[Use], standing: Mapping[Counter, Spent], found: Mapping[Counter, Spent], zone: ZoneInfo
) -> list[Refusal | None]:
    """Return what the uses violate by the numbers that were found; nothing where they are as they were read."""
    is_as_read = all(found[key] == one for key, one in standing.items())
    return [None] * len(uses) if is_as_read else judge(uses, found, zone)


async def hold(
    conn: Connection,
    project_id: int,
    uses: Sequence[Use],
    standing: Mapping[Counter, Spent],
    zone: ZoneInfo,
    session: tuple[str, datetime],
    people: Collection[str],
) -> list[Refusal | None]:
    """Hold the units that redeemables would discount back for a session; return for each what it violates, or None.

    With a violation nothing is held: somebody else was faster. `session` is its key and its end; it holds nothing back
    any more. Of limits of each customer, those of `people` are held, who are locked.
    """
    stored = {key for key in await _counters(conn, project_id, [use.redeemed for use in uses], zone) if key.is_of_units}
    counted = {key: await queries.add(conn, project_id, key, Spent()) for key in sorted(stored)}
    limited = {key: one for key, one in counted.items() if key in standing}
    found = {**standing, **await _with_held(conn, project_id, uses, limited, None)}
    refusals = _judged_anew(uses, standing, found, zone)
    theirs = [key for use in uses for key in use.most if key.counted_by == "customer_units" and key.name in people]
    keys = dict.fromkeys((*stored, *theirs), Spent())
    wanted = [
        (key, use.redeemed.object_id, units)
        for use in uses
        for key in _touched(use.redeemed, keys)
        if (units := use.redeemed.spent_on(key).number)
    ]
    if wanted and not any(refusals):
        await queries.hold_units(conn, project_id, wanted, *session, uses[0].redeemed.at)
    return refusals


async def give_back(conn: Connection, project_id: int, undone: Sequence[Redeemed], zone: ZoneInfo) -> None:
    """Take redemptions that the ledger has as rolled back already out of the counters."""
    keys = await _counters(conn, project_id, undone, zone)
    if not keys:
        return
    left = await _left(conn, project_id, undone, keys, zone)
    for key in sorted(keys, key=_turn):
        delta = Spent()
        for redeemed in undone:
            if key in _touched(redeemed, {key: Spent()}) and key.counted_by != "customers":
                delta = delta.plus(redeemed.spent_on(key))
        if key.counted_by == "customers":
            if any(one.customer_id is None for one in undone):
                # Whose they were is not told any more: only the ledger knows how many are left.
                await queries.forget(conn, project_id, key)
                continue
            gone = {_own(key, redeemed, zone) for redeemed in undone if key in _touched(redeemed, {key: Spent()})}
            delta = Spent(sum(1 for own in gone if own is not None and left[own].number == 0))
        await queries.add(conn, project_id, key, Spent().plus(delta, -1))


async def _counters(conn: Connection, project_id: int, every: Sequence[Redeemed], zone: ZoneInfo) -> set[Counter]:
    """Return the stored counters that these redemptions have to do with."""
    objects = sorted({object_id for one in every for object_id in one.objects})
    watches = await queries.watched(conn, project_id, objects)
    return {
        found
        for one in every
        for watch in watches
        if watch.object_id in one.objects
        for found in counters(watch, one, zone)
    }


async def _left(
    conn: Connection, project_id: int, every: Sequence[Redeemed], keys: set[Counter], zone: ZoneInfo
) -> dict[Counter, Spent]:
    """Return how often the customers have redeemed in the periods in which customers are counted, by the ledger."""
    owns = {
        _own(key, one, zone)
        for key in keys
        if key.counted_by == "customers"
        for one in every
        if key.object_id in one.objects
    }
    return await queries.count_in_ledger(conn, project_id, [one for one in owns if one is not None])


async def _customers_before(
    conn: Connection, project_id: int, every: Sequence[Redeemed], keys: set[Counter], zone: ZoneInfo
) -> dict[Counter, Spent]:
    found = await _left(conn, project_id, every, keys, zone)
    for redeemed in every:
        for key in _touched(redeemed, found):
            found[key] = found[key].plus(redeemed.spent, -1)
    return found


def _deltas(
    every: Sequence[Redeemed], keys: set[Counter], before: Mapping[Counter, Spent], zone: ZoneInfo
) -> dict[Counter, Spent]:
    """Return what these redemptions together add to each counter."""
    spent = {
        **dict.fromkeys(keys, Spent()),
        **{key: one for key, one in before.items() if key.counted_by == "customer"},
    }
    for redeemed in every:
        count(redeemed, spent, zone)
    return {key: spent[key] for key in keys}
