"""How often a redemption and a validation go to the database: no more than correctness asks for."""

from typing import Any

import asyncpg
import msgspec
import pytest

from promotions import make_voucher
from rapport.activity.log import Internal, Source
from rapport.core.db import Database
from rapport.customers.writes import Writer
from rapport.http.caller import Caller
from rapport.redemptions import actions, validation
from rapport.redemptions.schemas import RedeemInput
from rapport.segments.membership import SegmentDecider
from shopping import basket

SOURCE = Source("API", {"app_id": "key", "name": "key"})


class Counted:
    """The statements of this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.said: list[str] = []
        for name in ("fetch", "fetchrow", "fetchval", "execute", "executemany"):
            monkeypatch.setattr(asyncpg.Connection, name, self._counting(getattr(asyncpg.Connection, name)))

    def _counting(self, original: Any) -> Any:
        async def wrapped(conn: Any, query: str, *args: Any, **more: Any) -> Any:
            if query not in ("BEGIN;", "COMMIT;"):
                self.said.append(" ".join(query.split())[:60])
            return await original(conn, query, *args, **more)

        return wrapped


async def test_a_redemption_of_a_plain_voucher(
    api: Any, db: Database, project_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.call("POST", "/v1/customers", {"source_id": "ann"})
    make_voucher(api, "CODE")
    writer, signature = Writer(db, SegmentDecider()), Internal(project_id, "v-1", SOURCE)
    body = basket("CODE")
    await actions.redeem(writer, signature, msgspec.convert(body, RedeemInput))
    counted = Counted(monkeypatch)
    await actions.redeem(writer, signature, msgspec.convert(body, RedeemInput))
    assert len(counted.said) == 7, "\n".join(counted.said)


async def test_a_validation_of_five_plain_vouchers(
    api: Any, db: Database, project_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.call("POST", "/v1/customers", {"source_id": "ann"})
    codes = [f"C{number}" for number in range(5)]
    for code in codes:
        make_voucher(api, code)
    caller, decider = Caller(project_id, db, "v-1", SOURCE), SegmentDecider()
    data = msgspec.convert(basket(*codes), RedeemInput)
    await validation.validate(caller, decider, data)
    counted = Counted(monkeypatch)
    done = await validation.validate(caller, decider, data)
    assert done.valid
    assert len(counted.said) == 4, "\n".join(counted.said)
