"""Metrics for Prometheus: what features count, as `GET /metrics` shows it. Knows no feature."""

import base64
import binascii
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import msgspec
from litestar import Request, Response, get
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from rapport.core.db import Connection, Database
from rapport.core.errors import Unauthorized
from rapport.http.caller import KeyRing


class Count(msgspec.Struct, frozen=True):
    """A number that only grows. `name` without `_total`; `labels` by name."""

    name: str
    help: str
    value: int
    labels: dict[str, str] = {}


class CountsOf(Protocol):
    """Tells what a feature has counted."""

    async def __call__(self, conn: Connection, project_id: int | None) -> Sequence[Count]:
        """Return the counts of a project, labelled with it, or the sums over all projects without a label."""


class _Counts(Collector):
    def __init__(self, counts: Iterable[Count]) -> None:
        self._counts = list(counts)

    def collect(self) -> Iterable[Metric]:
        """Return one family for each count."""
        for one in self._counts:
            family = CounterMetricFamily(one.name, one.help, labels=list(one.labels))
            family.add_metric(list(one.labels.values()), one.value)
            yield family


async def _project(request: Request[Any, Any, Any]) -> int | None:
    """Return the project whose key came along, as the usual headers or as a user and password. Raises Unauthorized."""
    app_id, token = request.headers.get("x-app-id"), request.headers.get("x-app-token")
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if app_id is None and token is None and scheme.lower() == "basic":
        try:
            app_id, _, token = base64.b64decode(credentials, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise Unauthorized("Unreadable Authorization header") from error
    if app_id is None and token is None:
        return None
    ring: KeyRing = request.app.state.key_ring
    key, _ = await ring.check(app_id, token)
    if key.kind == "client":
        raise Unauthorized("A client key may not call this operation")
    return key.project_id


@get("/metrics", opt={})
async def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Return the counts of the caller's project; without a key the sums over all projects, which name none."""
    project_id = await _project(request)
    db: Database = request.app.state.db
    sources: Sequence[CountsOf] = request.app.state.metrics
    async with db.read() as conn:
        counts = [count for source in sources for count in await source(conn, project_id)]
    registry = CollectorRegistry()
    registry.register(_Counts(counts))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
