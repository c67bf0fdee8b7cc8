"""A purge takes a removed key out of everything of its kind, then the definition goes, too."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

import facts
import harness
from facts import new_segment, where
from management import Management, managed
from promotions import make_campaign, make_voucher
from rapport.core.db import Database
from rapport.projects.models import NewKey

GONE = {"gone": {"type": "string", "deleted": True}}


@pytest.fixture
async def management(server: harness.Server, db: Database, key: NewKey) -> AsyncIterator[Management]:
    """The management API of the test's project."""
    async with managed(server, db, key.project) as found:
        yield found


async def test_customers_lose_the_key_and_leave_their_segments(
    management: Management, api: Any, db: Database, project_id: int
) -> None:
    schema_id = management.define("customer", {"gone": "string", "kept": {"type": "string", "optional": False}})
    segment_id = new_segment(api, where("metadata.gone", "$is", "x"))
    ids = [
        api.call("POST", "/v1/customers", {"source_id": name, "metadata": {"kept": "k", **more}})["id"]
        for name, more in (("a", {"gone": "x"}), ("b", {"gone": "y"}), ("c", {}))
    ]
    facts.wait_until_filled(api, segment_id)
    assert await facts.members(db, project_id, segment_id) == [ids[0]]
    management.change(schema_id, GONE)
    action = management.purge(schema_id, "gone", server=api)
    assert (action["type"], action["status"], action["result"]) == (
        "CUSTOMERS.METADATA_KEY_PURGE",
        "DONE",
        {"done_count": 2},
    )
    for name in "abc":
        assert api.call("GET", f"/v1/customers/{name}")["metadata"] == {"kept": "k"}
    assert await facts.members(db, project_id, segment_id) == []
    left = api.call("GET", "/v1/customers/a/activity")["data"]
    assert sorted(one["type"] for one in left[:2]) == ["customer.segment.left", "customer.updated"]
    assert len(api.call("GET", "/v1/customers/c/activity")["data"]) == 1
    assert list(management.call("GET", f"/metadata-schemas/{schema_id}")["properties"]) == ["kept"]
    # The key is free again, for any type.
    management.change(schema_id, {"gone": "number"})
    assert api.call("PUT", "/v1/customers/a", {"metadata": {"gone": 5}})["metadata"] == {"kept": "k", "gone": 5}


def test_orders_and_items_campaigns_and_vouchers_lose_the_key(management: Management, api: Any) -> None:
    schemas = {
        name: management.define(name, {"gone": "string"}) for name in ("order", "order_item", "campaign", "voucher")
    }
    metadata = {"gone": "x", "kept": "k"}
    items = [{"product_id": "p", "metadata": metadata}, {"product_id": "q"}]
    body = {"source_id": "o", "status": "PAID", "customer": {"source_id": "ann"}, "amount": 500}
    api.call("POST", "/v1/orders", {**body, "metadata": metadata, "items": items})
    api.call("POST", "/v1/orders", {"source_id": "nobody", "metadata": metadata})
    make_campaign(api, metadata=metadata)
    make_voucher(api, metadata=metadata)
    segment_id = new_segment(api, {"orders": {"where": where("metadata.gone", "$is", "x")}})
    facts.wait_until_filled(api, segment_id)
    assert api.call("GET", "/v1/customers/ann/segments")["total"] == 1
    done = {}
    for name, schema_id in schemas.items():
        management.change(schema_id, GONE)
        done[name] = management.purge(schema_id, "gone", server=api)["result"]["done_count"]
    assert done == {"order": 2, "order_item": 1, "campaign": 1, "voucher": 1}
    order = api.call("GET", "/v1/orders/o")
    assert order["metadata"] == order["items"][0]["metadata"] == {"kept": "k"}
    assert "metadata" not in order["items"][1]
    for path in ("/v1/orders/nobody", "/v1/campaigns/Spring", "/v1/vouchers/CODE"):
        assert api.call("GET", path)["metadata"] == {"kept": "k"}
    customer = api.call("GET", "/v1/customers/ann")
    assert (customer["summary"]["orders"]["total_count"], customer["summary"]["orders"]["total_amount"]) == (1, 500)
    assert api.call("GET", "/v1/customers/ann/segments")["total"] == 0


def test_only_what_is_removed_and_not_of_the_ledger_is_purged(management: Management, api: Any) -> None:
    schema_id = management.define("customer", {"kept": "string"})
    path = f"/metadata-schemas/{schema_id}/properties"
    details = management.fails("POST", f"{path}/kept/purge")
    assert details == "Remove the definition of kept first: set .properties.kept.deleted to true"
    management.fails("POST", f"{path}/nothing/purge", status=404, key="not_found")
    for name in ("redemption", "publication", "Company"):
        other = management.define(name, GONE)
        details = management.fails("POST", f"/metadata-schemas/{other}/properties/gone/purge")
        assert details == f"The values of a {name} cannot be purged"
    assert api.call("GET", "/v1/async-actions")["total"] == 0


def test_a_resource_that_nobody_keeps_yet_loses_the_definition_only(management: Management, api: Any) -> None:
    schema_id = management.define("reward", GONE)
    action = management.purge(schema_id, "gone", server=api)
    assert (action["type"], action["status"]) == ("REWARDS.METADATA_KEY_PURGE", "DONE")
    assert management.call("GET", f"/metadata-schemas/{schema_id}")["properties"] == {}
