"""Idempotency keys: one effect, the same answer, and a clear refusal where the key means something else."""

import json
from typing import Any

import pytest

import promotions
from promotions import make_campaign, make_voucher, stack, summary, used
from rapport.core.db import Connection, Database
from rapport.customers import kept_answers
from rapport.customers.queries import find
from rapport.http.idempotency import queries
from rapport.http.idempotency.tasks import BATCH, ExpiredKeys
from rapport.projects.actions import create_key
from rapport.projects.models import NewKey

EVENT = {"event": "seen", "customer": {"source_id": "ann"}}


def again(api: Any, key: str, path: str, body: Any = None, *, method: str = "POST", **more: Any) -> Any:
    """Send a request with a key; return the response."""
    return api.request(method, path, json=body, headers={"Idempotency-Key": key}, **more)


def assert_refused(answer: Any, status: int, key: str) -> None:
    """The answer is an error of this status and key."""
    assert (answer.status_code, answer.json()["key"]) == (status, key)
    assert answer.json()["code"] == status
    assert "idempotency-replayed" not in answer.headers


def assert_replayed(first: Any, second: Any) -> None:
    """The second answer is the first, said again."""
    assert "idempotency-replayed" not in first.headers
    assert second.headers.get("idempotency-replayed") == "true", second.text
    assert first.status_code == second.status_code
    assert first.content == second.content
    assert first.headers.get("content-type") == second.headers.get("content-type")


async def events(db: Database, project_id: int) -> int:
    """Return how many events there are."""
    return await promotions.rows(db, project_id, "events")


def test_a_repeated_redemption_has_one_effect_and_the_same_answer(api: Any) -> None:
    make_voucher(api, "CODE", redemption={"quantity": 5})
    first, second = (again(api, "k", "/v1/redemptions", stack("CODE")) for _ in range(2))
    assert first.status_code == 200
    assert_replayed(first, second)
    assert used(api, "CODE") == 1
    assert summary(api) == {"total_redeemed": 1, "total_succeeded": 1}


def test_without_a_key_or_with_another_each_request_counts(api: Any) -> None:
    make_voucher(api, "CODE", redemption={"quantity": 5})
    for key in ("a", "b"):
        assert again(api, key, "/v1/redemptions", stack("CODE")).status_code == 200
    promotions.redeem(api, "CODE")
    promotions.redeem(api, "CODE")
    assert used(api, "CODE") == 4


async def test_a_key_used_with_another_request_is_refused_and_changes_nothing(
    api: Any, db: Database, project_id: int
) -> None:
    assert again(api, "k", "/v1/events", EVENT).status_code == 200
    others = [
        ("POST", "/v1/events", EVENT | {"event": "other"}, {}),
        ("POST", "/v1/customers", EVENT, {}),
        ("POST", "/v1/events", EVENT, {"params": {"a": "1"}}),
        ("PUT", "/v1/customers/ann", EVENT, {}),
    ]
    for method, path, body, more in others:
        assert_refused(again(api, "k", path, body, method=method, **more), 422, "idempotency_key_reused")
    assert await events(db, project_id) == 1


@pytest.mark.parametrize("given", ["", "k" * 256, "zażółć".encode(), "a\tb"])
async def test_a_bad_key_is_refused(api: Any, db: Database, project_id: int, given: Any) -> None:
    assert_refused(again(api, given, "/v1/events", EVENT), 400, "invalid_idempotency_key")
    assert await events(db, project_id) == 0


async def test_a_key_given_twice_is_refused(api: Any, db: Database, project_id: int) -> None:
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    assert_refused(api.post("/v1/events", json=EVENT, headers=headers), 400, "invalid_idempotency_key")
    assert await events(db, project_id) == 0


@pytest.mark.parametrize("given", ["~" * 255, "with space", '"8e03978e-40d5-43e8-bc93-6894a57f9324"', "0"])
def test_any_printable_ascii_is_a_key(api: Any, given: str) -> None:
    assert_replayed(*(again(api, given, "/v1/events", EVENT) for _ in range(2)))


def test_a_body_over_the_limit_is_refused(api: Any) -> None:
    big = EVENT | {"metadata": {"text": "x" * 1_100_000}}
    assert_refused(again(api, "k", "/v1/events", big), 413, "payload_too_large")
    assert again(api, "k", "/v1/events", EVENT).status_code == 200


def test_a_bulk_request_may_be_as_long_with_a_key_as_without(api: Any) -> None:
    people = [{"source_id": f"ann{number}", "metadata": {"text": "x" * 60_000}} for number in range(40)]
    first, second = (again(api, "k", "/v1/customers/bulk/async", people) for _ in range(2))
    assert first.status_code == 202
    assert_replayed(first, second)
    assert again(api, "long", "/v1/customers/bulk/async", people * 5).status_code == 413


def test_reading_and_deleting_take_no_notice_of_a_key(api: Any) -> None:
    make_voucher(api, "CODE")
    first, second = (again(api, "k", "/v1/vouchers/CODE", method="GET") for _ in range(2))
    assert first.status_code == second.status_code == 200
    assert "idempotency-replayed" not in second.headers
    path = "/v1/vouchers/CODE?force=true"
    assert [again(api, "k", path, method="DELETE").status_code for _ in range(2)] == [204, 404]


async def test_keys_of_others_do_not_clash(api: Any, db: Database, key: NewKey, project_id: int) -> None:
    project = "another of " + key.project_id
    stranger = await create_key(db, project, "server")
    colleague = await create_key(db, key.project, "server")
    assert colleague.project_id == key.project_id
    for one in (key, stranger, colleague):
        headers = {"X-App-Id": one.app_id, "X-App-Token": one.app_token, "Idempotency-Key": "k"}
        answer = api.post("/v1/events", json=EVENT, headers=headers)
        assert answer.status_code == 200
        assert "idempotency-replayed" not in answer.headers
    assert await events(db, project_id) == 2


async def test_a_refused_redemption_is_kept_once_with_its_answer(api: Any, db: Database, project_id: int) -> None:
    make_voucher(api, "CODE", redemption={"quantity": 0})
    first, second = (again(api, "k", "/v1/redemptions", stack("CODE")) for _ in range(2))
    assert_refused(first, 400, "quantity_exceeded")
    assert_replayed(first, second)
    assert await promotions.rows(db, project_id, "redemptions") == 1
    assert summary(api) == {"total_failed": 1}
    api.call("PUT", "/v1/vouchers/CODE", {"redemption": {"quantity": 5}})
    assert_replayed(first, again(api, "k", "/v1/redemptions", stack("CODE")))


def test_an_error_that_changed_nothing_is_looked_at_anew(api: Any) -> None:
    assert_refused(again(api, "k", "/v1/redemptions", stack("CODE")), 404, "not_found")
    assert_refused(again(api, "k", "/v1/events", {"event": ""}), 400, "invalid_payload")
    make_voucher(api, "CODE", redemption={"quantity": 2})
    first = again(api, "k", "/v1/redemptions", stack("CODE"))
    assert first.status_code == 200
    assert_replayed(first, again(api, "k", "/v1/redemptions", stack("CODE")))
    assert used(api, "CODE") == 1


async def test_without_the_right_keys_nothing_is_kept(api: Any, db: Database, project_id: int) -> None:
    wrong = {"X-App-Token": "wrong", "Idempotency-Key": "k"}
    for _ in range(2):
        assert_refused(api.post("/v1/events", json=EVENT, headers=wrong), 401, "unauthorized")
    assert await promotions.rows(db, project_id, "idempotency_keys") == 0
    assert again(api, "k", "/v1/events", EVENT).status_code == 200


def test_a_form_sent_again_is_the_same_whatever_its_boundary(api: Any) -> None:
    segment = api.call("POST", "/v1/segments", {"name": "S", "type": "static", "customers": []})
    api.call("POST", "/v1/customers", {"source_id": "ann"})
    path = f"/v1/segments/{segment['id']}/customers/importCSV"

    def send(content: str) -> Any:
        file = {"file": ("people.csv", content, "text/csv")}
        return api.post(path, files=file, headers={"Idempotency-Key": "k"})

    first, second = send("source_id\nann\n"), send("source_id\nann\n")
    assert first.request.headers["content-type"] != second.request.headers["content-type"]
    assert first.status_code < 500
    if first.status_code < 400:
        assert_replayed(first, second)
        assert_refused(send("source_id\nbob\n"), 422, "idempotency_key_reused")


@pytest.mark.parametrize("hours", [-25, 25])
async def test_a_key_is_free_again_after_a_day_of_the_clock_whichever_way_it_went(
    api: Any, db: Database, project_id: int, hours: int
) -> None:
    first = again(api, "k", "/v1/events", EVENT)
    await shift(db, project_id, hours=hours // 25 * 23)
    assert_replayed(first, again(api, "k", "/v1/events", EVENT))
    await shift(db, project_id, hours=hours // 25 * 2)
    fresh = again(api, "k", "/v1/events", EVENT | {"event": "other"})
    assert fresh.status_code == 200
    assert_replayed(fresh, again(api, "k", "/v1/events", EVENT | {"event": "other"}))
    assert await events(db, project_id) == 2


async def shift(db: Database, project_id: int, *, hours: int) -> None:
    """Move the keys of a project in time."""
    async with db.read() as conn:
        await conn.execute(
            "UPDATE idempotency_keys SET created_at = created_at + make_interval(hours => $2) WHERE project_id = $1",
            project_id,
            hours,
        )


async def test_the_worker_removes_keys_out_of_force_in_batches_and_no_others(
    api: Any, db: Database, project_id: int
) -> None:
    again(api, "kept", "/v1/events", EVENT)

    async def fill(conn: Connection) -> None:
        await conn.execute(
            "INSERT INTO idempotency_keys (project_id, app_id, key, fingerprint, status, answer, created_at) "
            "SELECT $1, 'app', n::text, '', 200, '', now() + (CASE n % 2 WHEN 0 THEN 1 ELSE -1 END) * interval '25 h' "
            "FROM generate_series(1, $2::integer) AS n",
            project_id,
            BATCH + 10,
        )

    await db.transaction(fill)
    tasks, left = ExpiredKeys(), []
    more = True
    while more:
        more = await tasks.remove(db)
        left.append(await promotions.rows(db, project_id, "idempotency_keys"))
    assert left[-1] == 1
    assert again(api, "kept", "/v1/events", EVENT).headers["idempotency-replayed"] == "true"


async def test_a_batch_of_removal_is_bounded(db: Database, project_id: int) -> None:
    async def fill(conn: Connection) -> None:
        await conn.execute(
            "INSERT INTO idempotency_keys (project_id, app_id, key, fingerprint, created_at) "
            "SELECT $1, 'app', n::text, '', now() - interval '25 h' FROM generate_series(1, 20) AS n",
            project_id,
        )
        assert await queries.remove_expired(conn, project_id, db.clock_offset, 7) == 7

    await db.transaction(fill)


async def test_erasing_a_customer_erases_the_answers_that_name_them_but_not_what_was_done(
    api: Any, db: Database, project_id: int
) -> None:
    ann = {"source_id": "ann-17", "email": "ann@example.com", "name": "Ann"}
    first = again(api, "k", "/v1/customers", ann)
    again(api, "order of ann@example.com", "/v1/customers", ann)
    other = again(api, "other", "/v1/customers", {"source_id": "bob"})

    async def work(conn: Connection) -> int:
        found = await find(conn, project_id, first.json()["id"])
        assert found is not None
        held = [row async for row in kept_answers.holding.gather(conn, project_id, found)]
        assert [row["idempotency_key"] for row in held] == ["k", "order of ann@example.com"]
        assert json.loads(held[0]["answer"])["email"] == "ann@example.com"
        return await kept_answers.holding.erase(conn, project_id, found)

    assert await db.transaction(work) == 2
    async with db.read() as conn:
        kept = await conn.fetch("SELECT * FROM idempotency_keys WHERE project_id = $1 ORDER BY key", project_id)
    assert [row["key"] for row in kept] == ["k", "other"]
    assert kept[0]["answer"] is None
    assert_refused(again(api, "k", "/v1/customers", ann), 410, "idempotency_answer_erased")
    assert_replayed(other, again(api, "other", "/v1/customers", {"source_id": "bob"}))


class World:
    """Something of each kind, and a valid request for each operation that makes or changes one."""

    def __init__(self, api: Any) -> None:
        self.customer = api.call("POST", "/v1/customers", {"source_id": "ann"})["id"]
        self.segment = api.call("POST", "/v1/segments", {"name": "S", "type": "static", "customers": []})["id"]
        self.campaign = make_campaign(api, quantity=None, vouchers_count=20)["id"]
        make_voucher(api, "CODE", redemption={"quantity": None})
        self.rule = promotions.make_rule(api, promotions.one_rule("redemption.count.per_customer", "$less_than", 99))
        self.redemptions = [promotions.redeem(api, "CODE")["redemptions"][0]["id"] for _ in range(3)]
        make_voucher(api, "TWO", redemption={"quantity": None})
        self.stacked = promotions.redeem(api, "CODE", "TWO")["parent_redemption"]["id"]
        self.order = api.call("POST", "/v1/orders", {"amount": 100, "customer": {"source_id": "ann"}})["id"]
        self.live = {
            "name": "L",
            "type": "auto-update",
            "filter": {"junction": "and", "name": {"conditions": {"$is": ["Ann"]}}},
        }

    def paths(self) -> dict[str, str]:
        """What stands for the parameters of paths, by the first part of the path."""
        return {
            "customers": self.customer, "segments": self.segment, "campaigns": self.campaign, "vouchers": "CODE",
            "orders": self.order, "validation-rules": self.rule, "redemptions": self.redemptions[0],
        }  # fmt: skip

    def bodies(self) -> dict[str, Any]:
        """Bodies by operation."""
        voucher = {"type": "DISCOUNT_VOUCHER", "discount": promotions.amount(100)}
        return {
            "create-customer": {"name": "Bob"},
            "update-customer": {"name": "Ann"},
            "create-order": {"amount": 5, "customer": {"source_id": "ann"}},
            "update-order": {"amount": 6},
            "track-custom-event": EVENT,
            "create-segment": self.live,
            "add-customers-to-segment": {"customers": [self.customer]},
            "create-distribution": {
                "name": "Welcome",
                "trigger": {"type": "customer.custom_event", "event": "seen"},
                "channel": "email",
                "message": {"subject": "Hello", "text": "Dear {{ customer.name }}!"},
            },
            "preview-segment": {"filter": self.live["filter"]},
            "create-campaign": {"name": "New", "type": "STATIC", "vouchers_count": 2, "voucher": voucher},
            "update-campaign": {"description": "new"},
            "add-vouchers-to-campaign": {},
            "add-voucher-with-specific-code-to-campaign": {},
            "generate-random-code": voucher,
            "create-voucher": voucher,
            "update-voucher": {"additional_info": "new"},
            "validate-stacked-discounts": stack("CODE"),
            "validate-voucher": {"customer": {"source_id": "ann"}},
            "redeem-stacked-discounts": stack("CODE"),
            "redeem-voucher": {"customer": {"source_id": "ann"}},
            "rollback-redemption": {},
            "rollback-stacked-redemptions": {},
            "create-publication": {"campaign": {"name": "Spring"}, "customer": {"source_id": "ann"}},
            "create-validation-rules": {"name": "R", "rules": promotions.one_rule("redemption.count.per_customer",
                                                                                  "$less_than", 9)},
            "update-validation-rule": {"name": "R2"},
            "create-validation-rule-assignment": {"related_object_type": "voucher", "related_object_id": "CODE"},
        }  # fmt: skip


def test_every_operation_that_makes_or_changes_something_can_be_repeated(api: Any) -> None:
    """Those of which a valid body is known here are done and replayed; the others at least answer alike."""
    world = World(api)
    bodies, named = world.bodies(), world.paths()
    done = set()
    for path, operations in api.get("/openapi.json").json()["paths"].items():
        for method in operations.keys() & {"post", "put"}:
            operation = operations[method]
            name = operation["operationId"]
            first_part = path.split("/")[2]
            # An operation of which we know no body is not let loose on the world: it might delete somebody.
            thing = named.get(first_part, "x") if name in bodies else "x"
            parts = [thing if part.startswith("{") else part for part in path.split("/")]
            if name == "rollback-stacked-redemptions":
                parts[3] = world.stacked
            if name in {"create-voucher", "add-voucher-with-specific-code-to-campaign"}:
                parts[-1] = name
            body = bodies.get(name, {})
            first, second = (again(api, f"k {name}", "/".join(parts), body, method=method.upper()) for _ in range(2))
            assert first.status_code < 500, (name, first.text)
            if first.status_code < 400:
                assert_replayed(first, second)
                done.add(name)
            else:
                assert second.status_code == first.status_code, (name, first.text, second.text)
                assert second.json()["key"] == first.json()["key"]
    assert bodies.keys() - done == set()
