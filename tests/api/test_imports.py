"""Customers from CSV files: every kind of row, what becomes of it, and how it is told."""

from pathlib import Path
from typing import Any

import httpx2
import pytest

import facts
import imports
from rapport.core.db import Database

TEMPLATE = Path(__file__).resolve().parents[3] / "shared" / "reference" / "import-customers-template.csv"
BROKEN = (
    b"Source_id,Name,Email,Birthdate,City,Created_at,tier\n"
    b"ann,Ann,ann@example.com,1990-12-05,Oslo,2020-01-31,gold\n"  # line 2
    b"bob,Bob,bob@example.com,05/12/1990,Oslo,,gold\n"  # 3: not a date
    b",Nobody,,,Oslo,,\n"  # 4: nobody
    b"\n"
    b'cid,"Cid, the\nsecond",cid@example.com,,"Oslo",,"said ""hi"""\n'  # 6 and 7
    b"dan,Dan,dan@example.com,,Rome,,silver,too much\n"  # 8: too many cells
    b"eve,Eve\n"  # 9: too few
    b"fay,F\xff\xfey,fay@example.com,,,,\n"  # 10: not UTF-8
    b'gus,"Gus" the Great,gus@example.com,,,,\n'  # 11: quotes
    b"hal,H\x00al,hal@example.com,,,,\n"  # 12: NUL
    b"ida," + b"I" * 1025 + b",ida@example.com,,,,\n"  # 13: too long
    b"jan,Jan,jan@example.com,,,2999-01-01,\n"  # 14: not yet
    b"kim,Kim,kim@example.com,,,yesterday,\n"  # 15: not a date
    b",,,,,,\n"
    b"ann,Ann the Second,,,,,platinum\n"  # 17: once more
    b'leo,"Leo,leo@example.com,,,,\n'  # 18: never closed
    b"mia,Mia,mia@example.com,,,,\r\n"  # 19
    b"ned,Ned,ned@example.com,,,,"  # 20: no newline
)


async def test_the_good_rows_of_a_broken_file_get_in_and_each_bad_one_is_explained(
    api: Any, db: Database, project_id: int
) -> None:
    one = imports.run(api, BROKEN)
    assert (one["state"], imports.counts(one)) == ("DONE", (5, 1, 0, 10))
    listed = api.call("GET", "/v1/customers?limit=100&order=source_id")["customers"]
    assert [person["source_id"] for person in listed] == ["ann", "cid", "eve", "mia", "ned"]
    ann, cid, eve, *_ = listed
    assert (ann["name"], ann.get("email"), ann["metadata"]) == ("Ann the Second", None, {"tier": "platinum"})
    assert (ann["created_at"], ann["source"]) == ("2020-01-31T00:00:00.000Z", "CSV")
    assert (cid["name"], cid["address"], cid["metadata"]) == (
        "Cid, the\nsecond",
        {"city": "Oslo"},
        {"tier": 'said "hi"'},
    )
    assert (eve["name"], eve["address"], eve["metadata"]) == ("Eve", None, {})
    header, *rows = imports.failures(api, one["id"])
    assert header == ["import_line", "import_column", "import_reason", *one["columns"]]
    quoted = 'A quote (") inside of a quoted cell has to be doubled'
    assert [row[:3] for row in rows] == [
        ["3", "Birthdate", "The value should be a date, as 2026-01-31"],
        ["4", "", "Nothing says who this is: there is no Source_id or Email"],
        ["8", "", "The row has 8 cells, but the header names 7 columns"],
        ["10", "", NOT_UTF_8],
        ["11", "", quoted],
        ["12", "Name", "The cell holds a NUL character"],
        ["13", "Name", "The text is longer than 1024 characters"],
        ["14", "Created_at", "The moment of creation is in the future"],
        ["15", "Created_at", "The value should be a date or a date and time, as 2026-01-31 or 2026-01-31T12:00:00Z"],
        ["18", "", 'A quote (") is opened in this row and not closed'],
    ]
    assert rows[0][3:] == ["bob", "Bob", "bob@example.com", "05/12/1990", "Oslo", "", "gold"]
    assert rows[2][3:] == ["dan", "Dan", "dan@example.com", "", "Rome", "", "silver", "too much"]
    types = await facts.log_types(db, project_id)
    assert sorted(types) == ["customer.created"] * 5 + ["customer.updated"]


def test_the_action_tells_of_the_import_as_the_reference_does(api: Any) -> None:
    action_id = imports.send(api, "source_id,birthdate\na,x\n,\nb,2000-01-01\n")["async_action_id"]
    done = imports.harness.wait_for(lambda: imports.is_over(api, action_id), what="the import")
    assert (done["type"], done["status"], done["operation_status"]) == ("CUSTOMERS.IMPORT_CSV", "DONE", "SUCCESS")
    assert done["progress"] == 100
    assert done["result"] == {
        "message": "2 rows: 1 created, 0 updated, 0 unchanged, 1 failed",
        "failed": [{"row": 1, "source_id": "a", "reason": "birthdate: The value should be a date, as 2026-01-31"}],
        "done_count": 1,
        "failed_count": 1,
    }


@pytest.mark.skipif(not TEMPLATE.exists(), reason="the reference's files are not there")
def test_the_template_of_the_reference_is_imported(api: Any) -> None:
    one = imports.run(api, TEMPLATE.read_bytes())
    assert imports.counts(one) == (1, 0, 0, 0)
    john = api.call("GET", "/v1/customers/test-user@voucherify.io")
    assert john["address"] == {
        "city": "New York",
        "state": "New York",
        "line_1": "100 Main St",
        "line_2": "Blg 2 Apt 3",
        "country": "United States",
        "postal_code": "12345",
    }
    assert (john["phone"], john["birthdate"]) == ("+1 (989) 123-4632", "2022-07-03")
    assert john["metadata"] == {
        "favorite_brands": "Nike,Fenty,Reebok",
        "CRM_created_date": "2022-05-18T10:00:00.000Z",
    }


HEADERS = "SOURCE_ID,address_CITY,Address_Line_1,Postal Code,address.country,Birthday,metadata.tier,Metadata_size,Tier"


def test_headers_are_read_in_every_spelling(api: Any) -> None:
    assert imports.counts(imports.run(api, f"{HEADERS}\na,Oslo,1 Road,0001,NO,1990-12-05,gold,L,x\n")) == (1, 0, 0, 0)
    found = api.call("GET", "/v1/customers/a")
    assert found["address"] == {"city": "Oslo", "line_1": "1 Road", "country": "NO", "postal_code": "0001"}
    assert found["birthdate"] == "1990-12-05"
    assert found["metadata"] == {"tier": "gold", "size": "L", "Tier": "x"}


NOT_UTF_8 = "The row is not UTF-8: save the file as UTF-8, or import it with encoding=windows-1252"
NOBODY = "There is no column that says who a row is about (Id, Source_id, Email or Phone)"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "The file is empty: its first line has to name the columns"),
        ("\n\n", "The file is empty: its first line has to name the columns"),
        ("email,City,Address_City\na,b,c\n", "Columns 2 (City) and 3 (Address_City) are about the same: address.city"),
        ("email,tier,tier\na,b,c\n", "Columns 2 (tier) and 3 (tier) are about the same: metadata.tier"),
        ("name,city\na,b\n", f"{NOBODY}; the header is: name, city"),
        (b"source_id,n\xffme\n", f"Line 1, the header: {NOT_UTF_8}"),
    ],
)
async def test_a_file_that_cannot_be_understood_fails_as_a_whole(
    api: Any, db: Database, project_id: int, content: str | bytes, message: str
) -> None:
    one = imports.run(api, content)
    assert (one["state"], one["message"], one["rows"]) == ("FAILED", message, 0)
    assert await facts.counts(db, project_id) == {}
    assert await left_of_files(db, project_id) == 0


async def left_of_files(db: Database, project_id: int) -> int:
    """Return how many pieces of files are kept."""
    async with db.read() as conn:
        return int(await conn.fetchval("SELECT count(*) FROM import_chunks WHERE project_id = $1", project_id))


TEXT = "source_id,name,city\nzoë,Zoë Müller & „x“,Łódź\n"


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (TEXT.encode(), {}),
        (b"\xef\xbb\xbf" + TEXT.encode(), {}),
        (b"\xff\xfe" + TEXT.encode("utf-16-le"), {}),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), {"encoding": "utf-16"}),
        (TEXT.replace("Łódź", "Lodz").encode("cp1252"), {"encoding": "windows-1252"}),
        (TEXT.replace(",", ";").encode(), {}),
        (TEXT.replace(",", "\t").encode(), {}),
        (TEXT.replace(",", "|").encode(), {"separator": "pipe"}),
        (TEXT.replace("\n", "\r\n").encode(), {}),
        (TEXT.replace("\n", "\r").encode(), {}),
        (TEXT.replace("Zoë Müller & „x“", "'Zoë Müller & „x“'").encode(), {"quote": "'"}),
    ],
    ids=["utf8", "bom", "utf16le", "utf16be", "cp1252", "semicolon", "tab", "pipe", "crlf", "cr", "quote"],
)
def test_files_are_read_however_they_are_written(api: Any, content: bytes, options: dict[str, str]) -> None:
    assert imports.counts(imports.run(api, content, **options)) == (1, 0, 0, 0)
    found = api.call("GET", "/v1/customers/zo%C3%AB")
    assert found["name"] == "Zoë Müller & „x“"
    assert found["address"]["city"] in {"Łódź", "Lodz"}


ANN = {
    "source_id": "ann",
    "name": "Ann",
    "email": "ann@example.com",
    "address": {"city": "Oslo", "country": "NO"},
    "metadata": {"tier": "gold", "size": "L"},
}
CHANGE = "source_id,name,email,city,tier\nann,Ann B,,,\n"


def test_replace_erases_what_is_empty_and_leaves_what_has_no_column(api: Any) -> None:
    api.call("POST", "/v1/customers", ANN)
    assert imports.counts(imports.run(api, CHANGE)) == (0, 1, 0, 0)
    found = api.call("GET", "/v1/customers/ann")
    assert (found["name"], found.get("email"), found["address"]) == ("Ann B", None, {"country": "NO"})
    assert (found["metadata"], found["source"]) == ({"size": "L"}, "API")


def test_merge_leaves_what_is_empty(api: Any) -> None:
    api.call("POST", "/v1/customers", ANN)
    assert imports.counts(imports.run(api, CHANGE, mode="merge")) == (0, 1, 0, 0)
    found = api.call("GET", "/v1/customers/ann")
    assert (found["name"], found["email"], found["address"]) == ("Ann B", "ann@example.com", ANN["address"])
    assert found["metadata"] == ANN["metadata"]


async def test_a_row_that_says_nothing_new_changes_nothing(api: Any, db: Database, project_id: int) -> None:
    before = api.call("POST", "/v1/customers", ANN)
    one = imports.run(api, f"id,name\n{before['id']},Ann\n{before['id']},Ann\n")
    assert imports.counts(one) == (0, 0, 2, 0)
    assert api.call("GET", "/v1/customers/ann") == before
    assert await facts.log_types(db, project_id) == ["customer.created"]


def test_rows_name_customers_by_id_by_source_id_or_make_new_ones(api: Any) -> None:
    ann, bob = (api.call("POST", "/v1/customers", {"source_id": one})["id"] for one in ("ann", "bob"))
    content = (
        "id,source_id,email,name\n"
        f"{ann},,,A\n"
        ",bob,,B\n"
        f"{ann},bob,,C\n"
        "cust_unknown,,,D\n"
        ",,new@example.com,E\n"
        ",,new@example.com,F\n"
        f"{ann},,,G\n"
    )
    one = imports.run(api, content, mode="merge")
    assert imports.counts(one) == (2, 3, 0, 2)
    assert [row[:3] for row in imports.failures(api, one["id"])[1:]] == [
        ["4", "source_id", "Another customer has the source_id bob"],
        ["5", "id", "There is no customer with the id cust_unknown"],
    ]
    assert [api.call("GET", f"/v1/customers/{who}")["name"] for who in (ann, bob)] == ["G", "B"]
    new = api.call("GET", "/v1/customers?email=new@example.com&order=created_at")["customers"]
    assert sorted(person["name"] for person in new) == ["E", "F"]


async def test_a_dry_run_tells_all_and_writes_nothing(api: Any, db: Database, project_id: int) -> None:
    before = api.call("POST", "/v1/customers", ANN)
    segment_id = facts.new_segment(api, facts.where("address.city", "$is", "Oslo"))
    counted = await facts.counts(db, project_id)
    one = imports.run(api, "source_id,city\nann,Rome\nbob,Oslo\ncid,x\ncid\x00,y\n", dry_run="true")
    assert imports.counts(one) == (2, 1, 0, 1)
    assert one["message"] == "4 rows: 2 would be created, 1 would be updated, 0 unchanged, 1 failed"
    assert len(imports.failures(api, one["id"])) == 2
    assert await facts.counts(db, project_id) == counted
    assert api.call("GET", "/v1/customers/ann") == before
    assert await facts.members(db, project_id, segment_id) == [before["id"]]
    api.fails("POST", f"/v1/imports/{one['id']}/undo", status=400, key="import_not_undoable")


@pytest.mark.parametrize("wanted", ["true", "false"])
async def test_segments_are_right_and_turns_are_logged_as_wanted(
    api: Any, db: Database, project_id: int, wanted: str
) -> None:
    api.call("POST", "/v1/customers", {**ANN, "address": {"city": "Rome"}})
    raw = facts.where("address.city", "$is", "Oslo")
    segment_id = facts.new_segment(api, raw)
    imports.run(api, "source_id,city\nann,Oslo\nbob,Oslo\ncid,Rome\n", segment_events=wanted)
    imports.run(api, "source_id,city\nbob,Rome\n", segment_events=wanted)
    assert await facts.assert_exact(db, project_id, segment_id, raw) == [api.call("GET", "/v1/customers/ann")["id"]]
    async with db.read() as conn:
        rows = await conn.fetch(
            "SELECT source FROM activity WHERE project_id = $1 AND type LIKE 'customer.segment.%'", project_id
        )
    assert [row["source"].get("reason") for row in rows] == ["import" if wanted == "false" else None] * 3


def test_options_that_mean_nothing_are_refused(api: Any) -> None:
    for name, value in {"mode": "x", "dry_run": "x", "encoding": "x", "separator": "ab", "quote": ","}.items():
        more = {"separator": ","} if name == "quote" else {}
        error = imports.send(api, "source_id\na\n", status=400, **{name: value}, **more)
        assert (error["key"], name in error["details"]) == ("invalid_payload", True)
    assert api.call("GET", "/v1/imports")["total"] == 0
    assert imports.counts(imports.run(api, "source_id;x\na;1\n", separator="semicolon"))[0] == 1


def test_a_body_that_is_no_form_with_a_file_is_refused(api: Any) -> None:
    path = "/v1/customers/importCSV"
    for options in (
        {"json": {}},
        {"content": b"x"},
        {"files": {"other": ("a", b"x")}},
        {"content": b"--b\r\nx", "headers": {"Content-Type": "multipart/form-data; boundary=b"}},
        {"content": b"", "headers": {"Content-Type": "multipart/form-data; boundary=b"}},
    ):
        api.fails("POST", path, status=400, key="invalid_payload", **options)
    twice = [("file", ("a", b"source_id\n")), ("file", ("b", b"source_id\n"))]
    api.fails("POST", path, status=400, key="invalid_payload", files=twice)
    assert api.call("GET", "/v1/imports")["total"] == 0


def test_failed_rows_are_downloaded_by_a_link_without_a_key(api: Any) -> None:
    one = imports.run(api, "source_id,phone,birthdate\na,+48 1,x\n")
    link = one["links"]["failures"]
    answer = httpx2.get(link)
    assert answer.status_code == 200
    text = "import_line,import_column,import_reason,source_id,phone,birthdate\r\n"
    text += '2,birthdate,"The value should be a date, as 2026-01-31",a,+48 1,x\r\n'
    assert answer.text == text
    assert httpx2.get(link[:-1] + ("0" if link[-1] != "0" else "1")).status_code == 401
    assert httpx2.get(link.partition("?")[0]).status_code == 401
    # Mended, the file of failed rows is itself one to import.
    again = imports.run(api, answer.text.replace(",x\r", ",2000-01-31\r"))
    assert imports.counts(again) == (1, 0, 0, 0)
    found = api.call("GET", "/v1/customers/a")
    assert (found["phone"], found["birthdate"], found["metadata"]) == ("+48 1", "2000-01-31", {})


def test_imports_of_others_are_not_there(api: Any) -> None:
    for method, path in (("GET", ""), ("GET", "/failures"), ("GET", "/undo"), ("POST", "/undo"), ("POST", "/cancel")):
        api.fails(method, f"/v1/imports/imp_1{path}", status=404, key="not_found")
