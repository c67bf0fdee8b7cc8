"""Making a campaign's codes: the one way by which random codes come into being."""

from datetime import datetime

from rapport.async_actions import queries as async_actions
from rapport.campaigns import codes, queries
from rapport.campaigns.codes import CodeConfig
from rapport.campaigns.models import Campaign
from rapport.core.db import Connection
from rapport.core.errors import RapportError
from rapport.http.caller import Caller

# So many codes are made within a request; more are left to the worker.
AT_ONCE = 1_000
VOUCHERS_GENERATE = "CAMPAIGN.VOUCHERS_GENERATE"
_ROUNDS = 20


class NoFreeCode(RapportError):
    """The codes that the pattern allows are used up."""

    key = "code_generation_failed"
    message = "Could not find free codes for the pattern"


async def note(conn: Connection, caller: Caller, campaign_id: str, count: int, *, made: bool) -> str:
    """Return the id of the action by which `count` codes are made, or by which the caller has `made` them."""
    offset, parameters = caller.db.clock_offset, {"campaign_id": campaign_id}
    if not made:
        return await async_actions.enqueue(conn, caller, VOUCHERS_GENERATE, parameters, offset=offset, total=count)
    return await async_actions.record(
        conn, caller, VOUCHERS_GENERATE, parameters, f"Generated {count} vouchers.", count, offset
    )


async def make(
    conn: Connection,
    project_id: int,
    campaign: Campaign,
    now: datetime,
    count: int,
    config: CodeConfig | None = None,
) -> list[str]:
    """Insert up to `count` vouchers with random codes and return the codes; fewer where free codes are hard to find.

    Codes that others have, in this campaign or elsewhere, are drawn anew. A campaign without vouchers gets none.
    """
    if campaign.voucher_type is None:
        return []
    made: list[str] = []
    for _ in range(_ROUNDS):
        missing = count - len(made)
        if missing == 0:
            break
        candidates = codes.draw(config or campaign.codes, max(2 * missing, 20) if made else missing)
        made += await queries.insert_codes(conn, project_id, campaign, now, candidates, missing)
    return made


async def make_all(
    conn: Connection, project_id: int, campaign: Campaign, now: datetime, count: int, config: CodeConfig | None = None
) -> list[str]:
    """Insert exactly `count` vouchers with random codes. Raises NoFreeCode."""
    made = await make(conn, project_id, campaign, now, count, config)
    if len(made) < count:
        raise NoFreeCode(f"Only {len(made)} of {count} codes could be made", resource_id=campaign.id)
    return made
