"""Redeeming: all of a request or none, each use counted by the database, failures kept with their reason."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from rapport.activity.log import Signature
from rapport.core.db import Restart, UniqueViolation
from rapport.core.errors import DuplicateFound, RapportError
from rapport.core.jsons import check_limits
from rapport.customers.writes import Unit, Writer
from rapport.redemptions import keeping, stacking
from rapport.redemptions.attempts import Redeemed, decide, find, open_attempt
from rapport.redemptions.schemas import RedeemInput, check
from rapport.rules import budgets

Result = TypeVar("Result")


class _Uncounted(Exception):
    """A formula names how often campaigns were redeemed, which nobody counts yet."""

    def __init__(self, campaign_ids: list[str]) -> None:
        super().__init__(campaign_ids)
        self.campaign_ids = campaign_ids


async def redeem(writer: Writer, signature: Signature, data: RedeemInput) -> Redeemed:
    """Redeem what a request names, all or none (`redeem-stacked-discounts`, `redeem-voucher`, `redeem-promotion`).

    The stacking rules decide what is applied and in which order; where they let a part be applied, the rest is left
    out. The customer is upserted; the order is created or updated, PAID unless the request says otherwise, with the
    discounts taken off one after another. A refusal commits too: the failure is kept, counted and logged; then
    Refused is raised, or NotFound if something is not there either.
    Raises NotFound for an unknown voucher, tier, customer or order (nothing is kept then), InvalidPayload,
    InvalidOrder, DuplicateFound.
    """
    check(data)
    check_limits(data.metadata, ".metadata")

    runs = 0
    # Who holds the gift cards, where it is not the customer: their summaries change, too.
    holders: set[str] = set()
    # Whether formulas name what is counted: whoever came too late once waits for that, too.
    is_counting = False

    async def work(unit: Unit) -> Redeemed | RapportError:
        nonlocal runs, is_counting
        runs += 1
        # From here on nobody assigns a rule that counts: what is read next has all of them.
        await budgets.begin(unit.conn, unit.project_id)
        attempt = await open_attempt(unit, data, sorted(holders))
        # Who came too late once takes a place in the queue for the vouchers before reading what is left of them.
        await find(attempt, wait=runs > 1)
        if is_counting:
            campaign_ids = {one.campaign_id for one in attempt.redeemables if one.campaign_id is not None}
            await budgets.wait_for_counts(unit.conn, unit.project_id, campaign_ids)
        decision, at = await decide(attempt)
        is_counting = bool(at.exact)
        if not stacking.is_valid(decision.verdicts, attempt.rules):
            return await keeping.fail(attempt, decision)
        if not holders.issuperset(found := keeping.holders_beside(attempt, decision)):
            holders.update(found)
            raise Restart
        if at.uncounted:
            raise _Uncounted(sorted(at.uncounted))
        return await keeping.succeed(attempt, decision, at)

    try:
        done = await _commit(writer, signature, work)
    except UniqueViolation as error:
        source_id = data.order.source_id if data.order is not None else None
        raise DuplicateFound("order", str(source_id)) from error
    if isinstance(done, RapportError):
        raise done
    return done


async def _commit(writer: Writer, signature: Signature, work: Callable[[Unit], Awaitable[Result]]) -> Result:
    """Commit a redemption; the first of a campaign whose formulas count has it counted before."""
    try:
        return await writer.commit(signature, work)
    except _Uncounted as error:
        campaign_ids = error.campaign_ids
    await writer.db.transaction(lambda conn: budgets.count_campaigns(conn, signature.project_id, campaign_ids))
    return await writer.commit(signature, work)
