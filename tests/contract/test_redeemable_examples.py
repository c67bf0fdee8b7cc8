"""The request examples of the reference's documents about redeemables are accepted; only ids are those there are."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

import harness
from conftest import Api
from contract.test_reference_schemas import document
from in_cart import make_promotion, make_stack, tier
from promotions import make_voucher
from rapport.core.db import Database
from rapport.projects.actions import create_key
from rapport.projects.models import NewKey
from shopping import gift_card

OPERATIONS = (
    ("validations", "/v1/validations"),
    ("validations", "/v1/vouchers/{code}/validate"),
    ("validations", "/v1/promotions/validation"),
    ("validations", "/v1/promotions/tiers/{tierId}/validation"),
    ("redemptions", "/v1/redemptions"),
    ("redemptions", "/v1/promotions/tiers/{promotionTierId}/redemption"),
    ("qualifications", "/v1/qualifications"),
    ("client-side", "/client/v1/redemptions"),
    ("client-side", "/client/v1/validations"),
    ("vouchers", "/v1/vouchers/qualification"),
    ("campaigns", "/v1/campaigns/qualification"),
)
# What is refused, and why.
REFUSED: dict[tuple[str, str], str] = {
    # A reward of a loyalty card, which is not there yet.
    ("/v1/validations", "5 Redeemables"): "invalid_payload",
    ("/client/v1/validations", "5 Redeemables"): "invalid_payload",
    ("/v1/vouchers/{code}/validate", "Loyalty Card"): "invalid_payload",
    # A new SKU that names no product.
    ("/v1/promotions/tiers/{promotionTierId}/redemption", "One product one sku"): "invalid_payload",
    # Placeholders in the place of values: metadata is "string", a birthdate is "YYYY-MM-DD".
    **{
        ("/v1/vouchers/qualification", f"Qualify {what}"): "invalid_payload"
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


def examples() -> Iterator[tuple[str, str, Any]]:
    for name, path in OPERATIONS:
        content = document(name)["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        for which, example in content["examples"].items():
            yield path, which, example["value"]


@pytest.fixture
async def client(server: harness.Server, db: Database, key: NewKey) -> Any:
    made = await create_key(db, key.project, "client")
    headers = {"X-Client-Application-Id": made.app_id, "X-Client-Token": made.app_token}
    with Api(base_url=server.base_url, headers=headers, timeout=30, verify=False) as opened:
        yield opened


class World:
    """One thing of each kind, to stand for those that examples name."""

    def __init__(self, api: Any) -> None:
        self.api = api
        self.customer = api.call("POST", "/v1/customers", {"source_id": "someone"})["id"]
        order = {"source_id": "some order", "amount": 20_000}
        self.order = api.call("POST", "/v1/orders", order)["id"]
        promotion = make_promotion(api, tier("A"), tier("B"), tier("C"))
        found = api.call("GET", f"/v1/promotions/{promotion['id']}/tiers")["tiers"]
        self.tiers = [one["id"] for one in found]
        self.stack = make_stack(api, promotion["id"], *self.tiers)["id"]

    def ours(self, body: Any) -> Any:
        """Return an example with ids of ours in the place of those in it."""
        text = json.dumps(body)
        for place, theirs in enumerate(dict.fromkeys(re.findall(r"promo_\w+", text))):
            text = text.replace(theirs, self.tiers[place % len(self.tiers)])
        text = re.sub(r"stack_\w+", self.stack, text)
        text = re.sub(r"cust_\w+", self.customer, text)
        text = re.sub(r"ord_\w+", self.order, text)
        changed = json.loads(text)
        for one in changed.get("redeemables", []) if isinstance(changed, dict) else []:
            if one["object"] == "voucher":
                self._make(one["id"], card="gift" in one)
        return changed

    def _make(self, code: str, *, card: bool) -> None:
        if self.api.request("GET", f"/v1/vouchers/{code}").status_code == 404:
            gift_card(self.api, code, amount=10**7) if card else make_voucher(self.api, code)


@pytest.mark.parametrize(("path", "which", "body"), [pytest.param(*one, id=f"{one[0]} {one[1]}") for one in examples()])
def test_an_example_is_accepted(api: Any, client: Api, path: str, which: str, body: Any) -> None:
    world = World(api)
    gift_card(api, "CODE", amount=10**7)
    real = re.sub(r"{\w*[tT]ierId}", world.tiers[0], path).replace("{code}", "CODE")
    caller = client if path.startswith("/client/") else api
    answer = caller.request("POST", real, json=world.ours(body))
    expected = REFUSED.get((path, which))
    assert (answer.status_code, answer.json().get("key")) == (200 if expected is None else 400, expected), answer.text
