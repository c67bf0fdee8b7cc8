"""What keys that anybody can read may ask about redemptions, and what they are told."""

import re
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec
from msgspec import UNSET

from rapport.core.errors import InvalidPayload, InvalidQueryParams
from rapport.customers.schemas import CustomerInput
from rapport.http.caller import check_client_name
from rapport.redemptions.qualification.schemas import QualificationInput
from rapport.redemptions.schemas import PromotionsInput, RedeemInput

Asking = TypeVar("Asking", RedeemInput, QualificationInput, PromotionsInput)
MAX_ITEMS: Final = 100
_ITEM: Final = re.compile(r"item\[(\d{1,3})\]\[(\w{1,40})\]")
_METADATA: Final = re.compile(r"metadata\[([^\[\]]{1,100})\]")
_OF_CUSTOMER: Final = re.compile(r"customer\[metadata\]\[([^\[\]]{1,100})\]")
_OF_ORDER: Final = re.compile(r"order\[metadata\]\[([^\[\]]{1,100})\]")
_NUMBERS: Final = ("quantity", "price", "amount", "discount_amount", "initial_amount")
# Of a person, a page is told what it knew: by which name.
_KNOWN: Final = ("id", "source_id", "object")
# Of an order that was there before, not even these.
_STORED: Final = ("id", "created_at", "updated_at", "status", "redemptions")
_PRIVATE: Final = ("holder_id", "holder", "publish", "additional_info")


def _customer(data: CustomerInput | None) -> None:
    if data is None:
        return
    if isinstance(data.id, str):
        raise InvalidPayload("A client key names a customer by source_id, not by id")
    if isinstance(data.source_id, str):
        check_client_name(data.source_id)


def checked(data: Asking, *, redeems: bool) -> Asking:
    """Return a request of a client key, which names people by source id only and reads no stored order.

    What is redeemed may belong to an order that is stored; then the request says what is in it or what it costs.

    Raises InvalidPayload.
    """
    _customer(data.customer)
    if data.tracking_id is not None:
        check_client_name(data.tracking_id)
    order = data.order
    if order is None:
        return data
    if isinstance(order.id, str) or isinstance(order.customer_id, str) or isinstance(order.referrer_id, str):
        raise InvalidPayload("A client key names orders and customers by source_id, not by id")
    for person in (order.customer, order.referrer):
        _customer(person if isinstance(person, CustomerInput) else None)
    for item in order.items if isinstance(order.items, list) else ():
        if (item.product is not None and item.product.override) or (item.sku is not None and item.sku.override):
            raise InvalidPayload("Property .order.items[].product.override is not for client keys")
    if not redeems:
        return msgspec.structs.replace(data, order=msgspec.structs.replace(order, source_id=UNSET))
    named = data.customer is not None or data.tracking_id is not None or isinstance(order.customer, CustomerInput)
    if isinstance(order.source_id, str) and not named:
        raise InvalidPayload("Property .customer is required beside .order.source_id")
    if isinstance(order.source_id, str) and not (isinstance(order.items, list) or isinstance(order.amount, int)):
        raise InvalidPayload("Property .order.items or .order.amount is required beside .order.source_id")
    return data


def told(answer: Any, *, is_order_hidden: bool = False) -> Any:
    """Return an answer without what it says about a person beyond their names, and about who holds a code.

    `is_order_hidden`: nor what became of an order that was there before.
    """
    if isinstance(answer, list):
        return [told(one, is_order_hidden=is_order_hidden) for one in answer]
    if not isinstance(answer, dict):
        return answer
    hidden = _STORED if is_order_hidden and answer.get("object") == "order" else ()
    return {
        name: _person(value) if name in ("customer", "referrer") else told(value, is_order_hidden=is_order_hidden)
        for name, value in answer.items()
        if name not in _PRIVATE and name not in hidden
    }


def _person(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    known = {name: value[name] for name in _KNOWN if name in value}
    return known | {"metadata": {}} if "metadata" in value else known


def code_of(query: Mapping[str, str]) -> str:
    """Return the code that a query names. Raises InvalidQueryParams, also where a parameter cannot be kept."""
    _check_texts(query)
    code = query.get("code")
    if not code:
        raise InvalidQueryParams("Query parameter code is required")
    return code


def _check_texts(query: Mapping[str, str]) -> None:
    if any("\x00" in text for pair in query.items() for text in pair):
        raise InvalidQueryParams("A query parameter holds a NUL character")


def of_query(query: Mapping[str, str]) -> RedeemInput:
    """Return the validation that the query of `validate-voucher-client-side` asks for. Raises InvalidQueryParams."""
    raw = {"redeemables": [{"object": "voucher", "id": code_of(query)}], **_circumstances(query)}
    session = {name: query[f"session_{name}"] for name in ("type", "key", "ttl_unit") if f"session_{name}" in query}
    if "session_ttl" in query:
        session["ttl"] = _number(query["session_ttl"], "session_ttl")  # type: ignore[assignment] # one is a number
    if session:
        raw["session"] = session
    try:
        return msgspec.convert(raw, RedeemInput)
    except msgspec.ValidationError as error:
        raise InvalidQueryParams(str(error)) from error


def promotions_of_query(query: Mapping[str, str]) -> PromotionsInput:
    """Return the validation of all tiers that the same query without a code asks for. Raises InvalidQueryParams."""
    _check_texts(query)
    try:
        return msgspec.convert(_circumstances(query), PromotionsInput)
    except msgspec.ValidationError as error:
        raise InvalidQueryParams(str(error)) from error


def _circumstances(query: Mapping[str, str]) -> dict[str, Any]:
    source_id = query.get("customer[source_id]") or query.get("customer")
    raw: dict[str, Any] = {}
    customer: dict[str, Any] = {} if source_id is None else {"source_id": source_id}
    known = {found[1]: value for name, value in query.items() if (found := _OF_CUSTOMER.fullmatch(name))}
    if known:
        customer["metadata"] = known
    if customer:
        raw["customer"] = customer
    if query.get("tracking_id"):
        raw["tracking_id"] = query["tracking_id"]
    metadata = {found[1]: value for name, value in query.items() if (found := _METADATA.fullmatch(name))}
    if metadata:
        raw["metadata"] = metadata
    order = _order(query)
    return raw if order is None else raw | {"order": order}


def _order(query: Mapping[str, str]) -> dict[str, Any] | None:
    items: dict[int, dict[str, Any]] = {}
    for name, value in query.items():
        found = _ITEM.fullmatch(name)
        if found is not None:
            number = _number(value, name) if found[2] in _NUMBERS else value
            items.setdefault(int(found[1]), {})[found[2]] = number
    if len(items) > MAX_ITEMS:
        raise InvalidQueryParams(f"Query parameter item may be there {MAX_ITEMS} times")
    metadata = {found[1]: value for name, value in query.items() if (found := _OF_ORDER.fullmatch(name))}
    order: dict[str, Any] = {}
    if items:
        order["items"] = [items[place] for place in sorted(items)]
    if metadata:
        order["metadata"] = metadata
    if "amount" in query:
        order["amount"] = _number(query["amount"], "amount")
    return order or None


def _number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        raise InvalidQueryParams(f"Query parameter {name[:100]} should be a whole number")
    return int(text)
