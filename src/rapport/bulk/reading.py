"""Reads the body of a bulk request: each thing in it by itself, so that a bad one fails alone."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import msgspec
from litestar import Request
from litestar.exceptions import HTTPException

from rapport.bulk.models import Asked, Failure
from rapport.bulk.schemas import MAX_BODY_BYTES
from rapport.core import jsons
from rapport.core.errors import DuplicateFound, InvalidPayload, PayloadTooLarge, RapportError
from rapport.http.bodies import parse
from rapport.http.errors import payload_error

NDJSON = "application/x-ndjson"
# As much as a request for it alone may have.
MAX_THING_BYTES = 1_048_576
_MAX_NAME = 255
# Things read between two moments for other requests.
_AT_ONCE = 50


class _Named(msgspec.Struct):
    source_id: Any = None
    code: Any = None


class _BodyTooLarge(PayloadTooLarge):
    """The body is longer than ten mebibytes, in the words of the reference."""

    status_text: ClassVar[str] = "Request Entity Too Large"
    message: ClassVar[str] = f"Payload content length greater than maximum allowed: {MAX_BODY_BYTES}"


@dataclass(frozen=True, slots=True)
class Things:
    """What a request is a list of: their name, how many there may be, and how one is read and looked at.

    `look`: returns what is kept of it, or raises a RapportError. `named`: their names must differ. `name_of`: the
    property that is a thing's name, kept as its source id.
    """

    name: str
    most: int
    kind: Any
    look: Callable[[Any], Any]
    named: bool
    name_of: Literal["source_id", "code"] = "source_id"


async def read_raw(request: Request[Any, Any, Any]) -> bytes:
    """Return the body. Raises PayloadTooLarge in the reference's words."""
    try:
        return await request.body()
    except HTTPException as error:
        if error.status_code == PayloadTooLarge.code:
            raise _BodyTooLarge from error
        raise


async def read_things(request: Request[Any, Any, Any], things: Things) -> list[Asked]:
    """Read a JSON array, or one JSON object a line where the content type says so.

    Raises InvalidPayload where the body as such cannot be read, is empty or holds too many.
    """
    raw = await read_raw(request)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == NDJSON:
        parts = [line for line in raw.split(b"\n") if line.strip()]
    else:
        parts = _split(raw)
    check_number(things, len(parts))
    seen: set[str] = set()
    found: list[Asked] = []
    for number, part in enumerate(parts, start=1):
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)
        found.append(_read(part, things, seen))
    return found


def read_names(names: list[Any], things: Things) -> list[Asked]:
    """Return a thing for each different name of a list; what cannot be one fails alone. Raises InvalidPayload."""
    check_number(things, len(names))
    found: dict[object, Asked] = {}
    for place, name in enumerate(names):
        if _is_name(name):
            found[name] = Asked(name, {})
        else:
            error = InvalidPayload(
                f"Property .{things.name_of}s[{place}] should be a string of 1 to {_MAX_NAME} characters"
            )
            found[place] = Asked(None, None, failure(error))
    return list(found.values())


def _split(raw: bytes) -> list[bytes]:
    """Return the elements of a JSON array, each as it stands. Raises InvalidPayload."""
    try:
        return [bytes(part) for part in jsons.decoder(list[msgspec.Raw]).decode(raw)]
    except msgspec.MsgspecError as error:
        raise payload_error(error) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise InvalidPayload("Body is not valid JSON") from error


def _is_name(name: object) -> bool:
    return isinstance(name, str) and 1 <= len(name) <= _MAX_NAME and "\x00" not in name


def check_number(things: Things, number: int) -> None:
    """Raise InvalidPayload where a request has none of the things, or more than it may."""
    if not 1 <= number <= things.most:
        raise InvalidPayload(f"A request may have 1 to {things.most} {things.name}, this one has {number}")


def failure(error: RapportError) -> Failure:
    """Return why something was not done."""
    return Failure(error.key, error.message, error.details)


def _read(raw: bytes, things: Things, seen: set[str]) -> Asked:
    source_id = _source_id(raw, things.name_of)
    try:
        if len(raw) > MAX_THING_BYTES:
            raise InvalidPayload(f"It is longer than {MAX_THING_BYTES} bytes")
        kept = things.look(parse(raw, things.kind))
        if things.named and source_id in seen:
            word = things.name_of.replace("_", " ")
            raise DuplicateFound(
                things.name.removesuffix("s"), source_id or "", f"Its {word} is in the request already"
            )
    except RapportError as error:
        return Asked(source_id, None, failure(error))
    if source_id is not None:
        seen.add(source_id)
    return Asked(source_id, kept)


def _source_id(raw: bytes, name_of: Literal["source_id", "code"]) -> str | None:
    """Return what a thing calls itself, if that can be kept."""
    try:
        name = getattr(msgspec.json.decode(raw, type=_Named), name_of)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return name if _is_name(name) else None
