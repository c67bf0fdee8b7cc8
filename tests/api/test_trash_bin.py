"""The trash bin: what is deleted there is gone for every operation, can come back as it was, or go for good."""

import time
from typing import Any

import pytest

import promotions
from promotions import codes_of, make_campaign, make_rule, make_voucher, one_rule, publish, redeem, stack, summary, used
from rapport.core.db import Database
from rapport.projects.actions import create_key


def entries(api: Any, **query: str) -> list[dict[str, Any]]:
    """Return the entries of the bin, newest first."""
    found = api.call("GET", "/v1/trash-bin", params=query)
    assert found["total"] == len(found["data"])
    return found["data"]  # type: ignore[no-any-return]


def bin_voucher(api: Any, code: str) -> str:
    """Move a voucher to the bin; return the id of its entry."""
    api.call("DELETE", f"/v1/vouchers/{code}", status=204)
    return str(entries(api)[0]["id"])


def bin_campaign(api: Any, name: str = "Spring") -> str:
    """Move a campaign to the bin; return the id of its entry."""
    api.call("DELETE", f"/v1/campaigns/{name}", status=202)
    return str(entries(api)[0]["id"])


def restore(api: Any, entry: str, status: int = 204) -> Any:
    """Put an entry back."""
    return api.call("POST", f"/v1/trash-bin/{entry}/restore", status=status)


def action(api: Any, action_id: str) -> dict[str, Any]:
    """Wait until an action is over; return it. Its progress never goes back."""
    deadline, seen = time.monotonic() + 30, [0]
    while True:
        found = api.call("GET", f"/v1/async-actions/{action_id}")
        seen.append(found["progress"])
        if found["status"] in {"DONE", "FAILED"}:
            assert seen == sorted(seen)
            return found  # type: ignore[no-any-return]
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def test_a_deleted_voucher_is_an_entry_of_the_bin(api: Any, key: Any) -> None:
    voucher = make_voucher(api, "CODE")
    entry = bin_voucher(api, "CODE")
    (found,) = entries(api)
    created_at = found.pop("created_at")
    assert created_at.endswith("Z")
    assert found == {
        "id": entry,
        "deleted_by_user_id": key.app_id,
        "resource_id": voucher["id"],
        "resource_type": "voucher",
        "resource_name": "CODE",
        "resource_parent_id": None,
        "object": "voucher",
    }
    assert entry.startswith("tbe_")


def test_a_deleted_campaign_is_one_entry_whatever_codes_it_has(api: Any) -> None:
    campaign = make_campaign(api)
    bin_campaign(api)
    (found,) = entries(api)
    assert (found["object"], found["resource_name"], found["resource_id"], found["resource_parent_id"]) == (
        "campaign",
        "Spring",
        campaign["id"],
        None,
    )


def test_what_is_in_the_bin_is_gone_for_every_operation(api: Any) -> None:
    campaign = make_campaign(api, quantity=None)
    code = publish(api)["voucher"]["code"]
    redemption = redeem(api, code)["redemptions"][0]["id"]
    free = next(one for one in codes_of(api, campaign["id"]) if one != code)
    single = make_voucher(api, "SINGLE")
    bin_voucher(api, "SINGLE")
    bin_campaign(api)
    for one in (code, free, "SINGLE", single["id"]):
        for method, path, body in (
            ("GET", "", None),
            ("PUT", "", {}),
            ("DELETE", "", None),
            ("DELETE", "?force=true", None),
            ("POST", "/enable", None),
            ("POST", "/redemption", {}),
        ):
            api.fails(method, f"/v1/vouchers/{one}{path}", body, status=404, key="not_found")
        api.fails("POST", "/v1/redemptions", stack(one), status=404, key="not_found")
        checked = api.call("POST", "/v1/validations", stack(one))
        assert checked["valid"] is False
        published = {"voucher": one, "customer": {"source_id": "bob"}}
        api.fails("POST", "/v1/publications", published, status=404, key="not_found")
    for reference in (campaign["id"], "Spring"):
        for method, path, body in (("GET", "", None), ("PUT", "", {}), ("DELETE", "", None), ("POST", "/vouchers", {})):
            api.fails(method, f"/v1/campaigns/{reference}{path}", body, status=404, key="not_found")
    published = {"campaign": {"name": "Spring"}, "customer": {"source_id": "bob"}}
    api.fails("POST", "/v1/publications", published, status=404, key="not_found")
    assert api.call("GET", "/v1/campaigns")["total"] == 0
    assert api.call("GET", "/v1/vouchers")["total"] == 0
    rule = make_rule(api, one_rule("redemption.count.per_customer", "$less_than", 9))
    for kind, reference in (("voucher", single["id"]), ("campaign", campaign["id"])):
        related = {"related_object_type": kind, "related_object_id": reference}
        api.fails("POST", f"/v1/validation-rules/{rule}/assignments", related, status=404, key="not_found")
    assert api.call("GET", f"/v1/redemptions/{redemption}")["result"] == "SUCCESS"


def test_a_voucher_comes_back_as_it_was(api: Any) -> None:
    rule = make_rule(api, one_rule("redemption.count.per_customer", "$less_than_or_equal", 1))
    make_voucher(api, "CODE", redemption={"quantity": 5}, metadata={"a": 1}, validation_rules=[rule])
    redeem(api, "CODE")
    api.call("POST", "/v1/vouchers/CODE/disable")
    before = api.call("GET", "/v1/vouchers/CODE")
    entry = bin_voucher(api, "CODE")
    assert api.call("GET", "/v1/validation-rules-assignments")["total"] == 0
    restore(api, entry)
    after = api.call("GET", "/v1/vouchers/CODE")
    for shown in (before, after):
        (assigned,) = shown.pop("validation_rules_assignments")["data"]
        assert assigned["rule_id"] == rule
    assert after == before
    assert after["active"] is False
    assert entries(api) == []
    api.call("POST", "/v1/vouchers/CODE/enable")
    promotions.refused(api, "CODE", key="redemption_rules_violated")


def test_a_campaign_comes_back_with_its_codes_and_its_rules(api: Any) -> None:
    rule = make_rule(api, one_rule("redemption.count.per_customer", "$less_than_or_equal", 1))
    campaign = make_campaign(api, quantity=None, vouchers_count=3, validation_rules=[rule])
    held = publish(api)["voucher"]["code"]
    redeem(api, held)
    codes = codes_of(api, campaign["id"])
    restore(api, bin_campaign(api))
    assert codes_of(api, campaign["id"]) == codes
    assert api.call("GET", "/v1/campaigns/Spring")["vouchers_count"] == 3
    promotions.refused(api, held, key="redemption_rules_violated")
    assert publish(api, customer="bob")["voucher"]["code"] in codes


def test_the_code_and_the_name_are_free_and_their_return_is_then_a_conflict(api: Any) -> None:
    first = make_campaign(api)
    make_voucher(api, "CODE")
    voucher_entry, campaign_entry = bin_voucher(api, "CODE"), bin_campaign(api)
    make_voucher(api, "CODE", redemption={"quantity": 9})
    second = make_campaign(api)
    for entry in (voucher_entry, campaign_entry):
        api.fails("POST", f"/v1/trash-bin/{entry}/restore", status=409, key="not_restored")
    assert {one["id"] for one in entries(api)} == {voucher_entry, campaign_entry}
    assert api.call("GET", "/v1/campaigns/Spring")["id"] == second["id"] != first["id"]
    assert api.call("GET", "/v1/vouchers/CODE")["redemption"]["quantity"] == 9
    api.call("DELETE", "/v1/vouchers/CODE", status=204, params={"force": "true"})
    restore(api, voucher_entry)
    assert api.call("GET", "/v1/vouchers/CODE")["redemption"]["quantity"] != 9


def test_the_codes_of_a_campaign_in_the_bin_stay_taken(api: Any) -> None:
    campaign = make_campaign(api)
    code = codes_of(api, campaign["id"])[0]
    entry = bin_campaign(api)
    body = {"type": "DISCOUNT_VOUCHER", "discount": promotions.amount(1)}
    api.fails("POST", f"/v1/vouchers/{code}", body, status=409, key="duplicate_found")
    api.call("DELETE", f"/v1/trash-bin/{entry}", status=204)
    make_voucher(api, code)


def test_a_voucher_waits_for_its_campaign(api: Any) -> None:
    campaign = make_campaign(api, vouchers_count=2)
    code = codes_of(api, campaign["id"])[0]
    voucher_entry = bin_voucher(api, code)
    assert entries(api)[0]["resource_parent_id"] == campaign["id"]
    assert api.call("GET", "/v1/campaigns/Spring")["vouchers_count"] == 1
    campaign_entry = bin_campaign(api)
    error = api.fails("POST", f"/v1/trash-bin/{voucher_entry}/restore", status=409, key="not_restored")
    assert "campaign" in error["details"]
    restore(api, campaign_entry)
    assert api.call("GET", "/v1/campaigns/Spring")["vouchers_count"] == 1
    restore(api, voucher_entry)
    assert api.call("GET", "/v1/campaigns/Spring")["vouchers_count"] == 2
    assert code in codes_of(api, campaign["id"])


async def test_deleting_an_entry_is_for_good(api: Any, db: Database, project_id: int) -> None:
    campaign = make_campaign(api, vouchers_count=3)
    bin_voucher(api, codes_of(api, campaign["id"])[0])
    make_voucher(api, "CODE")
    voucher_entry, campaign_entry = bin_voucher(api, "CODE"), bin_campaign(api)
    for entry in (voucher_entry, campaign_entry):
        api.call("DELETE", f"/v1/trash-bin/{entry}", status=204)
        api.fails("DELETE", f"/v1/trash-bin/{entry}", status=404, key="not_found")
        api.fails("POST", f"/v1/trash-bin/{entry}/restore", status=404, key="not_found")
    for table in ("campaigns", "vouchers", "trash_bin_entries"):
        assert await promotions.rows(db, project_id, table) == 0, table


async def test_with_force_nothing_is_kept_in_the_bin(api: Any, db: Database, project_id: int) -> None:
    make_campaign(api)
    make_voucher(api, "CODE")
    api.fails("DELETE", "/v1/vouchers/CODE?force=maybe", status=400, key="invalid_query_params")
    api.call("DELETE", "/v1/vouchers/CODE?force=true", status=204)
    api.call("DELETE", "/v1/campaigns/Spring?force=true", status=202)
    assert entries(api) == []
    for table in ("campaigns", "vouchers"):
        assert await promotions.rows(db, project_id, table) == 0, table


def test_a_rollback_gives_the_use_back_even_in_the_bin(api: Any) -> None:
    make_voucher(api, "CODE", redemption={"quantity": 1})
    done = redeem(api, "CODE")["redemptions"][0]["id"]
    entry = bin_voucher(api, "CODE")
    api.call("POST", f"/v1/redemptions/{done}/rollback", {})
    restore(api, entry)
    assert used(api, "CODE") == 0
    redeem(api, "CODE")
    promotions.refused(api, "CODE", key="quantity_exceeded")


def test_a_joined_customer_joins_again_when_the_code_is_in_the_bin(api: Any) -> None:
    make_campaign(api, join_once=True)
    first = publish(api)["voucher"]["code"]
    assert publish(api)["voucher"]["code"] == first
    bin_voucher(api, first)
    assert publish(api)["voucher"]["code"] != first
    assert summary(api) is not None


def test_the_list_has_cursors_orders_and_filters(api: Any) -> None:
    for number in range(5):
        make_voucher(api, f"CODE-{number}")
        bin_voucher(api, f"CODE-{number}")
    make_campaign(api, "Autumn")
    bin_campaign(api, "Autumn")
    newest = [one["resource_name"] for one in entries(api)]
    assert newest == ["Autumn", "CODE-4", "CODE-3", "CODE-2", "CODE-1", "CODE-0"]
    assert [one["resource_name"] for one in entries(api, order="id")] == newest[::-1]
    seen: list[str] = []
    query = {"limit": "4"}
    while True:
        page = api.call("GET", "/v1/trash-bin", params=query)
        seen += [one["resource_name"] for one in page["data"]]
        assert page["has_more"] is ("more_starting_after" in page)
        if not page["has_more"]:
            break
        query["starting_after_id"] = page["more_starting_after"]
    assert seen == newest
    wanted = entries(api, order="id")[1]
    for given, names in (
        ({"filters[resource_type][conditions][$is]": "campaign"}, ["Autumn"]),
        ({"filters[resource_type][conditions][$is_not]": "voucher"}, ["Autumn"]),
        ({"filters[resource_name][conditions][$in][0]": "CODE-1", "filters[resource_name][conditions][$in][1]": "x"},
         ["CODE-1"]),
        ({"filters[resource_id][conditions][$is]": wanted["resource_id"]}, ["CODE-1"]),
        ({"filters[id][conditions][$is]": wanted["id"]}, ["CODE-1"]),
        ({"filters[resource_name][conditions][$ends_with]": "-3", "filters[resource_type][conditions][$is]": "campaign",
          "filters[junction]": "or"}, ["Autumn", "CODE-3"]),
    ):  # fmt: skip
        assert [one["resource_name"] for one in entries(api, **given)] == names, given
    for bad in ({"limit": "0"}, {"order": "created_at"}, {"filters[color][conditions][$is]": "x"},
                {"starting_after_id": "tbe_x"}, {"filters[junction]": "xor"}):  # fmt: skip
        api.fails("GET", "/v1/trash-bin", status=400, key="invalid_query_params", params=bad)


async def test_the_bin_of_another_project_is_out_of_reach(api: Any, db: Database) -> None:
    make_voucher(api, "CODE")
    entry = bin_voucher(api, "CODE")
    stranger = await create_key(db, f"Stranger of {entry}", "server")
    headers = {"X-App-Id": stranger.app_id, "X-App-Token": stranger.app_token}
    for method, path in (("DELETE", entry), ("POST", f"{entry}/restore")):
        api.fails(method, f"/v1/trash-bin/{path}", status=404, key="not_found", headers=headers)
    assert api.call("GET", "/v1/trash-bin", headers=headers)["data"] == []
    assert [one["id"] for one in entries(api)] == [entry]


@pytest.mark.parametrize("count", [2, 1_500])
def test_the_making_of_codes_is_an_action_that_tells_the_truth(api: Any, count: int) -> None:
    make_campaign(api, vouchers_count=0, pattern="L-########")
    made = api.call("POST", "/v1/campaigns/Spring/vouchers", params={"vouchers_count": str(count)}, status=202)
    done = action(api, made["async_action_id"])
    assert (done["type"], done["status"], done["progress"]) == ("CAMPAIGN.VOUCHERS_GENERATE", "DONE", 100)
    assert done["operation_status"] == "SUCCESS"
    assert done["result"] == {"message": f"Generated {count} vouchers.", "done_count": count}
    shown = api.call("GET", "/v1/campaigns/Spring")
    assert (shown["vouchers_count"], shown["creation_status"]) == (count, "DONE")


def test_the_codes_of_a_new_campaign_are_an_action_too(api: Any) -> None:
    make_campaign(api, vouchers_count=1_500, pattern="L-########")
    (listed,) = api.call("GET", "/v1/async-actions")["async_actions"]
    done = action(api, listed["id"])
    assert done["result"] == {"message": "Generated 1500 vouchers.", "done_count": 1_500}
    assert api.call("GET", "/v1/campaigns/Spring")["vouchers_count"] == 1_500


def test_codes_that_cannot_be_made_fail_their_action_and_are_waited_for_no_more(api: Any) -> None:
    # 46 * 46 codes in all; the other campaign has taken some of them.
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrst"
    config = {"charset": letters, "pattern": "##"}
    make_campaign(api, "First", vouchers_count=1_000, voucher={"code_config": config})
    make_campaign(api, "Second", vouchers_count=1_500, voucher={"code_config": config})
    actions = api.call("GET", "/v1/async-actions")["async_actions"]
    failed = action(api, next(one["id"] for one in actions if one["status"] != "DONE" or one["progress"] < 100))
    made = 46 * 46 - 1_000
    assert failed["status"] == "FAILED"
    assert (failed["result"]["done_count"], failed["result"]["failed_count"]) == (made, 1_500 - made)
    shown = api.call("GET", "/v1/campaigns/Second")
    assert (shown["creation_status"], shown["vouchers_count"]) == ("FAILED", made)


@pytest.mark.parametrize("count", [3, 1_200])
def test_deleting_a_campaign_for_good_is_an_action_that_tells_the_truth(api: Any, count: int) -> None:
    campaign = make_campaign(api, vouchers_count=count, pattern="L-########")
    action(api, api.call("GET", "/v1/async-actions")["async_actions"][0]["id"])
    code = codes_of(api, campaign["id"])[0]
    begun = api.call("DELETE", "/v1/campaigns/Spring", status=202, params={"force": "true"})
    api.fails("GET", f"/v1/vouchers/{code}", status=404, key="not_found")
    done = action(api, begun["async_action_id"])
    assert (done["type"], done["status"]) == ("CAMPAIGN.VOUCHERS_DELETE", "DONE")
    assert done["result"] == {"message": f"Deleted {count} vouchers.", "done_count": count}
    make_voucher(api, code)


def test_moving_a_campaign_to_the_bin_is_an_action_that_is_over(api: Any) -> None:
    make_campaign(api, vouchers_count=3)
    begun = api.call("DELETE", "/v1/campaigns/Spring", status=202)
    done = action(api, begun["async_action_id"])
    assert (done["type"], done["result"]) == (
        "CAMPAIGN.VOUCHERS_DELETE",
        {"message": "Moved 3 vouchers to the bin.", "done_count": 3},
    )
