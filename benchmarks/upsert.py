"""Customer upsert over HTTP against pgbench with the same statements."""

import json
import random
from collections.abc import Iterator
from typing import Any

from benchmarks import load
from benchmarks.pgbench import Expression, Script
from benchmarks.recording import record
from rapport.activity.log import Internal
from rapport.core import jsons
from rapport.customers.schemas import CustomerInput
from rapport.customers.writes import Writer

CUSTOMERS = 5_000


def body(key: str, draw: random.Random) -> dict[str, Any]:
    """Return a customer as a shop would send it."""
    return {
        "source_id": key,
        "name": f"Name {draw.random()}",
        "email": f"{key}@example.com",
        "address": {"city": "Warsaw", "country": "Poland"},
        "metadata": {"tier": draw.choice(["bronze", "silver", "gold"]), "visits": draw.randrange(1000)},
    }


def requests(headers: dict[str, str], number: int, *, new: bool) -> Iterator[bytes]:
    """Yield upserts of known customers at random, or of new ones."""
    draw = random.Random(number)
    while True:
        key = f"new-{draw.randrange(10**15)}" if new else f"bench-{draw.randrange(CUSTOMERS)}"
        yield load.request("POST", "/v1/customers", headers, json.dumps(body(key, draw)).encode())


def fill(headers: dict[str, str]) -> Iterator[bytes]:
    """Yield the customers that the updates go to."""
    draw = random.Random(0)
    for number in range(CUSTOMERS):
        raw = json.dumps(body(f"bench-{number}", draw)).encode()
        yield load.request("POST", "/v1/customers", headers, raw)


def as_input(raw: dict[str, Any]) -> CustomerInput:
    """Return the body of a request as a handler reads it."""
    read: CustomerInput = jsons.decoder(CustomerInput).decode(jsons.encode(raw))
    return read


async def script(url: str, project_id: int, *, new: bool) -> Script:
    """Return one upsert as pgbench runs it."""
    draw = random.Random(1)
    ids, bodies = [], []

    async def upsert(writer: Writer, signature: Internal) -> None:
        bodies.append(body(f"recorded-{draw.random()}" if new else "bench-1", draw))
        done = await writer.commit(signature, lambda unit: unit.upsert(as_input(bodies[-1])))
        ids.append(done[0].id)

    (statements,) = await record(url, project_id, upsert)
    made = Script()
    made.set(r"\set k random(1, 1000000000000000)" if new else rf"\set k random(0, {CUSTOMERS - 1})")
    key = Expression("'pgbench-' || :k" if new else "'bench-' || :k")
    customer = Expression("'cust_' || :k" if new else ":c_id")
    instead = {bodies[-1]["source_id"]: key, bodies[-1]["name"]: Expression("'Name ' || random()"), ids[-1]: customer}
    made.transaction(statements, instead, keep="c_")
    return made
