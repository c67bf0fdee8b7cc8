"""Exports: what is in the file, in which order and form, for every object."""

from typing import Any

import pytest

import facts
import harness
from exports_world import conditions, create, download, file_of, finished, table, table_of
from management import managed
from promotions import amount, make_campaign, make_voucher, percent, publish, redeem
from rapport.core.db import Database
from rapport.projects.models import NewKey

CUSTOMER_FIELDS = [
    "name",
    "id",
    "description",
    "email",
    "source_id",
    "created_at",
    "address_city",
    "address_state",
    "address_line_1",
    "address_line_2",
    "address_country",
    "address_postal_code",
    "redemptions_total_redeemed",
    "redemptions_total_failed",
    "redemptions_total_succeeded",
    "redemptions_total_rolled_back",
    "redemptions_total_rollback_failed",
    "redemptions_total_rollback_succeeded",
    "orders_total_amount",
    "orders_total_count",
    "orders_average_amount",
    "orders_last_order_amount",
    "orders_last_order_date",
    "loyalty_points",
    "loyalty_referred_customers",
    "updated_at",
    "phone",
    "birthday",
    "birthdate",
]
VOUCHER_FIELDS = [
    "code",
    "voucher_type",
    "value",
    "formula",
    "discount_type",
    "campaign",
    "category",
    "start_date",
    "expiration_date",
    "gift_balance",
    "loyalty_balance",
    "redemption_quantity",
    "redemption_count",
    "active",
    "qr_code",
    "bar_code",
    "id",
    "is_referral_code",
    "created_at",
    "updated_at",
    "validity_timeframe_interval",
    "validity_timeframe_duration",
    "validity_day_of_week",
    "discount_amount_limit",
    "campaign_id",
    "additional_info",
    "customer_id",
    "discount_effect",
    "discount_unit_type",
    "discount_unit_effect",
    "validation_rules_id",
    "customer_source_id",
]


def save(api: Any, source_id: str, **more: Any) -> dict[str, Any]:
    """Save a customer."""
    return api.call("POST", "/v1/customers", {"source_id": source_id, **more})  # type: ignore[no-any-return]


def test_an_export_is_scheduled_done_and_downloaded_without_a_key(api: Any) -> None:
    save(api, "ann", name="Ann")
    made = api.call("POST", "/v1/exports", {"exported_object": "customer"})
    assert made.pop("id").startswith("exp_")
    assert made.pop("created_at").endswith("Z")
    assert made == {
        "object": "export",
        "status": "SCHEDULED",
        "channel": "API",
        "exported_object": "customer",
        "parameters": {"order": "-created_at", "fields": ["name", "source_id"]},
        "columns": ["name", "source_id"],
        "result": None,
        "user_id": None,
    }
    done = finished(api, create(api, "customer")["id"])
    assert done["status"] == "DONE"
    assert done["result"]["url"].startswith(f"{str(api.base_url).rstrip('/')}/v1/exports/{done['id']}?token=")
    data = download(done["result"]["url"])
    assert data == b"name,source_id\r\nAnn,ann\r\n"
    assert done["file"].pop("expires_at").endswith("Z")
    assert done["file"] == {"state": "AVAILABLE", "rows": 1, "bytes": len(data)}


def test_every_field_of_a_customer_is_as_in_the_reference(api: Any) -> None:
    api.call("POST", "/v1/customers", facts.ANN)
    api.call("POST", "/v1/orders", {"customer": {"source_id": "ann"}, "status": "PAID", "amount": 1050})
    shown = api.call("GET", "/v1/customers/ann")
    orders = shown["summary"]["orders"]
    header, row = table_of(api, "customer", fields=CUSTOMER_FIELDS)
    assert header == CUSTOMER_FIELDS
    assert dict(zip(header, row, strict=True)) == {
        **{name: shown[name] for name in ("name", "id", "description", "email", "source_id", "phone")},
        **{name: shown[name] for name in ("created_at", "updated_at", "birthday", "birthdate")},
        **{f"address_{name}": value for name, value in shown["address"].items()},
        **{name: "0" for name in CUSTOMER_FIELDS if name.startswith("redemptions_")},
        "orders_total_amount": "1050",
        "orders_total_count": "1",
        "orders_average_amount": "1050",
        "orders_last_order_amount": "1050",
        "orders_last_order_date": orders["last_order_date"],
        "loyalty_points": "0",
        "loyalty_referred_customers": "0",
    }


def test_any_path_of_the_customer_object_is_a_field(api: Any) -> None:
    api.call("POST", "/v1/customers", facts.ANN | {"system_metadata": {"a.b": True}})
    api.call("POST", "/v1/orders", {"customer": {"source_id": "ann"}, "status": "PAID", "items": facts.ITEMS})
    api.call("POST", "/v1/events", {"event": "seen", "customer": {"source_id": "ann"}})
    shown = api.call("GET", "/v1/customers/ann")
    fields = {
        "address.city": "Oslo",
        "metadata.tier": "gold",
        "metadata.sizes": "[36,38]",
        "metadata.nested": '{"score":1.5}',
        "metadata.nested.score": "1.5",
        "metadata.none": "",
        'system_metadata."a.b"': "true",
        "source": "API",
        "object": "customer",
        "summary.orders.total_amount": str(shown["summary"]["orders"]["total_amount"]),
        "summary.redemptions.gift.redeemed_amount": "0",
        "summary.redemptions.gift": '{"amount_to_go":0,"redeemed_amount":0}',
        "summary.orders.last_order_products": '[{"product_id":"prod_1"',
        "events.seen.count": "1",
        "events.seen.last_at": shown["events"]["seen"]["last_at"],
        "referrals.total": "0",
        "address": '{"city":"Oslo"',
    }
    header, row = table_of(api, "customer", fields=list(fields))
    assert header == list(fields)
    cells = dict(zip(header, row, strict=True))
    for name in ("summary.orders.last_order_products", "address"):
        assert fields.pop(name)[:2] == cells.pop(name)[:2]
    assert cells == fields


def test_the_field_metadata_becomes_a_column_for_each_key(api: Any) -> None:
    save(api, "a", metadata={"tier": "gold", "a.b": 1})
    save(api, "b", metadata={"size": {"eu": 36}, "tier": "silver"})
    assert table_of(api, "customer", fields=["source_id", "metadata", "metadata.tier"], order="source_id") == [
        ["source_id", 'metadata."a.b"', "metadata.size", "metadata.tier"],
        ["a", "1", "", "gold"],
        ["b", "", '{"eu":36}', "silver"],
    ]


def test_formulas_are_neutralised_and_cells_are_quoted(api: Any) -> None:
    save(api, "1", name="=1+1", phone="+48 600-100", metadata={"k": "@x", "n": -5})
    save(api, "2", name='a,"b"\nc', phone="-A1", metadata={"k": ["=1"], "n": "-5"})
    save(api, "3", name="'=1", phone="'tis", metadata={"k": "\t1", "n": " "})
    data = file_of(api, "customer", fields=["name", "phone", "metadata.k", "metadata.n"], order="source_id")
    assert data.decode() == (
        "name,phone,metadata.k,metadata.n\r\n"
        "'=1+1,+48 600-100,'@x,-5\r\n"
        '"a,""b""\nc",\'-A1,"[""=1""]",-5\r\n'
        "''=1,'tis,'\t1, \r\n"
    )


def test_unusual_texts_survive_as_utf_8(api: Any) -> None:
    names = ["Zażółć", "日本", "🙂", "a\r\nb", "\u2028", "ends with space "]
    for number, name in enumerate(names):
        save(api, str(number), name=name)
    assert table_of(api, "customer", fields=["name"], order="source_id") == [["name"], *([name] for name in names)]


def test_a_project_without_rows_has_a_file_with_a_header(api: Any) -> None:
    assert file_of(api, "voucher") == b"code,voucher_type,value,discount_type\r\n"


@pytest.mark.parametrize("order", ["name", "-name", "id", "-id", "email", "source_id", "created_at", "-updated_at"])
def test_customers_come_in_the_order_asked_for(api: Any, order: str) -> None:
    for source_id in ("b", "a", "c"):
        save(api, source_id, name=f"n{source_id}", email=f"{source_id}@x.example")
    name = order.removeprefix("-")
    _, *rows = table_of(api, "customer", fields=[name, "description"], order=order)
    assert [row[0] for row in rows] == sorted((row[0] for row in rows), reverse=order.startswith("-"))
    assert len(rows) == 3


def test_customers_are_filtered_by_the_language_of_segments(api: Any) -> None:
    for source_id, city, tier in (("a", "Oslo", "gold"), ("b", "Rome", "gold"), ("c", "Oslo", "silver")):
        save(api, source_id, address={"city": city}, metadata={"tier": tier})
    api.call("POST", "/v1/events", {"event": "seen", "customer": {"source_id": "b"}})
    segment = api.call("POST", "/v1/segments", {"name": "S", "type": "passive", "filter": facts.OSLO})
    path = f"/v1/segments/{segment['id']}"
    harness.wait_for(lambda: api.call("GET", path)["initial_sync_status"] == "DONE", what="the members")
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({"city": conditions(**{"is": ["Oslo"]})}, ["a", "c"]),
        (
            {"junction": "or", "metadata.tier": conditions(is_not="gold"), "events.seen": conditions(count=[1])},
            ["b", "c"],
        ),
        (
            {"junction": "and", "created_at": conditions(less_than_ago=[1]), "source_id": conditions(**{"in": ["a"]})},
            ["a"],
        ),
        ({"groups": [{"metadata.tier": conditions(**{"is": "silver"})}, facts.OSLO]}, ["c"]),
        ({"segments": conditions(**{"is": [segment["id"]]})}, ["a", "c"]),
        ({"junction": "and"}, ["a", "b", "c"]),
        ({}, ["a", "b", "c"]),
    ]
    made = [create(api, "customer", fields=["source_id"], order="source_id", filters=one)["id"] for one, _ in cases]
    for export_id, (filters, wanted) in zip(made, cases, strict=True):
        done = finished(api, export_id)
        assert [row[0] for row in table(download(done["result"]["url"]))[1:]] == wanted, filters


def test_orders_have_the_fields_orders_and_filters_of_the_reference(api: Any) -> None:
    ann = save(api, "ann")
    paid = api.call(
        "POST",
        "/v1/orders",
        {
            "source_id": "o1",
            "status": "PAID",
            "customer": {"source_id": "ann"},
            "referrer": {"source_id": "ref"},
            "items": facts.ITEMS,
            "discount_amount": 30,
            "metadata": {"shop": "web"},
        },
    )
    api.call("POST", "/v1/orders", {"source_id": "o2", "amount": 500})
    names = [
        "id",
        "source_id",
        "created_at",
        "updated_at",
        "status",
        "amount",
        "discount_amount",
        "items_discount_amount",
    ]
    names += ["total_discount_amount", "total_amount", "customer_id", "referrer_id", "metadata"]
    header, row = table_of(api, "order", fields=names, filters={"status": conditions(**{"is": ["PAID"]})})
    assert header == [*names[:-1], "metadata.shop"]
    assert row == [
        paid["id"], "o1", paid["created_at"], paid["updated_at"] or "", "PAID", "399", "30", "20", "50", "349",
        ann["id"], paid["referrer_id"], "web",
    ]  # fmt: skip
    assert table_of(api, "order", order="created_at", fields=["source_id"])[1:] == [["o1"], ["o2"]]
    assert table_of(api, "order", order="-status", fields=["source_id", "status"])[1:] == [
        ["o1", "PAID"],
        ["o2", "CREATED"],
    ]
    for filters, wanted in (
        ({"discount_amount": conditions(more_than=10)}, ["o1"]),
        ({"total_discount_amount": conditions(less_than_equal=[0])}, ["o2"]),
        ({"metadata.shop": conditions(is_unknown=True)}, ["o2"]),
        ({"junction": "and", "created_at": conditions(less_than_ago=[1]), "id": conditions(is_not="x")}, ["o1", "o2"]),
        ({"created_at": conditions(more_than_ago=[1])}, []),
        (
            {"junction": "or", "amount": conditions(**{"is": 500}), "metadata.shop": conditions(contains="we")},
            ["o1", "o2"],
        ),
    ):
        found = table_of(api, "order", order="created_at", fields=["source_id"], filters=filters)
        assert [row[0] for row in found[1:]] == wanted, filters


def test_orders_are_exported_by_their_own_operation_with_its_defaults(api: Any) -> None:
    order = api.call("POST", "/v1/orders", {"source_id": "o1", "amount": 500})
    made = api.call("POST", "/v1/orders/export", {})
    assert (made["exported_object"], made["status"]) == ("order", "SCHEDULED")
    done = finished(api, made["id"])
    assert table(download(done["result"]["url"])) == [["id", "source_id", "status"], [order["id"], "o1", "CREATED"]]


def test_vouchers_have_every_field_of_the_reference(api: Any) -> None:
    campaign = make_campaign(api, discount=percent(12.5, amount_limit=700), voucher={}, vouchers_count=1, quantity=2)
    published = publish(api)
    make_voucher(
        api, "FREE", amount(300), additional_info="=x", metadata={"k": 1}, expiration_date="2099-01-01T00:00:00Z"
    )
    shown = api.call("GET", f"/v1/vouchers/{published['voucher']['code']}")
    header, row = table_of(api, "voucher", fields=VOUCHER_FIELDS, campaign_id=campaign["id"])
    assert header == VOUCHER_FIELDS
    cells = {name: cell for name, cell in zip(header, row, strict=True) if cell}
    assert cells.pop("qr_code") == f"/v1/assets/qr/{shown['assets']['qr']['id']}"
    assert cells.pop("bar_code") == f"/v1/assets/barcode/{shown['assets']['barcode']['id']}"
    assert cells == {
        "code": shown["code"],
        "voucher_type": "DISCOUNT_VOUCHER",
        "value": "12.5",
        "discount_type": "PERCENT",
        "campaign": "Spring",
        "redemption_quantity": "2",
        "redemption_count": "0",
        "active": "true",
        "id": shown["id"],
        "is_referral_code": "false",
        "created_at": shown["created_at"],
        "updated_at": shown["updated_at"],
        "discount_amount_limit": "700",
        "campaign_id": campaign["id"],
        "customer_id": published["customer_id"],
        "customer_source_id": "ann",
        **({"discount_effect": shown["discount"]["effect"]} if "effect" in shown["discount"] else {}),
    }
    free = table_of(
        api,
        "voucher",
        fields=["code", "value", "discount_type", "additional_info", "expiration_date", "metadata"],
        filters={"code": conditions(**{"is": "FREE"}), "active": conditions(**{"is": [True]})},
    )
    assert free[1:] == [["FREE", "300", "AMOUNT", "'=x", "2099-01-01T00:00:00.000Z", "1"]]
    for filters, wanted in (
        ({"holder_id": conditions(**{"is": published["customer_id"]})}, [shown["code"]]),
        ({"campaign": conditions(is_unknown=True)}, ["FREE"]),
        ({"campaign": conditions(**{"is": "Spring"})}, [shown["code"]]),
        ({"redemption.quantity": conditions(more_than=[1])}, [shown["code"]]),
        ({"active": conditions(**{"is": False})}, []),
    ):
        found = table_of(api, "voucher", fields=["code"], filters=filters)
        assert [row[0] for row in found[1:]] == wanted, filters


def test_redemptions_have_every_field_of_the_reference(api: Any) -> None:
    make_voucher(api, "CODE", amount(300))
    save(api, "ann", name="Ann")
    done = redeem(api, "CODE", order={"source_id": "o-1", "amount": 1000}, metadata={"shop": "web"})["redemptions"][0]
    api.fails(
        "POST", "/v1/redemptions", {"redeemables": [{"object": "voucher", "id": "NONE"}]}, status=404, key="not_found"
    )
    fields = [
        "id",
        "object",
        "date",
        "voucher_code",
        "campaign",
        "promotion_tier_id",
        "customer_id",
        "customer_source_id",
        "customer_name",
    ]
    fields += [
        "tracking_id",
        "order_id",
        "order_amount",
        "gift_amount",
        "loyalty_points",
        "result",
        "failure_code",
        "failure_message",
    ]
    header, row = table_of(api, "redemption", fields=[*fields, "metadata"])
    assert header == [*fields, "metadata.shop"]
    assert row == [
        done["id"], "redemption", done["date"], "CODE", "", "", done["customer_id"], "ann", "Ann", "ann",
        done["order"]["id"], "1000", "", "", "SUCCESS", "", "", "web",
    ]  # fmt: skip
    api.call("POST", f"/v1/redemptions/{done['id']}/rollback", {})
    for filters, number in (
        ({"object": conditions(**{"is": "redemption"}), "status": conditions(**{"is": "ROLLED_BACK"})}, 1),
        ({"customer": conditions(**{"is": "ann"})}, 2),
        ({"customer": conditions(**{"is": "bob"})}, 0),
        ({"voucher": conditions(**{"is": "CODE"})}, 2),
        ({"related_object": conditions(**{"in": ["voucher"]})}, 2),
        ({"created_at": conditions(after="2999-01-01")}, 0),
        ({"metadata.shop": conditions(**{"is": "web"})}, 1),
    ):
        assert len(table_of(api, "redemption", filters=filters, order="voucher_code")) == number + 1, filters
    header, *rows = table_of(api, "redemption", order="created_at")
    assert header == ["id", "object", "voucher_code", "customer_id", "date", "result"]
    assert [row[1] for row in rows] == ["redemption", "redemption_rollback"]


def test_publications_have_a_line_for_each_code(api: Any) -> None:
    make_campaign(api, vouchers_count=3)
    one = publish(api, channel="kiosk", metadata={"k": "v"})
    both = {"campaign": {"name": "Spring", "count": 2}, "customer": {"source_id": "bob"}}
    two = api.call("POST", "/v1/publications", both)
    fields = [
        "voucher_code",
        "customer_id",
        "customer_source_id",
        "date",
        "channel",
        "campaign",
        "is_winner",
        "metadata",
    ]
    header, *rows = table_of(api, "publication", fields=fields, order="created_at")
    assert header == [*fields[:-1], "metadata.k"]
    first = [one["voucher"]["code"], one["customer_id"], "ann", one["created_at"], "kiosk", "Spring", "", "v"]
    assert rows[0] == first
    assert [row[0] for row in rows[1:]] == two["vouchers"]
    assert {row[2] for row in rows[1:]} == {"bob"}
    assert table_of(api, "publication", filters={"voucher": conditions(**{"is": one["voucher"]["code"]})})[1:] == [
        [first[0], first[1], first[3], "kiosk"]
    ]
    for order in ("id", "voucher_code", "tracking_id", "customer_id", "channel"):
        assert len(table_of(api, "publication", order=order)) == 4


def test_events_are_exported(api: Any) -> None:
    ann = save(api, "ann")
    first = api.call("POST", "/v1/events", {"event": "seen", "customer": {"source_id": "ann"}, "metadata": {"page": 1}})
    api.call("POST", "/v1/events", {"event": "liked", "customer": {"source_id": "ann"}})
    _, *rows = table_of(api, "event", order="created_at")
    assert rows[0] == [first["id"], "seen", ann["id"], first["created_at"]]
    assert [row[1] for row in rows] == ["seen", "liked"]
    found = table_of(
        api,
        "event",
        fields=["type", "customer_source_id", "metadata.page"],
        filters={"junction": "and", "type": conditions(**{"is": "seen"}), "metadata.page": conditions(less_than=2)},
    )
    assert found[1:] == [["seen", "ann", "1"]]


def test_members_of_a_segment_are_exported_with_since_when(api: Any) -> None:
    ids = {
        source_id: save(api, source_id, address={"city": city})["id"]
        for source_id, city in (("a", "Oslo"), ("b", "Rome"))
    }
    segment = api.call("POST", "/v1/segments", {"name": "S", "type": "static", "customers": [ids["a"], ids["b"]]})
    _, *rows = table_of(api, "segment_members", segment_id=segment["id"], order="source_id")
    assert [row[:2] for row in rows] == [[ids["a"], "a"], [ids["b"], "b"]]
    assert all(row[2].endswith("Z") for row in rows)
    found = table_of(
        api,
        "segment_members",
        segment_id=segment["id"],
        fields=["segment_id", "address.city"],
        filters=facts.OSLO,
        order="-entered_at",
    )
    assert found[1:] == [[segment["id"], "Oslo"]]


async def test_filters_on_metadata_go_by_the_schemas_of_the_project(
    api: Any, server: harness.Server, db: Database, key: NewKey
) -> None:
    async with managed(server, db, key.project) as management:
        for resource in ("customer", "order"):
            management.define(resource, {"size": {"type": "number"}, "paid": {"type": "boolean"}})
    for exported_object in ("customer", "order"):
        filters = {"metadata.size": conditions(contains="4")}
        body = {"exported_object": exported_object, "parameters": {"filters": filters}}
        error = api.fails("POST", "/v1/exports", body, status=400, key="invalid_payload")
        assert error["details"].startswith(".parameters.filters.metadata.size"), error
    save(api, "a", metadata={"size": 40, "paid": True})
    save(api, "b", metadata={"size": 41})
    filters = {
        "junction": "and",
        "metadata.size": conditions(**{"is": ["40"]}),
        "metadata.paid": conditions(**{"is": "true"}),
    }
    assert table_of(api, "customer", fields=["source_id"], filters=filters)[1:] == [["a"]]
