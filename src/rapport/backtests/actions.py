"""Takes back-tests in: the draft is checked as a rule and a discount are, and replayed by the worker."""

from typing import Any, Final

from rapport.async_actions.queries import enqueue
from rapport.backtests import queries
from rapport.backtests.models import Backtest, Draft
from rapport.backtests.schemas import BacktestInput
from rapport.backtests.steps import KIND
from rapport.backtests.tally import RuleCount, Tally
from rapport.campaigns import queries as campaigns
from rapport.campaigns.models import Campaign
from rapport.core.clock import parse_instant
from rapport.core.db import Connection
from rapport.core.errors import InvalidPayload, NotFound, RapportError
from rapport.core.ids import new_id
from rapport.core.jsons import check_limits
from rapport.core.queries import read_now
from rapport.discounts.schemas import checked as checked_discount
from rapport.http.caller import Caller
from rapport.metadata.queries import load
from rapport.orders.models import COUNTED
from rapport.product_collections.actions import hold
from rapport.redemptions.attempts import key_of
from rapport.rules import bundles, conditions
from rapport.rules import queries as rules
from rapport.rules.applicable import checked as checked_applicable
from rapport.rules.applicable import collections_of
from rapport.rules.models import NOTHING_APPLICABLE
from rapport.rules.typed import typed
from rapport.segments import queries as segments

MAX_BACKTESTS: Final = 500


class TooManyBacktests(RapportError):
    """The project has as many back-tests as there may be: delete some."""

    key = "backtests_limit_exceeded"
    message = f"A project may have {MAX_BACKTESTS} back-tests"


async def create(caller: Caller, data: BacktestInput) -> Backtest:
    """Keep a draft, and have it replayed (`create-backtest`, an addition).

    Raises InvalidPayload, InvalidValidationRules, NotFound for a rule, a segment, a collection or a campaign,
    TooManyBacktests.
    """
    if (data.validation_rule is None) == (data.rules is None):
        raise InvalidPayload("Either .validation_rule or .rules is required, not both")
    since, until = (None if text is None else _instant(name, text) for name, text in _bounds(data))
    check_limits(data.rules, ".rules")
    check_limits(data.bundle_rules, ".bundle_rules")
    check_limits(data.applicable_to, ".applicable_to")
    check_limits(data.discount, ".discount")
    discount = None if data.discount is None else checked_discount(data.discount)

    async def work(conn: Connection) -> Backtest:
        now = await read_now(conn, caller.db.clock_offset)
        if since is not None and since >= (until or now):
            raise InvalidPayload("Property .since should be before .until")
        campaign = await _campaign(conn, caller.project_id, data.campaign)
        draft = await _draft(conn, caller, data, discount or (campaign.discount if campaign else None))
        parsed = conditions.parse(draft.rules, draft.bundle_rules)
        made = Backtest(
            id=new_id("bt"),
            async_action_id=new_id("aa"),
            draft=draft,
            campaign_id=None if campaign is None else campaign.id,
            campaign=None if campaign is None else campaign.name,
            statuses=sorted(set(data.order_statuses or COUNTED)),
            since=since,
            until=until or now,
            cursor_at=None,
            cursor_id=None,
            orders_total=None,
            is_replayed=False,
            tally=Tally(rules={number: RuleCount(name=leaf.name) for number, leaf in parsed.leaves.items()}),
            created_at=now,
            finished_at=None,
            status="ENQUEUED",
        )
        if not await queries.insert(conn, caller.project_id, made, MAX_BACKTESTS):
            raise TooManyBacktests
        await enqueue(
            conn,
            caller,
            KIND,
            {"backtest_id": made.id},
            offset=caller.db.clock_offset,
            action_id=made.async_action_id,
        )
        return made

    return await caller.db.transaction(work)


def _bounds(data: BacktestInput) -> tuple[tuple[str, str | None], tuple[str, str | None]]:
    return ("since", data.since), ("until", data.until)


def _instant(name: str, text: str) -> Any:
    try:
        return parse_instant(text)
    except ValueError as error:
        raise InvalidPayload(f"Property .{name} should be a date in ISO 8601 format") from error


async def _campaign(conn: Connection, project_id: int, reference: str | None) -> Campaign | None:
    if reference is None:
        return None
    found = await campaigns.find(conn, project_id, reference)
    if found is None:
        raise NotFound("campaign", reference)
    return found


async def _draft(conn: Connection, caller: Caller, data: BacktestInput, discount: dict[str, Any] | None) -> Draft:
    api_key = list(key_of(caller))
    if data.validation_rule is not None:
        if data.applicable_to is not None:
            raise InvalidPayload("Property .applicable_to goes with .rules; a validation rule has its own")
        if data.bundle_rules is not None:
            raise InvalidPayload("Property .bundle_rules goes with .rules; a validation rule has its own")
        rule = await rules.find(conn, caller.project_id, data.validation_rule)
        if rule is None:
            raise NotFound("validation_rules", data.validation_rule)
        return Draft(
            validation_rule=rule.id,
            rules=rule.rules,
            error=rule.error,
            applicable_to=rule.applicable_to,
            discount=discount,
            api_key=api_key,
            bundle_rules=rule.bundle_rules,
        )
    raw = typed(data.rules or {}, await load(conn, caller.project_id))
    applicable_to = NOTHING_APPLICABLE if data.applicable_to is None else checked_applicable(data.applicable_to)
    bundle_rules = bundles.checked(data.bundle_rules)
    parsed = conditions.parse(raw, bundle_rules)
    named = parsed.segment_ids
    existing = await segments.existing(conn, caller.project_id, named)
    for segment_id in sorted(named - existing.keys()):
        raise NotFound("segment", segment_id)
    await hold(conn, caller.project_id, parsed.needs.collections | collections_of(applicable_to))
    return Draft(
        validation_rule=None,
        rules=raw,
        error=None,
        applicable_to=applicable_to,
        discount=discount,
        api_key=api_key,
        bundle_rules=bundle_rules,
    )


async def delete(caller: Caller, backtest_id: str) -> None:
    """Delete a back-test; one that is under way ends (`delete-backtest`, an addition). Raises NotFound."""

    async def work(conn: Connection) -> None:
        if not await queries.delete(conn, caller.project_id, backtest_id):
            raise NotFound("backtest", backtest_id)

    await caller.db.transaction(work)
