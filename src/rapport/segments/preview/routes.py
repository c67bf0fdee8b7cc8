"""HTTP operations of previews."""

from typing import Any

from litestar import Request, Response, Router, post

from rapport.http.bodies import answer, read_body
from rapport.http.caller import Caller
from rapport.http.departure import while_present
from rapport.http.openapi import operation
from rapport.segments.preview import actions
from rapport.segments.preview.schemas import Preview, PreviewInput


@post("/v1/segments/preview", status_code=200, opt=operation("preview-segment", body=PreviewInput, answer=Preview))
async def preview_segment(request: Request[Any, Any, Any], caller: Caller) -> Response[bytes]:
    """Try a filter: how many customers it holds for, some of them, and how many each channel reaches (an addition).

    Nothing is kept. Counting ends when the caller closes the connection.
    """
    data = await read_body(request, PreviewInput)
    return answer(await while_present(request, actions.preview(caller, data)))


router = Router("/", route_handlers=[preview_segment])
