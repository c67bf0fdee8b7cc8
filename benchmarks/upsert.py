"""Customer upsert over HTTP against pgbench with the same statements."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks import load
from benchmarks.pgbench import Expression, Script
from rapport.activity.log import Entry, Source
from rapport.activity.queries import append_parameters, append_text
from rapport.core import jsons
from rapport.customers import queries
from rapport.customers.models import Customer
from rapport.customers.schemas import CustomerInput, apply, view
from rapport.segments import queries as segments

CUSTOMERS = 5_000
AT = datetime(2026, 1, 1, tzinfo=UTC)
SOURCE = Source("API", {"name": "benchmark", "app_id": "00000000-0000-0000-0000-000000000000"})


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


def example() -> Customer:
    """Return a stored customer of the size that the load sends."""
    change = jsons.decoder(CustomerInput).decode(jsons.encode(body("bench-1", random.Random(1))))
    blank = Customer(id="cust_000000000000000000000000", created_at=AT, updated_at=AT)
    return apply(change, blank)


def script(project_id: int, *, new: bool) -> Script:
    """Return one upsert as pgbench runs it: the same statements, the same parameters."""
    made = Script()
    customer = example()
    made.set(r"\set k random(1, 1000000000000000)" if new else rf"\set k random(0, {CUSTOMERS - 1})")
    key = Expression("'pgbench-' || :k" if new else "'bench-' || :k")
    values = {name: getattr(customer, name) for name in queries._INSERT_TYPES}
    made.add("BEGIN")
    inserted = [*({**values, "id": Expression("'cust_' || :k"), "source_id": key}).values()]
    made.add(queries._LOCK_OR_INSERT, project_id, key, timedelta(0), *inserted, gset="c_")
    made.add(segments._OPEN, project_id, timedelta(0), Expression("ARRAY[:c_id]"))
    entry = Entry("customer.created" if new else "customer.updated", customer.id, {"customer": view(customer)})
    log = append_parameters(AT, "v-000000000000000000", SOURCE, [entry])
    log[3] = Expression("ARRAY['ev_' || gen_random_uuid()]")
    if new:
        made.add(append_text(2), project_id, *log)
    else:
        updated = {name: getattr(customer, name) for name in queries._UPDATE_TYPES}
        updated |= {"source_id": key, "name": Expression("'Name ' || random()"), "updated_at": Expression("now()")}
        made.add(queries._UPDATE_AND_LOG, project_id, Expression(":c_id"), *updated.values(), *log)
    made.add("COMMIT")
    return made
