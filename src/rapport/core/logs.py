"""Logs: structlog on standard error, as text for people or JSON for machines; other libraries' in the same shape."""

import logging
import sys
import traceback
from types import TracebackType
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import Processor

MAX_STACKS = 10
MAX_FRAMES = 60
QUIET = ("alembic", "asyncio", "httpcore", "httpcore2", "httpx", "httpx2", "pyBarcode", "sqlalchemy", "uvicorn")

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def configure(form: Literal["text", "json"], process: str) -> None:
    """Send all logs to standard error, each line naming the process (`serve`, `api`, `worker`, …)."""
    structlog.contextvars.clear_contextvars()
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _naming(process),
    ]
    shown: list[Processor] = (
        [structlog.processors.ExceptionRenderer(_stacks), structlog.processors.JSONRenderer()]
        if form == "json"
        else [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=_write_stacks)]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_shorten)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *shown],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _about(error: BaseException) -> str:
    """Return what may be told of an error: neither its text nor local variables, which may hold customers' values."""
    facts = [getattr(error, name, None) for name in ("sqlstate", "table_name", "constraint_name", "strerror")]
    known = ", ".join(str(fact) for fact in facts if fact)
    return f"{type(error).__qualname__} ({known})" if known else type(error).__qualname__


def _stacks(exc_info: ExcInfo) -> list[dict[str, Any]]:
    """Return where an error was raised, and those that it was raised for: the outermost first."""
    stacks: list[dict[str, Any]] = []
    error: BaseException | None = exc_info[1]
    while error is not None and len(stacks) < MAX_STACKS:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames[-MAX_FRAMES:]]
        stacks.append({"error": _about(error), "frames": lines})
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return stacks


def _write_stacks(file: TextIO, exc_info: ExcInfo) -> None:
    for number, stack in enumerate(_stacks(exc_info)):
        file.write(f"\n{'raised for ' if number else ''}{stack['error']}")
        file.writelines(f"\n    {line}" for line in stack["frames"])


def _shorten(record: logging.LogRecord) -> bool:
    """Take the trace from the pool's warnings: while the database is away, one line each says all.

    Of what asyncio tells, the first line stays: the others show objects, and errors with their text.
    """
    if record.name.startswith("asyncpg") and record.exc_info and record.exc_info[1]:
        record.msg = f"{record.getMessage()}: {_about(record.exc_info[1])}"
        record.args = record.exc_info = None
    elif record.name == "asyncio":
        record.msg, record.args = record.getMessage().partition("\n")[0], None
    return True


def _naming(process: str) -> Processor:
    def name(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event.setdefault("process", process)
        return event

    return name
