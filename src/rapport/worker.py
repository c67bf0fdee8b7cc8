"""The worker process: everything that happens without a request, wired together."""

import asyncio
import signal
from collections.abc import Callable

import structlog

from rapport.async_actions.tasks import ActionSteps
from rapport.backtests import steps as backtests
from rapport.bulk import tasks as bulk
from rapport.campaigns import purge as campaign_purge
from rapport.campaigns import tasks as campaigns
from rapport.core import migrations, preflight
from rapport.core.db import Database
from rapport.customers import purge as customers
from rapport.customers.writes import Writer
from rapport.distributions import tasks as distributions
from rapport.exports import tasks as exports
from rapport.http.attempts import tasks as attempts
from rapport.http.idempotency import tasks as idempotency
from rapport.imports import worker as imports
from rapport.metadata import purge as metadata
from rapport.orders import purge as orders
from rapport.products import purge as products
from rapport.promotions import purge as promotions
from rapport.redemptions.sessions import tasks as sessions
from rapport.segments.audit import tasks as audit
from rapport.segments.building.tasks import Building
from rapport.segments.membership import SegmentDecider
from rapport.segments.ticks.tasks import Ticks
from rapport.settings import Settings, StartError
from rapport.vouchers import purge as vouchers
from rapport.work.periodic import SESSION_NAME, Periodic, run_all

# Who takes a purged key out of the metadata of each resource.
_HOLDERS: dict[str, metadata.Remove] = {
    "customer": customers.remove_key,
    "order": orders.remove_key,
    "order_item": orders.remove_item_key,
    "campaign": campaign_purge.remove_key,
    "voucher": vouchers.remove_key,
    "promotion_tier": promotions.remove_key,
    "product": products.remove_key,
}

log = structlog.get_logger()


def periodics(db: Database, settings: Settings) -> list[Periodic]:
    """Return what the worker does again and again."""
    writer = Writer(db, SegmentDecider())
    ticks = Ticks(writer)
    purges = ActionSteps("metadata: purge", writer, metadata.steps(db, _HOLDERS))
    return [
        Periodic("segments: watch the clock", 5.0, ticks.watch_clock),
        Periodic("segments: pass time", 0.2, ticks.pass_time),
        Periodic("segments: settle", 0.2, Building(writer).settle),
        Periodic("segments: audit", audit.EVERY_S, audit.SegmentAudit(writer).audit),
        Periodic("campaigns: codes", 0.5, ActionSteps("campaigns: codes", writer, campaigns.STEPS).run),
        Periodic("idempotency: remove expired keys", idempotency.EVERY_S, idempotency.ExpiredKeys().remove),
        Periodic("attempts: remove full budgets", attempts.EVERY_S, attempts.FullBudgets().remove),
        Periodic("sessions: remove held units", sessions.EVERY_S, sessions.remove_units),
        Periodic("metadata: purge", 0.5, purges.run),
        *distributions.periodics(writer, settings),
        *exports.periodics(settings),
        *backtests.periodics(writer),
        *bulk.periodics(writer),
        *imports.periodics(writer, settings),
    ]


async def run(settings: Settings, on_start: Callable[[asyncio.Event], None] | None = None) -> None:
    """Work until SIGTERM or SIGINT, then finish the running steps.

    `on_start` is given the event that ends the worker. Raises StartError where the database cannot be used.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if on_start:
        on_start(stop)
    url = settings.database_url
    if url is None:
        raise StartError(
            "a worker on its own needs RAPPORT_DATABASE_URL; `rapport serve` runs one beside the embedded database"
        )
    db = await preflight.open_database(
        url,
        clock_offset=settings.clock_offset,
        max_size=settings.pool_size,
        statement_timeout_s=settings.statement_timeout_s,
        name=SESSION_NAME,
    )
    try:
        await preflight.check_server(db, url)
        await migrations.check_current(db, url)
        tasks = periodics(db, settings)
        log.info("the worker is at work", periodics=[task.name for task in tasks])
        await run_all(db, tasks, stop, grace_s=max(1.0, settings.drain_timeout_s - 5.0))
        log.info("the worker has finished")
    finally:
        await db.close()
