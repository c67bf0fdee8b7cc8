"""Uploads of files, and background work until it is done, over HTTP."""

import asyncio
import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.world import World

LOOK_EVERY_S = 0.05
_BOUNDARY = "rapport-benchmark"
_PIECE = 262_144
Headers = Mapping[str, str]


async def upload(world: World, headers: Headers, target: str, path: Path) -> str:
    """Send a file as a form does; return the id of the background work that takes it in."""
    answer = await asyncio.to_thread(_upload, world.running.port, headers, target, path)
    return str(answer["async_action_id"])


async def wait(world: World, headers: Headers, action_id: str, each: Callable[[], None] = lambda: None) -> int:
    """Wait for background work, calling `each` at every look; return how much it has done. Raises where it failed."""
    while True:
        action = await call(world, "GET", f"/v1/async-actions/{action_id}", headers)
        each()
        if action["status"] == "FAILED":
            raise RuntimeError(f"it did not succeed: {action}")
        if action["status"] == "DONE":
            return int(action["result"]["done_count"])
        await asyncio.sleep(LOOK_EVERY_S)


async def call(world: World, method: str, path: str, headers: Headers, body: Any = None) -> Any:
    """Send one request; return the decoded answer. Raises where it is not a success."""
    return await asyncio.to_thread(_call, world.running.port, method, path, headers, body)


def _call(port: int, method: str, path: str, headers: Headers, body: Any) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    try:
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {content!r}")
        return json.loads(content)
    finally:
        connection.close()


def _upload(port: int, headers: Headers, target: str, path: Path) -> Any:
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="bench.csv"\r\n\r\n'.encode()
    tail = f"\r\n--{_BOUNDARY}--\r\n".encode()

    def body() -> Iterator[bytes]:
        yield head
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece
        yield tail

    sent = {
        **headers,
        "Content-Type": f"multipart/form-data; boundary={_BOUNDARY}",
        "Content-Length": str(len(head) + path.stat().st_size + len(tail)),
    }
    return _call(port, "POST", target, sent, body())
