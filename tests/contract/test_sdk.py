"""The official SDK, unmodified, makes every call that exists here and reads every answer."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import voucherify
from voucherify import models

import facts


@pytest.fixture
def customers(sdk: voucherify.ApiClient) -> voucherify.CustomersApi:
    return voucherify.CustomersApi(sdk)


@pytest.fixture
def orders(sdk: voucherify.ApiClient) -> voucherify.OrdersApi:
    return voucherify.OrdersApi(sdk)


@pytest.fixture
def events(sdk: voucherify.ApiClient) -> voucherify.EventsApi:
    return voucherify.EventsApi(sdk)


@pytest.fixture
def segments(sdk: voucherify.ApiClient) -> voucherify.SegmentsApi:
    return voucherify.SegmentsApi(sdk)


def save_ann(customers: voucherify.CustomersApi) -> Any:
    """Create the customer through the SDK."""
    return customers.create_customer(models.CustomersCreateRequestBody.from_dict(facts.ANN))


def save_order(orders: voucherify.OrdersApi, **more: Any) -> Any:
    """Create an order of Ann's through the SDK."""
    body = {
        "source_id": "o",
        "status": "PAID",
        "customer": facts.ANN,
        "items": facts.ITEMS,
        "metadata": {"k": "v"},
        **more,
    }
    return orders.create_order(models.OrdersCreateRequestBody.from_dict(body))


def test_customers_are_created_read_and_updated(customers: voucherify.CustomersApi) -> None:
    created = save_ann(customers)
    assert isinstance(created, models.CustomersCreateResponseBody)
    assert (created.name, created.email, created.birthdate) == ("Ann", "ann@example.com", date(1990, 12, 5))
    assert created.address.to_dict() == facts.ANN["address"]
    assert created.metadata["tier"] == "gold"
    assert created.summary.orders.total_count == 0
    assert created.summary.redemptions.gift.amount_to_go == 0
    assert created.loyalty.points == 0
    assert created.referrals.total == 0
    assert created.created_at.tzinfo is not None
    for reference in (created.id, "ann"):
        assert customers.get_customer(reference).to_dict() == created.to_dict()
    body = models.CustomersUpdateRequestBody(name="Ann B", metadata={"tier": "silver"})
    updated = customers.update_customer(created.id, body)
    assert (updated.id, updated.name, updated.email) == (created.id, "Ann B", created.email)
    assert updated.metadata == {**created.metadata, "tier": "silver"}


def test_a_customer_without_anything_is_parsed(customers: voucherify.CustomersApi) -> None:
    created = customers.create_customer(models.CustomersCreateRequestBody())
    assert created.id.startswith("cust_")
    assert (created.source_id, created.name, created.address) == (None, None, None)
    assert customers.get_customer(created.id).id == created.id


def test_customers_are_listed_by_every_parameter(
    customers: voucherify.CustomersApi, segments: voucherify.SegmentsApi
) -> None:
    created = save_ann(customers)
    others = [
        customers.create_customer(models.CustomersCreateRequestBody(source_id=f"s{number}")) for number in range(3)
    ]
    whole = customers.list_customers()
    assert (whole.object, whole.data_ref, whole.total, whole.has_more) == ("list", "customers", 4, False)
    assert {one.id for one in whole.customers} == {created.id, *(one.id for one in others)}
    page = customers.list_customers(limit=2, page=2, order=models.ParameterOrderListCustomers.CREATED_AT)
    assert [one.source_id for one in page.customers] == ["s1", "s2"]
    for params in ({"email": "ann@example.com"}, {"city": "Oslo"}, {"name": "Ann"}):
        assert [one.id for one in customers.list_customers(**params).customers] == [created.id]
    segment = segments.create_segment(
        models.SegmentsCreateRequestBody.from_dict({"name": "S", "type": "static", "customers": [created.id]})
    )
    assert [one.id for one in customers.list_customers(segment_id=segment.id).customers] == [created.id]
    later = datetime.now(UTC) + timedelta(days=1)
    assert customers.list_customers(created_at_before=later, updated_at_before=later).total == 4
    assert customers.list_customers(created_at_after=later).customers == []
    assert customers.list_customers(updated_at_after=later).customers == []
    assert len(customers.list_customers(starting_after=later).customers) == 4
    assert len(customers.list_customers(starting_after=whole.customers[0].created_at).customers) <= 3


def test_a_customer_is_deleted(customers: voucherify.CustomersApi) -> None:
    created = save_ann(customers)
    assert customers.delete_customer(created.id) is None
    with pytest.raises(voucherify.exceptions.NotFoundException) as refused:
        customers.get_customer(created.id)
    error = json.loads(refused.value.body)
    assert (error["code"], error["key"], error["resource_id"]) == (404, "not_found", created.id)


def test_a_customer_is_deleted_for_good(customers: voucherify.CustomersApi) -> None:
    created = save_ann(customers)
    receipt = customers.customer_permanently_deletion(created.id)
    assert isinstance(receipt, models.CustomersPermanentDeletionCreateResponseBody)
    assert (receipt.related_object_id, receipt.related_object) == (created.id, "customer")
    assert (receipt.status, receipt.object) == ("DONE", "pernament_deletion")
    assert receipt.id.startswith("del_")
    assert receipt.created_at is not None
    assert receipt.data_json.to_dict() == {
        "events": 0,
        "customer_events": 1,
        "daily_events": 0,
        "segments": 0,
        "orders": 0,
        "order_events": 0,
        "customer": 1,
    }
    with pytest.raises(voucherify.exceptions.NotFoundException):
        customers.customer_permanently_deletion(created.id)


def test_orders_are_created_read_updated_and_listed(
    orders: voucherify.OrdersApi, customers: voucherify.CustomersApi
) -> None:
    created = save_order(orders, created_at="2026-01-31T12:00:00.000Z", discount_amount=10)
    assert isinstance(created, models.OrdersCreateResponseBody)
    assert (created.amount, created.items_discount_amount, created.total_amount) == (399, 20, 369)
    assert (created.items[0].subtotal_amount, created.items[1].sku.sku) == (280, "Red")
    assert created.created_at == datetime(2026, 1, 31, 12, tzinfo=UTC)
    customer = customers.get_customer(created.customer_id)
    assert customer.summary.orders.total_amount == 369
    assert customer.summary.orders.last_order_date == created.created_at
    for reference in (created.id, "o"):
        assert orders.get_order(reference).to_dict() == created.to_dict()
    changed = orders.update_order("o", models.OrdersUpdateRequestBody.from_dict({"status": "CANCELED"}))
    kept = {**created.to_dict(), "status": "CANCELED", "updated_at": changed.updated_at}
    assert changed.to_dict() == kept, "what the SDK was not told to change stays"
    found = orders.list_orders(limit=10, page=1, order=models.ParameterOrderListOrders.MINUS_CREATED_AT)
    assert (found.total, [one.id for one in found.orders]) == (1, [created.id])


def test_an_order_without_anything_and_one_with_a_referrer_are_parsed(orders: voucherify.OrdersApi) -> None:
    assert orders.create_order(models.OrdersCreateRequestBody.from_dict({})).status == "CREATED"
    created = save_order(orders, referrer={"source_id": "ref"})
    assert created.referrer_id == created.referrer.to_dict()["id"]


def test_an_event_is_tracked(events: voucherify.EventsApi, customers: voucherify.CustomersApi) -> None:
    person = models.Customer(source_id="ann", name="Ann")
    body = models.EventsCreateRequestBody(event="review_written", customer=person, metadata={"stars": 5})
    tracked = events.track_custom_event(body)
    assert isinstance(tracked, models.EventsCreateResponseBody)
    assert (tracked.type, tracked.object, tracked.metadata) == ("review_written", "event", {"stars": 5})
    assert tracked.customer.id == customers.get_customer("ann").id
    assert (tracked.referral, tracked.loyalty) == (None, None)


@pytest.mark.parametrize("kind", ["auto-update", "passive", "static"])
def test_segments_are_created_read_and_deleted(segments: voucherify.SegmentsApi, kind: str) -> None:
    raw = {"customers": []} if kind == "static" else {"filter": facts.OSLO}
    created = segments.create_segment(models.SegmentsCreateRequestBody.from_dict({"name": "S", "type": kind, **raw}))
    assert (created.name, created.type, created.object) == ("S", kind, "segment")
    assert created.filter == (None if kind == "static" else facts.OSLO)
    assert segments.get_segment(created.id).id == created.id
    assert segments.delete_segment(created.id) is None
    with pytest.raises(voucherify.exceptions.NotFoundException):
        segments.get_segment(created.id)


def test_the_segments_and_the_activity_of_a_customer_are_listed(
    api: Any, customers: voucherify.CustomersApi, orders: voucherify.OrdersApi, events: voucherify.EventsApi
) -> None:
    segment_id = facts.new_segment(api, facts.OSLO, name="Oslo")
    created = save_ann(customers)
    save_order(orders)
    orders.update_order("o", models.OrdersUpdateRequestBody.from_dict({"status": "FULFILLED"}))
    orders.update_order("o", models.OrdersUpdateRequestBody.from_dict({"status": "CANCELED"}))
    events.track_custom_event(models.EventsCreateRequestBody(event="seen", customer=models.Customer(source_id="ann")))
    move = models.CustomersUpdateRequestBody
    customers.update_customer("ann", move(address=models.CustomersUpdateRequestBodyAddress(city="Rome")))
    api.call("PUT", "/v1/customers/ann", {"address": {"city": "", "country": ""}})
    found = customers.list_customer_segments("ann")
    assert (found.object, found.data_ref, found.total, found.data) == ("list", "data", 0, [])
    customers.update_customer("ann", move(address=models.CustomersUpdateRequestBodyAddress(city="Oslo")))
    found = customers.list_customer_segments(created.id)
    assert [(one.id, one.name, one.object) for one in found.data] == [(segment_id, "Oslo", "segment")]

    expected = [
        "customer.created",
        "customer.segment.entered",
        "customer.order.created",
        "customer.order.paid",
        "customer.order.updated",
        "customer.order.fulfilled",
        "customer.order.updated",
        "customer.order.canceled",
        "customer.custom_event",
        "customer.updated",
        "customer.segment.left",
        "customer.updated",
        "customer.updated",
        "customer.segment.entered",
    ]
    met: list[Any] = []
    cursor = None
    while True:
        page = customers.list_customer_activity(
            "ann", limit=5, order=models.ParameterOrderCreatedAt.CREATED_AT, starting_after_id=cursor
        )
        met += page.data
        cursor = page.more_starting_after
        if not page.has_more:
            break
    assert [one.type for one in met] == expected
    assert all(one.data["event_source"]["channel"] == "API" for one in met)
    seen = customers.list_customer_activity("ann", type=models.ParameterCustomerEvent.CUSTOMER_DOT_CUSTOM_EVENT)
    assert [one.type for one in seen.data] == ["customer.custom_event"]
    actions = customers.list_customer_activity("ann", category=models.ParameterActivityCategory.ACTION, limit=100)
    assert [one.type for one in actions.data] == [one for one in reversed(expected) if "segment" not in one]
    coupons = customers.list_customer_activity("ann", campaign_type=models.ParameterCampaignType.DISCOUNT_COUPONS)
    assert coupons.data == []
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert customers.list_customer_activity("ann", start_date=tomorrow).data == []
    assert len(customers.list_customer_activity("ann", end_date=tomorrow, limit=100).data) == len(expected)


def test_refusals_are_the_sdks_own_exceptions(sdk: voucherify.ApiClient, customers: voucherify.CustomersApi) -> None:
    with pytest.raises(voucherify.exceptions.BadRequestException) as refused:
        customers.create_customer(models.CustomersCreateRequestBody(source_id=""))
    assert json.loads(refused.value.body)["key"] == "invalid_payload"
    sdk.configuration.api_key["X-App-Token"] = "wrong"
    with pytest.raises(voucherify.exceptions.UnauthorizedException):
        customers.list_customers()
