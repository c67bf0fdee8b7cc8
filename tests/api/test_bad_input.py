import json
from typing import Any

import httpx2
import pytest

import facts
from rapport.core.db import Database

WRITES = [
    ("POST", "/v1/customers"),
    ("PUT", "/v1/customers/known"),
    ("POST", "/v1/orders"),
    ("PUT", "/v1/orders/known"),
    ("POST", "/v1/events"),
    ("POST", "/v1/segments"),
]
SHAPE = {"code", "key", "message", "details", "request_id"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def known(api: Any) -> None:
    """A customer and an order to update."""
    api.call("POST", "/v1/orders", {"source_id": "known", "customer": {"source_id": "known"}})


async def refused(
    api: Any,
    db: Database,
    project_id: int,
    content: bytes | str,
    method: str = "POST",
    path: str = "/v1/customers",
    *,
    status: int = 400,
    key: str = "invalid_payload",
) -> dict[str, Any]:
    """Send these bytes, assert the answer's status, key and shape and that nothing was written; return the error."""
    before = await facts.counts(db, project_id)
    answer = api.request(method, path, content=content, headers=JSON)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    error = answer.json()
    assert (error["code"], error["key"]) == (status, key), error
    assert set(error) - {"resource_id", "resource_type"} == SHAPE
    assert error["message"]
    assert error["details"]
    assert await facts.counts(db, project_id) == before
    return error  # type: ignore[no-any-return]


@pytest.mark.parametrize(("method", "path"), WRITES)
@pytest.mark.parametrize(
    "content", [b"", b" ", b"{", b'{"name": "X"', b"{'name': 1}", b'{"name": "X",}', b"nonsense", b"\x00"]
)
@pytest.mark.usefixtures("known")
async def test_what_is_not_json_is_refused(
    api: Any, db: Database, project_id: int, method: str, path: str, content: bytes
) -> None:
    error = await refused(api, db, project_id, content, method, path)
    assert "JSON" in error["details"]


@pytest.mark.parametrize(("method", "path"), WRITES)
@pytest.mark.parametrize("content", [b"null", b"[]", b'[{"source_id": "x"}]', b'"text"', b"5", b"true"])
@pytest.mark.usefixtures("known")
async def test_what_is_json_but_no_object_is_refused(
    api: Any, db: Database, project_id: int, method: str, path: str, content: bytes
) -> None:
    await refused(api, db, project_id, content, method, path)


WRONG = {
    "source_id": [5, True, [], {}, "", "x" * 256],
    "id": [5, [], {}],
    "name": [5, [], {}, False, "x" * 1025],
    "email": [5, ["a@b.c"]],
    "phone": [48600000000],
    "description": [5, "x" * 10_001],
    "birthdate": [5, "31.12.1990", "1990-13-01", "1990-02-30", "0000-01-01", "1990-1-1", "tomorrow", "+1990-01-01"],
    "birthday": ["1990-02-30", 19900101],
    "address": ["Oslo", ["Oslo"], {"city": 5}, {"line_1": ["a"]}, {"city": "x" * 1025}],
    "metadata": ["x", [], 5, True],
    "system_metadata": ["x", []],
    "source": [5, "", "x" * 256],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
async def test_a_wrong_value_is_refused_and_its_field_named(
    api: Any, db: Database, project_id: int, name: str, value: Any
) -> None:
    body = {"source_id": "x", name: value}
    error = await refused(api, db, project_id, json.dumps(body))
    assert f".{name}" in error["details"]


async def test_fields_nobody_knows_are_ignored(api: Any, db: Database, project_id: int) -> None:
    created = api.call(
        "POST",
        "/v1/customers",
        {"source_id": "x", "colour": "red", "summary": {"orders": {"total_amount": 5}}, "created_at": 7, "object": 5},
    )
    assert "colour" not in created
    assert created["summary"]["orders"]["total_amount"] == 0
    assert created["object"] == "customer"
    order = api.call("POST", "/v1/orders", {"total_amount": -5, "items": [{"colour": 1, "price": 5}], "customer": None})
    assert (order["total_amount"], order["items"][0].get("colour")) == (5, None)
    assert await facts.counts(db, project_id) == {"customers": 1, "orders": 1, "activity": 2}


async def test_a_body_over_the_limit_is_413(api: Any, db: Database, project_id: int) -> None:
    body = json.dumps({"source_id": "x", "metadata": {"text": "x" * 1_048_576}})
    await refused(api, db, project_id, body, status=413, key="payload_too_large")


async def test_a_body_over_the_limit_in_chunks_is_413(api: Any, db: Database, project_id: int) -> None:
    def chunks() -> Any:
        yield b'{"source_id": "x", "metadata": {"text": "'
        for _ in range(300):
            yield b"x" * 4096
        yield b'"}}'

    answer = api.post("/v1/customers", content=chunks(), headers=JSON)
    assert (answer.status_code, answer.json()["key"]) == (413, "payload_too_large")
    assert await facts.counts(db, project_id) == {}


def test_a_body_just_below_the_limit_is_taken(api: Any) -> None:
    text = "x" * 1_000_000
    event = {"event": "seen", "customer": {"source_id": "x"}, "metadata": {"text": text}}
    assert api.call("POST", "/v1/events", event)["metadata"]["text"] == text


async def test_metadata_of_a_customer_that_is_too_long_is_refused(api: Any, db: Database, project_id: int) -> None:
    error = await refused(api, db, project_id, f'{{"source_id":"x","metadata":{{"text":"{"x" * 131_072}"}}}}')
    assert error["details"] == "Property .metadata is longer than 131072 bytes"
    text = "x" * 131_000
    assert api.call("POST", "/v1/customers", {"metadata": {"text": text}})["metadata"]["text"] == text


@pytest.mark.parametrize("content", ['{"a":' * 33 + "1" + "}" * 33, "[" * 33 + "]" * 33, '{"a":[' * 17 + "]}" * 17])
async def test_metadata_that_is_too_deep_is_refused(api: Any, db: Database, project_id: int, content: str) -> None:
    error = await refused(api, db, project_id, f'{{"source_id":"x","metadata":{{"deep":{content}}}}}')
    assert "deep" in error["details"]


@pytest.mark.parametrize("content", ["[" * 200_000, '{"a":' * 100_000, '{"x":' + "[" * 100_000 + "]" * 100_000 + "}"])
async def test_a_body_of_nothing_but_depth_is_refused(api: Any, db: Database, project_id: int, content: str) -> None:
    await refused(api, db, project_id, content)


def test_thirty_levels_are_not_too_deep(api: Any) -> None:
    content = '{"source_id":"x","metadata":' + '{"a":' * 30 + "1" + "}" * 30 + "}"
    assert api.post("/v1/customers", content=content).status_code == 200
    api.call("GET", "/v1/customers/x")


NUL = [
    '{"source_id":"a\\u0000b"}',
    '{"name":"a\\u0000b"}',
    '{"metadata":{"a":"\\u0000"}}',
    '{"metadata":{"a\\u0000b":1}}',
    '{"metadata":{"a":[{"b":["\\u0000"]}]}}',
    '{"address":{"city":"\\u0000"}}',
    '{"id":"\\u0000"}',
    '{"source":"\\u0000"}',
    '{"name":"a\x00b"}',
]


@pytest.mark.parametrize("content", NUL)
async def test_nul_characters_are_refused_anywhere(api: Any, db: Database, project_id: int, content: str) -> None:
    await refused(api, db, project_id, content)


def test_an_escaped_backslash_before_u0000_is_no_nul(api: Any) -> None:
    assert api.call("POST", "/v1/customers", {"source_id": "x", "name": "a\\u0000b"})["name"] == "a\\u0000b"


@pytest.mark.parametrize(
    "content",
    [
        '{"source_id":"\\ud800"}',
        '{"metadata":{"a":"\\udfff x"}}',
        '{"metadata":{"\\ud83d":1}}',
        '{"name":"\\ude00\\ud83d"}',
    ],
)
async def test_lone_surrogates_are_refused(api: Any, db: Database, project_id: int, content: str) -> None:
    await refused(api, db, project_id, content)


@pytest.mark.parametrize(
    "content",
    [
        b'{"name":"\xff"}',
        b'{"name":"\xc3\x28"}',
        b"\xff\xfe{\x00}\x00",
        b'{"metadata":{"\xe9":1}}',
        b'{"name":"X"} {}',
        b'{"name":"\xed\xa0\x80"}',
    ],
)
async def test_what_is_not_utf8_or_not_one_object_is_refused(
    api: Any, db: Database, project_id: int, content: bytes
) -> None:
    await refused(api, db, project_id, content)


NUMBERS = [
    "NaN",
    "Infinity",
    "-Infinity",
    "1e1001",
    "-1e99999999999",
    "1e-1001",
    "9" * 4000,
    "-" + "9" * 5000,
    "0x10",
    "01",
    "1.",
    ".5",
    "+1",
]


@pytest.mark.parametrize("number", NUMBERS)
async def test_numbers_that_cannot_be_kept_are_refused(api: Any, db: Database, project_id: int, number: str) -> None:
    await refused(api, db, project_id, f'{{"source_id":"x","metadata":{{"n":{number}}}}}')


@pytest.mark.parametrize(
    "number", ["0." + "1" * 20_000, "1" * 900 + ".5", "1e1000", "1e-1000", "-0", "-0.0", "1" + "0" * 300 + "e2"]
)
async def test_odd_numbers_are_kept_or_refused_but_never_break_reading(
    api: Any, db: Database, project_id: int, number: str
) -> None:
    answer = api.post("/v1/customers", content=f'{{"source_id":"x","metadata":{{"n":{number}}}}}')
    if answer.status_code == 200:
        assert (
            api.call("GET", "/v1/customers/x")["metadata"]["n"]
            == api.call("GET", "/v1/customers")["customers"][0]["metadata"]["n"]
        )
        facts.new_segment(api, facts.where("metadata.n", "$more_than", 1))
    else:
        assert (answer.status_code, answer.json()["key"]) == (400, "invalid_payload")
        assert await facts.counts(db, project_id) == {}


@pytest.mark.parametrize(
    "amount", ["9007199254740992", "1e30", "1e999", "9" * 30, "-1", "NaN", "1.5", '"1"', "true", "[]"]
)
@pytest.mark.usefixtures("known")
async def test_amounts_out_of_range_are_refused(api: Any, db: Database, project_id: int, amount: str) -> None:
    for content in (
        f'{{"amount":{amount}}}',
        f'{{"items":[{{"price":{amount}}}]}}',
        f'{{"items":[{{"amount":{amount}}}]}}',
    ):
        await refused(api, db, project_id, content, "PUT", "/v1/orders/known")


@pytest.mark.parametrize("price", ["1e999", "-1e999", "1e300", "-5", '"5"'])
@pytest.mark.usefixtures("known")
async def test_prices_of_products_out_of_range_are_refused(api: Any, db: Database, project_id: int, price: str) -> None:
    for holder in ("product", "sku"):
        await refused(
            api, db, project_id, f'{{"items":[{{"{holder}":{{"price":{price}}}}}]}}', "PUT", "/v1/orders/known"
        )


async def test_an_over_long_source_id_is_refused_and_the_longest_is_taken(
    api: Any, db: Database, project_id: int
) -> None:
    await refused(api, db, project_id, json.dumps({"source_id": "ż" * 256}))
    api.call("POST", "/v1/customers", {"source_id": "ż" * 255})
    await refused(api, db, project_id, json.dumps({"customer": {"source_id": "x" * 256}}), "POST", "/v1/orders")
    await refused(api, db, project_id, json.dumps({"source_id": "x" * 256}), "POST", "/v1/orders")


async def test_too_many_keys_of_metadata_are_refused(api: Any, db: Database, project_id: int) -> None:
    body = {"source_id": "x", "metadata": {f"k{number}": number for number in range(1001)}}
    await refused(api, db, project_id, json.dumps(body))


@pytest.mark.parametrize(
    "created_at",
    [
        "2026-02-30",
        "2026-13-01",
        "24:00",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:60Z",
        "20260101",
        "2026-W01-1",
        "0000-01-01",
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00+14:00",
        "2026-01-01T00:00:00+25:00",
        "",
    ],
)
async def test_bad_dates_are_refused(api: Any, db: Database, project_id: int, created_at: str) -> None:
    body = {"source_id": "o", "created_at": created_at}
    error = await refused(api, db, project_id, json.dumps(body), "POST", "/v1/orders")
    assert ".created_at" in error["details"]


UNKNOWN_PATHS = [
    ("GET", "/v1"),
    ("GET", "/v1/nothing"),
    ("GET", "/v2/customers"),
    ("GET", "/v1/customers/x/nothing"),
    ("GET", "/v1/customers/x/activity/y"),
    ("GET", "/wp-login.php"),
    ("GET", "/v1/customers/../../etc/passwd"),
]


@pytest.mark.parametrize(("method", "path"), UNKNOWN_PATHS)
async def test_an_unknown_path_is_404(api: Any, db: Database, project_id: int, method: str, path: str) -> None:
    await refused(api, db, project_id, b"", method, path, status=404, key="not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/v1/customers"),
        ("PATCH", "/v1/customers/x"),
        ("POST", "/v1/customers/x"),
        ("PUT", "/v1/customers"),
        ("DELETE", "/v1/orders/x"),
        ("GET", "/v1/events"),
        ("PATCH", "/v1/segments/x"),
        ("POST", "/health"),
    ],
)
async def test_a_method_that_a_path_does_not_have_is_405(
    api: Any, db: Database, project_id: int, method: str, path: str
) -> None:
    await refused(api, db, project_id, b"{}", method, path, status=405, key="method_not_allowed")


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/json; charset=utf-8", "application/octet-stream"]
)
def test_json_is_read_whatever_it_is_called(api: Any, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    answer = api.post("/v1/customers", content=b'{"source_id":"x"}', headers=headers)
    assert (answer.status_code, answer.json()["source_id"]) == (200, "x")


async def test_forms_are_refused(api: Any, db: Database, project_id: int) -> None:
    for options in ({"data": {"source_id": "x"}}, {"files": {"source_id": b"x"}}):
        answer = api.post("/v1/customers", **options)
        assert (answer.status_code, answer.json()["key"]) == (400, "invalid_payload")
    assert await facts.counts(db, project_id) == {}


@pytest.mark.parametrize(
    "reference", ["%00", "a%00b", "%ff", "%ed%a0%80", "..%2f..", "x" * 3000, "%27%20OR%201=1--", "%", "%zz"]
)
def test_odd_bytes_in_a_path_are_a_404(api: Any, reference: str) -> None:
    for path in ("customers", "orders", "segments"):
        answer = api.get(httpx2.URL(f"{api.base_url}/v1/{path}/{reference}"))
        assert (answer.status_code, answer.json()["key"]) == (404, "not_found"), answer.text


def test_an_error_names_the_request(api: Any) -> None:
    first = api.fails("GET", "/v1/customers/nobody", status=404, key="not_found")
    second = api.fails("GET", "/v1/customers/nobody", status=404, key="not_found")
    assert first["request_id"].startswith("v-")
    assert first["request_id"] != second["request_id"]


async def test_a_refused_part_undoes_the_whole(api: Any, db: Database, project_id: int) -> None:
    """The customer and the referrer of an order that is refused late are not made, and nothing is logged."""
    body = {
        "source_id": "o",
        "customer": {"source_id": "c", "name": "New"},
        "referrer": {"source_id": "r"},
        "amount": 5,
        "discount_amount": 6,
    }
    await refused(api, db, project_id, json.dumps(body), "POST", "/v1/orders")
    event = {"event": "e", "customer": {"source_id": "c"}, "metadata": {"n": float("1e400")}}
    await refused(api, db, project_id, json.dumps(event), "POST", "/v1/events")
    assert await facts.counts(db, project_id) == {}


@pytest.mark.parametrize("field", ["name", "email"])
def test_a_text_that_is_too_long_for_an_index_is_refused(api: Any, field: str) -> None:
    text = "".join(chr(0x4E00 + (number * 7919) % 20_000) for number in range(1_000))
    api.fails("POST", "/v1/customers", {"source_id": "c", field: text}, status=400, key="invalid_payload")
    api.fails("GET", "/v1/customers/c", status=404, key="not_found")
