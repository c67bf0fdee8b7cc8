"""The self-audit finds what is stored against the filter, counts it, tells it, and mends it."""

import re
from datetime import timedelta
from typing import Any

import httpx2
import pytest

import facts
import harness
from facts import new_segment, where
from rapport import doctor
from rapport.core.db import Connection, Database
from rapport.customers.writes import Writer
from rapport.projects.actions import create_key
from rapport.projects.models import NewKey
from rapport.segments.audit import queries
from rapport.segments.audit.tasks import SegmentAudit, Suspect
from rapport.segments.membership import SegmentDecider
from rapport.settings import Settings

OSLO = where("address.city", "$is", "Oslo")
_ENTER = (
    "INSERT INTO segment_members (project_id, segment_id, customer_id, entered_at, logged) "
    "VALUES ($1, $2, $3, now() - interval '1 day', false)"
)
_LEAVE = "DELETE FROM segment_members WHERE project_id = $1 AND segment_id = $2 AND customer_id = $3"


@pytest.fixture
def audit(db: Database) -> SegmentAudit:
    """An audit that looks again at once."""
    return SegmentAudit(Writer(db, SegmentDecider()), recheck_after_s=0)


@pytest.fixture
def people(api: Any) -> list[str]:
    """The ids of three customers, two of them in Oslo."""
    return [
        str(api.call("POST", "/v1/customers", {"source_id": name, "address": {"city": city}})["id"])
        for name, city in (("a", "Oslo"), ("b", "Rome"), ("c", "Oslo"))
    ]


async def plant(db: Database, statement: str, *values: Any) -> None:
    """Change a membership past everything that keeps it right."""

    async def work(conn: Connection) -> None:
        await conn.execute(statement, *values)

    await db.transaction(work)


async def totals(db: Database, project_id: int) -> queries.Totals:
    """Return what the audit has counted in a project."""
    async with db.read() as conn:
        return await queries.totals(conn, project_id)


def numbers(text: str) -> dict[str, str]:
    """Return the samples of an answer of the metrics."""
    return dict(re.findall(r"^(rapport_\S+) (\S+)$", text, re.MULTILINE))


async def test_exact_membership_is_no_drift(
    api: Any, db: Database, project_id: int, audit: SegmentAudit, people: list[str]
) -> None:
    one = new_segment(api, OSLO)
    new_segment(api, where("segments", "$is_not", one))
    new_segment(api, {"junction": "and", "created_at": {"conditions": {"$less_than_ago": [1]}}}, kind="passive")
    before = (await totals(db, project_id)).checked
    assert await audit.sample(db, project_id) == []
    found = await totals(db, project_id)
    assert found.checked >= before + 3 * len(people)
    assert (found.drifted, found.last_drift) == (0, None)


async def test_drift_is_found_counted_and_mended(
    api: Any, db: Database, project_id: int, audit: SegmentAudit, people: list[str]
) -> None:
    segment_id = new_segment(api, OSLO)
    follower = new_segment(api, where("segments", "$is", segment_id), kind="passive")
    await plant(db, _LEAVE, project_id, segment_id, people[0])
    await plant(db, _ENTER, project_id, segment_id, people[1])
    suspects = await audit.sample(db, project_id)
    # Who names the segment differs from it as well, and follows when it is mended.
    assert [one.segment_id for one in suspects] == [segment_id, segment_id, follower, follower]
    assert {one.customer_id for one in suspects} == {*people[:2]}
    for suspect in suspects:
        await audit.settle(db, suspect)
    assert await facts.members(db, project_id, segment_id) == sorted([people[0], people[2]])
    assert await facts.members(db, project_id, follower) == sorted([people[0], people[2]])
    found = await totals(db, project_id)
    assert found.drifted == 2
    assert found.last_drift is not None
    assert found.last_drift["segment_id"] == segment_id
    assert found.last_drift["customer_id"] in people[:2]
    assert await audit.sample(db, project_id) == []
    for suspect in suspects:
        await audit.settle(db, suspect)
    assert (await totals(db, project_id)).drifted == 2
    logged = api.call("GET", "/v1/customers/a/activity", params={"type": "customer.segment.entered"})["data"]
    assert logged[0]["data"]["event_source"] == {"channel": "INTERNAL", "reason": "self_audit"}


async def test_a_member_who_does_not_exist_is_drift(
    api: Any, db: Database, project_id: int, audit: SegmentAudit, people: list[str]
) -> None:
    segment_id = new_segment(api, OSLO)
    await plant(db, _ENTER, project_id, segment_id, "cust_x")
    suspect = Suspect(project_id, segment_id, "cust_x")
    assert await audit.sample(db, project_id) == [suspect]
    await audit.settle(db, suspect)
    assert await facts.members(db, project_id, segment_id) == sorted([people[0], people[2]])
    assert (await totals(db, project_id)).drifted == 1


async def test_what_was_put_right_meanwhile_is_no_drift(
    api: Any, db: Database, project_id: int, audit: SegmentAudit, people: list[str]
) -> None:
    segment_id = new_segment(api, OSLO)
    await audit.settle(db, Suspect(project_id, segment_id, people[0]))
    await audit.settle(db, Suspect(project_id, segment_id, people[1]))
    await audit.settle(db, Suspect(project_id, segment_id, "cust_x"))
    await audit.settle(db, Suspect(project_id, "seg_x", people[0]))
    assert (await totals(db, project_id)).drifted == 0


async def test_what_the_passing_of_time_has_not_been_dealt_with_for_is_no_drift(
    api: Any, db: Database, project_id: int, audit: SegmentAudit, people: list[str]
) -> None:
    """Membership goes by the last tick; by the clock a moment later it would be another."""
    raw = where("created_at", "$less_than_ago", 1)
    segment_id = new_segment(api, raw, kind="passive")
    later = Database(db._pool, db.clock_offset + timedelta(days=2))
    assert {one.segment_id for one in await audit.sample(later, project_id)} == {segment_id}
    await audit.settle(later, Suspect(project_id, segment_id, people[0]))
    assert (await totals(db, project_id)).drifted == 0
    assert await facts.members(db, project_id, segment_id) == sorted(people)


async def test_the_worker_finds_drift_by_itself(api: Any, db: Database, project_id: int, people: list[str]) -> None:
    segment_id = new_segment(api, OSLO)
    await plant(db, _LEAVE, project_id, segment_id, people[0])
    path = f"/v1/segments/{segment_id}/customers"
    harness.wait_for(lambda: api.call("GET", path)["total"] == 2, timeout_s=60, what="the mending")
    assert (await totals(db, project_id)).drifted == 1


async def test_metrics_count_for_a_project_with_its_key_and_for_all_without(
    server: harness.Server, api: Any, db: Database, key: NewKey, project_id: int, people: list[str]
) -> None:
    _ = people
    new_segment(api, OSLO)
    async with db.read() as conn:
        await queries.add(conn, project_id, await facts.now_of(conn, db), checked=5_000_000, drift={"at": "2020-01-01"})
    checked, drift = "rapport_segment_audit_checked_total", "rapport_segment_audit_drift_total"
    label = f'{{project="{key.project_id}"}}'
    mine = api.get("/metrics")
    assert mine.headers["content-type"].startswith("text/plain; version=")
    assert set(numbers(mine.text)) == {checked + label, drift + label}
    assert numbers(mine.text)[drift + label] == "1.0"
    assert float(numbers(mine.text)[checked + label]) >= 5_000_000
    by_password = httpx2.get(f"{server.base_url}/metrics", auth=(key.app_id, key.app_token), verify=False)
    assert set(numbers(by_password.text)) == {checked + label, drift + label}
    for_all = httpx2.get(f"{server.base_url}/metrics", verify=False)
    assert set(numbers(for_all.text)) == {checked, drift}
    assert float(numbers(for_all.text)[checked]) >= 5_000_000
    assert key.project_id not in for_all.text


async def test_metrics_refuse_a_wrong_key(server: harness.Server, db: Database, key: NewKey) -> None:
    client = await create_key(db, f"client of {key.app_id}", "client")
    for options in (
        {"auth": (key.app_id, "wrong")},
        {"auth": (client.app_id, client.app_token)},
        {"headers": {"X-App-Id": key.app_id}},
        {"headers": {"Authorization": "Basic %%%"}},
    ):
        answer = httpx2.get(f"{server.base_url}/metrics", verify=False, **options)
        assert (answer.status_code, answer.json()["key"]) == (401, "unauthorized"), options


async def test_the_doctor_tells_of_drift(
    api: Any, db: Database, project_id: int, key: NewKey, database_url: str, tmp_path: Any
) -> None:
    _ = api

    async def segments() -> doctor.Finding:
        settings = Settings(database_url=database_url, data_dir=tmp_path)
        return next(one for one in await doctor.examine(settings) if one.subject == "segments")

    async with db.read() as conn:
        at = await facts.now_of(conn, db)
        # Later than any other test's.
        drift = {"segment_id": "seg_1", "customer_id": "cust_1", "stored": True, "at": "9999"}
        await queries.add(conn, project_id, at, checked=0, drift=drift)
    found = await segments()
    assert found.state == "problem"
    assert found.details.endswith(f"9999: customer cust_1 was in segment seg_1 of project {key.project_id}")
    async with db.read() as conn:
        await conn.execute("DELETE FROM segment_audits WHERE project_id = $1", project_id)
