"""Trying a filter on the customers there are."""

import asyncio
from typing import ClassVar

from rapport.core.clock import iso
from rapport.core.db import StatementTimeout
from rapport.core.errors import NotFound, RapportError
from rapport.http.caller import Caller
from rapport.segments import queries as segments
from rapport.segments.actions import read_filter
from rapport.segments.history.queries import customers_by_id
from rapport.segments.preview import queries
from rapport.segments.preview.schemas import DEFAULT_SAMPLE, Preview, PreviewInput, view
from rapport.segments.sql import compile_filter

# How many previews a process runs at a time; more wait, so that other requests find a connection.
AT_ONCE = 3
_turns = asyncio.Semaphore(AT_ONCE)


class PreviewTooSlow(RapportError):
    """Counting took longer than a statement may."""

    code: ClassVar[int] = 503
    key: ClassVar[str] = "request_timeout"
    message: ClassVar[str] = "Request timeout"


async def preview(caller: Caller, data: PreviewInput) -> Preview:
    """Count the customers that a filter holds for, and pick a few of them; all as of one moment.

    A sample is looked for among a few customers from a random one on; only where these do not have enough of them does
    it come out of the scan that counts. Raises InvalidFilter, NotFound for a segment that the filter names, and
    PreviewTooSlow.
    """
    _, filter_ = await read_filter(caller, data.filter)
    most = DEFAULT_SAMPLE if data.sample is None else data.sample
    async with _turns, caller.db.snapshot() as conn:
        now, zone_name = await queries.open_preview(conn, caller.project_id, caller.db.clock_offset)
        if filter_.segment_ids:
            known = await segments.existing(conn, caller.project_id, filter_.segment_ids)
            for unknown in sorted(filter_.segment_ids - known.keys()):
                raise NotFound("segment", unknown)
        # For the few of the sample written customer by customer, for the count as a look at all of them.
        some, condition = (
            compile_filter(
                filter_,
                now=now,
                zone_name=zone_name,
                project_id=caller.project_id,
                first_parameter=queries.FIRST_PARAMETER,
                whole=whole,
            )
            for whole in (False, True)
        )
        try:
            sample = await queries.probe(conn, caller.project_id, some, most) if most else []
            if len(sample) == most:
                numbers = await queries.count(conn, caller.project_id, condition)
            else:
                numbers = await queries.count_and_pick(conn, caller.project_id, condition, most)
                sample = [*(await customers_by_id(conn, caller.project_id, numbers["picked"] or [])).values()]
        except StatementTimeout as error:
            raise PreviewTooSlow("The preview took too long and was given up: narrow the filter") from error
    return view(numbers, sample, iso(now))
