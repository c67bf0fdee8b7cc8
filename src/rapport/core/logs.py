"""Logs: structlog on standard error, as text for people or JSON for machines; other libraries' in the same shape."""

import logging
import sys
from typing import Literal

import structlog
from structlog.typing import Processor

QUIET = ("alembic", "asyncio", "httpcore", "httpcore2", "httpx", "httpx2", "sqlalchemy", "uvicorn")
# Without the values of local variables: they hold customers' data.
_TRACES = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))


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
        [_TRACES, structlog.processors.JSONRenderer()]
        if form == "json"
        else [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
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


def _shorten(record: logging.LogRecord) -> bool:
    """Take the trace from the pool's warnings: while the database is away, one line each says all."""
    if record.name.startswith("asyncpg") and record.exc_info:
        record.msg = f"{record.getMessage()}: {record.exc_info[1]}"
        record.args = record.exc_info = None
    return True


def _naming(process: str) -> Processor:
    def name(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event.setdefault("process", process)
        return event

    return name
