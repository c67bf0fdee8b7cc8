"""A person is also whom they were called before: earlier addresses and numbers are found, shown and erased."""

from typing import Any

import pytest

import imports
from privacy_world import found_in_database
from rapport.core.db import Database
from rapport.privacy import queries


def known(api: Any, source_id: str, *emails: str, **more: Any) -> dict[str, Any]:
    """Make a customer who had these addresses one after another; return them as they are in the end."""
    for email in emails:
        customer = api.call("POST", "/v1/customers", {"source_id": source_id, "email": email, **more})
    return customer  # type: ignore[no-any-return]


def look_for(api: Any, text: str) -> str:
    """Ask for an export whose filter names a text; return its id."""
    filters = {"junction": "and", "email": {"conditions": {"$is": [text]}}}
    body = {"exported_object": "customer", "parameters": {"fields": ["source_id"], "filters": filters}}
    return str(api.call("POST", "/v1/exports", body, headers={"Idempotency-Key": f"of {len(text)}"})["id"])


def erase(api: Any, reference: str, **more: Any) -> Any:
    """Delete a person for good."""
    return api.call("POST", f"/v1/customers/{reference}/permanent-deletion", **more)


async def test_what_names_a_person_by_an_earlier_address_is_shown_and_erased(api: Any, db: Database) -> None:
    known(api, "zara-earlier", "Zara.Old@example.com", "zara.new@example.com")
    export = look_for(api, "zara.OLD@example.com")
    imports.run(
        api, "email,birthdate\nzara.old@example.com,never\nother@example.com,never\n", name="Zara.Old@example.com.csv"
    )
    told = api.call("GET", "/v1/customers/zara-earlier/data")
    assert [row["cells"] for row in told["imports"]] == [["zara.old@example.com", "never"]]
    assert len(await found_in_database(db, ["zara.old@example.com"])) >= 4
    erase(api, "zara-earlier")
    api.fails("GET", f"/v1/exports/{export}", status=404, key="not_found")
    left = await found_in_database(db, ["zara.old@example.com", "zara.new@example.com", "zara-earlier"])
    assert [line for line in left if not line.startswith("exports")] == []


def test_an_address_that_is_somebody_elses_by_now_is_theirs(api: Any) -> None:
    known(api, "zoe", "shared@example.com", "zoe@example.com")
    known(api, "zack", "shared@example.com")
    export = look_for(api, "shared@example.com")
    erase(api, "zoe")
    assert api.call("GET", f"/v1/exports/{export}")["id"] == export


def test_nobody_is_known_by_a_failed_row_of_an_import(api: Any) -> None:
    one = imports.run(api, "source_id,birthdate\nnobody-yet,never\n")
    api.fails("POST", "/v1/customers/nobody-yet/permanent-deletion", status=404, key="not_found")
    assert len(imports.failures(api, one["id"])) == 2


async def test_the_receipt_is_not_kept_with_a_key_and_a_repeat_tells_that_it_was_done(
    api: Any, db: Database, project_id: int
) -> None:
    ann = known(api, "ann-receipt", "ann-receipt@example.com")
    headers = {"Idempotency-Key": "once"}
    path = f"/v1/customers/{ann['id']}/permanent-deletion"
    assert api.post(path, headers=headers).json()["related_object_id"] == ann["id"]
    answer = api.post(path, headers=headers)
    assert (answer.status_code, answer.json()["key"]) == (410, "idempotency_answer_erased")
    assert await found_in_database(db, [ann["id"].lower()]) == []
    async with db.read() as conn:
        kept = await conn.fetch("SELECT answer, erased FROM idempotency_keys WHERE project_id = $1", project_id)
    assert [tuple(row) for row in kept] == [(None, True)]


@pytest.mark.parametrize("case", ["taken", "free"])
async def test_who_has_a_value_now_is_asked_of_source_ids_addresses_and_numbers(
    api: Any, db: Database, project_id: int, case: str
) -> None:
    eve = known(api, "eve", "eve@example.com", phone="+48 600 100 200")
    mine = [eve["id"]] if case == "free" else []
    async with db.read() as conn:
        found = await queries.taken_by_others(
            conn, project_id, mine, ["eve", "x"], ["eve@example.com", "y"], ["0048600100200", "1"]
        )
    assert found == (set() if mine else {"eve", "eve@example.com", "0048600100200"})
