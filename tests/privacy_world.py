"""Persons with unmistakable values, and the search for those values in everything that a server keeps."""

from pathlib import Path
from typing import Any

import promotions
from rapport.core.db import Database

SECRET = "Zyxomma"


def person(tag: str) -> dict[str, Any]:
    """Return a customer whose every value holds a word that stands nowhere else."""
    mark = f"{SECRET}{tag}"
    return {
        "source_id": f"{mark}-source",
        "name": f"{mark} Name",
        "description": f"{mark} description",
        "email": f"{mark.lower()}@example.com",
        "phone": f"+48 600 {sum(map(ord, tag)) % 900 + 100} 417",
        "address": {"city": f"{mark} City", "postal_code": f"{mark}-00"},
        "metadata": {"note": f"{mark} metadata", "deep": {"list": [f"{mark} deep"]}},
    }


def values_of(tag: str, customer: dict[str, Any]) -> list[str]:
    """Return what must not be found any more."""
    # Bytes are read as hexadecimal digits.
    bytes_of = [text.encode().hex() for text in (f"{SECRET}{tag}", customer["id"])]
    return [
        *bytes_of,
        f"{SECRET}{tag}".lower(),
        customer["id"].lower(),
        str(customer.get("phone", SECRET + tag)).lower(),
    ]


async def found_in_database(db: Database, values: list[str]) -> list[str]:
    """Return every table, column and text that holds one of the values: all tables there are, read as text."""
    found = []
    wanted = [*values, *(value.encode().hex() for value in values)]
    async with db.read() as conn:
        tables = await conn.fetch(
            "SELECT table_schema, table_name FROM information_schema.tables "
            "WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')"
        )
        assert len(tables) > 15
        for schema, table in (tuple(row) for row in tables):
            rows = await conn.fetch(
                f'SELECT t::text AS line FROM "{schema}"."{table}" AS t WHERE EXISTS ('
                "SELECT FROM unnest($1::text[]) AS wanted (value) WHERE strpos(lower(t::text), value) > 0) LIMIT 20",
                wanted,
            )
            found += [f"{table}: {row['line']}" for row in rows]
    return found


def found_in_files(directory: Path, values: list[str]) -> list[str]:
    """Return the files below a directory whose name or content holds one of the values."""
    found = []
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            content = path.read_bytes().decode("utf-8", "replace").lower() + path.name.lower()
            found += [f"{path}: {value}" for value in values if value in content]
    return found


def busy(api: Any, tag: str, *, campaign: str = "Spring") -> dict[str, Any]:
    """Make a person who has done everything; return them as the API shows them."""
    mark = f"{SECRET}{tag}"
    customer = api.call("POST", "/v1/customers", person(tag))
    named = {"source_id": customer["source_id"]}
    api.call("PUT", f"/v1/customers/{customer['id']}", {"metadata": {"second": f"{mark} second"}})
    for number in range(2):
        body = {"event": "seen", "customer": named, "metadata": {"page": f"{mark} page {number}"}}
        api.call("POST", "/v1/events", body)
    item = {"product_id": "p", "quantity": 1, "price": 500, "product": {"name": f"{mark} mug"}}
    order = {"source_id": f"{mark}-order", "status": "PAID", "items": [item], "metadata": {"gift": f"{mark} gift"}}
    api.call("POST", "/v1/orders", order | {"customer": named})
    api.call("POST", "/v1/orders", {"status": "CREATED", "amount": 5, "customer": named})
    friend = {"source_id": f"friend of {tag.lower()}"}
    referred = {"status": "PAID", "amount": 700, "customer": friend, "referrer": named}
    api.call("POST", "/v1/orders", referred)
    api.call("POST", "/v1/orders", {"status": "PAID", "amount": 70, "referrer": named})
    published = promotions.publish(
        api, campaign, customer["source_id"], source_id=f"{mark}-pub", metadata={"why": f"{mark} why"}
    )
    code = published["voucher"]["code"]
    done = promotions.redeem(api, code, customer=customer["source_id"], metadata={"till": f"{mark} till"})
    promotions.refused(api, code, customer=customer["source_id"], key="quantity_exceeded")
    redemption = done["redemptions"][0]["id"]
    api.call("POST", f"/v1/redemptions/{redemption}/rollback", {"reason": f"{mark} changed their mind"})
    promotions.redeem(api, code, customer=customer["source_id"])
    return api.call("GET", f"/v1/customers/{customer['id']}")  # type: ignore[no-any-return]
