"""Many orders override one product at a moment: there is one product, no order is lost, and nobody waits for nobody."""

import asyncio
from collections import Counter
from typing import Any

from catalogue import PRODUCTS, make_product
from harness import Server, async_client


async def place(server: Server, api: Any, bodies: list[Any]) -> Counter[int]:
    """Place orders at the same moment; return how often each status was answered."""
    headers = {name: api.headers[name] for name in ("X-App-Id", "X-App-Token")}
    async with async_client(server.base_url, headers) as client:
        answers = await asyncio.gather(*(client.post("/v1/orders", json=body) for body in bodies))
    return Counter(answer.status_code for answer in answers)


def item(number: int, name: str, **more: Any) -> dict[str, Any]:
    """An item that overrides a product and its SKU."""
    return {
        "quantity": 1,
        "related_object": "sku",
        "product": {"source_id": name, "override": True, "price": number + 1, "metadata": {f"k{number}": number}},
        "sku": {"source_id": f"{name}-s", "override": True, "sku": name, **more},
    }


async def test_sixty_orders_of_a_new_product_make_one(server: Server, api: Any) -> None:
    bodies = [{"customer": {"source_id": f"c{number}"}, "items": [item(number, "new")]} for number in range(60)]
    assert await place(server, api, bodies) == {200: 60}
    (product,) = api.call("GET", PRODUCTS)["products"]
    assert product["metadata"] == {f"k{number}": number for number in range(60)}
    assert product["price"] in range(1, 61)
    assert [sku["source_id"] for sku in product["skus"]["data"]] == ["new-s"]
    orders = [one for page in (1, 2, 3) for one in _page(api, page)]
    assert len(orders) == 60
    assert {one["items"][0]["product_id"] for one in orders} == {product["id"]}
    assert {one["items"][0]["sku_id"] for one in orders} == {product["skus"]["data"][0]["id"]}


def _page(api: Any, page: int) -> Any:
    return api.call("GET", "/v1/orders", params={"limit": "30", "page": str(page)})["orders"]


async def test_orders_that_name_the_same_products_in_other_orders_do_not_deadlock(server: Server, api: Any) -> None:
    names = [f"p{number}" for number in range(6)]
    for name in names[:3]:
        make_product(api, name)
    bodies = [
        {
            "customer": {"source_id": f"c{number % 5}"},
            "items": [item(number, name) for name in names[:: (-1) ** number]],
        }
        for number in range(40)
    ]
    assert await place(server, api, bodies) == {200: 40}
    found = api.call("GET", PRODUCTS)["products"]
    assert sorted(one["source_id"] for one in found) == names
    for one in found:
        assert one["metadata"] == {f"k{number}": number for number in range(40)}
        assert one["skus"]["total"] == 1


async def test_deletions_among_overrides_leave_the_catalogue_whole(server: Server, api: Any) -> None:
    headers = {name: api.headers[name] for name in ("X-App-Id", "X-App-Token")}
    async with async_client(server.base_url, headers) as client:
        bodies = [{"items": [item(number, "hot")]} for number in range(30)]
        answers = await asyncio.gather(
            *(client.post("/v1/orders", json=body) for body in bodies),
            *(client.delete(f"{PRODUCTS}/hot", params={"force": "true"}) for _ in range(10)),
            *(client.delete(f"{PRODUCTS}/hot/skus/hot-s") for _ in range(10)),
        )
    assert {answer.status_code for answer in answers[:30]} == {200}, Counter(one.status_code for one in answers)
    assert {answer.status_code for answer in answers[30:]} <= {204, 404}
    assert api.call("GET", PRODUCTS)["total"] <= 1


async def test_one_source_id_is_one_product_whoever_makes_it(server: Server, api: Any) -> None:
    headers = {name: api.headers[name] for name in ("X-App-Id", "X-App-Token")}
    async with async_client(server.base_url, headers) as client:
        answers = await asyncio.gather(
            *(client.post(PRODUCTS, json={"source_id": "x", "metadata": {f"m{n}": n}}) for n in range(30)),
            *(client.post("/v1/orders", json={"items": [item(n, "x")]}) for n in range(30)),
        )
    assert {answer.status_code for answer in answers} == {200}
    (product,) = api.call("GET", PRODUCTS)["products"]
    assert product["metadata"] == {f"{kind}{number}": number for kind in "mk" for number in range(30)}
