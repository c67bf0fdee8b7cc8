"""A load generator that costs little itself: raw HTTP/1.1 over a fixed number of keep-alive connections."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import uvloop


@dataclass
class Result:
    """What a run of load came to. Latencies in milliseconds."""

    seconds: float
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


def request(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """Return one HTTP/1.1 request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "Host: benchmark", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class _Connection(asyncio.Protocol):
    """Sends the next request when the answer to the last is complete."""

    def __init__(self, requests: Iterator[bytes], result: Result, until: float) -> None:
        self._requests, self._result, self._until = requests, result, until
        self._buffer = b""
        self._started = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._next()

    def _next(self) -> None:
        self._started = time.perf_counter()
        following = next(self._requests, None) if self._started < self._until else None
        if following is None:
            self._transport.close()
            if not self.done.done():
                self.done.set_result(None)
            return
        self._transport.write(following)  # type: ignore[attr-defined]

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
        self._result.latencies_ms.append((time.perf_counter() - self._started) * 1000)
        self._buffer = rest[length:]
        self._next()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(ConnectionError("the server closed a connection"))


def run(port: int, connections: int, seconds: float, make: Callable[[int], Iterator[bytes]]) -> Result:
    """Send what `make(connection number)` yields over each connection for `seconds`; return what came back."""

    async def go() -> Result:
        loop = asyncio.get_running_loop()
        started = time.perf_counter()
        result = Result(0.0)
        protocols = []
        for number in range(connections):
            requests = make(number)
            _, protocol = await loop.create_connection(
                lambda requests=requests: _Connection(requests, result, started + seconds),  # type: ignore[misc]
                "127.0.0.1",
                port,
            )
            protocols.append(protocol)
        await asyncio.gather(*(protocol.done for protocol in protocols))
        result.seconds = time.perf_counter() - started
        return result

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(go())
