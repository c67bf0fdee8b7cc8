"""Identifiers and random codes, all from the system's cryptographic random source."""

import secrets
import string

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
ID_LENGTH = 24
_BITS = 160
_PAIRS = tuple(one + other for one in BASE62 for other in BASE62)


def random_text(length: int, charset: str = BASE62) -> str:
    """Return `length` characters drawn evenly from `charset`."""
    return "".join(secrets.choice(charset) for _ in range(length))


def new_id(prefix: str) -> str:
    """Return a new identifier such as `cust_7d0qYd4mB1cE9uVxK2rT8wZp`: prefix and 24 base-62 digits (143 bits)."""
    return _written(prefix, secrets.randbits(_BITS))


def new_ids(prefix: str, count: int) -> list[str]:
    """Return many new identifiers."""
    drawn = secrets.token_bytes(_BITS // 8 * count)
    step = _BITS // 8
    return [_written(prefix, int.from_bytes(drawn[at : at + step], "big")) for at in range(0, len(drawn), step)]


def _written(prefix: str, number: int) -> str:
    # One draw of random bits, written in pairs of digits: an eighth of the cost of 24 draws on the hot path.
    pairs = []
    for _ in range(ID_LENGTH // 2):
        number, pair = divmod(number, 3_844)
        pairs.append(_PAIRS[pair])
    return f"{prefix}_{''.join(pairs)}"


def new_request_id() -> str:
    """Return an id for one request, as it appears in errors and as `group_id` in the activity log."""
    return f"v-{secrets.token_hex(9)}"
