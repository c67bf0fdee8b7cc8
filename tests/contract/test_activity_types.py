"""Every type of activity that the source can append is a known one, and its payload fits the reference's schema."""

import ast
import re
from pathlib import Path
from typing import Any

import harness
from contract.test_promotion_schemas import DEVIATIONS
from contract.test_reference_schemas import PAYLOADS, document, misfits, payload_misfits
from rapport.activity.types import ADDITIONS, CATEGORIES, REFERENCE
from rapport.core.db import Database
from rapport.customers.models import CHANNELS, INTERACTIONS

SOURCE = Path(__file__).resolve().parents[2] / "src" / "rapport"
_TYPE = re.compile(r"customer\.[a-z_.{}]*[a-z_}]")
# What a name that is put together stands for.
FAMILIES = {
    # What became of a message, as somebody else tells it; the types that the reference has, too, are logged by others.
    "customer.{}.{}": {one for one in ADDITIONS if one.split(".")[1] not in ("consents", "device", "merge")},
    "customer.consents.{}": {"customer.consents.given", "customer.consents.revoked"},
    "customer.device.{}": {"customer.device.added", "customer.device.updated", "customer.device.removed"},
    "customer.segment.{}": {"customer.segment.entered", "customer.segment.left"},
    "customer.order.{}": {"customer.order.paid", "customer.order.fulfilled", "customer.order.canceled"},
}
# Strings that look like a type and are none; some are columns of a file.
OTHER = {"customer.segment", "customer.metadata", "customer.id", "customer.source_id", "customer.{}"}
PROMOTIONS = {
    "customer.publication.succeeded", "customer.publication.failed", "customer.validation.succeeded",
    "customer.validation.failed", "customer.redemption.succeeded", "customer.redemption.failed",
    "customer.redemption.rollback.succeeded", "customer.redemption.rollback.failed", "customer.voucher.deleted",
    "customer.voucher.gift.balance_added",
}  # fmt: skip
HERE = {"customer.deleted", "customer.email.sent", "customer.email.failed"}


def texts(tree: ast.AST) -> set[str]:
    """The string literals of a module, those with places in them as `customer.order.{}`."""
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    plain = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in parts}
    joined = {
        "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
    }
    return {text for text in plain | joined if isinstance(text, str) and _TYPE.fullmatch(text)}


def appended() -> set[str]:
    """The types that the source names outside of their list."""
    found: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        if path != SOURCE / "activity" / "types.py":
            found |= texts(ast.parse(path.read_text()))
    return set().union(*(FAMILIES.get(one, {one}) for one in found - OTHER))


def test_every_type_in_the_source_is_known() -> None:
    assert appended() <= REFERENCE | ADDITIONS


# Loyalty and referral programmes (whose codes alone have several holders), rewards, and who sends by other platforms.
NOT_SERVED = (
    "loyalty.", "voucher.loyalty_card.", "reward_redemptions.", "rewarded", "referred", "holder.assignment.",
    "activecampaign.", "braze.", "mailchimp.", "intercom.", "shopify.", "klaviyo.", "batch.",
)  # fmt: skip
# A customer has no state of being confirmed, an order none of being processed; a message that failed for good is not
# recovered, and text messages are sent by others.
WITHOUT_OCCASION = {
    "customer.confirmed", "customer.order.processing", "customer.email.recovered", "customer.sms.recovered",
    "customer.sms.failed",
}  # fmt: skip


def test_of_the_reference_only_types_of_what_is_not_served_are_never_logged() -> None:
    told_by_others = {f"customer.{channel}.{kind}" for channel in CHANNELS for kind in INTERACTIONS}
    missing = REFERENCE - appended() - told_by_others
    assert {one for one in missing if not one.removeprefix("customer.").startswith(NOT_SERVED)} == WITHOUT_OCCASION


def test_the_payload_of_every_type_in_the_source_is_held_against_the_reference() -> None:
    assert appended() - ADDITIONS == set(PAYLOADS) | PROMOTIONS | HERE
    assert {f"customer.{kind}" for kind in DEVIATIONS if " " not in kind} <= PROMOTIONS


def test_the_known_types_are_those_of_the_reference() -> None:
    schemas = document("customers")["components"]["schemas"]
    assert set(schemas["CustomerActivity"]["properties"]["type"]["enum"]) == REFERENCE
    assert not REFERENCE & ADDITIONS
    assert sorted(name for names in CATEGORIES.values() for name in names) == sorted(REFERENCE | ADDITIONS)
    assert sorted(CATEGORIES) == sorted(schemas["ParameterActivityCategory"]["enum"])


def test_messages_fit(api: Any) -> None:
    trigger = {"type": "customer.custom_event", "event": "seen"}
    message = {"subject": "Hi", "text": "Hi"}
    body = {"name": "D", "trigger": trigger, "channel": "email", "message": message}
    api.call("POST", "/v1/distributions", body)
    for source_id, email in (("with", "with@example.com"), ("without", None)):
        api.call("POST", "/v1/events", {"event": "seen", "customer": {"source_id": source_id, "email": email}})
    for source_id, kind in (("with", "customer.email.sent"), ("without", "customer.email.failed")):
        path = f"/v1/customers/{source_id}/activity"

        def find(path: str = path, kind: str = kind) -> Any:
            return api.call("GET", path, params={"type": kind})["data"]

        (entry,) = harness.wait_for(find, what=kind)
        assert payload_misfits(kind, entry["data"]["data"]) == {}
        source = {"$ref": "#/components/schemas/EventSource", "components": document("customers")["components"]}
        assert misfits(entry["data"]["event_source"], source) == {}


async def test_a_deletion_fits(api: Any, db: Database, project_id: int) -> None:
    api.call("POST", "/v1/customers", {"source_id": "gone", "name": "Gone"})
    api.call("DELETE", "/v1/customers/gone", status=204)
    async with db.read() as conn:
        payload = await conn.fetchval(
            "SELECT payload FROM activity WHERE project_id = $1 AND type = 'customer.deleted'", project_id
        )
    assert payload_misfits("customer.deleted", payload) == {}


def test_messages_that_others_sent_fit(api: Any) -> None:
    api.call("POST", "/v1/customers", {"source_id": "ann"})
    at = "2026-01-31T12:00:00.000Z"
    for channel in ("email", "sms"):
        api.call(
            "POST", "/v1/customers/ann/interactions", {"id": channel, "channel": channel, "type": "sent", "at": at}
        )
        (entry,) = api.call("GET", "/v1/customers/ann/activity", params={"type": f"customer.{channel}.sent"})["data"]
        assert entry["data"]["data"]["sent_at"] == at
        assert payload_misfits("customer.email.sent", entry["data"]["data"]) == {}
