"""The one tree of errors; each says what is wrong, and http/errors.py alone turns it into an answer.

    RapportError
    ├── InvalidPayload            400 invalid_payload
    ├── InvalidQueryParams        400 invalid_query_params
    ├── Unauthorized              401 unauthorized
    ├── Forbidden                 403 forbidden
    ├── NotFound                  404 not_found
    ├── DuplicateFound            409 duplicate_found
    ├── ResourceInUse             409 resource_in_use
    ├── PayloadTooLarge           413 payload_too_large
    └── … subclasses beside the features that raise them

`code`, `key` and `message` are the reference's; `details` says which value, in the words of the caller.
"""

from typing import ClassVar, Final, NamedTuple

MAX_DETAILS: Final = 2_000


class RapportError(Exception):
    """Something the caller can act on."""

    code: ClassVar[int] = 400
    key: ClassVar[str] = "bad_request"
    message: ClassVar[str] = "Bad request"

    def __init__(
        self,
        details: str | None = None,
        *,
        resource_id: str | None = None,
        resource_type: str | None = None,
    ) -> None:
        """Keep what the answer will say; `details` defaults to the class's message."""
        # It may quote what a caller sent, and is kept where it was about a part of a request.
        text = (details or self.message).replace("\x00", "\\u0000")
        self.details = text if len(text) <= MAX_DETAILS else f"{text[:MAX_DETAILS]}…"
        super().__init__(self.details)
        self.resource_id = resource_id
        self.resource_type = resource_type


class InvalidPayload(RapportError):
    """The body is not JSON, or a value in it has the wrong type or is out of bounds."""

    key = "invalid_payload"
    message = "Invalid payload"


class InvalidQueryParams(RapportError):
    """A query parameter is unknown to its type or out of bounds."""

    key = "invalid_query_params"
    message = "Invalid query params"


class Unauthorized(RapportError):
    """No key, a wrong key, or a key that may not do this."""

    code = 401
    key = "unauthorized"
    message = "Unauthorized"


class Forbidden(RapportError):
    """The key is good, and the project's settings do not let it do this."""

    code = 403
    key = "forbidden"
    message = "Forbidden"


class NotFound(RapportError):
    """There is no such thing in this project."""

    code = 404
    key = "not_found"
    message = "Resource not found"

    def __init__(self, resource_type: str, resource_id: str) -> None:
        """Name the missing thing, e.g. `NotFound("customer", "cust_1")`."""
        super().__init__(
            f"Cannot find {resource_type} with id {resource_id}", resource_id=resource_id, resource_type=resource_type
        )


class DuplicateFound(RapportError):
    """The name, code or source id is taken."""

    code = 409
    key = "duplicate_found"
    message = "Duplicated resource found"

    def __init__(self, resource_type: str, resource_id: str, details: str | None = None) -> None:
        """Name the taken identifier, e.g. `DuplicateFound("voucher", "CODE")`."""
        super().__init__(
            details or f"Duplicated {resource_type} exists with id {resource_id}",
            resource_id=resource_id,
            resource_type=resource_type,
        )


class Related(NamedTuple):
    """What depends on something: of which kind, and the ids."""

    type: str
    ids: list[str]


class ResourceInUse(RapportError):
    """Something else depends on it; `related`, where it is told, says what."""

    related: Related | None = None

    code = 409
    key = "resource_in_use"
    message = "Resource is in use"


class PayloadTooLarge(RapportError):
    """The body is longer than this server takes."""

    code = 413
    key = "payload_too_large"
    message = "Payload too large"
