"""Long work for callers who may leave before it is done."""

import asyncio
from collections.abc import Coroutine
from typing import Any, ClassVar, TypeVar

from litestar import Request

from rapport.core.errors import RapportError

Result = TypeVar("Result")


class CallerLeft(RapportError):
    """The connection was closed before the answer was there; nobody reads this."""

    code: ClassVar[int] = 499
    key: ClassVar[str] = "caller_left"
    message: ClassVar[str] = "The caller has left"


async def _left(request: Request[Any, Any, Any]) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def while_present(request: Request[Any, Any, Any], work: Coroutine[Any, Any, Result]) -> Result:
    """Do `work` as long as the caller of the request (its body already read) is there; then cancel it.

    A statement that runs in the database is cancelled there, too. Raises CallerLeft.
    """
    task, watch = asyncio.ensure_future(work), asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise CallerLeft
        return task.result()
    finally:
        task.cancel()
        watch.cancel()
        await asyncio.gather(task, watch, return_exceptions=True)
