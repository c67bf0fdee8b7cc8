"""The one place where errors become answers."""

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException

from rapport.core import jsons
from rapport.core.db import Contention, DatabaseUnavailable, RefusedValue, StatementTimeout
from rapport.core.errors import InvalidPayload, PayloadTooLarge, RapportError, ResourceInUse
from rapport.core.ids import new_request_id

log = structlog.get_logger(__name__)
# In the state of a request that whoever sent it on runs again when it fails for contention.
RUNS_AGAIN = "runs_again"

JSON_TYPE: Final = "application/json; charset=utf-8"
_NAMES: Final = {"str": "string", "int": "integer", "bool": "boolean", "float": "number", "decimal": "number"}
_WRONG_TYPE: Final = re.compile(r"Expected `(?P<expected>[^`]+)`, got `(?P<got>[^`]+)`(?: - at `(?P<path>[^`]+)`)?")
_OTHER: Final = re.compile(r"(?P<text>.*?)(?: - at `(?P<path>[^`]+)`)?")
_MISSING: Final = re.compile(r"Object missing required field `(?P<field>[^`]+)`(?: - at `(?P<path>[^`]+)`)?")


class ErrorBody(msgspec.Struct, omit_defaults=True):
    """The reference's `Error` object. `error` carries the message that a shop set on a validation rule.

    For bulk requests that are too long the reference has an object of its own (`BadRequest`): its properties are there
    where an error has a `status_text`. `related_object_*` say what uses something that is in use.
    """

    code: int
    key: str
    message: str
    details: str
    request_id: str
    resource_id: str | None = None
    resource_type: str | None = None
    related_object_ids: list[str] | None = None
    related_object_type: str | None = None
    related_object_total: int | None = None
    error: dict[str, str] | str | None = None
    status_code: int | None = msgspec.field(default=None, name="statusCode")


def payload_error(error: msgspec.MsgspecError) -> InvalidPayload:
    """Say in the reference's words what is wrong with a body that does not fit its type."""
    text = str(error)
    if not isinstance(error, msgspec.ValidationError):
        return InvalidPayload(f"Body is not valid JSON: {text}")
    if found := _WRONG_TYPE.fullmatch(text):
        kinds = (kind.strip() for kind in found["expected"].split("|"))
        wanted = " or ".join(_NAMES.get(kind, kind) for kind in kinds)
        path = (found["path"] or "$").removeprefix("$")
        return InvalidPayload(f"Property {path or '.'} should be {wanted}, is {_NAMES.get(found['got'], found['got'])}")
    if found := _MISSING.fullmatch(text):
        return InvalidPayload(f"Missing required property {(found['path'] or '$').removeprefix('$')}.{found['field']}")
    other = _OTHER.fullmatch(text)
    if other is None:
        return InvalidPayload(text)
    return InvalidPayload(f"Property {(other['path'] or '$').removeprefix('$') or '.'}: {other['text']}")


class Overtaken(Exception):
    """Another request has committed with this Idempotency-Key; whatever this one answers is thrown away."""


def error_response(error: RapportError, request_id: str) -> Response[bytes]:
    """Return the answer for an error that the caller can act on."""
    status_text = getattr(error, "status_text", None)
    related = error.related if isinstance(error, ResourceInUse) else None
    body = ErrorBody(
        code=error.code,
        key=error.key,
        message=error.message,
        details=error.details,
        request_id=request_id,
        resource_id=error.resource_id,
        resource_type=error.resource_type,
        related_object_ids=None if related is None else related.ids,
        related_object_type=None if related is None else related.type,
        related_object_total=None if related is None else len(related.ids),
        error=status_text or getattr(error, "shop_error", None),
        status_code=error.code if status_text else None,
    )
    return Response(jsons.encode(body), status_code=error.code, media_type=JSON_TYPE)


def _plain(code: int, key: str, message: str, details: str) -> RapportError:
    error = RapportError(details)
    error.code, error.key, error.message = code, key, message  # type: ignore[misc]
    return error


def _request_id(request: Request[Any, Any, Any]) -> str:
    return str(request.scope.get("state", {}).get("request_id") or new_request_id())


def _told(request: Request[Any, Any, Any], error: Exception) -> dict[str, Any]:
    """Return what a log line says of a failure: texts of errors, and paths, may hold customers' values."""
    path = request.scope.get("path_template") or "unknown"
    return {"error": type(error).__name__, "method": request.method, "path": path, "request_id": _request_id(request)}


def _on_rapport_error(request: Request[Any, Any, Any], error: RapportError) -> Response[bytes]:
    return error_response(error, _request_id(request))


def _on_http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    if error.status_code == PayloadTooLarge.code:
        return error_response(PayloadTooLarge("The body is longer than this server takes"), _request_id(request))
    keys = {404: ("not_found", "Resource not found"), 405: ("method_not_allowed", "Method not allowed")}
    key, message = keys.get(error.status_code, ("bad_request", "Bad request"))
    details = f"{request.method} {request.url.path}" if error.status_code in keys else error.detail
    return error_response(_plain(error.status_code, key, message, details), _request_id(request))


def _on_refused_value(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    if "\x00" in request.scope["path"]:
        missing = _plain(404, "not_found", "Resource not found", f"{request.method} {request.url.path}")
        return error_response(missing, _request_id(request))
    log.warning("the database refused a value", **_told(request, error))
    return error_response(InvalidPayload("A value is too long or out of range"), _request_id(request))


def _on_unavailable(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    log.error("database unavailable", **_told(request, error))
    failure = _plain(503, "service_unavailable", "Service unavailable", "The database cannot be reached, try again")
    return error_response(failure, _request_id(request))


def _on_contention(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    if not request.scope.get("state", {}).get(RUNS_AGAIN):
        log.error("gave up after too many runs", **_told(request, error))
    details = "Too many requests change the same things at once; this one was undone, try again"
    return error_response(_plain(503, "service_unavailable", "Service unavailable", details), _request_id(request))


def _on_overtaken(request: Request[Any, Any, Any], _error: Exception) -> Response[bytes]:
    return error_response(_plain(503, "service_unavailable", "Service unavailable", ""), _request_id(request))


def _on_timeout(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    log.error("statement timed out", **_told(request, error))
    failure = _plain(503, "request_timeout", "Request timeout", "The request took too long and was undone, try again")
    return error_response(failure, _request_id(request))


def _on_bug(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    log.error("unexpected error", **_told(request, error), exc_info=error)
    failure = _plain(500, "internal_error", "Internal error", "Something went wrong on our side")
    return error_response(failure, _request_id(request))


def exception_handlers() -> dict[Any, Callable[[Request[Any, Any, Any], Any], Response[bytes]]]:
    """Return what to answer for each kind of error."""
    handlers: dict[Any, Callable[[Request[Any, Any, Any], Any], Response[bytes]]] = {
        RapportError: _on_rapport_error,
        HTTPException: _on_http_error,
        StatementTimeout: _on_timeout,
        Exception: _on_bug,
    }
    handlers.update(dict.fromkeys(RefusedValue, _on_refused_value))
    handlers.update(dict.fromkeys(DatabaseUnavailable, _on_unavailable))
    handlers.update(dict.fromkeys(Contention, _on_contention))
    handlers[Overtaken] = _on_overtaken
    return handlers


def error_answer(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Return what to answer for an error that was raised outside of any handler."""
    handlers = exception_handlers()
    return next(handlers[kind] for kind in type(error).__mro__ if kind in handlers)(request, error)
