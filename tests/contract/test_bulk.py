"""Bulk updates, the import of orders and asynchronous actions: the official SDK, and the reference's schemas."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import voucherify
from voucherify import models

import facts
import harness
from contract.test_reference_schemas import document, misfits, schema_of

RESULTS = {
    "/v1/customers/bulk/async": "AsyncActionResultCustomersBulkUpdateResponseBody",
    "/v1/customers/metadata/async": "AsyncActionResultCustomersMetadataUpdateResponseBody",
    "/v1/orders/import": "17_res_obj_get_async_action_result_orders_import",
}
BODIES = {
    "/v1/customers/bulk/async": [facts.ANN, {"source_id": "bob", "name": 5}],
    "/v1/customers/metadata/async": {"source_ids": ["ann", 5], "metadata": {"a": 1}},
    "/v1/orders/import": [{"source_id": "o", "customer": facts.ANN, "items": facts.ITEMS}, {"source_id": "p", "id": 5}],
}


def finished(sdk: voucherify.ApiClient, action_id: str) -> Any:
    """Wait through the SDK until an action is over."""
    actions = voucherify.AsyncActionsApi(sdk)

    def look() -> Any:
        action = actions.get_async_action(action_id)
        return action if action.status in {"DONE", "FAILED"} else None

    return harness.wait_for(look, what="the end of the action")


def test_customers_are_updated_in_bulk(sdk: voucherify.ApiClient) -> None:
    customers = voucherify.CustomersApi(sdk)
    body = [models.CustomersUpdateInBulkRequestBody.from_dict(one) for one in (facts.ANN, {"source_id": "bob"})]
    accepted = customers.update_customers_in_bulk(customers_update_in_bulk_request_body=body)
    assert isinstance(accepted, models.CustomersUpdateInBulkResponseBody)
    action = finished(sdk, accepted.async_action_id)
    assert (action.type, action.status, action.operation_status) == ("CUSTOMERS.BULK_UPDATE", "DONE", "SUCCESS")
    assert (action.progress, action.result["done_count"], action.result["errors"]) == (100, 2, [])
    assert action.created_at <= action.updated_at
    assert customers.get_customer("ann").name == "Ann"
    more = models.CustomersMetadataUpdateInBulkRequestBody(source_ids=["ann", "new"], metadata={"lang": "en"})
    accepted = customers.update_customers_metadata_in_bulk(customers_metadata_update_in_bulk_request_body=more)
    assert isinstance(accepted, models.CustomersMetadataUpdateInBulkResponseBody)
    action = finished(sdk, accepted.async_action_id)
    assert (action.type, action.result["done_count"]) == ("CUSTOMERS.METADATA_UPDATE", 2)
    assert customers.get_customer("ann").metadata == {**facts.ANN["metadata"], "lang": "en"}
    assert customers.get_customer("new").metadata == {"lang": "en"}


def test_orders_are_imported(sdk: voucherify.ApiClient) -> None:
    orders = voucherify.OrdersApi(sdk)
    at = datetime(2024, 2, 29, 12, tzinfo=UTC)
    raw = {"source_id": "o", "status": "PAID", "customer": facts.ANN, "items": facts.ITEMS, "created_at": at}
    body = [models.OrdersImportCreateRequestBodyItem.from_dict(raw)]
    accepted = orders.import_orders(orders_import_create_request_body_item=body)
    assert isinstance(accepted, models.OrdersImportCreateResponseBody)
    action = finished(sdk, accepted.async_action_id)
    assert (action.type, action.result["done_count"], action.result["failed_count"]) == ("ORDERS.IMPORT", 1, 0)
    order = orders.get_order("o")
    assert (order.status, order.created_at) == ("PAID", at)
    assert voucherify.CustomersApi(sdk).get_customer("ann").summary.orders.total_count == 1


def test_actions_are_listed(sdk: voucherify.ApiClient) -> None:
    customers, actions = voucherify.CustomersApi(sdk), voucherify.AsyncActionsApi(sdk)
    body = [models.CustomersUpdateInBulkRequestBody(source_id="a")]
    ids = [
        customers.update_customers_in_bulk(customers_update_in_bulk_request_body=body).async_action_id for _ in range(3)
    ]
    whole = actions.list_async_actions()
    assert (whole.object, whole.data_ref, whole.has_more) == ("list", "async_actions", False)
    assert [one.id for one in whole.async_actions] == ids[::-1]
    page = actions.list_async_actions(limit=2)
    assert ([one.id for one in page.async_actions], page.has_more) == ([ids[2], ids[1]], True)
    earlier = actions.list_async_actions(end_date=whole.async_actions[1].created_at)
    assert [one.id for one in earlier.async_actions] == ids[:1]
    later = actions.list_async_actions(end_date=whole.async_actions[0].created_at + timedelta(days=1))
    assert [one.id for one in later.async_actions] == ids[::-1]
    with pytest.raises(voucherify.exceptions.NotFoundException):
        actions.get_async_action("aa_none")


@pytest.mark.parametrize("path", RESULTS)
def test_answers_fit_the_references_schemas(api: Any, sdk: voucherify.ApiClient, path: str) -> None:
    status = "200" if path == "/v1/orders/import" else "202"
    accepted = api.call("POST", path, BODIES[path], status=int(status))
    assert misfits(accepted, schema_of(path.split("/")[2], "post", path, status)) == {}
    finished(sdk, accepted["async_action_id"])
    one = "/v1/async-actions/{asyncActionId}"
    action = facts.plain(api.call("GET", one.format(asyncActionId=accepted["async_action_id"])))
    assert misfits(action, schema_of("async-actions", "get", one, "200")) == {}
    components = document("async-actions")["components"]
    schema = {"$ref": f"#/components/schemas/{RESULTS[path]}", "components": components}
    assert misfits(action["result"], schema) == {}
    assert (action["result"]["done_count"], action["result"]["failed_count"]) == (1, 1)
    listed = facts.plain(api.call("GET", "/v1/async-actions"))
    assert misfits(listed, schema_of("async-actions", "get", "/v1/async-actions", "200")) == {}
    assert "result" not in listed["async_actions"][0]
