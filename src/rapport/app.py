"""The HTTP application: every feature's routes on one database."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog
from litestar import Litestar, MediaType, Request, Response, get, route
from litestar.datastructures import State
from litestar.di import Provide
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from rapport import __version__
from rapport.async_actions import routes as async_actions
from rapport.backtests import holding as tried
from rapport.backtests import routes as backtests
from rapport.bulk import holding as asked
from rapport.bulk import routes as bulk
from rapport.bulk import voucher_routes as bulk_vouchers
from rapport.bulk.schemas import MAX_BODY_BYTES
from rapport.campaigns import removal as campaign_removal
from rapport.campaigns import routes as campaigns
from rapport.campaigns.summary import routes as campaign_summary
from rapport.categories import routes as categories
from rapport.consents import holding as said
from rapport.consents import pages
from rapport.consents import routes as consents
from rapport.consents.interactions import holding as reacted
from rapport.core import preflight
from rapport.core import queries as server
from rapport.core.db import Database
from rapport.core.ids import new_request_id
from rapport.customers import activity_holding as logged
from rapport.customers import kept_answers
from rapport.customers import routes as customers
from rapport.customers.holdings import Holding
from rapport.customers.writes import Writer
from rapport.devices import holding as owned
from rapport.devices import routes as devices
from rapport.distributions import routes as distributions
from rapport.distributions.messages import holding as written
from rapport.distributions.messages.queries import in_flight
from rapport.distributions.queries import of_consent, of_segment
from rapport.events import holding as tracked
from rapport.events import routes as events
from rapport.exports import holding as exported
from rapport.exports import routes as exports
from rapport.http import docs_page, openapi
from rapport.http.attempts.budgets import Budgets
from rapport.http.attempts.layer import Attempts
from rapport.http.bodies import answer
from rapport.http.caller import Caller, Health, KeyRing, management_caller, server_caller
from rapport.http.cors import open_to_pages
from rapport.http.errors import exception_handlers
from rapport.http.idempotency.layer import Idempotency
from rapport.http.metrics import metrics
from rapport.http.openapi import operation
from rapport.http.paths import keep_slashes, restored
from rapport.imports import holding as imported
from rapport.imports import routes as imports
from rapport.locations import routes as locations
from rapport.merges import holding as merged
from rapport.merges import routes as merges
from rapport.metadata import routes as metadata
from rapport.orders import holding as placed
from rapport.orders import routes as orders
from rapport.privacy import routes as privacy
from rapport.privacy.actions import names_erased
from rapport.product_collections import routes as product_collections
from rapport.products import removal as product_removal
from rapport.products import routes as products
from rapport.profiles import routes as profiles
from rapport.projects import queries as projects
from rapport.projects import routes as project_settings
from rapport.promotions import routes as promotions
from rapport.promotions.of_campaigns import CampaignTiers
from rapport.promotions.queries import using_category
from rapport.publications import holding as published
from rapport.publications import routes as publications
from rapport.redemptions import holding as ledger
from rapport.redemptions import routes as redemptions
from rapport.rules import routes as rules
from rapport.rules.queries import using_collection, using_segment
from rapport.segments import routes as segments
from rapport.segments.audit.counts import counts as audit_counts
from rapport.segments.history import holding as stays
from rapport.segments.membership import SegmentDecider
from rapport.settings import Settings
from rapport.templates import routes as templates
from rapport.trash_bin import routes as trash_bin
from rapport.vouchers import holding as held
from rapport.vouchers import removal as voucher_removal
from rapport.vouchers import routes as vouchers
from rapport.vouchers.assets import routes as code_images
from rapport.vouchers.guessing import Guesses
from rapport.vouchers.ledger import holding as spent
from rapport.vouchers.ledger import routes as gift_ledger

log = structlog.get_logger(__name__)

ROUTERS = (
    customers.router,
    segments.router,
    orders.router,
    events.router,
    rules.router,
    campaigns.router,
    campaign_summary.router,
    vouchers.router,
    gift_ledger.router,
    code_images.router,
    categories.router,
    promotions.router,
    locations.router,
    templates.router,
    redemptions.router,
    publications.router,
    backtests.router,
    distributions.router,
    profiles.router,
    async_actions.router,
    trash_bin.router,
    exports.router,
    merges.router,
    privacy.router,
    consents.router,
    devices.router,
    project_settings.router,
    metadata.router,
    bulk.router,
    bulk_vouchers.router,
    imports.router,
    products.router,
    product_collections.router,
)


# What each feature holds on a person, in the order in which it is erased and moved: what others write about while they
# hold its rows goes before the log, which goes before the messages that are queued from it.
HOLDINGS: tuple[Holding, ...] = (
    stays.holding,
    tracked.holding,
    placed.holding,
    spent.holding,
    held.holding,
    published.holding,
    ledger.holding,
    tried.holding,
    said.holding,
    reacted.holding,
    owned.holding,
    logged.holding,
    written.holding,
    asked.holding,
    merged.holding,
    imported.holding,
    kept_answers.holding,
    exported.holding,
)


def get_writer(state: State, caller: Caller) -> Writer:
    """Return the write path of this process.

    Asks for the caller although it needs none: dependencies of each other are resolved one after another, and
    independent ones as tasks of their own, which costs a tenth of a write.
    """
    _ = caller
    writer: Writer = state.writer
    return writer


def get_holdings(caller: Caller) -> Sequence[Holding]:
    """Return what features hold on persons; asks for the caller for the same reason as `get_writer`."""
    _ = caller
    return HOLDINGS


@route("/health", http_method=["GET", "HEAD"], opt=operation("health", answer=Health, secured=False))
async def health(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Answer 200 when requests can be served: the database answers and its schema is current."""
    db: Database = request.app.state.db
    async with db.read() as conn:
        await server.find_schema_version(conn)
    return answer(Health("ok", __version__))


@get("/openapi.json", opt={})
async def openapi_document(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Return the OpenAPI document."""
    return answer(openapi.document(request.app, __version__))


@get(["/", "/docs"], media_type=MediaType.HTML)
async def docs(request: Request[Any, Any, Any]) -> str:
    """Return the API's documentation as a page."""
    return docs_page.page(openapi.document(request.app, __version__))


def _with_request_id(app: ASGIApp) -> ASGIApp:
    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            scope["state"] = {**scope.get("state", {}), "request_id": new_request_id()}
            if scope["path_params"]:
                scope["path_params"] = restored(scope["path_params"])
        await app(scope, receive, send)

    return middleware


def budgets(settings: Settings) -> Budgets:
    """Return how many codes may be tried in vain."""
    return Budgets(
        per_address=settings.failed_codes_per_address_per_hour,
        per_customer=settings.failed_codes_per_customer_per_hour,
        per_client_key=settings.failed_codes_per_client_key_per_hour,
        per_server_key=settings.failed_codes_per_server_key_per_hour,
    )


def create_app(settings: Settings) -> ASGIApp:
    """Return the application; it connects to `settings.database_url` when it starts."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        db = await preflight.open_database(
            settings.database_url or "",
            clock_offset=settings.clock_offset,
            max_size=settings.pool_size,
            statement_timeout_s=settings.statement_timeout_s,
            name="rapport-api",
        )
        app.state.db = db
        app.state.public_url = settings.public_url
        app.state.holdings = HOLDINGS
        app.state.outbox = settings.outbox
        app.state.import_max_bytes = settings.import_max_bytes
        app.state.key_ring = KeyRing(db, projects.find_key)
        app.state.writer = Writer(db, SegmentDecider())
        app.state.segment_users = (using_segment, of_segment)
        app.state.segment_listeners = (of_segment,)
        app.state.promotion_tiers = CampaignTiers()
        app.state.category_users = (using_category,)
        app.state.bin_kinds = {
            "campaign": campaign_removal.bin_kind(app.state.writer),
            "voucher": voucher_removal.bin_kind(app.state.writer),
            **product_removal.bin_kinds,
        }
        # What says of a collection of products that it is used: (conn, project_id, collection_id) -> names.
        app.state.collection_users = (using_collection,)
        app.state.consent_users = (of_consent,)
        app.state.in_flight = in_flight
        app.state.metrics = (audit_counts,)
        log.info("the API is at work")
        try:
            yield
        finally:
            await db.close()

    app = Litestar(
        route_handlers=[*ROUTERS, *pages.handlers, health, metrics, openapi_document, docs],
        dependencies={
            "caller": Provide(server_caller),
            "management_caller": Provide(management_caller),
            "writer": Provide(get_writer, sync_to_thread=False),
            "holdings": Provide(get_holdings, sync_to_thread=False),
        },
        exception_handlers=exception_handlers(),
        lifespan=[lifespan],
        middleware=[_with_request_id],
        openapi_config=None,
        request_max_body_size=settings.max_body_bytes,
        logging_config=None,
    )
    most = max(settings.max_body_bytes, MAX_BODY_BYTES)
    once = Idempotency(keep_slashes(app), app, max_body_bytes=most, names_erased=names_erased)
    proxies = settings.proxy_networks
    return open_to_pages(
        Attempts(once, app, Guesses(), budgets(settings), trusted_proxies=proxies, max_body_bytes=most)
    )
