"""What can be wrong with an idempotency key.

    RapportError
    ├── BadKey           400 invalid_idempotency_key
    ├── AnswerTooLarge   400 idempotency_answer_too_large
    ├── KeyInProgress    409 idempotency_key_in_progress
    ├── AnswerErased     410 idempotency_answer_erased
    └── KeyReused        422 idempotency_key_reused

409 and 422 are those of the IETF draft `idempotency-key-header`.
"""

from rapport.core.errors import RapportError


class BadKey(RapportError):
    """The header is there more than once, empty, too long, or holds what is not printable ASCII."""

    key = "invalid_idempotency_key"
    message = "Invalid Idempotency-Key"


class AnswerTooLarge(RapportError):
    """The answer is longer than what is kept; the request was undone."""

    key = "idempotency_answer_too_large"
    message = "The answer is too large to be kept; nothing was changed, send the request without an Idempotency-Key"


class KeyInProgress(RapportError):
    """The first request with this key has not been answered yet, and took longer than a repeat waits."""

    code = 409
    key = "idempotency_key_in_progress"
    message = "The first request with this Idempotency-Key is still at work; send it again later"


class AnswerErased(RapportError):
    """The request has been done; its answer was about somebody who is deleted for good."""

    code = 410
    key = "idempotency_answer_erased"
    message = "The request was done before; its answer named a person who has been deleted permanently"


class KeyReused(RapportError):
    """The key belongs to another request: another method, path, query or body."""

    code = 422
    key = "idempotency_key_reused"
    message = "This Idempotency-Key was used with another request"
