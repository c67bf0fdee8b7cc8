"""Attempts to find codes: which operations they are made with, when they failed, and what is told of that. Pure.

A client key, which anybody can read, learns no difference between a code that does not exist and one that the caller
cannot use: both are answered as the former. It is told what a shopper can do something about (the order, a missing
customer, whatever a shop says in a message of its own), and of codes that are of no use to anybody any more.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from rapport.core import jsons
from rapport.core.errors import NotFound
from rapport.http.attempts.models import Asked, Told

_POST: Final = re.compile(
    r"(?:/client)?/v1/(?:validations|redemptions|qualifications)|/client/v1/(?:publish|redeem)|/v1/publications"
    r"|/v1/vouchers/.+/(?:validate|redemption)",
    re.DOTALL,
)
_GET: Final = re.compile(r"/client/v1/validate|/v1/publications/create|/v1/vouchers/.+", re.DOTALL)
_NAMES: Final = ("customer[source_id]", "customer[id]", "customer", "tracking_id")
_CODES: Final = frozenset({"voucher", "gift_card", "loyalty_card"})
# Once for each code that is not there, where several things were asked for and none of them applies.
_CANNOT_FIND: Final = "Cannot find voucher with id "
# A client key is not told of these.
_HIDDEN: Final = frozenset(
    {
        "campaign_not_active",
        "voucher_already_published",
        "voucher_cannot_be_published",
        "voucher_disabled",
        "voucher_not_active",
        "voucher_not_active_now",
    }
)
# Nor of these, unless the shop says something itself.
_HIDDEN_WITHOUT_WORDS: Final = frozenset(
    {"customer_rules_violated", "invalid_customer", "publication_rules_violated", "redemption_rules_violated"}
)
# It is told of these, and they count: where most codes are used up already, trying them out is guessing too.
_USELESS: Final = frozenset({"quantity_exceeded", "voucher_expired"})


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= 255 else None


def _read(body: bytes) -> dict[str, Any]:
    try:
        read = jsons.decode(body) if body else {}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _named(value: object) -> str | None:
    if isinstance(value, Mapping):
        return _text(value.get("source_id")) or _text(value.get("id"))
    return _text(value)


class Guesses:
    """The reader of the operations that take codes."""

    def covers(self, method: str, path: str) -> bool:
        """Whether codes can be tried with this operation."""
        if method == "POST":
            return _POST.fullmatch(path) is not None
        return method == "GET" and _GET.fullmatch(path) is not None

    def customer(self, asked: Asked) -> str | None:
        """Return the source id, or else the id, that the request names its customer by, or None."""
        said = _read(asked.body)
        order = said.get("order")
        of_order = order if isinstance(order, dict) else {}
        return (
            _named(said.get("customer"))
            or _text(said.get("tracking_id"))
            or _named(of_order.get("customer"))
            or _text(of_order.get("customer_id"))
            or next(filter(None, map(_text, map(asked.query.get, _NAMES))), None)
        )

    def failed(self, asked: Asked, status: int, body: bytes) -> Told | None:
        """Return what to answer where codes were tried in vain, or None."""
        if status == 200 and b'"error"' not in body:
            return None
        said = _read(body)
        if status != 200:
            return _refused(asked, status, said, body)
        if isinstance(said.get("inapplicable_redeemables"), list):
            return _inapplicable(asked, said, body)
        return _invalid_one(asked, said, body)


def _is_missing(error: Mapping[str, Any]) -> bool:
    return error.get("key") == "not_found" and error.get("resource_type") in _CODES


def _is_hidden(asked: Asked, error: Mapping[str, Any]) -> bool:
    """Whether an error is to look as if the code did not exist."""
    if not asked.by_client:
        return False
    key = error.get("key")
    return key in _HIDDEN or (key in _HIDDEN_WITHOUT_WORDS and not error.get("error")) or _is_missing(error)


def _counts(asked: Asked, error: Mapping[str, Any]) -> bool:
    return _is_missing(error) or _is_hidden(asked, error) or (asked.by_client and error.get("key") in _USELESS)


def _missing(code: str, error: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is answered about a code that does not exist."""
    found = NotFound("voucher", code)
    return {
        "code": found.code,
        "key": found.key,
        "message": found.message,
        "details": found.details,
        "request_id": error.get("request_id"),
        "resource_id": code,
        "resource_type": "voucher",
    }


def _codes(asked: Asked) -> tuple[list[str], bool]:
    """Return the codes that a request tries, and whether it is about nothing but codes."""
    said = _read(asked.body)
    listed = said.get("redeemables")
    among = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    found = [_text(one.get("id")) for one in among if _is_code(one)]
    found += [_text(said.get("voucher")), _text(asked.query.get("code")), _text(asked.query.get("voucher"))]
    return [code for code in found if code is not None], all(map(_is_code, among))


def _is_code(redeemable: Mapping[str, Any]) -> bool:
    return _text(redeemable.get("object")) in _CODES


def _meant(asked: Asked, error: Mapping[str, Any]) -> str | None:
    """Return the code that an error is about, or None: those about one of several begin their details with it."""
    if _is_missing(error):
        return str(error.get("resource_id"))
    codes, are_all = _codes(asked)
    details = str(error.get("details"))
    named = sorted((code for code in codes if details.startswith(code)), key=len)
    if named:
        return named[-1]
    return codes[0] if codes and are_all else None


def _refused(asked: Asked, status: int, error: dict[str, Any], body: bytes) -> Told | None:
    # A promotion tier is no code, nor is a campaign of which nothing can be published.
    code = _meant(asked, error)
    if code is None or not _counts(asked, error):
        return None
    attempts = max(1, str(error.get("details")).count(_CANNOT_FIND)) if _is_missing(error) else 1
    if _is_hidden(asked, error):
        missing = _missing(code, error)
        return Told(attempts, 404, jsons.encode(missing))
    return Told(attempts, status, body)


def _error_of(redeemable: Any) -> dict[str, Any]:
    """Return what is wrong with a code; nothing where it is well, or no code."""
    is_code = isinstance(redeemable, dict) and redeemable.get("object") in _CODES
    result = redeemable.get("result") if is_code else None
    error = result.get("error") if isinstance(result, dict) else None
    return error if isinstance(error, dict) else {}


def _inapplicable(asked: Asked, said: dict[str, Any], body: bytes) -> Told | None:
    """Read an answer about several codes, valid or not, redeemed or not; each of those that failed counts."""
    failed = [one for one in said["inapplicable_redeemables"] if _counts(asked, _error_of(one))]
    if not failed:
        return None
    if not asked.by_client:
        return Told(len(failed), 200, body)
    for name in ("redeemables", "inapplicable_redeemables"):
        if isinstance(said.get(name), list):
            said[name] = [_uniform(asked, one) for one in said[name]]
    return Told(len(failed), 200, jsons.encode(said))


def _uniform(asked: Asked, redeemable: Any) -> Any:
    error = _error_of(redeemable)
    if not _is_hidden(asked, error):
        return redeemable
    code = str(redeemable.get("id"))
    return {"status": "INAPPLICABLE", "id": code, "object": "voucher", "result": {"error": _missing(code, error)}}


def _invalid_one(asked: Asked, said: dict[str, Any], body: bytes) -> Told | None:
    """Read the answer to a validation of one code, by the older operations."""
    error = said.get("error")
    if not isinstance(error, dict) or not _counts(asked, error):
        return None
    if not _is_hidden(asked, error):
        return Told(1, 200, body)
    missing = _missing(str(said.get("code")), error)
    shown = {"valid": False, "code": said.get("code"), "tracking_id": said.get("tracking_id")}
    return Told(1, 200, jsons.encode(shown | {"reason": missing["message"], "error": missing, "metadata": {}}))
