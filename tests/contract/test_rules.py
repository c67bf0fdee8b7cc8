"""Validation rules of every kind, through the official SDK and against the reference's schema."""

from typing import Any

import pytest
import voucherify
from voucherify import models

from catalogue import make_collection
from contract.test_promotion_schemas import check
from promotions import make_voucher, percent, redeem, stack
from rapport.rules.kinds import KINDS
from rapport.rules.reading import allowed_operators
from rapport.rules.unit_limits import UNIT_LIMITS

OPERANDS = {"$is": ["x"], "$in": ["x", "y"], "$more_than": [1], "$dow": [1], "$has_value": [True]}
APPLICABLE = {
    "included": [
        {"object": "product", "id": "prod_1", "effect": "APPLY_TO_CHEAPEST", "quantity_limit": 1, "amount_limit": 500},
        {"object": "products_collection", "id": "pc_1", "effect": "APPLY_TO_EVERY", "aggregated_quantity_limit": 4},
        {"object": "sku", "id": "sku_1", "effect": "APPLY_FROM_CHEAPEST", "skip_initially": 1, "repeat": 2,
         "target": "UNIT"},
    ],
    "excluded": [{"object": "sku", "id": "sku_2", "source_id": "s", "effect": "APPLY_TO_EVERY"}],
    "included_all": True,
}  # fmt: skip


def applicable_to(api: Any) -> dict[str, Any]:
    """Return APPLICABLE with a collection that there is."""
    made = make_collection(api, "C", products=[])["id"]
    entries = [one | {"id": made} if one["id"] == "pc_1" else one for one in APPLICABLE["included"]]
    return APPLICABLE | {"included": entries}


def rule_of(name: str) -> dict[str, Any]:
    """Return a rule of this name as the SDK's users write it."""
    row = KINDS[name]
    more: dict[str, Any] = {"property": "key"} if row.takes_property else {}
    if row.selects is not None and not row.takes_property:
        goods = {"id": "prod_1", "object": "product"} if row.selects == "item" else {"id": "x"}
        return {"name": name, "conditions": {"$is": [goods]}, "rules": {}}
    operator = next(one for one in ("$more_than", "$is") if one in allowed_operators(row))
    operand = True if row.only else OPERANDS[operator][0]
    return {"name": name, "conditions": {operator: [operand]}, "rules": {}, **more}


@pytest.fixture
def rules(sdk: voucherify.ApiClient) -> voucherify.ValidationRulesApi:
    return voucherify.ValidationRulesApi(sdk)


def test_every_name_is_accepted_and_comes_back(api: Any, rules: voucherify.ValidationRulesApi) -> None:
    segment = api.call("POST", "/v1/segments", {"name": "S", "type": "static", "customers": []})["id"]
    applicable = applicable_to(api)
    for name in KINDS:
        given = rule_of(name)
        if name == "customer.segment":
            given["conditions"] = {"$is": [segment]}
        body = {"name": name, "rules": {"1": given, "logic": "1"}, "applicable_to": applicable}
        answer = api.call("POST", "/v1/validation-rules", body)
        # The document's schema forgets booleans as operands, which the reference takes: `$is: [true]`.
        if not KINDS[name].only:
            check(answer, "validation-rules", "post", "/v1/validation-rules")
        made = rules.create_validation_rules(models.ValidationRulesCreateRequestBody.from_dict(body))
        found = rules.get_validation_rule(made.id)
        assert found.rules["1"]["name"] == name
        assert [one.object for one in found.applicable_to.included] == ["product", "products_collection", "sku"]
        assert found.applicable_to.excluded[0].effect == "APPLY_TO_EVERY"
        assert found.applicable_to.included_all is True


def test_limits_of_units_come_back_and_stand_in_answers(api: Any, rules: voucherify.ValidationRulesApi) -> None:
    given: dict[str, Any] = {one.name: number for number, one in enumerate(UNIT_LIMITS, 1)}
    given |= {one.formula: f"{number} + 1" for number, one in enumerate(UNIT_LIMITS, 1)}
    entry = {"object": "product", "id": "prod_1", "effect": "APPLY_TO_EVERY", **given}
    applicable = {"included": [entry], "excluded": [entry], "included_all": False}
    body = {"name": "R", "rules": {}, "applicable_to": applicable}
    check(api.call("POST", "/v1/validation-rules", body), "validation-rules", "post", "/v1/validation-rules")
    made = rules.create_validation_rules(models.ValidationRulesCreateRequestBody.from_dict(body))
    for found in (made.applicable_to.included[0], made.applicable_to.excluded[0]):
        assert {name: getattr(found, name) for name in given} == given
    make_voucher(api, "CODE", percent(50, effect="APPLY_TO_ITEMS"), validation_rules=[made.id])
    order = {"items": [{"product_id": "prod_1", "quantity": 5, "price": 100}]}
    asked = stack("CODE", order=order)
    check(api.call("POST", "/v1/validations", asked), "validations", "post", "/v1/validations")
    redeem(api, "CODE", order=order)
