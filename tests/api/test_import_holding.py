"""What imports hold on a person is found, and removed."""

from typing import Any

import imports
from rapport.activity.log import internal
from rapport.core.db import Connection, Database
from rapport.customers import queries as customers
from rapport.imports.holding import holding
from rapport.imports.upload import Upload


async def test_a_person_is_gathered_and_erased(api: Any, db: Database, project_id: int) -> None:
    content = "source_id,name,email,birthdate\nann-77,Ann,ann@example.com,\nann-77,Ann,ann@example.com,never\n"
    content += 'other,Other,other@example.com,never\nx,"torn ann@example.com,,\n'
    one = imports.run(api, content)
    assert imports.counts(one) == (1, 0, 0, 3)
    other = Upload(db, internal(project_id), "customers", 10_000_000)
    await other.begin("unrelated.csv")
    await other.feed(b"source_id\n" + b"x" * 2_000_000)
    upload = Upload(db, internal(project_id), "customers", 10_000_000)
    await upload.begin("under-way.csv")
    # The name stands where one piece ends and the next begins.
    await upload.feed(b"source_id,name\n" + b"y" * (1_048_576 - 18) + b"ann-77,Ann\n")
    await upload.feed(b"", final=True)
    async with db.read() as conn:
        ann = await customers.get(conn, project_id, "ann-77")
        found = [row async for row in holding.gather(conn, project_id, ann)]
    assert [(row["object"], row.get("line")) for row in found] == [
        ("import_failure", 3),
        ("import_failure", 5),
        ("import_change", None),
    ]

    async def erase(conn: Connection) -> int:
        return await holding.erase(conn, project_id, ann)

    assert await db.transaction(erase) == 5
    assert [row[0] for row in imports.failures(api, one["id"])[1:]] == ["4"]
    action = api.call("GET", f"/v1/async-actions/{one['async_action_id']}")
    assert [row["source_id"] for row in action["result"]["failed"]] == ["other"]
    async with db.read() as conn:
        assert [row async for row in holding.gather(conn, project_id, ann)] == []
        left = await conn.fetch("SELECT import_id FROM import_chunks WHERE project_id = $1", project_id)
        for table in ("import_failures", "import_changes", "import_chunks", "async_actions"):
            text = f"SELECT string_agg(t::text, '') FROM {table} AS t WHERE project_id = $1"
            dump = await conn.fetchval(text, project_id)
            assert "ann-77" not in (dump or ""), table
    assert {row["import_id"] for row in left} == {other.import_id}
    await other.give_up()
    await upload.give_up()
