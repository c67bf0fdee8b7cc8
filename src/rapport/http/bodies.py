"""Bodies: read into a wire struct within limits, and written as JSON."""

import re
from collections.abc import Hashable
from typing import Any, TypeVar, cast

import msgspec
from litestar import Request, Response

from rapport.core import jsons
from rapport.http.errors import JSON_TYPE, payload_error

Body = TypeVar("Body")

# A body without NUL escapes, exponents, long numbers and deep nesting cannot break a limit: most take the short way.
_NEEDS_A_LOOK = re.compile(rb"\\u0000|\d[eE]|\d{19}")


async def read_body(request: Request[Any, Any, Any], kind: type[Body], *, optional: bool = False) -> Body:
    """Read the request's JSON body as `kind`; fields that `kind` does not know are ignored.

    `optional`: without a body it is a `kind` of which nothing is said. Raises InvalidPayload for anything that is not
    JSON of that type, is too deep or holds what cannot be stored, and the framework's 413 for a body over the limit.
    """
    raw = await request.body()
    return kind() if optional and not raw else parse(raw, kind)


def parse(raw: bytes, kind: type[Body]) -> Body:
    """Read JSON as `kind`, within limits; fields that `kind` does not know are ignored. Raises InvalidPayload."""
    try:
        if _NEEDS_A_LOOK.search(raw) or raw.count(b"{") + raw.count(b"[") > jsons.MAX_DEPTH:
            jsons.check_limits(jsons.decode(raw))
        body: Body = jsons.decoder(cast("Hashable", kind)).decode(raw)
    except msgspec.MsgspecError as error:
        raise payload_error(error) from error
    except UnicodeDecodeError as error:
        raise payload_error(msgspec.DecodeError("not UTF-8")) from error
    except RecursionError as error:
        raise payload_error(msgspec.DecodeError("nested too deeply")) from error
    return body


def answer(content: Any, status_code: int = 200) -> Response[bytes]:
    """Return `content` as a JSON answer."""
    return Response(jsons.encode(content), status_code=status_code, media_type=JSON_TYPE)


def no_content() -> Response[None]:
    """Return the empty 204 answer."""
    return Response(None, status_code=204)
