"""What a fuzzer starts from: a project with several of everything, and a request of each operation that is accepted."""

import random
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import exports_world
import facts
import harness
import imports
import in_cart
import promotions
from conftest import Api
from fuzzing import File, Lines, shape
from rapport.core.db import Database
from rapport.projects.actions import create_key
from rapport.projects.models import NewKey

Names = dict[str, list[str]]
CSV = 'Name,Email,Source_id,tier,Birthdate\nAnn,ann@x.example,ann,gold,1990-01-02\n"B, ""b""",,bob,,\n'
CHEAP = {"junction": "and", "price": {"conditions": {"$less_than": [1000]}}}
CIRCLE = {"type": "circle", "distance": {"center": "52.2297,21.0122", "radius": "5 km"}}
MAIL = {"subject": "Hello {{ customer.name }}", "text": "Dear {{ customer.name }}!"}


async def keys_of(db: Database, project: str) -> tuple[NewKey, dict[str, dict[str, str]]]:
    """Make a key of each kind to a project; return the server's, and the headers of all by where they belong."""
    server = await create_key(db, project, "server")
    client = await create_key(db, project, "client")
    management = await create_key(db, project, "management")
    return server, {
        "": {"X-App-Id": server.app_id, "X-App-Token": server.app_token},
        "client": {"X-Client-Application-Id": client.app_id, "X-Client-Token": client.app_token},
        "management": {"X-Management-Id": management.app_id, "X-Management-Token": management.app_token},
    }


class World:
    """A project with several of everything: their names by the part of a path that comes before one."""

    def __init__(self, api: Api, key: NewKey, keys: Mapping[str, Mapping[str, str]], other: NewKey) -> None:
        """Make them; `other` is a management key to another project."""
        self.api, self.key, self.keys = api, key, keys
        self.links: list[str] = []
        self.names: Names = defaultdict(list, projects=[key.project_id], properties=["old"])
        self.names |= {"management_id": [other.app_id], "management_token": [other.app_token]}
        self.names["resource"] = ["customer", "order", "publication"]
        self._customers()
        self._promotions()
        self._catalogue()
        self._in_cart()
        self._signals()
        self._schemas()
        self._work()

    def made(self, part: str, path: str, body: Any, **options: Any) -> Any:
        """Make something and remember its id."""
        answer = self.api.call("POST", path, body, **options)
        self.names[part].append(answer["id"])
        return answer

    def _customers(self) -> None:
        for number in range(6):
            source_id = f"c{number}"
            self.made("customers", "/v1/customers", facts.ANN | {"source_id": source_id, "name": f"N{number}"})
            self.made("devices", f"/v1/customers/{source_id}/devices", {"platform": "web", "token": f"t{number}"})
        self.names["customers"].append("c0")
        for number in range(3):
            customer = {"source_id": f"c{number}"}
            order = {"source_id": f"o{number}", "status": "PAID", "customer": customer, "amount": 100}
            self.made("orders", "/v1/orders", order)
            self.api.call("POST", "/v1/events", {"event": "seen", "customer": customer})
            merge = {"source": self.names["customers"][5 - number]}
            if number < 2:
                self.names["merges"].append(
                    self.api.call("POST", f"/v1/customers/c{number}/merge", merge)["merge"]["id"]
                )
        for number in range(2):
            filtered = {"name": f"S{number}", "type": "auto-update", "filter": facts.OSLO}
            self.made("segments", "/v1/segments", filtered)
            self.made("segments", "/v1/segments", {"name": f"T{number}", "type": "static", "customers": []})

    def _promotions(self) -> None:
        for number in range(3):
            campaign = promotions.make_campaign(self.api, f"Spring {number}", quantity=5)
            self.names["campaigns"].append(campaign["id"])
            codes = promotions.codes_of(self.api, campaign["id"])
            self.names["vouchers"] += codes
            redeemed = promotions.redeem(self.api, codes[0], customer=f"c{number}")["redemptions"][0]
            self.names["redemptions"].append(redeemed["id"])
            promotions.make_voucher(self.api, f"GONE{number}")
            card = {"type": "GIFT_VOUCHER", "gift": {"amount": 100_000}}
            self.names["vouchers"] += [self.api.call("POST", f"/v1/vouchers/CARD{number}", card)["code"]]
            self.api.call("DELETE", f"/v1/vouchers/GONE{number}", status=204)
            rule = promotions.make_rule(self.api, promotions.one_rule("redemption.count.per_customer", "$less_than", 1))
            self.names["validation-rules"].append(rule)
            path = f"/v1/validation-rules/{rule}/assignments"
            assigned = {"related_object_type": "voucher", "related_object_id": codes[1]}
            self.made("assignments", path, assigned)
        # One that cannot come back, and so is still there to be deleted.
        promotions.make_voucher(self.api, "GONE0")
        held = [self.names["vouchers"][4 * number] for number in range(3)]
        body = promotions.stack(*held, customer="c0", session={"type": "LOCK", "key": "held"})
        assert self.api.call("POST", "/v1/validations", body)["valid"]
        self.names["sessions"].append("held")
        for voucher in self.api.call("GET", "/v1/vouchers")["vouchers"]:
            for kind in ("qr", "barcode"):
                self.names[kind].append(voucher["assets"][kind]["id"])
        entries = self.api.call("GET", "/v1/trash-bin")["data"]
        self.names["trash-bin"] = [entry["id"] for entry in entries]

    def _catalogue(self) -> None:
        for number in range(3):
            path = f"/v1/products/{self.made('products', '/v1/products', {'source_id': f'p{number}'})['id']}"
            self.made("skus", f"{path}/skus", {"source_id": f"s{number}", "attributes": {"color": "blue"}})
            static = {"type": "STATIC", "products": [{"id": self.names["products"][-1], "object": "product"}]}
            asked = static if number else {"type": "AUTO_UPDATE", "filter": CHEAP}
            self.made("product-collections", "/v1/product-collections", {"name": f"C{number}", **asked})

    def _in_cart(self) -> None:
        basket = in_cart.make_promotion(self.api, *(in_cart.tier(f"T{number}") for number in range(6)), name="Basket")
        self.names["promotions"].append(basket["id"])
        self.names["tiers"] += [one["id"] for one in basket["promotion"]["tiers"]]
        for number in range(3):
            stack = in_cart.make_stack(self.api, basket["id"], self.names["tiers"][number], name=f"S{number}")
            self.names["stacks"].append(stack["id"])
            self.names["categories"].append(in_cart.make_category(self.api, f"C{number}"))
            self.made("locations", "/v1/locations", {"name": f"L{number}", "shape": CIRCLE})
            body = {"name": f"Template {number}", "campaign_id": self.names["campaigns"][number]}
            # A template's id stands where that of a campaign might, behind the word campaigns.
            self.made("campaigns", "/v1/templates/campaigns", body)

    def _signals(self) -> None:
        for number in range(2):
            consent = self.made("consents", "/v1/consents", {"name": f"news {number}"})["id"]
            trigger = {"type": "customer.custom_event", "event": f"welcome {number}"}
            told = {"name": f"D{number}", "trigger": trigger, "channel": "email", "message": MAIL}
            self.made("distributions", "/v1/distributions", told)
            self.api.call("PUT", f"/v1/customers/c{number}/consents", {consent: True})
            event = {"event": f"welcome {number}", "customer": {"source_id": f"c{number}"}}
            self.api.call("POST", "/v1/events", event)
            seen = {"id": f"i{number}", "channel": "email", "type": "opened"}
            self.api.call("POST", f"/v1/customers/c{number}/interactions", seen)

    def _schemas(self) -> None:
        path = f"/management/v1/projects/{self.key.project_id}"
        headers = {"Content-Type": "application/json", **self.keys["management"]}
        with Api(base_url=self.api.base_url, headers=headers, timeout=30, verify=False) as client:
            for number in range(3):
                old = {"type": "string", "optional": True, "array": False, "deleted": True}
                about = f"thing {number}" if number else "publication"
                body = {"related_object": about, "properties": {"old": old}}
                made = client.call("POST", f"{path}/metadata-schemas", body)
                self.names["metadata-schemas"].append(made["id"])
                body = {"name": f"event {number}", "schema": {"properties": {"n": {"type": "number"}}}}
                made = client.call("POST", f"{path}/custom-event-schemas", body)
                self.names["custom-event-schemas"].append(made["id"])

    def _work(self) -> None:
        """Ask for what takes time, and wait for it."""
        actions = [imports.send(self.api, CSV.replace("ann", f"i{number}"))["async_action_id"] for number in range(3)]
        people = [{"source_id": f"b{number}"} for number in range(3)]
        actions.append(self.api.call("POST", "/v1/customers/bulk/async", people, status=202)["async_action_id"])
        wanted = [exports_world.create(self.api, kind)["id"] for kind in ("customer", "order", "voucher")]
        for action in actions:
            found = harness.wait_for(lambda one=action: imports.is_over(self.api, one), what="an action", timeout_s=60)
            link = (found.get("operation_result") or {}).get("result_url") or (found.get("result") or {}).get("url")
            self.links += [link] if link else []
        self.names["async-actions"] += [*actions, actions[-1]]
        self.names["exports"] += wanted
        self.links += [exports_world.finished(self.api, one)["result"]["url"] for one in wanted]
        self.names["imports"] += [one["id"] for one in self.api.call("GET", "/v1/imports")["imports"]]

        def queued() -> Any:
            path = f"/v1/distributions/{self.names['distributions'][0]}/messages"
            return next(iter(self.api.call("GET", path).get("messages") or self.api.call("GET", path)["data"]), None)

        self.names["messages"] = [harness.wait_for(queued, what="a message", timeout_s=60)["id"]]


Make = Callable[[random.Random, Names], Any]


def _some(rng: random.Random, names: Names, part: str) -> str:
    return rng.choice(names[part])


def _new(rng: random.Random, prefix: str = "n") -> str:
    return f"{prefix}{rng.randrange(10**9)}"


def _definition(rng: random.Random) -> dict[str, Any]:
    kind = rng.choice(["string", "number", "boolean", "date", "datetime", "geopoint", "image_url"])
    return {"type": kind, "optional": True, "array": rng.random() < 0.3}


def _customer(rng: random.Random, _names: Names) -> Any:
    return facts.ANN | {"source_id": f"c{rng.randrange(20)}", "metadata": {"n": rng.randrange(10), "tier": "gold"}}


def _order(rng: random.Random, _names: Names) -> Any:
    status = rng.choice(["CREATED", "PAID", "CANCELED", "FULFILLED"])
    customer = {"source_id": f"c{rng.randrange(20)}"}
    return {"source_id": _new(rng), "status": status, "customer": customer, "items": facts.ITEMS}


def _event(rng: random.Random, _names: Names) -> Any:
    place = {"id": "shop", "name": "Shop", "lat": 1.5, "long": 2}
    event = {"event": "seen", "customer": {"source_id": f"c{rng.randrange(20)}"}, "metadata": {"page": "x"}}
    return event | rng.choice([{}, {"location": place}, {"device": {"token": _new(rng), "platform": "ios"}}])


def _client_event(rng: random.Random, _names: Names) -> Any:
    return {"event": "seen", "customer": {"source_id": _new(rng)}, "metadata": {"page": "x"}}


def _project(rng: random.Random, _names: Names) -> Any:
    # What pages may do stays: their operations are fuzzed, too.
    return {"name": _new(rng), "description": _new(rng), "currency": rng.choice(["EUR", "PLN"])}


def _listed(make: Make, *, lines: bool = False) -> Make:
    def made(rng: random.Random, names: Names) -> Any:
        things = [make(rng, names) for _ in range(rng.randrange(1, 5))]
        return Lines(things) if lines and rng.random() < 0.5 else things

    return made


def _csv(rng: random.Random, names: Names) -> Any:
    return File(CSV.replace("ann", _new(rng)).replace("gold", _some(rng, names, "customers")).encode())


def _codes_csv(rng: random.Random, _names: Names) -> Any:
    return File(f"Code,Value,Discount Type\n{_new(rng)},300,AMOUNT\n".encode())


def _members(_rng: random.Random, names: Names) -> Any:
    return File(("id\n" + "".join(f"{one}\n" for one in names["customers"][:1])).encode())


def _campaign(rng: random.Random, _names: Names) -> Any:
    voucher = {"type": "DISCOUNT_VOUCHER", "discount": promotions.percent(10), "redemption": {"quantity": 1}}
    voucher["code_config"] = {"pattern": "SPR-########"}
    kind = rng.choice(["STATIC", "AUTO_UPDATE"])
    asked = {"name": _new(rng), "campaign_type": "DISCOUNT_COUPONS", "type": kind, "voucher": voucher}
    return asked | ({"vouchers_count": rng.randrange(1, 20)} if kind == "STATIC" else {})


def _voucher(rng: random.Random, _names: Names) -> Any:
    discount = rng.choice([promotions.amount(300), promotions.percent(10, amount_limit=100)])
    return {"type": "DISCOUNT_VOUCHER", "discount": discount, "metadata": {"n": 1}, "redemption": {"quantity": 3}}


def _stack(rng: random.Random, names: Names) -> Any:
    return promotions.stack(_some(rng, names, "vouchers"), customer=f"c{rng.randrange(3)}")


def _one(rng: random.Random, _names: Names) -> Any:
    return {"customer": {"source_id": f"c{rng.randrange(3)}"}, "order": {"amount": 1000}}


def _page_one(rng: random.Random, _names: Names) -> Any:
    return {"customer": {"source_id": _new(rng)}, "order": {"amount": 1000}}


def _page_stack(rng: random.Random, names: Names) -> Any:
    return promotions.stack(_some(rng, names, "vouchers"), customer=_new(rng))


def _backtest(rng: random.Random, names: Names) -> Any:
    rules = {"1": {"name": "order.amount", "conditions": {"$more_than": [rng.randrange(1000)]}}, "logic": "1"}
    return rng.choice([{"rules": rules}, {"validation_rule": _some(rng, names, "validation-rules")}]) | {
        "discount": promotions.percent(10)
    }


def _stacking(rng: random.Random, _names: Names) -> Any:
    return {"redeemables_application_mode": rng.choice(["ALL", "PARTIAL"])}


def _publication(rng: random.Random, names: Names) -> Any:
    return {"campaign": {"name": _some(rng, names, "campaigns")}, "customer": {"source_id": f"c{rng.randrange(3)}"}}


def _tier(rng: random.Random, _names: Names) -> Any:
    return in_cart.tier(_new(rng), rng.randrange(100), hierarchy=rng.choice([None, 1, 3]), metadata={"n": 1})


def _tier_stack(rng: random.Random, names: Names) -> Any:
    return {"name": _new(rng), "tiers": {"ids": names["tiers"][3:5]}}


def _location(rng: random.Random, _names: Names) -> Any:
    return {"name": _new(rng), "shape": CIRCLE, "source_id": _new(rng)}


def _rule(rng: random.Random, _names: Names) -> Any:
    return {
        "name": _new(rng),
        "rules": promotions.one_rule("redemption.count.per_customer", "$less_than", rng.randrange(1, 100)),
    }


def _segment(rng: random.Random, _names: Names) -> Any:
    day = {"$after": ["2020-01-01T00:00:00Z"]} if rng.random() < 0.5 else {"$less_than_days_ago": [3]}
    tier = {"conditions": {"$is": ["gold"]}}
    raw = {"junction": rng.choice(["and", "or"]), "created_at": {"conditions": day}, "metadata.tier": tier}
    return {"name": _new(rng), "type": rng.choice(["auto-update", "passive", "static"]), "filter": raw}


def _distribution(rng: random.Random, names: Names) -> Any:
    segment = {"type": "customer.segment.entered", "segment_id": names["segments"][0]}
    trigger = rng.choice([segment, {"type": "customer.custom_event", "event": "seen"}])
    return {"name": _new(rng), "trigger": trigger, "channel": "email", "message": MAIL, "active": rng.random() < 0.5}


def _product(rng: random.Random, _names: Names) -> Any:
    return {"source_id": f"p{rng.randrange(20)}", "price": rng.randrange(2000), "metadata": {"n": rng.randrange(10)}}


def _sku(rng: random.Random, _names: Names) -> Any:
    return {"source_id": _new(rng), "sku": "S", "currency": "USD", "attributes": {"color": "blue"}}


def _collection(rng: random.Random, names: Names) -> Any:
    if rng.random() < 0.5:
        return {"type": "AUTO_UPDATE", "name": _new(rng), "filter": CHEAP}
    return {
        "type": "STATIC",
        "name": _new(rng),
        "products": [{"id": _some(rng, names, "products"), "object": "product"}],
    }


def _products_file(rng: random.Random, names: Names) -> Any:
    return File(f"product_id,source_id,name,sku\n{_some(rng, names, 'products')},{_new(rng)},N,S\n".encode())


def _consents(rng: random.Random, names: Names) -> Any:
    return {_some(rng, names, "consents"): rng.choice([True, False, {"given": True, "channels": ["email"]}])}


def _interaction(rng: random.Random, _names: Names) -> Any:
    kind = rng.choice(["sent", "delivered", "opened", "clicked", "complained", "unsubscribed"])
    return {"id": _new(rng), "channel": "email", "type": kind}


def _export(rng: random.Random, _names: Names) -> Any:
    kind = rng.choice(["customer", "order", "voucher", "redemption", "publication", "event"])
    return {"exported_object": kind, "parameters": rng.choice([{}, {"fields": ["id"]}])}


# What operations accept, by method and shape of the path; the others need no body.
ACCEPTED: Mapping[str, Make] = {
    f"{method} {shape(path)}": make
    for (method, path), make in {
        ("POST", "/v1/customers"): _customer,
        ("PUT", "/v1/customers/{}"): _customer,
        ("POST", "/v1/customers/bulk/async"): _listed(_customer),
        ("POST", "/v1/customers/metadata/async"): lambda rng, _: {"source_ids": [_new(rng)], "metadata": {"n": 1}},
        ("POST", "/v1/customers/importCSV"): _csv,
        ("POST", "/v1/customers/{}/devices"): lambda rng, _: {"platform": "ios", "token": _new(rng)},
        ("POST", "/v1/customers/{}/interactions"): _interaction,
        ("POST", "/v1/customers/{}/merge"): lambda rng, names: {"source": _some(rng, names, "customers")},
        ("POST", "/v1/customers/{}/merge/preview"): lambda rng, names: {"source": _some(rng, names, "customers")},
        ("PUT", "/v1/customers/{}/consents"): _consents,
        ("PUT", "/client/v1/customers/{}/consents"): _consents,
        ("POST", "/v1/orders"): _order,
        ("PUT", "/v1/orders/{}"): lambda rng, _: {"status": rng.choice(["PAID", "FULFILLED"]), "metadata": {"a": 1}},
        ("POST", "/v1/orders/import"): _listed(_order, lines=True),
        ("POST", "/v1/orders/export"): lambda rng, _: {"parameters": {"order": rng.choice(["status", "-created_at"])}},
        ("POST", "/v1/events"): _event,
        ("POST", "/v1/events/import"): _listed(_event, lines=True),
        ("POST", "/client/v1/events"): _client_event,
        ("POST", "/v1/exports"): _export,
        ("POST", "/v1/segments"): _segment,
        ("PUT", "/v1/segments/{}"): lambda rng, _: {"name": _new(rng)},
        ("POST", "/v1/segments/preview"): lambda rng, names: {"filter": _segment(rng, names)["filter"]},
        ("POST", "/v1/segments/{}/customers"): lambda _, names: {"customers": names["customers"][:2]},
        ("DELETE", "/v1/segments/{}/customers"): lambda _, names: {"customers": names["customers"][:1]},
        ("POST", "/v1/segments/{}/customers/importCSV"): _members,
        ("POST", "/v1/campaigns"): _campaign,
        ("PUT", "/v1/campaigns/{}"): lambda rng, _: {"description": _new(rng), "metadata": {"a": 1}},
        ("POST", "/v1/campaigns/{}/vouchers"): lambda _, __: {"metadata": {"a": 1}},
        ("POST", "/v1/campaigns/{}/vouchers/{}"): lambda _, __: {"metadata": {"a": 1}},
        ("POST", "/v1/promotions/{}/tiers"): _tier,
        ("PUT", "/v1/promotions/tiers/{}"): _tier,
        ("POST", "/v1/promotions/{}/stacks"): _tier_stack,
        ("PUT", "/v1/promotions/{}/stacks/{}"): _tier_stack,
        ("POST", "/v1/categories"): lambda rng, _: {"name": _new(rng), "hierarchy": rng.randrange(9)},
        ("PUT", "/v1/categories/{}"): lambda rng, _: {"name": _new(rng), "hierarchy": rng.randrange(9)},
        ("POST", "/v1/locations"): _location,
        ("PUT", "/v1/locations/{}"): _location,
        ("POST", "/v1/templates/campaigns"): lambda rng, names: {
            "name": _new(rng),
            "campaign_id": _some(rng, names, "campaigns"),
        },
        ("PUT", "/v1/templates/campaigns/{}"): lambda rng, _: {"name": _new(rng), "description": _new(rng)},
        ("POST", "/v1/templates/campaigns/{}/campaign-setup"): lambda rng, _: {"name": _new(rng)},
        ("POST", "/v1/templates/campaigns/{}/tier-setup"): lambda rng, names: {
            "name": _new(rng),
            "campaign_id": _some(rng, names, "promotions"),
        },
        ("POST", "/v1/campaigns/{}/import"): lambda rng, _: [{"code": _new(rng)}],
        ("POST", "/v1/campaigns/{}/importCSV"): lambda rng, _: File(f"Code\n{_new(rng)}\n".encode()),
        ("POST", "/v1/campaigns/{}/transactions/export"): lambda _, __: {"parameters": {"order": "created_at"}},
        ("POST", "/v1/vouchers"): _voucher,
        ("POST", "/v1/vouchers/import"): _listed(lambda rng, names: {"code": _new(rng), **_voucher(rng, names)}),
        ("POST", "/v1/vouchers/importCSV"): _codes_csv,
        ("POST", "/v1/vouchers/bulk/async"): lambda rng, names: [
            {"code": _some(rng, names, "vouchers"), "metadata": {"a": 1}}
        ],
        ("POST", "/v1/vouchers/metadata/async"): lambda rng, names: {
            "codes": [_some(rng, names, "vouchers")],
            "metadata": {"a": 1},
        },
        ("POST", "/v1/vouchers/{}/balance"): lambda rng, _: {"amount": rng.choice([-300, 200, 5_000])},
        ("POST", "/v1/vouchers/{}/transactions/export"): lambda _, __: {"parameters": {"fields": ["id", "amount"]}},
        ("POST", "/v1/vouchers/{}"): _voucher,
        ("PUT", "/v1/vouchers/{}"): lambda rng, _: {"category": _new(rng), "metadata": {"a": 1}},
        ("POST", "/v1/vouchers/{}/redemption"): _one,
        ("POST", "/v1/vouchers/{}/validate"): _one,
        ("POST", "/v1/redemptions"): _stack,
        ("POST", "/v1/validations"): _stack,
        ("POST", "/v1/redemptions/{}/rollback"): lambda _, __: {"reason": "R"},
        ("POST", "/v1/redemptions/{}/rollbacks"): lambda _, __: {"reason": "R"},
        ("POST", "/v1/publications"): _publication,
        ("POST", "/client/v1/publish"): _publication,
        ("POST", "/client/v1/redeem"): _page_one,
        ("POST", "/client/v1/redemptions"): _page_stack,
        ("POST", "/client/v1/validations"): _page_stack,
        ("POST", "/v1/backtests"): _backtest,
        ("POST", "/management/v1/projects/{}/stacking-rules"): _stacking,
        ("PUT", "/management/v1/projects/{}/stacking-rules/{}"): _stacking,
        ("POST", "/v1/validation-rules"): _rule,
        ("PUT", "/v1/validation-rules/{}"): _rule,
        ("POST", "/v1/validation-rules/{}/assignments"): lambda rng, names: {
            "related_object_type": "voucher",
            "related_object_id": _some(rng, names, "vouchers"),
        },
        ("POST", "/v1/products"): _product,
        ("PUT", "/v1/products/{}"): _product,
        ("POST", "/v1/products/bulk/async"): _listed(_product),
        ("POST", "/v1/products/metadata/async"): lambda rng, _: {"source_ids": [_new(rng)], "metadata": {"n": 1}},
        ("POST", "/v1/products/importCSV"): _products_file,
        ("POST", "/v1/skus/importCSV"): _products_file,
        ("POST", "/v1/products/{}/skus"): _sku,
        ("PUT", "/v1/products/{}/skus/{}"): _sku,
        ("POST", "/v1/product-collections"): _collection,
        ("PUT", "/v1/product-collections/{}"): lambda rng, _: {"name": _new(rng)},
        ("POST", "/v1/consents"): lambda rng, _: {"name": _new(rng), "channels": ["email", "sms"]},
        ("PUT", "/v1/consents/{}"): lambda rng, _: {"description": _new(rng)},
        ("POST", "/v1/consents/inbound"): lambda _, __: {"channel": "sms", "from": "+48600000000", "text": "STOP"},
        ("POST", "/v1/distributions"): _distribution,
        ("PUT", "/v1/distributions/{}"): lambda rng, _: {"name": _new(rng), "active": rng.random() < 0.5},
        ("PUT", "/management/v1/projects/{}"): _project,
        ("POST", "/management/v1/projects/{}/metadata-schemas"): lambda rng, _: {
            "related_object": _new(rng, "thing"),
            "properties": {"a": _definition(rng)},
        },
        ("PUT", "/management/v1/projects/{}/metadata-schemas/{}"): lambda rng, _: {
            "properties": {_new(rng): _definition(rng)}
        },
        ("POST", "/management/v1/projects/{}/custom-event-schemas"): lambda rng, _: {
            "name": _new(rng),
            "schema": {"properties": {"n": {"type": "number"}}},
        },
        ("POST", "/management/v1/projects/{}/schemas/copy"): lambda _, names: {
            "source": {name: names[name][0] for name in ("management_id", "management_token")}
        },
        ("PUT", "/management/v1/projects/{}/custom-event-schemas/{}"): lambda rng, _: {
            "schema": {"properties": {_new(rng): {"type": "string", "optional": True}}}
        },
    }.items()
}
# What operations accept in the query, where they ask for something there.
QUERIES: Mapping[str, Make] = {
    "POST /client/v1/redeem": lambda rng, names: {"code": _some(rng, names, "vouchers")},
    "GET /client/v1/validate": lambda rng, names: {"code": _some(rng, names, "vouchers"), "amount": "1000"},
    "GET /v1/publications/create": lambda rng, names: {
        "campaign[name]": _some(rng, names, "campaigns"),
        "customer[source_id]": f"c{rng.randrange(3)}",
    },
}
