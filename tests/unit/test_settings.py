"""What the environment may say."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from rapport.settings import (
    Bootstrap,
    SmtpServer,
    StartError,
    load,
    parse_smtp_url,
    parse_span,
    unknown_variables,
)


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("RAPPORT_")]:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("+31d", timedelta(days=31)),
        ("-2h", timedelta(hours=-2)),
        ("+90m", timedelta(minutes=90)),
        ("10s", timedelta(seconds=10)),
        ("+1d12h", timedelta(days=1, hours=12)),
        ("-1d12h", timedelta(days=-1, hours=-12)),
        ("0s", timedelta(0)),
    ],
)
def test_a_span_of_time_is_read(text: str, span: timedelta) -> None:
    assert parse_span(text) == span


@pytest.mark.parametrize("text", ["", "31", "d", "+", "1w", "1.5h", "+-1d", "1 d", "P1D", "٣d", "99999d"])
def test_what_is_no_span_of_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a span of time|more than a hundred years"):
        parse_span(text)


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail", ("mail", 25, None, None, False, None)),
        ("smtp://u%40shop:p%2Fw@mail:2525?starttls=0", ("mail", 2525, "u@shop", "p/w", False, False)),
        ("smtp://mail?starttls=1", ("mail", 587, None, None, False, True)),
        ("smtps://u:p@mail", ("mail", 465, "u", "p", True, None)),
    ],
)
def test_an_smtp_url_is_read(url: str, server: tuple[str, int, str | None, str | None, bool, bool | None]) -> None:
    host, port, username, password, tls, starttls = server
    assert parse_smtp_url(url) == SmtpServer(
        host=host, port=port, username=username, password=password, tls=tls, starttls=starttls
    )


@pytest.mark.parametrize("url", ["mail", "http://mail", "smtp://", "smtp://mail:x", "smtps://m?starttls=1"])
def test_an_smtp_url_that_is_none_is_one_line(url: str) -> None:
    with pytest.raises(StartError, match=r"^RAPPORT_SMTP_URL [^\n]+$"):
        load(smtp_url=url)


@pytest.mark.parametrize("sender", ["shop@example.com", "The Shop <shop@example.com>", "rapport@localhost"])
def test_a_sender_is_an_address_with_or_without_a_name(sender: str) -> None:
    assert load(smtp_from=sender).smtp_from == sender


@pytest.mark.parametrize("sender", ["shop", "shop@", "a b@c", "The Shop", "Shop <shop>", "a@b\r\nBcc: c@d", "a..b@c"])
def test_a_sender_that_is_no_address_is_one_line(sender: str) -> None:
    with pytest.raises(StartError, match=r"^RAPPORT_SMTP_FROM: is not an address such as [^\n]+$"):
        load(smtp_from=sender)


def test_a_secret_is_shown_neither_by_an_error_nor_by_the_settings() -> None:
    with pytest.raises(StartError) as refused:
        load(smtp_url="ftp://user:hush@mail")
    assert "hush" not in str(refused.value)
    shown = repr(load(smtp_url="smtp://user:hush@mail", database_url="postgresql://u:hush@h/d"))
    assert "hush" not in shown


def test_half_a_bootstrap_key_is_one_line() -> None:
    with pytest.raises(StartError, match=r"^RAPPORT_BOOTSTRAP_APP_ID is set but RAPPORT_BOOTSTRAP_APP_TOKEN is not$"):
        load(bootstrap_app_id="a")


def test_several_mistakes_are_told_at_once() -> None:
    with pytest.raises(StartError, match=r"^RAPPORT_PORT: .+; RAPPORT_LOG_FORMAT: [^\n]+$"):
        load(port="many", log_format="loud")


def test_settings_reach_a_child_process_unchanged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = load(
        data_dir=tmp_path,
        clock_offset="-1d12h",
        bootstrap_app_id="a",
        bootstrap_app_token="b",
        database_url="postgresql://u:p@h/d",
    )
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)

    assert load() == settings
    assert load().bootstrap_keys == [Bootstrap(kind="server", app_id="a", app_token="b")]


def test_a_misspelt_variable_is_found() -> None:
    assert unknown_variables({"RAPPORT_PROT": "1", "RAPPORT_PORT": "1", "PATH": ""}) == ["RAPPORT_PROT"]
