"""Nothing of what customers have entered gets into a log, whatever goes wrong."""

import json
import logging

import asyncpg
import pytest
import structlog

from rapport.core import logs

SECRET = "jane@example.com"


def fail() -> None:
    """Raise an error with a customer's value in it, for another one."""
    violation = asyncpg.UniqueViolationError(f"Key (source_id)=({SECRET}) already exists.")
    violation.detail = SECRET
    violation.constraint_name = "customers_project_id_source_id_key"
    try:
        raise violation
    except asyncpg.UniqueViolationError as error:
        raise KeyError(SECRET) from error


@pytest.fixture(autouse=True)
def _restored() -> object:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_error_is_told_by_its_type_and_place(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(form, "test")  # type: ignore[arg-type]
    try:
        fail()
    except KeyError:
        structlog.get_logger().exception("it went wrong")
        logging.getLogger("uvicorn.error").exception("it went wrong there")
    told = capsys.readouterr().err
    assert SECRET not in told
    for part in ("KeyError", "UniqueViolationError", "23505", "customers_project_id_source_id_key", "in fail"):
        assert told.count(part) >= 2, told
    if form == "json":
        lines = [json.loads(line) for line in told.splitlines()]
        assert [line["event"] for line in lines] == ["it went wrong", "it went wrong there"]


def test_of_what_asyncio_tells_the_first_line_stays(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("text", "test")
    logging.getLogger("asyncio").error(
        "Task exception was never retrieved\nfuture: <Task exception=KeyError('%s')>", SECRET
    )
    told = capsys.readouterr().err
    assert SECRET not in told
    assert "Task exception was never retrieved" in told
