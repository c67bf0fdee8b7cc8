"""Many at once on the write path: nothing is lost, doubled or seen out of order."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from itertools import count
from typing import Any

import httpx2
import pytest

import facts
import harness
from harness import Server
from rapport.activity import queries as activity
from rapport.activity.log import INTERNAL, Entry
from rapport.core.db import Connection, Database, connect
from rapport.customers.writes import Writer
from rapport.projects.actions import create_key
from rapport.projects.models import NewKey
from rapport.segments.membership import SegmentDecider
from segment_steps import SegmentTasks


@pytest.fixture
async def http(server: Server, key: NewKey) -> AsyncIterator[httpx2.AsyncClient]:
    """A client with many connections."""
    async with harness.async_client(server.base_url, {"X-App-Id": key.app_id, "X-App-Token": key.app_token}) as client:
        yield client


async def send(http: httpx2.AsyncClient, path: str, body: dict[str, Any], method: str = "POST") -> dict[str, Any]:
    """Make a call that must succeed."""
    answer = await http.request(method, path, json=body)
    assert answer.status_code == 200, f"{answer.status_code} {answer.text}"
    return answer.json()  # type: ignore[no-any-return]


async def test_fifty_upserts_of_one_source_id_make_one_customer(
    http: httpx2.AsyncClient, db: Database, project_id: int
) -> None:
    answers = await asyncio.gather(
        *(
            send(http, "/v1/customers", {"source_id": "same", "metadata": {f"k{number}": number}})
            for number in range(50)
        )
    )
    assert len({one["id"] for one in answers}) == 1
    stored = (await http.get("/v1/customers/same")).json()
    assert stored["metadata"] == {f"k{number}": number for number in range(50)}
    types = await facts.log_types(db, project_id)
    assert types == ["customer.created", *["customer.updated"] * 49]
    assert await facts.counts(db, project_id) == {"customers": 1, "activity": 50}


async def test_fifty_creations_of_one_order_make_one_and_count_once(
    http: httpx2.AsyncClient, db: Database, project_id: int
) -> None:
    body = {"source_id": "o", "amount": 700, "status": "PAID", "customer": {"source_id": "c"}}
    answers = await asyncio.gather(*(send(http, "/v1/orders", body) for _ in range(50)))
    assert len({one["id"] for one in answers}) == 1
    summary = (await http.get("/v1/customers/c")).json()["summary"]["orders"]
    assert (summary["total_amount"], summary["total_count"]) == (700, 1)
    assert await facts.log_types(db, project_id) == [
        "customer.created",
        "customer.order.created",
        "customer.order.paid",
    ]
    assert await facts.counts(db, project_id) == {"customers": 1, "orders": 1, "activity": 3}


async def test_orders_of_one_customer_add_up(http: httpx2.AsyncClient, db: Database, project_id: int) -> None:
    rng = random.Random(7)
    amounts = [rng.randrange(1, 10_000) for _ in range(60)]
    days = rng.sample(range(60), 60)

    def body(number: int, amount: int) -> dict[str, Any]:
        at = f"2026-{1 + days[number] // 28:02d}-{1 + days[number] % 28:02d}T00:00:00Z"
        return {
            "source_id": f"o{number}",
            "amount": amount,
            "status": "PAID",
            "customer": {"source_id": "c"},
            "created_at": at,
        }

    await asyncio.gather(*(send(http, "/v1/orders", body(*one)) for one in enumerate(amounts)))
    changed = {number: rng.choice([None, rng.randrange(1, 99)]) for number in range(0, 60, 3)}
    await asyncio.gather(
        *(
            send(http, f"/v1/orders/o{number}", {"status": "CANCELED"} if new is None else {"amount": new}, "PUT")
            for number, new in changed.items()
        )
    )
    final = {number: changed.get(number, amount) for number, amount in enumerate(amounts)}
    counted = {number: amount for number, amount in final.items() if amount is not None}
    last = max(counted, key=lambda number: days[number])
    summary = (await http.get("/v1/customers/c")).json()["summary"]["orders"]
    assert (summary["total_amount"], summary["total_count"]) == (sum(counted.values()), len(counted))
    assert summary["last_order_amount"] == counted[last]
    counts = await facts.counts(db, project_id)
    assert (counts["customers"], counts["orders"]) == (1, 60)


async def test_events_are_counted_exactly(http: httpx2.AsyncClient, db: Database, project_id: int) -> None:
    await asyncio.gather(
        *(
            send(http, "/v1/events", {"event": f"e{number % 3}", "customer": {"source_id": f"c{number % 4}"}})
            for number in range(96)
        )
    )
    for number in range(4):
        events = (await http.get(f"/v1/customers/c{number}")).json()["events"]
        assert {name: one["count"] for name, one in events.items()} == {"e0": 8, "e1": 8, "e2": 8}
    assert await facts.counts(db, project_id) == {"customers": 4, "events": 96, "activity": 100}


@pytest.mark.parametrize("crossing", ["by source id", "each by another name"])
async def test_customers_and_referrers_who_cross_all_get_through(
    http: httpx2.AsyncClient, db: Database, project_id: int, crossing: str
) -> None:
    ann = await send(http, "/v1/customers", {"source_id": "ann"})
    bob = await send(http, "/v1/customers", {"source_id": "bob"})
    if crossing == "by source id":
        pairs = [({"source_id": "ann"}, {"source_id": "bob"}), ({"source_id": "bob"}, {"source_id": "ann"})]
    else:
        # Locks are taken in the order of the names given, so these two take them in opposite orders.
        pairs = [({"id": ann["id"]}, {"source_id": "bob"}), ({"source_id": "ann"}, {"id": bob["id"]})]
    await asyncio.gather(
        *(
            send(
                http,
                "/v1/orders",
                {
                    "source_id": f"o{number}",
                    "amount": 10,
                    "status": "PAID",
                    "customer": {**pairs[number % 2][0], "metadata": {f"c{number}": 1}},
                    "referrer": {**pairs[number % 2][1], "metadata": {f"r{number}": 1}},
                },
            )
            for number in range(16)
        )
    )
    totals = [(await http.get(f"/v1/customers/{name}")).json() for name in ("ann", "bob")]
    assert sum(one["summary"]["orders"]["total_amount"] for one in totals) == 160
    assert sum(len(one["metadata"]) for one in totals) == 32
    counts = await facts.counts(db, project_id)
    assert (counts["customers"], counts["orders"]) == (2, 16)
    types = Counter(await facts.log_types(db, project_id))
    assert types["customer.order.created"] == types["customer.order.paid"] == 16
    assert types["customer.created"] == 2


async def test_orders_that_change_hands_from_two_sides_end_consistent(
    http: httpx2.AsyncClient, db: Database, project_id: int
) -> None:
    for number in range(4):
        body = {"source_id": f"o{number}", "amount": 1 + number, "status": "PAID", "customer": {"source_id": "c0"}}
        await send(http, "/v1/orders", body)
    await asyncio.gather(
        *(
            send(http, f"/v1/orders/o{number % 4}", {"customer": {"source_id": f"c{number % 3}"}}, "PUT")
            for number in range(36)
        )
    )
    assert await facts.wrong_summaries(db, project_id) == []


@pytest.mark.parametrize("seed", [harness.SEED])
async def test_a_segment_made_while_eight_writers_go_on_is_exact(
    seed: int, api: Any, http: httpx2.AsyncClient, db: Database, project_id: int
) -> None:
    """Customers come, move, buy, act and go all the while; segments are created and deleted in between."""
    rng = random.Random(seed)
    number = count()
    stop = asyncio.Event()

    async def write() -> int:
        done = 0
        while not stop.is_set():
            who = {"source_id": f"c{rng.randrange(25)}"}
            match rng.randrange(8):
                case 0 | 1 | 2:
                    await send(http, "/v1/customers", {**who, "address": {"city": rng.choice(["Oslo", "Rome", None])}})
                case 3 | 4:
                    status = rng.choice(["PAID", "CANCELED"])
                    order = {"source_id": f"o{rng.randrange(30)}", "amount": rng.randrange(100), "status": status}
                    await send(http, "/v1/orders", {**order, "customer": who})
                case 5 | 6:
                    await send(http, "/v1/events", {"event": "seen", "customer": who})
                case 7:
                    answer = await http.delete(f"/v1/customers/{who['source_id']}")
                    assert answer.status_code in (204, 404), answer.text
            done += 1
        return done

    writers = [asyncio.create_task(write()) for _ in range(8)]
    filters: dict[str, dict[str, Any]] = {}

    async def add(raw: dict[str, Any]) -> str:
        made = await send(http, "/v1/segments", {"name": f"S{next(number)}", "type": "auto-update", "filter": raw})
        filters[made["id"]] = raw
        await asyncio.sleep(0.2)
        return str(made["id"])

    await asyncio.sleep(0.3)
    oslo = await add(facts.where("address.city", "$is", "Oslo"))
    await add(facts.where("segments", "$is_not", oslo))
    doomed = await add(facts.where("events.seen.count", "$more_than", 1))
    await add(facts.where("summary.orders.total_amount", "$more_than", 60))
    assert (await http.delete(f"/v1/segments/{doomed}")).status_code == 204
    del filters[doomed]
    await add({"junction": "and", "events.seen": {"conditions": {"$count_more": [1], "$less_than_ago": [1]}}})
    for segment_id in filters:
        facts.wait_until_filled(api, segment_id)
    await asyncio.sleep(0.3)
    stop.set()
    assert sum(await asyncio.gather(*writers)) > 50
    for segment_id, raw in filters.items():
        await facts.assert_exact(db, project_id, segment_id, raw)
    assert await facts.wrong_summaries(db, project_id) == []


async def test_a_customer_deleted_while_put_into_a_static_segment_is_in_none(
    http: httpx2.AsyncClient, db: Database, project_id: int
) -> None:
    made = await asyncio.gather(*(send(http, "/v1/customers", {"source_id": f"c{number}"}) for number in range(16)))

    async def both(customer_id: str) -> set[int]:
        created, deleted = await asyncio.gather(
            http.post("/v1/segments", json={"name": "S", "customers": [customer_id]}),
            http.delete(f"/v1/customers/{customer_id}"),
        )
        assert deleted.status_code == 204
        return {created.status_code}

    assert set[int]().union(*await asyncio.gather(*(both(one["id"]) for one in made))) <= {200, 404}
    counts = await facts.counts(db, project_id)
    assert counts.keys() & {"customers", "segment_members"} == set()


async def test_transactions_that_deadlock_run_again_and_both_commit(
    http: httpx2.AsyncClient, db: Database, project_id: int
) -> None:
    ids = [(await send(http, "/v1/customers", {"source_id": name}))["id"] for name in ("ann", "bob")]
    attempts: Counter[str] = Counter()
    barrier = asyncio.Barrier(2)

    async def cross(first: str, second: str) -> None:
        async def work(conn: Connection) -> None:
            attempts[first] += 1
            for one in (first, second):
                await conn.execute(
                    "UPDATE customers SET description = coalesce(description, '') || 'x' "
                    "WHERE project_id = $1 AND id = $2",
                    project_id,
                    one,
                )
                if one == first and attempts[first] == 1:
                    await barrier.wait()

        await db.transaction(work)

    await asyncio.gather(cross(*ids), cross(*reversed(ids)))
    # Who was undone may meet the other once more, still on its way.
    once, again = sorted(attempts.values())
    assert (once, again > 1) == (1, True)
    assert [(await http.get(f"/v1/customers/{one}")).json()["description"] for one in ids] == ["xx", "xx"]


@pytest.fixture
async def quiet(
    new_database: Callable[[str], str], start_server: Callable[..., Server]
) -> AsyncIterator[tuple[str, Server, NewKey]]:
    """A server without a worker on a database of its own, and a key to it."""
    url = new_database("quiet")
    server = start_server(url, "--workers", "1", "--no-worker")
    database = await connect(url)
    yield url, server, await create_key(database, "quiet", "server")
    await database.close()
    server.stop()


async def test_four_workers_ticking_at_once_do_nothing_twice(quiet: tuple[str, Server, NewKey]) -> None:
    url, server, key = quiet
    now = await connect(url)
    async with now.read() as conn:
        project_id = int(await conn.fetchval("SELECT project_id FROM projects WHERE id = $1", key.project_id))
        tomorrow = (await facts.now_of(conn, now) + timedelta(days=1)).isoformat()
    raw = facts.where("metadata.trial_ends", "$before", "2999-01-01")
    over = facts.where("metadata.trial_ends", "$more_than_ago", 0)
    headers = {"X-App-Id": key.app_id, "X-App-Token": key.app_token}
    async with harness.async_client(server.base_url, headers) as http:
        await asyncio.gather(
            *(
                send(http, "/v1/customers", {"source_id": f"c{number}", "metadata": {"trial_ends": tomorrow}})
                for number in range(60)
            )
        )
        made = [
            await send(http, "/v1/segments", {"name": "S", "type": "auto-update", "filter": one}) for one in (raw, over)
        ]
    assert await facts.counts(now, project_id) == {"customers": 60, "segments": 2, "activity": 60}

    async def work(*databases: Database) -> None:
        """Run every step on each database, all at once, until none has anything left to do."""

        async def one(database: Database) -> None:
            tasks = SegmentTasks(Writer(database, SegmentDecider()))
            for _ in range(20):
                await asyncio.gather(tasks.pass_time(database), tasks.settle(database))

        await asyncio.gather(*(one(database) for database in databases))

    await work(*[now] * 4)
    assert len(await facts.assert_exact(now, project_id, made[0]["id"], raw)) == 60
    assert await facts.assert_exact(now, project_id, made[1]["id"], over) == []
    assert (await facts.counts(now, project_id))["activity"] == 120
    later = [await connect(url, clock_offset=timedelta(days=2)) for _ in range(4)]
    await work(*later)
    assert len(await facts.assert_exact(later[0], project_id, made[1]["id"], over)) == 60
    assert Counter(await facts.log_types(now, project_id)) == {"customer.created": 60, "customer.segment.entered": 120}
    for database in (now, *later):
        await database.close()


async def append_slowly(db: Database, project_id: int, rng: random.Random) -> None:
    """Append in transactions of random length, a fifth of which roll back."""
    for turn in range(12):
        entries = [Entry(f"{turn}.{part}", None, {}) for part in range(rng.randrange(1, 4))]

        async def work(conn: Connection, entries: list[Entry] = entries) -> None:
            at = await facts.now_of(conn, db)
            for entry in entries:
                await activity.append(conn, project_id, at, "g", INTERNAL, [entry])
                await asyncio.sleep(rng.choice([0, 0.001, 0.05]))
            if rng.random() < 0.2:
                raise LookupError

        with contextlib.suppress(LookupError):
            await db.transaction(work)


async def read_on(db: Database, project_id: int, written: asyncio.Event) -> list[tuple[int, int]]:
    """Read the log by its cursor until everything is written and read; return the positions in the order met."""
    met = [(0, 0)]
    while True:
        is_last = written.is_set()
        async with db.read() as conn:
            below = await activity.horizon(conn)
            rows = await activity.read_after(conn, project_id, met[-1], below, 5)
        met += [(xid, row.seq) for xid, row in rows]
        if is_last and not rows:
            return met[1:]
        await asyncio.sleep(0)


async def test_a_reader_below_the_horizon_never_skips_a_row(db: Database, project_id: int) -> None:
    """Transactions that began early commit late; the reader meets every row once, in order."""
    written = asyncio.Event()
    reading = asyncio.create_task(read_on(db, project_id, written))
    await asyncio.gather(*(append_slowly(db, project_id, random.Random(number)) for number in range(12)))
    written.set()
    met = await reading
    async with db.read() as conn:
        rows = await conn.fetch(
            "SELECT xid::text::bigint AS xid, seq FROM activity WHERE project_id = $1 ORDER BY xid, seq", project_id
        )
    assert [(row["xid"], row["seq"]) for row in rows] == met
    assert len(met) > 100
