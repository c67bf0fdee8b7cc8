"""A load generator that costs little itself: raw HTTP/1.1 over keep-alive connections, closed or open loop."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import uvloop

Answer = TypeVar("Answer")
Requests = Iterator[bytes]


@dataclass
class Result:
    """What a run of load came to. Latencies in milliseconds."""

    seconds: float = 0.0
    statuses: dict[int, int] = field(default_factory=dict)
    latencies_ms: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Answers per second."""
        return len(self.latencies_ms) / self.seconds

    def percentile_ms(self, percent: float) -> float:
        """Return the latency that `percent` of the answers stay under."""
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]

    def checked(self, *allowed: int) -> "Result":
        """Return this result. Raises RuntimeError if there was any other answer, or none."""
        if set(self.statuses) - set(allowed) or not self.statuses:
            raise RuntimeError(f"unexpected answers: {self.statuses}")
        return self


def request(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """Return one HTTP/1.1 request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "Host: benchmark", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class _Connection(asyncio.Protocol):
    """Sends a request at a time; says when the answer is complete, so that it can be given the next."""

    def __init__(self, result: Result, free: Callable[["_Connection"], None]) -> None:
        self._result, self._free = result, free
        self._buffer = b""
        self._since = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def send(self, raw: bytes, since: float) -> None:
        """Send a request; its latency counts from `since`."""
        self._since = since
        self._transport.write(raw)

    def close(self) -> None:
        """Close; nothing is awaited any more."""
        self._transport.close()
        if not self.done.done():
            self.done.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        lowered = head.lower()
        start = lowered.find(b"content-length:")
        length = int(lowered[start + 15 :].split(b"\r\n", 1)[0]) if start >= 0 else 0
        if len(rest) < length:
            return
        status = int(head[9:12])
        self._result.statuses[status] = self._result.statuses.get(status, 0) + 1
        self._result.latencies_ms.append((time.perf_counter() - self._since) * 1000)
        self._buffer = rest[length:]
        self._free(self)

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(ConnectionError("the server closed a connection"))


async def closed(port: int, connections: int, seconds: float, make: Callable[[int], Requests]) -> Result:
    """Send what `make(connection number)` yields over each connection, each request after the answer to the last."""
    loop = asyncio.get_running_loop()
    result, started = Result(), time.perf_counter()

    def following(requests: Requests) -> Callable[[_Connection], None]:
        def free(connection: _Connection) -> None:
            now = time.perf_counter()
            raw = next(requests, None) if now < started + seconds else None
            connection.close() if raw is None else connection.send(raw, now)

        return free

    async def connect(number: int) -> _Connection:
        free = following(make(number))
        _, connection = await loop.create_connection(lambda: _Connection(result, free), "127.0.0.1", port)
        free(connection)
        return connection

    opened = [await connect(number) for number in range(connections)]
    await asyncio.gather(*(connection.done for connection in opened))
    result.seconds = time.perf_counter() - started
    return result


async def paced(port: int, per_second: float, until: asyncio.Event, requests: Requests, *, connections: int) -> Result:
    """Send requests at a fixed rate until told to stop, whether or not the server keeps up.

    A latency counts from the moment the request was due: one that waits for a free connection waits for its answer.
    """
    loop = asyncio.get_running_loop()
    result, waiting, idle = Result(), deque[float](), deque[_Connection]()
    answered = asyncio.Event()

    def free(connection: _Connection) -> None:
        if waiting:
            connection.send(next(requests), waiting.popleft())
        else:
            idle.append(connection)
            if until.is_set() and len(idle) == connections:
                answered.set()

    opened = []
    for _ in range(connections):
        _, connection = await loop.create_connection(lambda: _Connection(result, free), "127.0.0.1", port)
        opened.append(connection)
        idle.append(connection)
    started, sent = time.perf_counter(), 0
    while not until.is_set():
        due = started + sent / per_second
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        sent += 1
        if idle:
            idle.popleft().send(next(requests), due)
        else:
            waiting.append(due)
    result.seconds = time.perf_counter() - started
    if len(idle) < connections:
        await answered.wait()
    for connection in opened:
        connection.close()
    return result


async def paced_for(port: int, per_second: float, seconds: float, requests: Requests, *, connections: int) -> Result:
    """Send requests at a fixed rate for some seconds."""
    until = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, until.set)
    return await paced(port, per_second, until, requests, connections=connections)


def run_loop(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Run asynchronous work on the fast event loop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def run(port: int, connections: int, seconds: float, make: Callable[[int], Requests]) -> Result:
    """Run `closed` by itself."""
    return run_loop(closed(port, connections, seconds, make))
