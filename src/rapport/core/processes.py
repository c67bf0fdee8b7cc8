"""Processes that are kept running: started, started again when they die, ended together; and the line to their parent.

Every child holds the reading end of a pipe as its standard input, and only the parent holds the writing end: when the
parent ends, however it ends, the system closes the pipe and the child notices at once.
"""

import asyncio
import contextlib
import gc
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import structlog

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 10.0
STEADY_AFTER_S = 10.0
# Objects made before a look for cycles among them.
_GC_EVERY = 20_000

log = structlog.get_logger()


def collect_less() -> None:
    """Keep what is there now for good: what a request or a step leaves behind goes by itself, but for a few cycles."""
    gc.freeze()
    gc.set_threshold(_GC_EVERY, 20, 20)


@contextmanager
def loading() -> Iterator[None]:
    """Let modules load without looks for garbage between: nothing that they make is."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class Child:
    """One process that is kept running until `end`; `ends` counts how often it ended."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], *, pass_fds: Sequence[int] = ()
    ) -> None:
        """Describe the process; `keep` runs it. `pass_fds` are the file descriptors it inherits."""
        self.name = name
        self.ends = 0
        self._command = command
        self._environment = environment
        self._pass_fds = pass_fds
        self._process: asyncio.subprocess.Process | None = None
        self._ending = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The process number while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def keep(self) -> None:
        """Run the process, and again each time it ends, with growing pauses; return after `end`."""
        pause_s = FIRST_PAUSE_S
        while not self._ending.is_set():
            started = time.monotonic()
            code = await self.run()
            if self._ending.is_set():
                return
            lasted_s = time.monotonic() - started
            pause_s = FIRST_PAUSE_S if lasted_s > STEADY_AFTER_S else min(pause_s * 2, LONGEST_PAUSE_S)
            log.error("a process ended, starting it again", child=self.name, ended=describe_exit(code), pause_s=pause_s)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), pause_s)

    async def run(self) -> int:
        """Run the process once and return its exit code. Killed when the waiting is cancelled."""
        lifeline, held = os.pipe()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=lifeline,
                env=self._environment,
                pass_fds=self._pass_fds,
                start_new_session=True,  # an interrupt at the terminal is for the supervisor to pass on
            )
        finally:
            os.close(lifeline)
        if self._ending.is_set():
            self.signal(signal.SIGTERM)
        try:
            return await self._process.wait()
        finally:
            self.ends += 1
            self.signal(signal.SIGKILL)
            os.close(held)

    def end(self) -> None:
        """Ask the process to finish what it is doing and end, and do not start it again."""
        self._ending.set()
        self.signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the process without asking, and do not start it again."""
        self._ending.set()
        self.signal(signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal if the process is running."""
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)


def watch_lifeline(grace_s: float, end: Callable[[], None]) -> None:
    """Call `end` when the parent is gone, and end this process for certain `grace_s` later.

    Reads standard input in a thread of its own, so that it works also while the event loop is stuck.
    """

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 1024):
                pass
        log.warning("the parent process is gone, ending")
        end()
        time.sleep(grace_s)
        os._exit(1)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


def describe_exit(code: int) -> str:
    """Say how a process ended: `exit 1`, `SIGKILL`."""
    if code >= 0:
        return f"exit {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
