"""Background work of campaigns: making many codes, removing those of deleted campaigns."""

import structlog

from rapport.campaigns import generation, queries
from rapport.core.db import Connection, Database
from rapport.core.queries import read_now
from rapport.work.turns import Turns

log = structlog.get_logger(__name__)
BATCH = 2_000


class CampaignTasks:
    """The periodic step of campaigns; safe to run anywhere, any number of times, by several workers at once."""

    def __init__(self) -> None:
        """Begin with every project's turn."""
        self._turns = Turns("campaigns: make codes")

    async def make_codes(self, db: Database) -> bool:
        """Make one batch of codes, or remove one, in each project that waits; return whether there is more to do.

        A batch and its count commit together and the campaign's row is locked meanwhile, so a batch cut short has never
        happened, and two workers never make the same one.
        """
        async with db.read() as conn:
            projects = await queries.projects_with_work(conn)

        async def one(project_id: int) -> bool:
            async def step(conn: Connection) -> bool:
                return await _make(conn, db, project_id) or await _remove(conn, project_id)

            return await db.transaction(step)

        return await self._turns.take(projects, one)


async def _make(conn: Connection, db: Database, project_id: int) -> bool:
    campaign = await queries.claim_generation(conn, project_id)
    if campaign is None:
        return False
    now = await read_now(conn, db.clock_offset)
    wanted = min(BATCH, campaign.codes_wanted - campaign.codes_made)
    made = await generation.make(conn, project_id, campaign, now, wanted)
    if made:
        await queries.add_wanted(conn, project_id, campaign.id, 0, len(made))
    else:
        await queries.set_failed(conn, project_id, campaign.id)
        log.warning("no free codes for a campaign's pattern", project_id=project_id, campaign_id=campaign.id)
    if campaign.codes_made + len(made) == campaign.codes_wanted:
        log.info("a campaign's codes are made", campaign_id=campaign.id, codes=campaign.codes_wanted)
    return True


async def _remove(conn: Connection, project_id: int) -> bool:
    campaign_id = await queries.claim_deleted(conn, project_id)
    if campaign_id is None:
        return False
    if await queries.remove_codes(conn, project_id, campaign_id, BATCH) == 0:
        await queries.remove(conn, project_id, campaign_id)
        log.info("a campaign's codes are removed", campaign_id=campaign_id)
    return True
