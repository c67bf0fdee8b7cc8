"""HTTP operations of static segments."""

from typing import Any

from litestar import Request, Response, Router, delete, post
from litestar.datastructures import UploadFile
from litestar.exceptions import HTTPException
from litestar.status_codes import HTTP_400_BAD_REQUEST

from rapport.core.errors import InvalidPayload
from rapport.customers.writes import Writer
from rapport.http.bodies import answer, read_body
from rapport.http.caller import Caller
from rapport.http.openapi import operation
from rapport.segments.static import actions
from rapport.segments.static.schemas import CustomersInput, SegmentChange

_PATH = "/v1/segments/{segment_id:str}/customers"


async def _file(request: Request[Any, Any, Any]) -> bytes:
    try:
        file = (await request.form()).get("file")
    except HTTPException as error:
        if error.status_code != HTTP_400_BAD_REQUEST:
            raise
        file = None
    if not isinstance(file, UploadFile):
        raise InvalidPayload("A form (multipart/form-data) with the part file is required")
    return await file.read()


@post(
    _PATH,
    status_code=200,
    opt=operation("add-customers-to-segment", body=CustomersInput, answer=SegmentChange),
)
async def add_customers(
    request: Request[Any, Any, Any], segment_id: str, caller: Caller, writer: Writer
) -> Response[bytes]:
    """Put customers into a static segment, by id (an addition); who is in it already stays as they are."""
    data = await read_body(request, CustomersInput)
    return answer(await actions.set_customers(writer, caller, segment_id, data.customers, member=True))


@delete(
    _PATH,
    status_code=200,
    opt=operation("remove-customers-from-segment", body=CustomersInput, answer=SegmentChange),
)
async def remove_customers(
    request: Request[Any, Any, Any], segment_id: str, caller: Caller, writer: Writer
) -> Response[bytes]:
    """Take customers out of a static segment, by id (an addition); who is not in it stays as they are."""
    data = await read_body(request, CustomersInput)
    return answer(await actions.set_customers(writer, caller, segment_id, data.customers, member=False))


@post(
    f"{_PATH}/importCSV",
    status_code=200,
    opt=operation("import-customers-to-segment-using-csv", upload="text/csv", answer=SegmentChange),
)
async def import_customers(
    request: Request[Any, Any, Any], segment_id: str, caller: Caller, writer: Writer
) -> Response[bytes]:
    """Put the customers that a CSV file names into a static segment (an addition).

    The file is the part `file` of a form. Its first line is a header with the column `id` or `source_id`. A line that
    names no customer refuses the whole file.
    """
    return answer(await actions.add_file(writer, caller, segment_id, await _file(request)))


router = Router("/", route_handlers=[add_customers, remove_customers, import_customers])
