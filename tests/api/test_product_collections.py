"""Collections of products through the API, and what others ask about them."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from catalogue import COLLECTIONS, PRODUCTS, items_of, make_collection, make_filter, make_product, make_sku
from harness import Server
from management import managed
from rapport.activity.log import Source
from rapport.core.db import Database
from rapport.http.caller import Caller
from rapport.product_collections.queries import collections_of
from rapport.projects.actions import create_key
from rapport.projects.models import NewKey
from rapport.rules.actions import create, update
from rapport.rules.schemas import ValidationRuleInput, ValidationRuleUpdate


def test_a_static_collection_has_what_it_was_given(api: Any) -> None:
    phone, book, sku = make_product(api), make_product(api, "book"), make_sku(api)
    wanted = [
        {"id": sku["id"], "product_id": phone["id"], "object": "sku"},
        {"id": book["id"], "object": "product"},
        {"id": book["id"], "object": "product"},
    ]
    made = make_collection(api, "Static", products=wanted)
    assert made["id"].startswith("pc_")
    assert {name: made[name] for name in made if name not in ("id", "created_at")} == {
        "name": "Static", "type": "STATIC", "products": wanted[:2], "object": "products_collection",
    }  # fmt: skip
    assert api.call("GET", f"{COLLECTIONS}/{made['id']}") == made
    listed = api.call("GET", COLLECTIONS)
    assert (listed["data_ref"], listed["data"], listed["total"]) == ("data", [made], 1)
    assert items_of(api, made["id"], order="created_at") == ["book", "phone-s"]
    (_, shown) = api.call("GET", f"{COLLECTIONS}/{made['id']}/products", params={"order": "created_at"})["data"]
    # The SDK has one class for both kinds, in which attributes are a list.
    assert sku.pop("attributes") == {}
    assert shown == {**sku, "product": phone}
    renamed = api.call("PUT", f"{COLLECTIONS}/{made['id']}", {"name": "New"})
    assert (renamed["name"], renamed["products"]) == ("New", wanted[:2])
    assert renamed["updated_at"] is not None


def test_what_is_in_the_bin_is_in_no_collection(api: Any) -> None:
    phone, sku = make_product(api), make_sku(api)
    wanted = [{"id": phone["id"], "object": "product"}, {"id": sku["id"], "object": "sku"}]
    static = make_collection(api, "Static", products=wanted)["id"]
    auto = make_collection(api, "Auto", filter=make_filter("source_id", "$starts_with", "phone"))["id"]
    assert sorted(items_of(api, static)) == sorted(items_of(api, auto)) == ["phone", "phone-s"]
    api.call("DELETE", f"{PRODUCTS}/phone", status=204)
    assert items_of(api, static) == items_of(api, auto) == []
    assert api.call("GET", f"{COLLECTIONS}/{static}")["products"] == []
    (entry,) = api.call("GET", "/v1/trash-bin")["data"]
    api.call("POST", f"/v1/trash-bin/{entry['id']}/restore", status=204)
    assert len(api.call("GET", f"{COLLECTIONS}/{static}")["products"]) == 2
    api.call("DELETE", f"{PRODUCTS}/phone", status=204, params={"force": "true"})
    assert api.call("GET", f"{COLLECTIONS}/{static}")["products"] == []


def test_an_auto_update_collection_has_what_its_filter_holds_for(api: Any) -> None:
    make_product(api, name="Samsung Phone", price=200_000, metadata={"brand": "Samsung"}, attributes=["color"])
    make_product(api, "book", name="Comic", price=900, metadata={"brand": ["Marvel", "DC"]})
    make_product(api, "bare")
    make_sku(api, sku="Phone S", price=150_000, attributes={"color": "blue"})
    for made, expected in (
        (make_filter("price", "$more_than", 1000), ["phone", "phone-s"]),
        (make_filter("price", "$is_unknown", ""), ["bare"]),
        (make_filter("metadata.brand", "$is", "DC"), ["book"]),
        (make_filter("metadata.brand", "$is_not", "DC"), ["bare", "phone", "phone-s"]),
        (make_filter("name", "$contains", "Phone"), ["phone", "phone-s"]),
        (make_filter("object", "$is", "sku"), ["phone-s"]),
        (make_filter("attributes", "$is", "color"), ["phone"]),
        (make_filter("attributes.color", "$is", "blue"), ["phone-s"]),
        (make_filter("skus", "$count", 1), ["phone"]),
        (make_filter("skus", "$is", "phone-s"), ["phone"]),
        (make_filter("product_id", "$has_value", ""), ["phone-s"]),
        (make_filter("created_at", "$less_than_ago", 1), ["bare", "book", "phone", "phone-s"]),
        (
            {**make_filter("name", "$is", "Comic"), "junction": "OR",
             "groups": [make_filter("source_id", "$is", "bare")]},
            ["bare", "book"],
        ),
    ):  # fmt: skip
        collection = make_collection(api, str(made), filter=made)
        assert collection["filter"] == {**made, "junction": made["junction"].lower()}
        assert sorted(items_of(api, collection["id"])) == expected, made
    changed = api.call("PUT", f"{COLLECTIONS}/{collection['id']}", {"filter": make_filter("price", "$is", 900)})
    assert changed["filter"] == make_filter("price", "$is", 900)
    assert items_of(api, collection["id"]) == ["book"]
    make_product(api, "new", price=900)
    assert items_of(api, collection["id"]) == ["new", "book"]
    first = api.call("GET", f"{COLLECTIONS}/{collection['id']}/products", params={"limit": "1"})
    assert (first["total"], first["has_more"]) == (2, True)
    after = first["data"][0]["created_at"]
    assert items_of(api, collection["id"], starting_after=after) == ["book"]
    assert items_of(api, collection["id"], limit="1", page="2") == ["book"]


@pytest.mark.parametrize(
    ("made", "place"),
    [
        ({}, "'AUTO_UPDATE' collection must contain valid filter with 'junction' property"),
        ({"price": {"conditions": {"$is": [1]}}}, "'AUTO_UPDATE' collection must contain valid filter"),
        ({"junction": "xor"}, "Property .filter has wrong `junction` property. It must be one of: and, or"),
        ({"junction": "and"}, "filter: has no conditions"),
        (make_filter("email", "$is", "x"), "filter.email: unknown field"),
        (make_filter("price", "$is", "x"), "filter.price.conditions.$is: "),
        (make_filter("price", "$in_location", "x"), "filter.price.conditions.$in_location: unknown operator"),
        (make_filter("metadata.", "$is", "x"), "filter.metadata.: unknown field"),
        (make_filter("metadata.a", "$is", *range(1001)), "filter.metadata.a.conditions.$is: has more than 1000"),
        (make_filter("metadata.a", "$is", "x" * 70_000), "Property .filter is longer than"),
        (make_filter("segments", "$is", "seg_1"), "filter.segments: unknown field"),
    ],
)
def test_a_bad_filter_is_refused_with_its_place(api: Any, made: Any, place: str) -> None:
    body = {"type": "AUTO_UPDATE", "name": "Bad", "filter": made}
    error = api.fails("POST", COLLECTIONS, body, status=400, key="invalid_payload")
    assert error["details"].startswith(place)
    good = make_collection(api, "Good", filter=make_filter("price", "$is", 1))
    api.fails("PUT", f"{COLLECTIONS}/{good['id']}", {"filter": made}, status=400, key="invalid_payload")
    assert [one["filter"] for one in api.call("GET", COLLECTIONS)["data"]] == [good["filter"]]


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"name": "x"}, 400, "invalid_payload"),
        ({"type": "STATIC"}, 400, "invalid_payload"),
        ({"type": "passive", "name": "x"}, 400, "invalid_payload"),
        ({"type": "AUTO_UPDATE", "name": "x"}, 400, "invalid_payload"),
        ({"type": "STATIC", "name": ""}, 400, "invalid_payload"),
        ({"type": "STATIC", "name": 5}, 400, "invalid_payload"),
        ({"type": "STATIC", "name": "x", "filter": make_filter("price", "$is", 1)}, 400, "invalid_payload"),
        ({"type": "STATIC", "name": "x", "products": [{"id": "prod_1"}]}, 400, "invalid_payload"),
        ({"type": "STATIC", "name": "x", "products": [{"id": "prod_1", "object": "product"}]}, 404, "not_found"),
        ({"type": "STATIC", "name": "taken"}, 409, "duplicate_found"),
    ],
)
def test_a_bad_collection_is_refused_whole(api: Any, body: Any, status: int, error: str) -> None:
    make_collection(api, "taken", products=[])
    api.fails("POST", COLLECTIONS, body, status=status, key=error)
    assert api.call("GET", COLLECTIONS)["total"] == 1


def test_products_and_skus_are_not_mistaken_for_each_other(api: Any) -> None:
    phone, book, sku = make_product(api), make_product(api, "book"), make_sku(api)
    for wanted, status, key in (
        ({"id": sku["id"], "object": "product"}, 404, "not_found"),
        ({"id": phone["id"], "object": "sku"}, 404, "not_found"),
        ({"id": sku["id"], "object": "sku", "product_id": book["id"]}, 400, "invalid_payload"),
    ):
        body = {"type": "STATIC", "name": "x", "products": [wanted]}
        api.fails("POST", COLLECTIONS, body, status=status, key=key)
    assert api.call("GET", COLLECTIONS)["total"] == 0


def test_a_collection_is_changed_only_as_its_kind_may_be(api: Any) -> None:
    static = make_collection(api, "Static", products=[])["id"]
    auto = make_collection(api, "Auto", filter=make_filter("price", "$is", 1))["id"]
    path = f"{COLLECTIONS}/{static}"
    api.fails("PUT", path, {"filter": make_filter("price", "$is", 1)}, status=400, key="invalid_payload")
    api.fails("PUT", path, {"products": []}, status=400, key="invalid_payload")
    api.fails("PUT", path, {"name": "Auto"}, status=409, key="duplicate_found")
    api.fails("PUT", f"{COLLECTIONS}/{auto}", {"name": 5}, status=400, key="invalid_payload")
    for method in ("GET", "PUT", "DELETE"):
        error = api.fails(
            method, f"{COLLECTIONS}/pc_none", {} if method == "PUT" else None, status=404, key="not_found"
        )
        assert (error["resource_id"], error["resource_type"]) == ("pc_none", "products_collection")
    api.call("DELETE", path, status=204)
    api.fails("GET", f"{path}/products", status=404, key="not_found")
    assert [one["name"] for one in api.call("GET", COLLECTIONS)["data"]] == ["Auto"]


async def test_others_are_told_which_collections_have_what_in_one_statement(
    api: Any, db: Database, project_id: int
) -> None:
    phone = make_product(api, price=5, metadata={"ratio": 0.1})
    book, gone = make_product(api, "book"), make_product(api, "gone", price=5)
    sku = make_sku(api, price=5)
    static = make_collection(
        api, "Static", products=[{"id": book["id"], "object": "product"}, {"id": sku["id"], "object": "sku"}]
    )
    auto = make_collection(api, "Auto", filter=make_filter("price", "$is", 5))
    exact = make_collection(api, "Exact", filter=make_filter("metadata.ratio", "$is", 0.1))
    other = make_collection(api, "Other", filter=make_filter("price", "$is_unknown", ""))
    api.call("DELETE", f"{PRODUCTS}/gone", status=204)
    other_key = await create_key(db, f"other {phone['id']}", "server")
    asked: list[str] = []
    async with db.read() as conn:
        conn.add_query_logger(note := lambda record: asked.append(record.query))
        found = await collections_of(
            conn,
            project_id,
            [phone["id"], book["id"], gone["id"], "prod_none"],
            {sku["id"]},
            [static["id"], auto["id"], exact["id"], "pc_none"],
        )
        await asyncio.sleep(0)  # the logger is called soon
        conn.remove_query_logger(note)
        assert len(asked) == 1
        assert found == {
            phone["id"]: {auto["id"], exact["id"]},
            book["id"]: {static["id"]},
            gone["id"]: frozenset(),
            "prod_none": frozenset(),
            sku["id"]: {static["id"], auto["id"]},
        }
        assert other["id"] not in set().union(*found.values())
        assert await collections_of(conn, project_id, [], [], [auto["id"]]) == {}
        assert await collections_of(conn, project_id, [phone["id"]], [], []) == {phone["id"]: frozenset()}
        other_id = await conn.fetchval("SELECT project_id FROM projects WHERE id = $1", other_key.project_id)
        assert await collections_of(conn, other_id, [phone["id"]], [], [auto["id"]]) == {phone["id"]: frozenset()}


async def test_operands_are_as_the_schema_of_products_has_them(
    api: Any, server: Server, db: Database, key: NewKey
) -> None:
    async with managed(server, db, key.project) as management:
        management.define("product", {"weight": "number", "season": "date"})
    make_product(api, metadata={"weight": 5, "season": "2026-01-31"})
    made = make_collection(api, "Heavy", filter=make_filter("metadata.weight", "$more_than", "4.5"))
    assert made["filter"] == make_filter("metadata.weight", "$more_than", 4.5)
    assert items_of(api, made["id"]) == ["phone"]
    for bad, details in (
        (make_filter("metadata.weight", "$contains", "4"), "does not apply to metadata of type number"),
        (make_filter("metadata.season", "$is", "soon"), "takes a date"),
    ):
        body = {"type": "AUTO_UPDATE", "name": "Bad", "filter": bad}
        assert details in api.fails("POST", COLLECTIONS, body, status=400, key="invalid_payload")["details"]


class Slow:
    """Takes the place of a database: waits before it commits until what was asked meanwhile is seen to wait, too."""

    def __init__(self, db: Database, meanwhile: Callable[[], Any]) -> None:
        self.clock_offset = db.clock_offset
        self.read = db.read
        self.asked: asyncio.Task[Any] | None = None
        self._db, self._meanwhile = db, meanwhile

    async def transaction(self, work: Any) -> Any:
        """Run a transaction."""

        async def slow(conn: Any) -> Any:
            done = await work(conn)
            self.asked = asyncio.create_task(asyncio.to_thread(self._meanwhile))
            await asyncio.sleep(0.5)
            assert not self.asked.done()
            return done

        return await self._db.transaction(slow)


async def test_a_collection_that_a_rule_begins_to_name_is_not_deleted(api: Any, db: Database, project_id: int) -> None:
    one, other = (make_collection(api, name, filter=make_filter("price", "$is", 1))["id"] for name in ("One", "Other"))

    def delete(collection_id: str) -> Callable[[], Any]:
        path = f"{COLLECTIONS}/{collection_id}"
        return lambda: api.fails("DELETE", path, status=400, key="resource_in_use")

    def named(collection_id: str) -> dict[str, Any]:
        return {"included": [{"object": "products_collection", "id": collection_id}]}

    slow = Slow(db, delete(one))
    caller = Caller(project_id, slow, "v-1", Source("API"))  # type: ignore[arg-type]
    made = await create(caller, msgspec.convert({"name": "R", "applicable_to": named(one)}, ValidationRuleInput))
    assert slow.asked is not None
    assert made.id in (await slow.asked)["details"]
    slow = Slow(db, delete(other))
    caller = Caller(project_id, slow, "v-1", Source("API"))  # type: ignore[arg-type]
    await update(caller, made.id, msgspec.convert({"applicable_to": named(other)}, ValidationRuleUpdate))
    assert slow.asked is not None
    assert made.id in (await slow.asked)["details"]
    api.call("DELETE", f"{COLLECTIONS}/{one}", status=204)
