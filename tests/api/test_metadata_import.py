"""Columns of an imported file are typed by the metadata schema of customers."""

from typing import Any

import harness
import imports
from management import managed
from rapport.core.db import Database
from rapport.projects.models import NewKey


async def test_columns_are_typed_and_rows_that_do_not_fit_are_explained(
    server: harness.Server, db: Database, key: NewKey, api: Any
) -> None:
    async with managed(server, db, key.project) as management:
        management.define(
            "customer",
            {
                "age": {"type": "number", "optional": False, "gte": 0},
                "vip": "boolean",
                "tags": {"type": "string", "array": True},
                "since": "date",
            },
        )
    content = (
        "Source_id,age,vip,tags,since,other\n"
        'ann,41,yes,"a, b",2026-01-31,5\n'  # line 2
        "bob,old,,,,\n"  # 3: no number
        "cid,,,,,\n"  # 4: what is required is missing, and nobody has been made
        "dan,-1,,,,\n"  # 5: out of bounds
        "ann,-1,,,,\n"  # 6: of somebody who is there
        "eve,5.50,no,,,\n"  # 7
    )
    one = imports.run(api, content)
    assert (one["state"], imports.counts(one)) == ("DONE", (2, 0, 0, 4))
    listed = api.call("GET", "/v1/customers?limit=100&order=source_id")["customers"]
    assert [(person["source_id"], person["metadata"]) for person in listed] == [
        ("ann", {"age": 41, "vip": True, "tags": ["a", "b"], "since": "2026-01-31", "other": "5"}),
        ("eve", {"age": listed[1]["metadata"]["age"], "vip": False}),
    ]
    assert str(listed[1]["metadata"]["age"]) in ("5.5", "5.50")
    _, *rows = imports.failures(api, one["id"])
    assert [row[:3] for row in rows] == [
        ["3", "age", "'old' must be a number in plain digits, such as 12.50"],
        ["4", "age", "Property .metadata.age is required"],
        ["5", "age", "Property .metadata.age must be at least 0 (is -1)"],
        ["6", "age", "Property .metadata.age must be at least 0 (is -1)"],
    ]
