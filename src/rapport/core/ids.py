"""Identifiers and random codes, all from the system's cryptographic random source."""

import secrets
import string

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
ID_LENGTH = 24
# Of random bytes those below 4 * 62 stand for a digit each, evenly; the rest is passed over.
_DIGITS = "".join(BASE62[byte % 62] for byte in range(256)).encode()
_PASSED_OVER = bytes(range(248, 256))
_DRAWN = 28


def random_text(length: int, charset: str = BASE62) -> str:
    """Return `length` characters drawn evenly from `charset`."""
    return "".join(secrets.choice(charset) for _ in range(length))


def new_id(prefix: str) -> str:
    """Return a new identifier such as `cust_7d0qYd4mB1cE9uVxK2rT8wZp`: prefix and 24 base-62 digits (143 bits)."""
    return f"{prefix}_{_digits(1)}"


def new_ids(prefix: str, count: int) -> list[str]:
    """Return many new identifiers."""
    digits = _digits(count)
    return [f"{prefix}_{digits[at : at + ID_LENGTH]}" for at in range(0, len(digits), ID_LENGTH)]


def _digits(count: int) -> str:
    """Return the digits of so many identifiers, drawn at once."""
    digits = b""
    while len(digits) < ID_LENGTH * count:
        digits += secrets.token_bytes(_DRAWN * count).translate(_DIGITS, _PASSED_OVER)
    return digits[: ID_LENGTH * count].decode()


def new_request_id() -> str:
    """Return an id for one request, as it appears in errors and as `group_id` in the activity log."""
    return f"v-{secrets.token_hex(9)}"
