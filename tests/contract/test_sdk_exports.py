"""The official SDK makes every call of exports and reads every answer; answers fit the reference's schemas."""

from typing import Any

import pytest
import voucherify
from voucherify import models

import facts
from contract.test_reference_schemas import misfits, schema_of
from exports_world import finished

OBJECTS = {
    "voucher": ["code", "value", "metadata"],
    "redemption": ["id", "result"],
    "publication": ["voucher_code", "customer_id"],
    "customer": ["name", "source_id", "orders_total_amount"],
    "order": ["id", "status", "metadata"],
}


@pytest.fixture
def exports(sdk: voucherify.ApiClient) -> voucherify.ExportsApi:
    return voucherify.ExportsApi(sdk)


def fits(answer: Any, document: str, method: str, path: str) -> None:
    """Hold an answer against its schema."""
    assert misfits(answer, schema_of(document, method, path, "200")) == {}, (method, path)


def with_user(answer: Any) -> Any:
    """Return the answer of a creation with a text for `user_id`: null there, as in the documents' own examples."""
    assert answer["user_id"] is None
    return answer | {"user_id": ""}


@pytest.mark.parametrize("name", OBJECTS)
def test_an_export_is_made_read_downloaded_and_deleted(exports: voucherify.ExportsApi, api: Any, name: str) -> None:
    api.call("POST", "/v1/customers", facts.ANN)
    parameters = {"order": "-created_at", "fields": OBJECTS[name], "filters": {"junction": "and"}}
    body = models.ExportsCreateRequestBody.from_dict({"exported_object": name, "parameters": parameters})
    made = exports.create_export(body)
    assert isinstance(made, models.ExportsCreateResponseBody)
    assert (made.status, made.exported_object, made.channel, made.result) == ("SCHEDULED", name, "API", None)
    assert made.parameters.fields == OBJECTS[name]
    raw = finished(api, made.id)
    fits(raw, "exports", "get", "/v1/exports/{exportId}")
    done = exports.get_export(made.id)
    assert isinstance(done, models.ExportsGetResponseBody)
    assert done.result.url == raw["result"]["url"]
    text = exports.download_export(made.id, token=done.result.url.partition("token=")[2])
    assert text.splitlines()[0].split(",")[0] == OBJECTS[name][0]
    listed = exports.list_exports(limit=10, page=1, order=models.ParameterOrderListExports("-created_at"))
    assert [one.id for one in listed.exports] == [made.id]
    fits(api.call("GET", "/v1/exports"), "exports", "get", "/v1/exports")
    exports.delete_export(made.id)
    with pytest.raises(voucherify.exceptions.NotFoundException):
        exports.get_export(made.id)


def test_fields_that_the_sdk_does_not_know_do_not_keep_it_from_reading(
    exports: voucherify.ExportsApi, api: Any
) -> None:
    body = {"exported_object": "order", "parameters": {"fields": ["id", "metadata.payment_mean"]}}
    made = api.call("POST", "/v1/exports", body)
    api.call("POST", "/v1/exports", {"exported_object": "event"})
    assert exports.get_export(made["id"]).parameters.fields == ["id"]
    assert exports.list_exports().total == 1


def test_orders_are_exported(sdk: voucherify.ApiClient, api: Any) -> None:
    orders = voucherify.OrdersApi(sdk)
    filters = {"discount_amount": {"conditions": {"$more_than": [100000]}}}
    parameters = {"fields": ["id", "amount"], "order": "-updated_at", "filters": filters}
    made = orders.create_order_export(models.OrdersExportCreateRequestBody.from_dict({"parameters": parameters}))
    assert isinstance(made, models.OrdersExportCreateResponseBody)
    assert (made.status, made.exported_object) == ("SCHEDULED", "order")
    assert finished(api, made.id)["file"]["rows"] == 0
    raw = api.call("POST", "/v1/orders/export", {})
    fits(with_user(raw), "orders", "post", "/v1/orders/export")
    made = api.call("POST", "/v1/exports", {"exported_object": "order"})
    fits(with_user(made), "exports", "post", "/v1/exports")


def test_errors_are_those_of_the_reference(api: Any) -> None:
    fields = {"exported_object": "order", "parameters": {"fields": ["nothing"]}}
    error = api.fails("POST", "/v1/exports", fields, status=400, key="invalid_export_fields")
    assert error["message"] == "Invalid Export"
    missing = api.fails("GET", "/v1/exports/exp_x", status=404, key="not_found")
    assert misfits(missing, schema_of("exports", "get", "/v1/exports/{exportId}", "404")) == {}
    assert (missing["resource_id"], missing["resource_type"]) == ("exp_x", "export")
