"""The file of an import, from the form of a request into the database, piece by piece."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

import msgspec
from litestar import Request
from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser, parse_options_header

from rapport.activity.log import Signature
from rapport.async_actions import queries as async_actions
from rapport.core.db import Connection, Database
from rapport.core.errors import InvalidPayload, NotFound, PayloadTooLarge
from rapport.core.ids import new_id
from rapport.imports import queries
from rapport.imports.models import Options, action_type
from rapport.imports.reading import Recoding

FORM: Final = "A form (multipart/form-data) with the part file is required"
_MAX_PARTS: Final = 20
_MAX_FIELD: Final = 1_024


class Upload:
    """A file on its way in: kept in pieces of one length, and removed again if it does not come to its end."""

    def __init__(self, db: Database, signature: Signature, kind: str, max_bytes: int) -> None:
        """Take in up to `max_bytes`."""
        self._db, self._signature, self._kind, self._max_bytes = db, signature, kind, max_bytes
        self._recoding = Recoding()
        self._buffer = bytearray()
        self._number = self._taken = 0
        self.lines = 0
        self.import_id: str | None = None

    async def begin(self, file_name: str | None) -> None:
        """Add the import, whose file is to come."""
        self.import_id = new_id("imp")
        name = (file_name or "").replace("\x00", "")[:255] or None
        async with self._db.read() as conn:
            await queries.insert(conn, self._signature, self.import_id, self._kind, name, self._db.clock_offset)

    async def feed(self, piece: bytes, *, final: bool = False) -> None:
        """Take in the next piece. Raises PayloadTooLarge, and NotFound when the import was removed meanwhile."""
        self._taken += len(piece)
        if self._taken > self._max_bytes:
            raise PayloadTooLarge(f"The file is longer than {self._max_bytes} bytes")
        kept = self._recoding.feed(piece, final=final)
        self.lines += kept.count(b"\n")
        self._buffer += kept
        while len(self._buffer) >= queries.CHUNK_BYTES or (final and self._buffer):
            content = bytes(self._buffer[: queries.CHUNK_BYTES])
            del self._buffer[: queries.CHUNK_BYTES]
            async with self._db.read() as conn:
                there = await queries.add_chunk(
                    conn, self._signature.project_id, str(self.import_id), self._number, content, self._db.clock_offset
                )
            if not there:
                raise NotFound("import", str(self.import_id))
            self._number += 1

    async def end(self, options: Options) -> str:
        """Let the worker begin; return the id of the action."""
        await self.feed(b"", final=True)
        import_id, action_id = str(self.import_id), new_id("aa")
        parameters = {"import_id": import_id, "encoding": self._recoding.found}

        async def work(conn: Connection) -> None:
            there = await queries.set_waiting(
                conn, self._signature.project_id, import_id, msgspec.to_builtins(options), action_id
            )
            if not there:
                raise NotFound("import", import_id)
            await async_actions.enqueue(
                conn,
                self._signature,
                action_type(self._kind, "IMPORT_CSV"),
                parameters,
                offset=self._db.clock_offset,
                total=self.lines,
                action_id=action_id,
            )

        await self._db.transaction(work)
        return action_id

    async def give_up(self) -> None:
        """Remove what has come."""
        if self.import_id is not None:
            async with self._db.read() as conn:
                await queries.remove(conn, self._signature.project_id, self.import_id)


async def receive(request: Request[Any, Any, Any], upload: Upload, read: Callable[[Mapping[str, str]], Options]) -> str:
    """Take in the file of a request's form, with the options of form and query; return the id of the action.

    Raises InvalidPayload and PayloadTooLarge; then, and when the caller goes away, nothing of the file stays.
    """
    try:
        fields = await _take(request, upload)
        return await upload.end(read({**request.query_params, **fields}))
    except BaseException:
        await asyncio.shield(upload.give_up())
        raise


async def _take(request: Request[Any, Any, Any], upload: Upload) -> dict[str, str]:
    """Read the parts of a form: the file into the upload; return the others."""
    kind, parameters = parse_options_header(request.headers.get("content-type", ""))
    if kind != "multipart/form-data" or not parameters.get("boundary"):
        raise InvalidPayload(FORM)
    form = _Form(upload)
    try:
        async for event in _events(request.stream(), parameters["boundary"]):
            await form.take(event)
    except ParserLimitReached as error:
        raise InvalidPayload(f"The form has more than {_MAX_PARTS} parts, or a header in it is too long") from error
    except (MultipartError, UnicodeError) as error:
        raise InvalidPayload(FORM) from error
    if upload.import_id is None:
        raise InvalidPayload(FORM)
    return {name: value.decode("utf-8", "replace") for name, value in form.fields.items()}


class _Form:
    """The parts of a form as they come."""

    def __init__(self, upload: Upload) -> None:
        self.fields: dict[str, bytes] = {}
        self._upload = upload
        self._name = ""

    async def take(self, event: Any) -> None:
        """Take in the beginning of a part, a piece of it, or its end (None)."""
        if isinstance(event, MultipartSegment):
            self._name = event.name or ""
            if self._name == "file":
                if self._upload.import_id is not None:
                    raise InvalidPayload("The form has more than one part file")
                await self._upload.begin(event.filename)
        elif event and self._name == "file":
            await self._upload.feed(bytes(event))
        elif event:
            value = self.fields[self._name] = self.fields.get(self._name, b"") + event
            if len(value) > _MAX_FIELD:
                raise InvalidPayload(f"A part of the form is longer than {_MAX_FIELD} bytes")


async def _events(stream: AsyncIterator[bytes], boundary: str) -> AsyncIterator[Any]:
    with PushMultipartParser(boundary, max_segment_count=_MAX_PARTS) as parser:
        async for piece in stream:
            for event in parser.parse(piece):
                yield event
