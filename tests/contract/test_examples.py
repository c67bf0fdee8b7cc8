"""Every request that the reference's documents give as an example is accepted, and its answer is what they promise.

Ids are those of things that there are. What is refused stands in `REFUSED` with its reason, and in
docs/compatibility.md; answers are held against the documents' schemas and read by the SDK's models.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from voucherify import models

import harness
from catalogue import make_collection, make_filter, make_product, make_sku
from conftest import Api
from contract.test_reference_schemas import document, misfits, schema_of
from in_cart import make_category, make_promotion, make_stack, tier
from promotions import amount, make_campaign, make_rule, make_voucher, one_rule, percent, stack
from rapport.core.db import Database
from rapport.projects.actions import create_key
from rapport.projects.models import NewKey
from shopping import gift_card

DOCUMENTS = (
    "campaigns", "vouchers", "validation-rules", "validations", "redemptions", "qualifications", "promotions",
    "publications", "products", "product-collections", "categories", "orders", "client-side", "templates",
)  # fmt: skip
# Which examples are refused with `invalid_payload`, and why.
REFUSED: dict[str, set[str]] = {
    # There are no loyalty programmes, referral programmes and rewards yet.
    "post /v1/campaigns": {"Loyalty Program", "Referral Program"},
    "post /v1/vouchers": {"Loyalty Card"},
    "post /v1/vouchers/{code}": {"Loyalty Card"},
    "put /v1/vouchers/{code}": {"Loyalty Card"},
    "post /v1/vouchers/{code}/validate": {"Loyalty Card"},
    "post /v1/validations": {"5 Redeemables"},
    "post /client/v1/validations": {"5 Redeemables"},
    # Distributions have no rules of this kind yet.
    "post /v1/validation-rules/{validationRuleId}/assignments": {"Distribution"},
    # Placeholders in the place of values: metadata is "string", a birthdate is "YYYY-MM-DD".
    "post /v1/vouchers/qualification": {
        f"Qualify {what}"
        for what in (
            "product using product_id",
            "product using source_id",
            "SKU using sku_id",
            "SKU using source_id",
            "redemption metadata",
            "order line item metadata",
        )
    },
}
# Places of answers that do not fit the document's schema, and why.
DEVIATIONS: dict[str, set[str]] = {
    # Filters are answered as they were sent; the examples have them in other forms than the schema.
    "post /v1/orders/export": {"parameters.filters.discount_amount.conditions.$more_than"},
    "post /v1/campaigns/{campaignId}/transactions/export": {"parameters.filters.created_at.conditions.$after"},
    # The document has a number in one place and a string in the other, and the SDK reads the number.
    "post /v1/campaigns/qualification": {"data.*.voucher.code_config.length", "data.*.categories"},
    # Categories of a stack, by their schema there, are stacks; the SDK reads categories.
    "post /v1/promotions/{campaignId}/stacks": {"categories.*"},
    "put /v1/promotions/{campaignId}/stacks/{stackId}": {"categories.*"},
}
# Passed over: null and hours without seconds, which the examples have, too.
ALLOWED = ("None is not of type", "is not a 'time'")
# Answers that the SDK has no model for: it has no such operation.
NOT_IN_THE_SDK = {
    "VouchersValidateResponseBody",
    "6_res_validate_promotion",
    "6_res_validate_promotion_tier",
    "7_obj_redemption_object_promotion_tier_extended",
    "1_res_vouchers_qualification",
    "2_res_examine_qualification",
    "ProductCollectionsUpdateResponseBody",
    "ClientPublicationsCreateResponseBody",
}
# What a voucher has before one of these examples changes it: the type stays.
DISCOUNTS = {
    "Percent Discount": percent(5),
    "Amount Discount": amount(5),
    "Fixed Discount": {"type": "FIXED", "fixed_amount": 5, "effect": "APPLY_TO_ITEMS"},
    "Unit Discount": {"type": "UNIT", "effect": "ADD_NEW_ITEMS", "unit_off": 1, "unit_type": "p0"},
}
IDS = re.compile(r"\b(?:promo|stack|cust|ord|val|prod|sku|pc|cat|camp)_\w{8,}\b")


def examples() -> Iterator[Any]:
    """Yield every example of a request with a body: document, method, path, its name, and the body."""
    for name in DOCUMENTS:
        for path, operations in document(name)["paths"].items():
            for method in sorted(operations.keys() & {"post", "put", "delete"}):
                content = operations[method].get("requestBody", {}).get("content", {}).get("application/json", {})
                for which, example in content.get("examples", {}).items():
                    yield pytest.param(name, method, path, which, example["value"], id=f"{method} {path} {which}")


@pytest.fixture
async def client(server: harness.Server, db: Database, key: NewKey) -> Any:
    made = await create_key(db, key.project, "client")
    headers = {"X-Client-Application-Id": made.app_id, "X-Client-Token": made.app_token}
    with Api(base_url=server.base_url, headers=headers, timeout=90, verify=False) as opened:
        yield opened


class World:
    """Things to stand for those that examples name; each is made when an example first needs one."""

    def __init__(self, api: Any) -> None:
        self.api = api
        self._made: dict[str, list[str]] = {}

    def ours(self, body: Any) -> Any:
        """Return an example with ids of ours in the place of those in it, and what it names without an id made."""
        text = json.dumps(body)
        for place, theirs in enumerate(dict.fromkeys(IDS.findall(text))):
            text = text.replace(theirs, self.id_of(theirs.partition("_")[0], place))
        changed = json.loads(
            text.replace("{{voucherId}}", self._voucher()).replace("{{campaignId}}", self.id_of("camp"))
        )
        for one in changed.get("redeemables", []) if isinstance(changed, dict) else []:
            if one["object"] == "voucher":
                self._code(one["id"], card="gift" in one)
        return changed

    def id_of(self, kind: str, place: int = 0) -> str:
        """Return the id of the thing of this kind in this place; kinds are what the reference's ids begin with."""
        if kind not in self._made:
            self._made[kind] = list(getattr(self, f"_{kind}")())
        made = self._made[kind]
        return made[place % len(made)]

    def real(self, method: str, path: str, which: str) -> str:
        """Return the path of a request with ids of ours."""
        found = {
            "{campaignId}": lambda: self._campaign(path, which),
            "{code}": lambda: self._path_code(method, path, which),
            "{tierId}": lambda: self.id_of("promo"),
            "{promotionTierId}": lambda: self.id_of("promo"),
            "{stackId}": lambda: self.id_of("stack"),
            "{validationRuleId}": lambda: self.id_of("val"),
            "{redemptionId}": lambda: self._redeem(self._code("USED"))["redemptions"][0]["id"],
            "{parentRedemptionId}": self._stacked,
            "{productId}": lambda: self.id_of("prod"),
            "{skuId}": lambda: self.id_of("sku"),
            "{productCollectionId}": lambda: self._collection(which),
            "{categoryId}": lambda: self.id_of("cat"),
            "{orderId}": lambda: self.id_of("ord"),
            "{campaignTemplateId}": self._template,
        }
        return re.sub(r"{\w+}", lambda match: found[match[0]](), path)

    def _cust(self) -> list[str]:
        return [self.api.call("POST", "/v1/customers", {"source_id": "someone"})["id"]]

    def _ord(self) -> list[str]:
        return [self.api.call("POST", "/v1/orders", {"source_id": "some order", "amount": 20_000})["id"]]

    def _promo(self) -> list[str]:
        promotion = make_promotion(self.api, tier("A"), tier("B"), tier("C"))
        return [one["id"] for one in self.api.call("GET", f"/v1/promotions/{promotion['id']}/tiers")["tiers"]]

    def _stack(self) -> list[str]:
        tiers = [self.id_of("promo", place) for place in range(3)]
        return [make_stack(self.api, "Deals", *tiers)["id"]]

    def _val(self) -> list[str]:
        return [make_rule(self.api, one_rule("redemption.count.per_customer", "$less_than_or_equal", 1))]

    def _prod(self) -> list[str]:
        return [make_product(self.api, f"p{number}")["id"] for number in range(3)]

    def _sku(self) -> list[str]:
        self.id_of("prod")
        return [make_sku(self.api, "p0", "s0")["id"]]

    def _pc(self) -> list[str]:
        return [make_collection(self.api, "Some", products=[{"id": self.id_of("prod"), "object": "product"}])["id"]]

    def _collection(self, which: str) -> str:
        if "auto-update" not in which:
            return self.id_of("pc")
        return str(make_collection(self.api, "Any", filter=make_filter("price", "$more_than", 1))["id"])

    def _cat(self) -> list[str]:
        return [make_category(self.api)]

    def _camp(self) -> list[str]:
        return [make_campaign(self.api)["id"]]

    def _campaign(self, path: str, which: str) -> str:
        if "/promotions/" in path:
            self.id_of("promo")
            return "Deals"
        if which == "Gift Cards" or "transactions" in path:
            body = {"campaign_type": "GIFT_VOUCHERS", "voucher": {"type": "GIFT_VOUCHER", "gift": {"amount": 5}}}
            self.api.call("POST", "/v1/campaigns", {"name": "Cards", "type": "AUTO_UPDATE", **body})
            return "Cards"
        return self.id_of("camp")

    def _path_code(self, method: str, path: str, which: str) -> str:
        if method == "post" and path.endswith("/{code}"):
            return "FRESH"
        if method == "put" and which in DISCOUNTS:
            return str(make_voucher(self.api, "CODE", DISCOUNTS[which])["code"])
        return self._code("CODE", card=True)

    def _code(self, code: str, *, card: bool = False) -> str:
        if self.api.request("GET", f"/v1/vouchers/{code}").status_code == 404:
            gift_card(self.api, code, amount=10**7) if card else make_voucher(self.api, code)
        return code

    def _voucher(self) -> str:
        return str(self.api.call("GET", f"/v1/vouchers/{self._code('ASSIGNED')}")["id"])

    def _stacked(self) -> str:
        make_voucher(self.api, "ONE", percent(5))
        return str(self._redeem("ONE", self._code("USED"))["parent_redemption"]["id"])

    def _redeem(self, *codes: str) -> Any:
        body = stack(*codes, customer=None) | {
            "customer": {"id": self.id_of("cust")},
            "order": {"source_id": "test_rollback_8", "amount": 1000},
        }
        return self.api.call("POST", "/v1/redemptions", body)

    def _template(self) -> str:
        body = {"name": "T", "campaign_id": self.id_of("camp")}
        return str(self.api.call("POST", "/v1/templates/campaigns", body)["id"])


@pytest.mark.parametrize(("name", "method", "path", "which", "body"), list(examples()))
def test_an_example_is_accepted_and_answered_as_documented(
    api: Any, client: Api, name: str, method: str, path: str, which: str, body: Any
) -> None:
    world = World(api)
    if path.endswith("/publish") or path == "/v1/publications":
        for campaign in ("campaign-name", "Test - Discount Effect - Amount - Items"):
            make_campaign(api, name=campaign, type="AUTO_UPDATE")
        api.call("POST", "/v1/campaigns/campaign-name/vouchers/voucher-code", {})
    caller = client if path.startswith("/client/") else api
    answer = caller.request(method.upper(), world.real(method, path, which), json=world.ours(body))
    if which in REFUSED.get(f"{method} {path}", ()):
        assert answer.status_code == 400, answer.text
        assert answer.json()["key"] in {"invalid_payload", "invalid_voucher"}
        return
    status = next(code for code in document(name)["paths"][path][method]["responses"] if code.startswith("2"))
    assert answer.status_code == int(status), answer.text
    schema = schema_of(name, method, path, status)
    found = misfits(answer.json(), schema)
    wrong = {place: said for place, said in found.items() if not any(part in said for part in ALLOWED)}
    assert wrong.keys() <= DEVIATIONS.get(f"{method} {path}", set()), wrong
    called = str(schema.get("$ref")).rpartition("/")[2]
    if called not in NOT_IN_THE_SDK:
        assert getattr(models, called).from_dict(answer.json()) is not None
