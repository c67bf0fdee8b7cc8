from typing import Any


def test_a_customer_is_created_with_everything_the_payload_says(api: Any) -> None:
    body = {
        "source_id": "ann-1",
        "name": "Ann Example",
        "email": "ann@example.com",
        "phone": "+48 600 000 000",
        "description": "A customer",
        "birthdate": "1990-12-05",
        "address": {"city": "Warsaw", "country": "Poland", "postal_code": "00-001"},
        "metadata": {"tier": "gold", "sizes": [36, 38], "nested": {"score": 1.5}},
    }
    created = api.call("POST", "/v1/customers", body)
    assert {name: created[name] for name in body} == {**body, "metadata": created["metadata"]}
    assert created["metadata"] == {"tier": "gold", "sizes": [36, 38], "nested": {"score": created["metadata"]["nested"]["score"]}}
    assert float(created["metadata"]["nested"]["score"]) == 1.5
    assert created["summary"]["orders"] == {
        "total_amount": 0,
        "total_count": 0,
        "average_amount": 0,
        "last_order_amount": 0,
    }
    assert created["object"] == "customer"
    assert api.call("GET", f"/v1/customers/{created['id']}") == created
    assert api.call("GET", "/v1/customers/ann-1") == created
