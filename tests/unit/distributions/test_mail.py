import email
import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.distributions.messages import mail
from rapport.distributions.messages.mail import InvalidAddress, Sender

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)


def built(
    *, name: str | None = "Ann", subject: str = "Hello", text: str | None = "Hi", html: str | None = None
) -> EmailMessage:
    made = mail.build(
        sender=Sender("The Shop", "shop@example.org"),
        recipient="ann@example.com",
        recipient_name=name,
        reply_to="help@example.org",
        subject=subject,
        text=None if text is None else mail.body(text),
        html=None if html is None else mail.body(html),
        message_id="<msg_1@example.org>",
        date=AT,
    )
    assert (made.sender, made.recipient) == ("shop@example.org", "ann@example.com")
    assert all(len(line) <= 998 and line.isascii() for line in made.content.split(b"\r\n"))
    parsed = email.message_from_bytes(made.content, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ann@example.com", "ann@example.com"),
        (" Ann.O'Hara+news@Example.COM ", "Ann.O'Hara+news@example.com"),
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("ann@localhost", "ann@localhost"),
    ],
)
def test_a_plain_address_is_taken(text: str, expected: str) -> None:
    assert mail.address(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ann",
        "@example.com",
        "ann@",
        "ann@@example.com",
        "ann@exa mple.com",
        "ann smith@example.com",
        "a@b.c, d@e.f",
        "ann@example.com>",
        "<ann@example.com>",
        "ann@example.com\r\nRCPT TO:<x@y.z>",
        "ann\r\n@example.com",
        '"ann"@example.com',
        ".ann@example.com",
        "ann.@example.com",
        "ann@-example.com",
        "ann@example..com",
        "ann@example.com.",
        "zoë@example.com",
        "a" * 65 + "@example.com",
        "a@" + "b" * 64 + ".com",
        "a@" + "b.c" * 90,
        "ann@[127.0.0.1]",
    ],
)
def test_anything_else_is_not_an_address(text: str) -> None:
    with pytest.raises(InvalidAddress):
        mail.address(text)


def test_a_sender_has_a_name_or_not() -> None:
    assert mail.sender("shop@example.com") == Sender("", "shop@example.com")
    assert mail.sender('"The Shop" <shop@example.com>') == Sender("The Shop", "shop@example.com")
    with pytest.raises(InvalidAddress):
        mail.sender("a@b.example <shop@example.com>, x <c@d.example>")


def test_a_mail_has_its_headers_and_both_bodies() -> None:
    parsed = built(text="Hi", html="<p>Hi</p>")
    assert parsed["From"] == "The Shop <shop@example.org>"
    assert parsed["To"] == "Ann <ann@example.com>"
    assert parsed["Reply-To"] == "help@example.org"
    assert parsed["Message-ID"] == "<msg_1@example.org>"
    assert parsed["Date"].datetime == AT
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert [part.get_content_type() for part in parsed.iter_parts()] == ["text/plain", "text/html"]


@given(name=st.text(max_size=300), subject=st.text(max_size=700), text=st.text(max_size=3000))
def test_nothing_from_outside_makes_a_header_an_address_or_breaks_the_mail(name: str, subject: str, text: str) -> None:
    parsed = built(name=name, subject=subject, text=text)
    expected = {"From", "To", "Reply-To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version"}
    assert set(parsed.keys()) == expected | {"Content-Type", "Content-Transfer-Encoding"}
    assert [one.addr_spec for one in parsed["To"].addresses] == ["ann@example.com"]
    assert [one.addr_spec for one in parsed["From"].addresses] == ["shop@example.org"]
    assert not parsed.is_multipart()


@given(
    name=st.text(alphabet='<>@,;:"\\()[]{}% ab\r\n=?_.', min_size=30, max_size=120),
)
def test_names_of_punctuation_do_not_become_addresses(name: str) -> None:
    assert [one.addr_spec for one in built(name=name)["To"].addresses] == ["ann@example.com"]


@given(text=st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), max_size=500))
def test_a_body_arrives_as_it_was_written(text: str) -> None:
    content = built(text=text).get_content().replace("\r\n", "\n")
    assert "".join(content.splitlines()) == "".join(text.splitlines())
