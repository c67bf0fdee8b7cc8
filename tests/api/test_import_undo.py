"""Undoing an import, ending one, and what is kept of it."""

from datetime import timedelta
from typing import Any

import pytest

import facts
import harness
import imports
from rapport.core.db import Database
from rapport.imports.worker import Tidying

OSLO = facts.where("address.city", "$is", "Oslo")
ANN = {"source_id": "ann", "name": "Ann", "email": "ann@example.com", "address": {"city": "Rome"}, "metadata": {"t": 1}}
FILE = "source_id,name,city,t,new\nann,Anna,Oslo,gold,x\nbob,Bob,Oslo,,\ncid,Cid,Oslo,,\nann,Annie,Oslo,gold,y\n"


async def test_an_import_is_undone_as_if_it_had_not_been(api: Any, db: Database, project_id: int) -> None:
    before = api.call("POST", "/v1/customers", ANN)
    segment_id = facts.new_segment(api, OSLO)
    one = imports.run(api, FILE)
    assert imports.counts(one) == (2, 2, 0, 0)
    assert len(await facts.assert_exact(db, project_id, segment_id, OSLO)) == 3
    undone = imports.undo(api, one["id"])
    found = api.call("GET", "/v1/customers/ann")
    assert {**found, "updated_at": 0} == {**before, "updated_at": 0}
    assert api.call("GET", "/v1/customers")["total"] == 1
    assert await facts.assert_exact(db, project_id, segment_id, OSLO) == []
    expected = {"deleted": 2, "restored": 1, "partly": 0, "kept": 0, "gone": 0}
    assert {name: undone["undo"][name] for name in expected} == expected
    action = api.call("GET", f"/v1/async-actions/{undone['undo']['async_action_id']}")
    assert (action["type"], action["status"]) == ("CUSTOMERS.IMPORT_UNDO", "DONE")
    assert action["result"] == {"message": "The import was undone", **expected}
    assert api.get(f"/v1/imports/{one['id']}/undo").text == "id,outcome,reason\r\n"
    async with db.read() as conn:
        kept = await conn.fetchval("SELECT changes FROM import_changes WHERE project_id = $1", project_id)
    assert kept == {}


def test_undoing_twice_is_undoing_once(api: Any) -> None:
    api.call("POST", "/v1/customers", ANN)
    one = imports.run(api, "source_id,name\nann,Anna\n")
    first = imports.undo(api, one["id"])
    api.call("POST", "/v1/customers", {"source_id": "ann", "name": "Anna"})
    assert imports.undo(api, one["id"])["undo"] == first["undo"]
    assert api.call("GET", "/v1/customers/ann")["name"] == "Anna"


def test_whom_somebody_has_put_into_a_static_segment_is_kept(api: Any) -> None:
    one = imports.run(api, "source_id\nbob\ncid\n")
    bob = api.call("GET", "/v1/customers/bob")["id"]
    api.call("POST", "/v1/segments", {"name": "Chosen", "type": "static", "customers": [bob]})
    undone = imports.undo(api, one["id"])["undo"]
    assert (undone["deleted"], undone["kept"]) == (1, 1)
    assert api.call("GET", "/v1/customers/bob")["id"] == bob
    reason = "The customer has changed since the import made them: they are in a static segment"
    assert api.get(f"/v1/imports/{one['id']}/undo").text == f"id,outcome,reason\r\n{bob},KEPT,{reason}\r\n"


async def test_what_has_changed_since_is_kept_and_told(api: Any, db: Database, project_id: int) -> None:
    people = {one: api.call("POST", "/v1/customers", {**ANN, "source_id": one})["id"] for one in ("ann", "dan", "eve")}
    rows = "".join(f"{one},New,Oslo\n" for one in ("ann", "bob", "cid", "dan", "eve"))
    one = imports.run(api, f"source_id,name,city\n{rows}")
    people |= {who: api.call("GET", f"/v1/customers/{who}")["id"] for who in ("bob", "cid")}
    api.call("PUT", "/v1/customers/ann", {"name": "Newer"})
    api.call("POST", "/v1/orders", {"customer": {"source_id": "bob"}, "amount": 10, "status": "PAID"})
    api.call("PUT", "/v1/customers/dan", {"name": "Newer", "address": {"city": "Bergen"}})
    api.call("DELETE", "/v1/customers/eve", status=204)
    undone = imports.undo(api, one["id"])["undo"]
    assert {name: undone[name] for name in ("deleted", "restored", "partly", "kept", "gone")} == {
        "deleted": 1,
        "restored": 0,
        "partly": 1,
        "kept": 2,
        "gone": 1,
    }
    ann, bob, dan = (api.call("GET", f"/v1/customers/{who}") for who in ("ann", "bob", "dan"))
    assert (ann["name"], ann["address"]["city"]) == ("Newer", "Rome")
    assert (dan["name"], dan["address"]["city"]) == ("Newer", "Bergen")
    assert (bob["name"], bob["summary"]["orders"]["total_count"]) == ("New", 1)
    api.fails("GET", "/v1/customers/cid", status=404, key="not_found")
    report = api.get(f"/v1/imports/{one['id']}/undo").text.splitlines()
    assert sorted(report[1:]) == sorted(
        [
            f"{people['ann']},PARTLY,Changed since: name",
            f'{people["dan"]},KEPT,"Changed since: address.city, name"',
            f"{people['bob']},KEPT,The customer has changed since the import made them: customer.order.created",
        ]
    )
    assert await facts.wrong_summaries(db, project_id) == []


def test_undoing_gives_a_source_id_back_only_when_it_is_free(api: Any) -> None:
    ann = api.call("POST", "/v1/customers", {"name": "Ann"})["id"]
    one = imports.run(api, f"id,source_id\n{ann},ann\n")
    assert imports.counts(one) == (0, 1, 0, 0)
    assert imports.undo(api, one["id"])["undo"]["restored"] == 1
    assert "source_id" not in api.call("GET", f"/v1/customers/{ann}")


async def test_an_import_that_is_canceled_ends_and_keeps_what_was_applied(
    api: Any, db: Database, project_id: int
) -> None:
    content = "source_id,name\n" + "".join(f"s{number},N\n" for number in range(20_000))
    action_id = imports.send(api, content)["async_action_id"]
    import_id = imports.find(api, action_id)["id"]
    api.fails("POST", f"/v1/imports/{import_id}/undo", status=400, key="import_not_undoable")
    api.call("POST", f"/v1/imports/{import_id}/cancel", status=202)
    done = harness.wait_for(lambda: imports.is_over(api, action_id), what="the end")
    one = api.call("GET", f"/v1/imports/{import_id}")
    assert (done["status"], one["state"], one["message"]) == ("FAILED", "CANCELED", "The import was canceled")
    assert one["created"] == api.call("GET", "/v1/customers")["total"] < 20_000
    api.fails("POST", f"/v1/imports/{import_id}/cancel", status=400, key="import_is_over")
    async with db.read() as conn:
        assert not await conn.fetchval("SELECT count(*) FROM import_chunks WHERE project_id = $1", project_id)
    assert imports.undo(api, import_id)["undo"]["deleted"] == one["created"]
    assert api.call("GET", "/v1/customers")["total"] == 0


async def test_what_undoing_takes_and_failed_rows_are_kept_for_a_time_only(
    api: Any, db: Database, project_id: int
) -> None:
    one = imports.run(api, "source_id,birthdate\na,x\nb,2000-01-01\n")
    await Tidying(timedelta(days=1)).tidy(db)
    assert len(imports.failures(api, one["id"])) == 2
    for _ in range(3):
        await Tidying(timedelta(0)).tidy(db)
    assert len(imports.failures(api, one["id"])) == 1
    async with db.read() as conn:
        assert not await conn.fetchval("SELECT count(*) FROM import_changes WHERE project_id = $1", project_id)
    api.fails("POST", f"/v1/imports/{one['id']}/undo", status=400, key="import_not_undoable")
    assert imports.counts(api.call("GET", f"/v1/imports/{one['id']}")) == (1, 0, 0, 1)


@pytest.mark.parametrize("cut", [30, 1_200_000])
async def test_an_upload_that_is_cut_off_leaves_nothing(
    api: Any, db: Database, project_id: int, server: harness.Server, cut: int
) -> None:
    content = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\nsource_id\n' + b"a\n" * 700_000
    head = (
        f"POST /v1/customers/importCSV HTTP/1.1\r\nHost: x\r\nX-App-Id: {api.headers['x-app-id']}\r\n"
        f"X-App-Token: {api.headers['x-app-token']}\r\nContent-Length: {len(content) + 100}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
    )
    with harness.socket.create_connection(("127.0.0.1", server.port)) as line:
        line.sendall(head.encode() + content[:cut])
        if cut > 1_000_000:
            harness.wait_for(lambda: api.call("GET", "/v1/imports")["total"] == 1, what="the beginning")
    harness.wait_for(lambda: api.call("GET", "/v1/imports")["total"] == 0, what="its removal")
    async with db.read() as conn:
        assert not await conn.fetchval("SELECT count(*) FROM import_chunks WHERE project_id = $1", project_id)
