from typing import Any

import pytest

from rapport.core.db import Database
from rapport.projects.models import NewKey

TYPES = ["customer.created", *["customer.custom_event"] * 5, "customer.updated"]


@pytest.fixture
def customer(api: Any) -> dict[str, Any]:
    """A customer with seven entries."""
    for number in range(5):
        api.call("POST", "/v1/events", {"event": f"e{number}", "customer": {"source_id": "c"}})
    return api.call("PUT", "/v1/customers/c", {"name": "Cid"})  # type: ignore[no-any-return]


@pytest.mark.parametrize("path", ["activity", "activities"])
def test_both_spellings_list_what_happened_newest_first(
    api: Any, key: NewKey, customer: dict[str, Any], path: str
) -> None:
    api.call("POST", "/v1/customers", {"source_id": "someone else"})
    found = api.call("GET", f"/v1/customers/c/{path}")
    assert (found["object"], found["data_ref"], found["total"], found["has_more"]) == ("list", "data", 7, False)
    assert "more_starting_after" not in found
    assert [one["type"] for one in found["data"]] == TYPES[::-1]
    newest = found["data"][0]
    assert set(newest) == {"id", "type", "data", "created_at", "group_id"}
    assert newest["data"]["data"] == {"customer": customer}
    assert newest["data"]["event_source"] == {
        "channel": "API",
        "api_key": {"name": "server key", "app_id": key.app_id},
    }
    assert newest["created_at"] == customer["updated_at"]
    assert newest["id"].startswith("ev_")
    assert newest["group_id"].startswith("v-")
    assert api.call("GET", f"/v1/customers/{customer['id']}/{path}") == found


@pytest.mark.parametrize("path", ["activity", "activities"])
@pytest.mark.parametrize("order", ["created_at", "-created_at"])
@pytest.mark.usefixtures("customer")
def test_the_cursor_meets_every_entry_once(api: Any, path: str, order: str) -> None:
    met: list[dict[str, Any]] = []
    params: dict[str, Any] = {"limit": 3, "order": order}
    for expected in (3, 3, 1):
        found = api.call("GET", f"/v1/customers/c/{path}", params=params)
        assert len(found["data"]) == expected
        assert found["total"] == 7
        assert found["has_more"] is (expected == 3)
        assert found.get("more_starting_after") == (found["data"][-1]["id"] if expected == 3 else None)
        params["starting_after_id"] = found["data"][-1]["id"]
        met += found["data"]
    assert [one["type"] for one in met] == (TYPES if order == "created_at" else TYPES[::-1])
    assert len({one["id"] for one in met}) == 7
    assert api.call("GET", f"/v1/customers/c/{path}", params=params)["data"] == []


@pytest.mark.usefixtures("customer")
def test_type_and_dates_keep_what_was_asked_for(api: Any) -> None:
    def types(**params: Any) -> list[str]:
        return [one["type"] for one in api.call("GET", "/v1/customers/c/activity", params=params)["data"]]

    data = api.call("GET", "/v1/customers/c/activity", params={"order": "created_at"})["data"]
    assert types(type="customer.custom_event") == TYPES[1:6]
    assert types(type="customer.deleted") == []
    assert types(type="nonsense") == []
    assert types(campaign_id="camp_x") == []
    first, last = data[0]["created_at"], data[-1]["created_at"]
    assert types(end_date=first) == [one["type"] for one in reversed(data) if one["created_at"] <= first]
    assert types(start_date=last) == [one["type"] for one in reversed(data) if one["created_at"] >= last]
    assert types(start_date=first, end_date=last) == TYPES[::-1]
    assert types(start_date="2999-01-01") == []


@pytest.mark.usefixtures("customer")
def test_entries_of_one_request_share_its_group(api: Any) -> None:
    data = api.call("GET", "/v1/customers/c/activity", params={"order": "created_at"})["data"]
    groups = [one["group_id"] for one in data]
    assert groups[0] == groups[1]
    assert len(set(groups)) == 6


def test_an_unknown_cursor_and_an_unknown_customer(api: Any, customer: dict[str, Any]) -> None:
    path = f"/v1/customers/{customer['id']}/activity"
    error = api.fails("GET", path, params={"starting_after_id": "ev_x"}, status=400, key="invalid_query_params")
    assert "ev_x" in error["details"]
    api.fails("GET", "/v1/customers/nobody/activity", status=404, key="not_found")


@pytest.mark.parametrize(
    "params",
    [
        {"limit": 0},
        {"limit": 101},
        {"order": "id"},
        {"start_date": "x"},
        {"end_date": "2026-02-30"},
        {"starting_after_id": "a\x00"},
        {"type": "a\x00"},
    ],
)
@pytest.mark.usefixtures("customer")
def test_bad_parameters_are_refused(api: Any, params: dict[str, Any]) -> None:
    api.fails("GET", "/v1/customers/c/activity", params=params, status=400, key="invalid_query_params")


async def test_the_log_carries_the_transaction_and_is_never_rewritten(
    api: Any, db: Database, project_id: int, customer: dict[str, Any]
) -> None:
    async def rows() -> list[Any]:
        async with db.read() as conn:
            return await conn.fetch(
                "SELECT id, xid::text::bigint AS xid, seq, created_at, payload FROM activity "
                "WHERE project_id = $1 ORDER BY xid, seq",
                project_id,
            )

    before = await rows()
    assert [row["seq"] for row in before] == sorted(row["seq"] for row in before)
    assert len({row["xid"] for row in before}) == 6
    api.call("DELETE", f"/v1/customers/{customer['id']}", status=204)
    assert (await rows())[:7] == before
