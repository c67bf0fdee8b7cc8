"""The addresses of images of codes, which work without a key: whoever was given one may see it."""

import hashlib
import hmac
from typing import Any, Final

from litestar import Request, Response, Router, get
from msgspec import convert

from rapport.core.db import Database
from rapport.core.errors import InvalidQueryParams, NotFound
from rapport.http.openapi import operation
from rapport.projects.queries import find_link_secret
from rapport.vouchers import queries
from rapport.vouchers.assets import images

_FORMAT: Final = {"format": {"type": "string", "enum": ["png", "svg"], "default": "png"}}


async def _code(request: Request[Any, Any, Any], asset_id: str) -> str:
    """Return the code that an image is of. Raises NotFound for an id that is not one of ours."""
    project, _, rest = asset_id.partition(".")
    voucher_id, _, key = rest.partition(".")
    db: Database = request.app.state.db
    async with db.read() as conn:
        known = await find_link_secret(conn, project)
        if known is not None and hmac.compare_digest(_key(known[1], voucher_id), key.encode()):
            found = await queries.find_many(conn, known[0], [voucher_id])
            if voucher_id in found:
                return found[voucher_id].code
    raise NotFound("asset", asset_id[:100])


def _key(secret: bytes, voucher_id: str) -> bytes:
    """Return what the last part of an image's id has to be; `vouchers.queries` writes it in SQL."""
    return hashlib.sha256(secret + f"asset {voucher_id}".encode()).hexdigest()[:32].encode()


def _format(request: Request[Any, Any, Any]) -> images.Format:
    given = request.query_params.get("format") or "png"
    if given not in images.MEDIA_TYPES:
        raise InvalidQueryParams("Query param format should be one of: png, svg")
    wanted: images.Format = convert(given, images.Format)
    return wanted


def _image(content: bytes, wanted: images.Format) -> Response[bytes]:
    headers = {"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}
    return Response(content, media_type=images.MEDIA_TYPES[wanted], headers=headers)


@get(
    "/v1/assets/qr/{asset_id:str}",
    opt=operation("get-qr-code", query=_FORMAT, download=tuple(images.MEDIA_TYPES.values()), secured=False),
)
async def get_qr(request: Request[Any, Any, Any], asset_id: str) -> Response[bytes]:
    """Get the QR code of a voucher (an addition)."""
    wanted = _format(request)
    return _image(images.qr(await _code(request, asset_id), wanted), wanted)


@get(
    "/v1/assets/barcode/{asset_id:str}",
    opt=operation("get-barcode", query=_FORMAT, download=tuple(images.MEDIA_TYPES.values()), secured=False),
)
async def get_barcode(request: Request[Any, Any, Any], asset_id: str) -> Response[bytes]:
    """Get the barcode (Code 128) of a voucher whose code is ASCII (an addition)."""
    wanted = _format(request)
    code = await _code(request, asset_id)
    try:
        return _image(images.barcode(code, wanted), wanted)
    except images.NotDrawable as error:
        raise NotFound("barcode", asset_id[:100]) from error


router = Router("/", route_handlers=[get_qr, get_barcode])
