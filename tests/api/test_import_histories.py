"""Files of orders and events: CSV and newline-delimited JSON, row by row, and undone again."""

import asyncio
import json
from typing import Any

import pytest

import exports_world
import facts
import imports
from rapport.core.db import Database
from rapport.customers import queries as customers
from rapport.customers.writes import Writer
from rapport.imports.holding import holding
from rapport.imports.worker import steps
from rapport.segments.membership import SegmentDecider

BIG = facts.where("summary.orders.total_amount", "$more_than", 1_000)


def run(api: Any, kind: str, content: str, **options: str) -> Any:
    """Import a file of orders or events."""
    return imports.run(api, content, kind=kind, **options)


def summary(api: Any, customer: str) -> Any:
    """Return what a customer's orders come to."""
    return api.call("GET", f"/v1/customers/{customer}")["summary"]["orders"]


def reasons(api: Any, one: Any) -> list[list[str]]:
    """Return line, column and reason of each failed row."""
    return [row[:3] for row in imports.failures(api, one["id"])[1:]]


async def test_orders_come_in_and_count(api: Any, db: Database, project_id: int) -> None:
    segment_id = facts.new_segment(api, BIG)
    content = (
        "Source_id,Status,Amount,Discount amount,Created_at,Customer source_id,Customer email,channel,location_id\n"
        "o1,PAID,1200,200,2020-01-01,ann,ann@example.com,web,\n"
        "o2,FULFILLED,500,,2021-01-01T10:00:00Z,ann,,,oslo\n"
        "o3,CREATED,900,,2022-01-01,bob,,,\n"
        "o1,PAID,1200,200,2020-01-01,ann,,web,\n"
    )
    one = run(api, "orders", content)
    assert imports.counts(one) == (3, 0, 1, 0), imports.failures(api, one["id"])
    assert (one["type"], one["options"]["segment_events"]) == ("orders", False)
    order = api.call("GET", "/v1/orders/o1")
    assert (order["total_amount"], order["metadata"]) == (1_000, {"channel": "web"})
    assert order["created_at"] == "2020-01-01T00:00:00.000Z"
    ann = api.call("GET", "/v1/customers/ann")
    assert (ann["email"], ann["in_store"]["purchases"]) == ("ann@example.com", {"count": 1, "amount": 500})
    assert (summary(api, "ann")["total_count"], summary(api, "ann")["total_amount"]) == (2, 1_500)
    assert summary(api, "ann")["last_order_date"] == "2021-01-01T10:00:00.000Z"
    assert await facts.assert_exact(db, project_id, segment_id, BIG) == [ann["id"]]
    assert await facts.wrong_summaries(db, project_id) == []


@pytest.mark.parametrize(("heard", "reason"), [("false", "import"), ("true", None)])
async def test_history_is_marked_so_that_nobody_is_written_to(
    api: Any, db: Database, project_id: int, heard: str, reason: str | None
) -> None:
    facts.new_segment(api, BIG)
    run(api, "orders", "source_id,status,amount,customer_source_id\no1,PAID,2000,ann\n", segment_events=heard)
    run(api, "events", "event,customer_source_id\nseen,ann\n", segment_events=heard)
    async with db.read() as conn:
        rows = await conn.fetch("SELECT type, source FROM activity WHERE project_id = $1 ORDER BY seq", project_id)
    assert [(row["type"], row["source"].get("reason")) for row in rows] == [
        ("customer.created", "import"),
        ("customer.order.created", "import"),
        ("customer.order.paid", "import"),
        ("customer.segment.entered", reason),
        ("customer.custom_event", "import"),
    ]


def test_lines_that_follow_each_other_are_the_items_of_one_order(api: Any) -> None:
    content = (
        "source_id,status,customer_source_id,product_id,quantity,price\n"
        "o1,PAID,ann,p1,2,100\n,,,,,\no1,,,p2,1,50\no2,PAID,ann,p1,1,100\n"
    )
    one = run(api, "orders", content)
    assert imports.counts(one) == (3, 0, 0, 0), imports.failures(api, one["id"])
    order = api.call("GET", "/v1/orders/o1")
    assert [(item["product_id"], item["quantity"], item["amount"]) for item in order["items"]] == [
        ("p1", 2, 200),
        ("p2", 1, 50),
    ]
    assert (order["amount"], summary(api, "ann")["total_amount"]) == (250, 350)


def test_an_order_of_which_a_line_fails_fails_as_a_whole(api: Any) -> None:
    content = (
        "source_id,status,customer_source_id,product_id,quantity\n"
        "o1,PAID,ann,p1,2\no1,PAID,ann,p2,many\no2,PAID,ann,p1,1\n"
        'o2,PAID,ann,"p2,1\no2,PAID,ann,p3,1\no3,PAID,ann,p1,1\no3,CREATED,ann,p2,1\no4,PAID,ann,p1,1\n'
    )
    one = run(api, "orders", content)
    assert imports.counts(one) == (1, 0, 0, 7)
    assert reasons(api, one) == [
        ["2", "", "Line 3, which is about the same, failed"],
        ["3", "quantity", "The value should be a whole number"],
        ["4", "", "Line 5, which is about the same, failed"],
        ["5", "", 'A quote (") is opened in this row and not closed'],
        ["6", "", "Line 5, which is about the same, failed"],
        ["7", "", "Line 8, which is about the same, failed"],
        ["8", "status", "The lines before, which are about the same, say something else"],
    ]
    assert [order["source_id"] for order in api.call("GET", "/v1/orders")["orders"]] == ["o4"]


def test_an_order_with_more_lines_than_items_may_be_fails_and_the_next_does_not(api: Any) -> None:
    lines = "".join(f"big,p{number}\n" for number in range(1_201))
    one = run(api, "orders", f"source_id,product_id\no1,p\n{lines}o2,p\n")
    assert imports.counts(one) == (2, 0, 0, 1_201)
    assert api.call("GET", "/v1/orders")["total"] == 2


def test_every_broken_row_of_orders_is_explained(api: Any) -> None:
    content = (
        "source_id,id,status,amount,discount_amount,created_at,customer_id,customer_source_id,customer_email,items\n"
        "o1,,BOUGHT,1,,,,,,\n"
        "o2,,PAID,12.50,,,,,,\n"
        "o3,,PAID,1,2,,,,,\n"
        "o4,,PAID,1,,yesterday,,,,\n"
        "o5,,PAID,1,,,cust_nobody,,,\n"
        "o6,,PAID,1,,,,,x@example.com,\n"
        ",,PAID,1,,,,,,\n"
        ",ord_none,PAID,1,,,,,,\n"
        'o7,,PAID,1,,,,,,"{""a"": 1}"\n'
        "o8,,PAID,1,,,,,,[\n"
        "o9,,PAID,1,,,,s9,,,\n"
        "o9,,PAID,1,,,,s9,,,too much\n"
    )
    one = run(api, "orders", content)
    assert imports.counts(one) == (1, 0, 0, 11)
    assert reasons(api, one) == [
        ["2", "status", "Property .status: Invalid enum value 'BOUGHT'"],
        ["3", "amount", "The value should be a whole number of minor units, as 1999 for 19.99"],
        ["4", "discount_amount", "Property .discount_amount is more than the order's amount"],
        ["5", "created_at", "Property .created_at should be a date-time in ISO 8601 format"],
        ["6", "customer_id", "There is no customer with the id cust_nobody"],
        ["7", "", "The customer has no id and no source_id"],
        ["8", "", "There is no source_id or id"],
        ["9", "", "Cannot find order with id ord_none"],
        ["10", "items", "Property .items should be array or null, is object"],
        ["11", "items", "The value should be a list written as JSON"],
        ["13", "", "The row has 11 cells, but the header names 10 columns"],
    ]
    assert api.call("GET", "/v1/customers")["total"] == 1


@pytest.mark.parametrize(
    ("header", "reason"),
    [("status,amount", "There is no column source_id or id"), ("source_id,items,quantity", "Items are either")],
)
def test_a_header_of_no_use_refuses_the_file(api: Any, header: str, reason: str) -> None:
    one = run(api, "orders", f"{header}\n1,2,3\n")
    assert (one["state"], one["message"].startswith(reason)) == ("FAILED", True), one["message"]


async def test_orders_are_undone_as_if_they_had_not_been(api: Any, db: Database, project_id: int) -> None:
    old = {"source_id": "old", "status": "PAID", "amount": 2_000, "metadata": {"a": 1}, "created_at": "2019-01-01"}
    api.call("POST", "/v1/orders", {**old, "customer": {"source_id": "ann"}, "location": {"id": "oslo"}})
    before = api.call("GET", "/v1/customers/ann"), api.call("GET", "/v1/orders/old")
    segment_id = facts.new_segment(api, BIG)
    content = (
        "source_id,status,amount,created_at,customer_source_id,customer_name,a,location_id\n"
        "old,PAID,500,2018-01-01,ann,Ann,x,\nnew,PAID,5000,2022-01-01,ann,,,bergen\nold,PAID,700,,,,,\n"
        "bob1,PAID,9000,,bob,Bob,,\nbob2,PAID,9000,,bob,,,\ncid1,PAID,9000,,cid,,,\n"
    )
    one = run(api, "orders", content)
    assert imports.counts(one) == (4, 2, 0, 0), imports.failures(api, one["id"])
    assert len(await facts.assert_exact(db, project_id, segment_id, BIG)) == 3
    api.call("PUT", "/v1/customers/cid", {"name": "Cid"})
    undone = imports.undo(api, one["id"])["undo"]
    assert {name: undone[name] for name in ("deleted", "restored", "partly", "kept", "gone")} == {
        "deleted": 5,
        "restored": 2,
        "partly": 0,
        "kept": 1,
        "gone": 0,
    }
    ann, order = api.call("GET", "/v1/customers/ann"), api.call("GET", "/v1/orders/old")
    assert order == before[1]
    assert {**ann, "updated_at": 0} == {**before[0], "updated_at": 0}
    assert [one["source_id"] for one in api.call("GET", "/v1/customers")["customers"]] == ["cid", "ann"]
    assert summary(api, "cid")["total_count"] == 0
    assert len(await facts.assert_exact(db, project_id, segment_id, BIG)) == 1
    assert await facts.wrong_summaries(db, project_id) == []
    assert (await facts.log_types(db, project_id)).count("customer.order.deleted") == 4


def test_what_has_changed_since_is_kept_when_orders_are_undone(api: Any) -> None:
    for name in ("a", "b"):
        api.call("POST", "/v1/orders", {"source_id": name, "amount": 10, "status": "PAID", "metadata": {"k": "old"}})
    one = run(api, "orders", "source_id,amount,k\na,20,new\nb,20,new\nc,20,new\n")
    ids = {name: api.call("GET", f"/v1/orders/{name}")["id"] for name in "abc"}
    for name in ("a", "c"):
        api.call("PUT", f"/v1/orders/{name}", {"amount": 30})
    imports.undo(api, one["id"])
    orders = {name: api.call("GET", f"/v1/orders/{name}") for name in "abc"}
    assert {name: (order["amount"], order["metadata"]["k"]) for name, order in orders.items()} == {
        "a": (30, "old"),
        "b": (10, "old"),
        "c": (30, "new"),
    }
    report = sorted(api.get(f"/v1/imports/{one['id']}/undo").text.splitlines()[1:])
    assert report == sorted(
        [
            f"{ids['a']},PARTLY,Changed since: amount",
            f"{ids['c']},KEPT,The order has changed since the import made it",
        ]
    )


async def test_lines_of_json_are_orders_as_a_request_has_them(api: Any, db: Database, project_id: int) -> None:
    api.call("POST", "/v1/customers", {"source_id": "ann"})
    content = (
        '{"source_id": "o1", "amount": 5, "status": "PAID", "customer_id": "ann", "metadata": {"n": 1.50}}\n'
        "\n"
        '{"source_id": "o2", "amount": "5"}\n'
        "not json\n"
        '{"source_id": "o3", "items": [{"product_id": "p", "quantity": 2, "price": 7}]}\r\n'
        '{"source_id": "o4", "customer": {"email": "x@example.com"}}'
    )
    one = run(api, "orders", content)
    assert imports.counts(one) == (2, 0, 0, 3)
    assert [row[:1] + row[2:] for row in imports.failures(api, one["id"])] == [
        ["import_line", "import_reason", "json"],
        ["3", "Property .amount should be integer or null, is string", '{"source_id": "o2", "amount": "5"}'],
        ["4", "Body is not valid JSON: JSON is malformed: invalid character (byte 4)", "not json"],
        ["6", "The customer has no id and no source_id", '{"source_id": "o4", "customer": {"email": "x@example.com"}}'],
    ]
    assert api.call("GET", "/v1/orders/o1")["metadata"] == {"n": 1.5}
    assert api.call("GET", "/v1/orders/o3")["amount"] == 14
    assert await facts.wrong_summaries(db, project_id) == []


def test_customers_are_csv_whatever_the_file_begins_with(api: Any) -> None:
    answer = imports.send(api, "source_id\na\n", status=400, format="ndjson")
    assert answer["details"] == "Option format: files of customers are CSV"


async def test_events_come_in_once_and_are_undone(api: Any, db: Database, project_id: int) -> None:
    api.call("POST", "/v1/events", {"event": "seen", "customer": {"source_id": "ann"}, "location": {"id": "oslo"}})
    before = api.call("GET", "/v1/customers/ann")
    definition = facts.where("events.seen.count", "$more_than", 1)
    segment_id = facts.new_segment(api, definition)
    content = (
        "event,id,customer_source_id,customer_name,created_at,page,location_id\n"
        "seen,e1,ann,,2020-01-01,home,bergen\nseen,e2,ann,,2020-01-02T10:00:00Z,,\nseen,e1,ann,,2020-01-01,home,\n"
        "bought,e1,bob,Bob,2020-01-01,,\n"
    )
    one = run(api, "events", content)
    assert imports.counts(one) == (3, 0, 1, 0), imports.failures(api, one["id"])
    ann = api.call("GET", "/v1/customers/ann")
    assert (ann["events"]["seen"]["count"], ann["events"]["seen"]["first_at"]) == (3, "2020-01-01T00:00:00.000Z")
    assert sorted(ann["in_store"]["locations"]) == ["bergen", "oslo"]
    assert await facts.assert_exact(db, project_id, segment_id, definition) == [ann["id"]]
    assert imports.counts(run(api, "events", content)) == (0, 0, 4, 0)
    undone = imports.undo(api, one["id"])["undo"]
    assert (undone["deleted"], undone["kept"], undone["gone"]) == (4, 0, 0)
    found = api.call("GET", "/v1/customers/ann")
    assert {**found, "updated_at": 0} == {**before, "updated_at": 0}
    assert api.call("GET", "/v1/customers")["total"] == 1
    assert await facts.assert_exact(db, project_id, segment_id, definition) == []
    assert (await facts.log_types(db, project_id)).count("customer.custom_event.deleted") == 3


def test_every_broken_row_of_events_is_explained(api: Any) -> None:
    content = (
        "event,id,customer_source_id,customer_id,customer_email,created_at,location_name\n"
        ",e,ann,,,,\nseen,e,,,x@example.com,,\nseen,e,,cust_no,,,\nseen,e,ann,,,2020-13-01,\n"
        "seen,e,ann,,,2999-01-01,\nseen,e,ann,,,1969-01-01,\nseen,e,ann,,,,Oslo\nseen,e,ann,,,2020-01-01,\n"
    )
    one = run(api, "events", content)
    assert imports.counts(one) == (1, 0, 0, 7)
    assert reasons(api, one) == [
        ["2", "", "There is no event"],
        ["3", "", "There is no customer_source_id or customer_id"],
        ["4", "customer_id", "There is no customer with the id cust_no"],
        ["5", "created_at", "Property .created_at should be a date-time in ISO 8601 format"],
        ["6", "created_at", "The event is in the future"],
        ["7", "created_at", "Property .created_at should not be before 1970"],
        ["8", "", "Property .location should have id or source_id"],
    ]


def test_lines_of_json_are_events_as_a_request_has_them(api: Any) -> None:
    line = (
        '{"event": "seen", "id": "e%d", "customer": {"source_id": "ann"}, "created_at": "2020-01-01", "metadata": {}}'
    )
    content = "".join(line % number + "\n" for number in (1, 2, 2)) + '{"event": "seen"}\n'
    one = run(api, "events", content, format="ndjson")
    assert imports.counts(one) == (2, 0, 1, 1)
    assert reasons(api, one) == [["4", "", "Missing required property .customer"]]


@pytest.mark.parametrize("kind", ["orders", "events"])
async def test_a_dry_run_writes_nothing(api: Any, db: Database, project_id: int, kind: str) -> None:
    columns = {"orders": "source_id,amount,customer_source_id", "events": "event,id,customer_source_id"}[kind]
    one = run(api, kind, f"{columns}\na,1,ann\nb,x,ann\n", dry_run="true")
    assert one["created"] in {1, 2}
    assert await facts.counts(db, project_id) == {}


def test_exported_customers_come_back_as_they_were(api: Any) -> None:
    formula = {
        "source_id": "ann",
        "name": "=1+2",
        "email": "ann@example.com",
        "phone": "+48 600",
        "birthdate": "1990-02-03",
    }
    metadata = {"n": 5, "f": 1.5, "yes": True, "list": ["a", "b"], "text": "-x", "blank": " b "}
    api.call("POST", "/v1/customers", {**formula, "address": {"city": "@home"}, "metadata": metadata})
    api.call("POST", "/v1/orders", {"customer": {"source_id": "ann"}, "amount": 5, "status": "PAID"})
    before = api.call("GET", "/v1/customers/ann")
    fields = ["id", "source_id", "name", "email", "phone", "birthday", "created_at", "updated_at", "address_city"]
    fields += ["orders_total_count", "orders_last_order_date", "redemptions_total_redeemed", "loyalty_points"]
    content = exports_world.file_of(api, "customer", fields=[*fields, "metadata"])
    one = imports.run(api, content)
    assert imports.counts(one) == (0, 0, 1, 0), imports.failures(api, one["id"])
    assert api.call("GET", "/v1/customers/ann") == before


def test_exported_orders_come_back_as_they_were(api: Any) -> None:
    order = {"source_id": "=o1", "amount": 100, "discount_amount": 5, "status": "PAID", "created_at": "2020-01-01"}
    items = [{"product_id": "p", "quantity": 1, "price": 100, "discount_amount": 3}]
    people = {"customer": {"source_id": "ann"}, "referrer": {"source_id": "bob"}}
    api.call("POST", "/v1/orders", {**order, **people, "items": items, "metadata": {"n": 5, "t": "+a"}})
    before = [api.call("GET", f"/v1/{name}") for name in ("orders", "customers")]
    amounts = ["amount", "discount_amount", "items_discount_amount", "total_discount_amount", "total_amount"]
    fields = ["id", "source_id", "created_at", "updated_at", "status", *amounts, "customer_id", "referrer_id"]
    content = exports_world.file_of(api, "order", fields=[*fields, "metadata"])
    one = run(api, "orders", content.decode())
    assert imports.counts(one) == (0, 0, 1, 0), imports.failures(api, one["id"])
    assert [api.call("GET", f"/v1/{name}") for name in ("orders", "customers")] == before
    without_id = exports_world.file_of(api, "order", fields=[*fields[1:], "metadata"])
    assert imports.counts(run(api, "orders", without_id.decode())) == (0, 0, 1, 0)


def test_exported_events_come_back_once(api: Any) -> None:
    for page in ("=home", "cart"):
        api.call("POST", "/v1/events", {"event": "seen", "customer": {"source_id": "ann"}, "metadata": {"page": page}})
    content = exports_world.file_of(
        api, "event", fields=["id", "type", "customer_id", "created_at", "metadata"]
    ).decode()
    assert imports.counts(run(api, "events", content)) == (0, 0, 2, 0)
    fields = ["type", "created_at", "customer_source_id", "metadata.page"]
    other = exports_world.file_of(api, "event", fields=fields).decode()
    assert imports.counts(run(api, "events", other.replace("ann", "bob"))) == (2, 0, 0, 0)
    shown = api.call("GET", "/v1/customers/bob/events")["data"]
    assert sorted(event["metadata"]["page"] for event in shown) == ["=home", "cart"]


async def test_what_an_import_did_to_orders_and_events_goes_with_a_person(
    api: Any, db: Database, project_id: int
) -> None:
    api.call("POST", "/v1/orders", {"source_id": "o1", "customer": {"source_id": "ann"}, "metadata": {"gift": "Ann"}})
    api.call("POST", "/v1/customers", {"source_id": "bob"})
    ann = api.call("GET", "/v1/customers/ann")["id"]
    orders = run(
        api, "orders", '{"source_id": "o1", "metadata": {"gift": "Bob"}}\n{"amount": "x", "source_id": "ann"}\n'
    )
    assert imports.counts(orders) == (0, 1, 0, 1)
    events = run(api, "events", "event,customer_source_id\nseen,ann\nseen,bob\n")
    async with db.read() as conn:
        person = await customers.get(conn, project_id, "ann")
        found = [row async for row in holding.gather(conn, project_id, person)]
    assert [row["object"] for row in found] == ["import_failure", "import_change", "import_change"]
    assert await db.transaction(lambda conn: holding.erase(conn, project_id, person)) >= 3
    async with db.read() as conn:
        for table in ("import_failures", "import_changes"):
            dump = await conn.fetchval(
                f"SELECT string_agg(t::text, '') FROM {table} AS t WHERE project_id = $1", project_id
            )
            assert not any(text in (dump or "") for text in (ann, "Ann", '"ann"')), table
    assert imports.undo(api, events["id"])["undo"]["deleted"] == 1


async def test_several_workers_apply_each_row_of_a_history_once(api: Any, db: Database, project_id: int) -> None:
    segment_id = facts.new_segment(api, BIG)
    orders = "source_id,status,customer_source_id,product_id,price\n" + "".join(
        f"o{number // 3},PAID,s{number // 3 % 40},p{number % 3},100\n" for number in range(1_800)
    )
    events = "event,customer_source_id,created_at\n" + "".join(
        f"e,s{number % 40},2020-01-01\n" for number in range(800)
    )
    ids = [
        imports.send(api, content, kind=kind)["async_action_id"]
        for kind, content in (("orders", orders), ("events", events))
    ]
    workers = [steps(Writer(db, SegmentDecider())) for _ in range(3)]
    while not all(imports.is_over(api, one) for one in ids):
        await asyncio.gather(*(worker.run(db) for worker in workers))
    assert [imports.counts(imports.find(api, one)) for one in ids] == [(1_800, 0, 0, 0), (800, 0, 0, 0)]
    assert await facts.wrong_summaries(db, project_id) == []
    assert summary(api, "s1")["total_amount"] == 15 * 300
    assert api.call("GET", "/v1/customers/s1")["events"]["e"]["count"] == 20
    assert len(await facts.assert_exact(db, project_id, segment_id, BIG)) == 40


def test_customers_are_found_by_whatever_name_they_have(api: Any) -> None:
    ids = {name: api.call("POST", "/v1/customers", {"source_id": name})["id"] for name in ("ann", "bob")}
    api.call("POST", f"/v1/customers/{ids['ann']}/merge", {"source": ids["bob"]})
    named = [{"id": "ann"}, {"id": ids["ann"], "name": "Ann"}, {"source_id": "bob"}, {"id": ids["bob"]}]
    named += [{"source_id": "ann"}, {"source_id": "new"}, {"source_id": "new"}]
    lines = "".join(
        f'{{"source_id": "o{number}", "amount": 1, "status": "PAID", "customer": {json.dumps(one)}}}\n'
        for number, one in enumerate(named)
    )
    assert imports.counts(run(api, "orders", lines)) == (7, 0, 0, 0)
    assert (summary(api, "ann")["total_count"], summary(api, "new")["total_count"]) == (5, 2)
    assert api.call("GET", "/v1/customers")["total"] == 2
    assert api.call("GET", "/v1/customers/ann")["name"] == "Ann"
