"""Redemption over HTTP against pgbench with the same statements, on many codes and on one."""

import json
import random
from collections.abc import Iterator

import msgspec

from benchmarks import load, upsert
from benchmarks.pgbench import Expression, Script
from benchmarks.recording import record
from rapport.activity.log import Internal
from rapport.core import jsons
from rapport.customers.writes import Writer
from rapport.redemptions import actions
from rapport.redemptions.attempts import Redeemed
from rapport.redemptions.schemas import RedeemOneInput

CODES = 1_000
_CUSTOMER, _CODE = "bench-1", "bench-2"


def fill(headers: dict[str, str]) -> Iterator[bytes]:
    """Yield the codes: ten percent off, as often as one likes."""
    discount = {"type": "PERCENT", "percent_off": 10, "effect": "APPLY_TO_ORDER"}
    body = json.dumps({"type": "DISCOUNT_VOUCHER", "discount": discount, "redemption": {"quantity": None}}).encode()
    for number in range(CODES):
        yield load.request("POST", f"/v1/vouchers/bench-{number}", headers, body)


def requests(headers: dict[str, str], number: int, *, hot: bool) -> Iterator[bytes]:
    """Yield redemptions by known customers at random, each with an order of its own."""
    draw = random.Random(number)
    while True:
        customer = {"source_id": f"bench-{draw.randrange(upsert.CUSTOMERS)}"}
        body = json.dumps({"customer": customer, "order": {"amount": draw.randrange(1_000, 50_000)}}).encode()
        code = "bench-0" if hot else f"bench-{draw.randrange(CODES)}"
        yield load.request("POST", f"/v1/vouchers/{code}/redemption", headers, body)


async def script(url: str, project_id: int, *, hot: bool) -> Script:
    """Return one redemption as pgbench runs it."""
    raw = {"customer": {"source_id": _CUSTOMER}, "order": {"amount": 12_345}}
    body = jsons.decoder(RedeemOneInput).decode(jsons.encode(raw))
    done: list[Redeemed] = []

    async def redeem(writer: Writer, signature: Internal) -> None:
        done.append(await actions.redeem(writer, signature, msgspec.structs.replace(body).of(_CODE)))

    (statements,) = await record(url, project_id, redeem)
    row = done[-1].rows[0]
    made = Script()
    made.set(rf"\set k random(0, {upsert.CUSTOMERS - 1})")
    made.set(r"\set v 0" if hot else rf"\set v random(0, {CODES - 1})")
    made.set(r"\set n random(1, 1000000000000000000)")
    instead = {
        _CUSTOMER: Expression("'bench-' || :k"),
        _CODE: Expression("'bench-' || :v"),
        str(row.customer_id): Expression(":c_id"),
        str(row.order_id): Expression("'ord_' || :n"),
        row.id: Expression("'r_' || :n"),
    }
    customer = next(number for number, statement in enumerate(statements) if "customers" in statement.sql)
    made.transaction(statements, instead, keep="c_", kept=customer)
    return made


def counter() -> Script:
    """Return what no redemption of one code can be faster than: the same row counted up by everybody."""
    made = Script()
    made.set("UPDATE vouchers SET redeemed_quantity = redeemed_quantity + 1 WHERE project_id = 1 AND code = 'bench-0';")
    return made


def validations(headers: dict[str, str], number: int) -> Iterator[bytes]:
    """Yield validations of five codes at once, by known customers at random."""
    draw = random.Random(number)
    while True:
        codes = draw.sample(range(CODES), 5)
        body = {
            "redeemables": [{"object": "voucher", "id": f"bench-{code}"} for code in codes],
            "customer": {"source_id": f"bench-{draw.randrange(upsert.CUSTOMERS)}"},
            "order": {"amount": draw.randrange(1_000, 50_000)},
        }
        yield load.request("POST", "/v1/validations", headers, json.dumps(body).encode())
