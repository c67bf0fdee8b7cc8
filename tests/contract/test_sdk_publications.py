"""The official SDK publishes with a client key and reads wallets; the answers fit the reference's schemas."""

import json
import re
import urllib.parse
from typing import Any

import pytest
import voucherify
from voucherify import models

from conftest import Api
from contract.test_promotion_schemas import check
from contract.test_reference_schemas import DOCUMENTS
from harness import Server
from promotions import make_campaign, make_voucher, publish
from rapport.core.db import Database
from rapport.projects.actions import create_key
from rapport.projects.models import NewKey


@pytest.fixture
async def client_key(db: Database, key: NewKey) -> NewKey:
    return await create_key(db, key.project, "client")


def test_an_answer_to_a_client_key_parses_and_fits_the_schema(api: Any, server: Server, client_key: NewKey) -> None:
    # The SDK has no call for it; its model of the answer is that of the server's operation.
    make_campaign(api)
    headers = {"X-Client-Application-Id": client_key.app_id, "X-Client-Token": client_key.app_token}
    body = {"campaign": {"name": "Spring"}, "customer": {"source_id": "ann"}}
    with Api(base_url=server.base_url, headers=headers, timeout=30, verify=False) as client:
        made = client.call("POST", "/client/v1/publish", body)
        check(made, "client-side", "post", "/client/v1/publish")
        several = client.call("POST", "/client/v1/publish", body | {"campaign": {"name": "Spring", "count": 2}})
        check(several, "client-side", "post", "/client/v1/publish")
    read = [models.PublicationsCreateResponseBody.from_dict(one) for one in (made, several)]
    assert (read[0].tracking_id, read[0].voucher.holder_id) == ("ann", made["customer_id"])
    assert read[1].vouchers == several["vouchers"]


def test_a_wallet(api: Any, sdk: voucherify.ApiClient) -> None:
    make_campaign(api)
    made = publish(api)
    make_voucher(api, "OWN")
    api.call("POST", "/v1/publications", {"voucher": "OWN", "customer": {"source_id": "ann"}})
    customers = voucherify.CustomersApi(sdk)
    found = customers.list_customer_redeemables("ann", limit=1, order="id")
    assert (found.total, found.has_more) == (2, True)
    assert found.data[0].redeemable.voucher.code == made["voucher"]["code"]
    assert found.data[0].redeemable.status == "ACTIVE"
    rest = customers.list_customer_redeemables("ann", order="id", starting_after_id=found.more_starting_after)
    assert [one.redeemable.voucher.code for one in rest.data] == ["OWN"]
    path = "/v1/customers/{customerId}/redeemables"
    check(api.call("GET", "/v1/customers/ann/redeemables"), "customers", "get", path)
    check(api.call("GET", "/v1/customers/ann/redeemables", params={"limit": "1"}), "customers", "get", path)


def test_the_examples_of_filters_in_the_reference_are_read(api: Any) -> None:
    make_campaign(api)
    ann = publish(api)["customer_id"]
    eve = publish(api, customer="eve")["customer_id"]
    publish(api, customer="bob")
    for line in (
        "filters[customer_id][conditions][$is][0]=A",
        "filters[customer_id][conditions][$in][0]=A&filters[customer_id][conditions][$in][1]=B",
        "filters[customer_id][conditions][$is][0]=A&filters[customer_id][conditions][$is][1]=B&filters[junction]=OR",
    ):
        query = re.sub("=A", f"={ann}", re.sub("=B", f"={eve}", line))
        listed = api.call("GET", f"/v1/publications?{urllib.parse.quote(query, safe='=&')}")
        assert listed["total"] == (2 if "B" in line else 1)


def examples(document: str, path: str) -> list[Any]:
    """Return the documented examples of the bodies of a POST operation."""
    content = json.loads((DOCUMENTS / f"{document}.json").read_text())["paths"][path]["post"]["requestBody"]["content"]
    return [one["value"] for one in content["application/json"]["examples"].values()]


@pytest.mark.parametrize(
    ("document", "path"), [("publications", "/v1/publications"), ("client-side", "/client/v1/publish")]
)
def test_every_documented_example_is_accepted(
    api: Any, server: Server, client_key: NewKey, document: str, path: str
) -> None:
    headers = {"X-Client-Application-Id": client_key.app_id, "X-Client-Token": client_key.app_token}
    bodies = examples(document, path)
    assert bodies
    with Api(base_url=server.base_url, headers=headers, timeout=30, verify=False) as client:
        for body in bodies:
            # What an example names is there, and its codes are not given away yet.
            for given in (body.get("campaign"), body.get("voucher")):
                name = given.get("name") if isinstance(given, dict) else given
                if name is not None and given is body.get("campaign"):
                    api.request("DELETE", f"/v1/campaigns/{name}", params={"force": "true"})
                    make_campaign(api, name, vouchers_count=60)
                elif name is not None:
                    api.request("DELETE", f"/v1/vouchers/{name}", params={"force": "true"})
                    make_voucher(api, name)
            customer = body["customer"].get("id")
            if customer is not None and path.startswith("/v1/"):
                # Ids are given by the server: those of the examples are another's.
                body["customer"]["id"] = api.call("POST", "/v1/customers", {"name": customer})["id"]
            made = (client if path.startswith("/client/") else api).call("POST", path, body)
            assert check(made, document, "post", path)["result"] == "SUCCESS"
