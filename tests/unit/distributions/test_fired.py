from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rapport.activity.log import Logged
from rapport.distributions.messages.models import MAX_ATTEMPTS, pause_after
from rapport.distributions.models import CUSTOM_EVENT, SEGMENT_ENTERED, Listening, fired

API, OURS = {"channel": "API"}, {"channel": "INTERNAL"}
FILLED = {"channel": "INTERNAL", "reason": "back_fill"}


def entry(kind: str, payload: dict[str, Any], source: dict[str, Any], customer_id: str | None = "cust_1") -> Logged:
    return Logged("ev_1", 1, kind, customer_id, None, payload, source, "v-1", datetime(2026, 1, 1, tzinfo=UTC))


def entered(segment_id: str = "seg_1", source: dict[str, Any] = API) -> Logged:
    return entry(SEGMENT_ENTERED, {"segment": {"id": segment_id}}, source)


def tracked(name: str = "review", source: dict[str, Any] = API) -> Logged:
    return entry(CUSTOM_EVENT, {"event": {"type": name}}, source)


def on_segment(active_from: int = 100) -> Listening:
    return Listening("dist_1", SEGMENT_ENTERED, "seg_1", None, "email", active_from)


def on_event(active_from: int = 100) -> Listening:
    return Listening("dist_2", CUSTOM_EVENT, None, "review", "email", active_from)


@pytest.mark.parametrize(
    ("listening", "xid", "happened", "fires"),
    [
        (on_segment(), 101, entered(), True),
        (on_segment(), 101, entered(source=OURS), True),
        (on_segment(), 100, entered(), False),
        (on_segment(), 99, entered(), False),
        (on_segment(), 101, entered("seg_2"), False),
        (on_segment(), 101, tracked("seg_1"), False),
        (on_segment(), 101, entry("customer.segment.left", {"segment": {"id": "seg_1"}}, API), False),
        (on_segment(), 100, entered(source=OURS), False),
        (on_segment(), 101, entered(source=FILLED), False),
        (on_segment(), 99, entered(source=FILLED), False),
        (on_event(), 101, tracked(), True),
        (on_event(), 101, tracked("Review"), False),
        (on_event(), 100, tracked(), False),
        (on_event(), 101, entry(CUSTOM_EVENT, {"event": {"type": "review"}}, API, customer_id=None), False),
    ],
)
def test_a_distribution_is_fired_by_later_entries_about_its_subject(
    listening: Listening,
    xid: int,
    happened: Logged,
    fires: bool,
) -> None:
    assert list(fired([listening], [(xid, happened)])) == ([(listening, happened)] if fires else [])


def test_one_entry_fires_every_distribution_that_listens_to_it() -> None:
    first, second = on_event(10), on_event(20)
    found = list(fired([first, second, on_segment()], [(15, tracked()), (25, tracked())]))
    assert [(one.active_from, xid) for one, xid in zip([pair[0] for pair in found], [15, 25, 25], strict=True)] == [
        (10, 15),
        (10, 25),
        (20, 25),
    ]


def test_attempts_are_spread_over_about_a_day_and_then_end() -> None:
    pauses = [pause_after(failures) for failures in range(1, MAX_ATTEMPTS)]
    known = [pause for pause in pauses if pause is not None]
    assert len(known) == MAX_ATTEMPTS - 1 == 7
    assert known == sorted(known)
    assert timedelta(hours=22) < sum(known, timedelta()) < timedelta(hours=26)
    assert pause_after(MAX_ATTEMPTS) is None
