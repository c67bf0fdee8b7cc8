"""Identifiers and random codes, all from the system's cryptographic random source."""

import secrets
import string

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
ID_LENGTH = 24


def random_text(length: int, charset: str = BASE62) -> str:
    """Return `length` characters drawn evenly from `charset`."""
    return "".join(secrets.choice(charset) for _ in range(length))


def new_id(prefix: str) -> str:
    """Return a new identifier such as `cust_7d0qYd4mB1cE9uVxK2rT8wZp`: prefix and 24 base-62 digits (143 bits)."""
    # One draw of random bits, written in base 62: a quarter of the cost of 24 draws on the hot path.
    number = secrets.randbits(160)
    characters = []
    for _ in range(ID_LENGTH):
        number, digit = divmod(number, 62)
        characters.append(BASE62[digit])
    return f"{prefix}_{''.join(characters)}"


def new_request_id() -> str:
    """Return an id for one request, as it appears in errors and as `group_id` in the activity log."""
    return f"v-{secrets.token_hex(9)}"
