"""What a redemption reads of tiers and stacks: one statement, with their campaigns and every rule that holds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from in_cart import add_tier, make_promotion, make_stack, tier
from promotions import make_rule, one_rule
from rapport.core.db import Connection, Database
from rapport.promotions import queries
from rapport.promotions.stacks import queries as stacks

NOW = datetime.now(UTC)
RULE = one_rule("redemption.count.per_customer", "$less_than_or_equal", 1)


class Counted:
    """Takes the place of a connection, and counts what is asked of it."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self.asked = 0

    async def fetch(self, query: str, *parameters: object) -> Any:
        """Ask, and count."""
        self.asked += 1
        return await self._conn.fetch(query, *parameters)


@asynccontextmanager
async def counted(db: Database) -> AsyncIterator[Any]:
    """Lend a connection on which exactly one thing is asked."""
    async with db.read() as conn:
        found = Counted(conn)
        yield found
        assert found.asked == 1


async def test_tiers_are_found_with_their_campaign_and_the_rules_of_both(
    api: Any, db: Database, project_id: int
) -> None:
    own, of_all = make_rule(api, RULE, name="own"), make_rule(api, RULE, name="all", error={"message": "no"})
    campaign = make_promotion(
        api, tier("A", 25, validation_rules=[own]), tier("B"), validation_rules=[of_all], validity_day_of_week=[1]
    )
    first, second = (one["id"] for one in campaign["promotion"]["tiers"])
    async with counted(db) as conn:
        found = await queries.find_tiers(conn, project_id, [first, second, "promo_none"])
    assert set(found) == {first, second}
    one = found[first]
    assert (one.tier.name, one.tier.discount["percent_off"], one.tier.hierarchy) == ("A", 25, 1)
    assert (one.tier.campaign, one.tier.campaign_active, one.tier.campaign_validity_day_of_week) == ("Deals", True, [1])
    held = {(rule.rule_id, rule.related_object_type, (rule.error or {}).get("message")) for rule in one.assigned}
    assert held == {(own, "promotion_tier", None), (of_all, "campaign", "no")}
    assert [rule.rule_id for rule in found[second].assigned] == [of_all]
    assert all(rule.rules == RULE for rule in one.assigned)
    async with db.read() as conn:
        assert await queries.find_tiers(conn, project_id + 1, [first]) == {}


async def test_active_tiers_come_by_rank_and_of_the_oldest_campaign_first(
    api: Any, db: Database, project_id: int
) -> None:
    make_promotion(api, tier("A1"), tier("A2"), tier("off", active=False), name="A")
    make_promotion(api, tier("B1"), tier("over", expiration_date="2020-01-01"), name="B")
    make_promotion(api, tier("C1"), name="C", active=False)
    make_promotion(api, tier("D1"), name="D", start_date=(NOW + timedelta(days=1)).isoformat())
    add_tier(api, "B", "first", hierarchy=0)

    async def names(at: datetime, limit: int = 100) -> list[str]:
        async with counted(db) as conn:
            return [one.tier.name for one in await queries.active_tiers(conn, project_id, at, limit)]

    now = NOW + timedelta(hours=1)
    assert await names(now) == ["first", "A1", "B1", "A2"]
    assert await names(now, 2) == ["first", "A1"]
    assert await names(now + timedelta(days=2)) == ["first", "A1", "B1", "D1", "A2"]


async def test_stacks_are_found_with_their_tiers_in_their_order(api: Any, db: Database, project_id: int) -> None:
    rule = make_rule(api, RULE)
    campaign = make_promotion(api, tier("A"), tier("B", validation_rules=[rule]), tier("C"))
    ids = [one["id"] for one in campaign["promotion"]["tiers"]]
    first = make_stack(api, "Deals", ids[2], ids[1], name="First")["id"]
    second = make_stack(api, "Deals", ids[0], name="Second")["id"]
    async with counted(db) as conn:
        found = await stacks.find_stacks(conn, project_id, [second, first, "stack_none"])
    assert {one: [part.tier.id for part in stack.tiers] for one, stack in found.items()} == {
        first: [ids[2], ids[1]],
        second: [ids[0]],
    }
    assert (found[first].stack.name, found[first].stack.campaign_id) == ("First", campaign["id"])
    assert [rule.rule_id for rule in found[first].tiers[1].assigned] == [rule]
    async with counted(db) as conn:
        active = await stacks.active_stacks(conn, project_id, NOW + timedelta(hours=1), 10)
    assert [one.stack.id for one in active] == [first, second]
    async with counted(db) as conn:
        assert len(await stacks.active_stacks(conn, project_id, NOW + timedelta(hours=1), 1)) == 1
    api.call("POST", "/v1/campaigns/Deals/disable")
    async with counted(db) as conn:
        assert await stacks.active_stacks(conn, project_id, NOW + timedelta(hours=1), 10) == []
