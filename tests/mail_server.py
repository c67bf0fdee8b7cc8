"""A real SMTP server in a thread of the tests, which can be told to refuse, to be slow, and to hang up."""

import asyncio
import email.policy
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage, MIMEPart
from typing import Any

from aiosmtpd.controller import Controller

from harness import free_port

OK = "250 OK"


class MailServer:
    """Keeps what was delivered; `answers[recipient]` are the replies to give first, at RCPT or after the content.

    A reply `STALL` never comes and `SLOW` comes late (`stalled` says that one is awaited); `HANG UP BEFORE` and
    `HANG UP AFTER` close the connection without a word, before or after the content was taken.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self.delivered: list[tuple[str, EmailMessage]] = []
        self.rcpt_answers: dict[str, deque[str]] = defaultdict(deque)
        self.data_answers: dict[str, deque[str]] = defaultdict(deque)
        self.sessions = 0
        self.stalled = False
        self._controller: Controller | None = None

    @property
    def url(self) -> str:
        """What RAPPORT_SMTP_URL is set to."""
        return f"smtp://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen."""
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, ready_timeout=20)
        self._controller.start()

    def stop(self) -> None:
        """Be gone."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def mails_to(self, recipient: str) -> list[EmailMessage]:
        """Return what was delivered to an address."""
        return [mail for to, mail in list(self.delivered) if to == recipient]

    async def handle_EHLO(  # noqa: N802 (the library's name)
        self, _server: Any, session: Any, _envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        """Count sessions."""
        self.sessions += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(  # noqa: N802 (the library's name)
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        """Take or refuse a recipient."""
        answer = self.rcpt_answers[address].popleft() if self.rcpt_answers[address] else OK
        if answer == OK:
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 (the library's name)
        """Take or refuse the content."""
        address = envelope.rcpt_tos[0]
        answer = self.data_answers[address].popleft() if self.data_answers[address] else OK
        if answer in {OK, "HANG UP AFTER"}:
            self._keep(address, envelope.content)
        if answer in {"STALL", "SLOW"}:
            self.stalled = True
            await asyncio.sleep(3600 if answer == "STALL" else 2)
            answer = OK
            self._keep(address, envelope.content)
        if answer.startswith("HANG UP"):
            server.transport.abort()
        return answer

    def _keep(self, address: str, content: bytes) -> None:
        mail = message_from_bytes(content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        self.delivered.append((address, mail))


def text_of(part: EmailMessage | MIMEPart) -> str:
    """Return the text of a mail or a part of it, with plain line ends."""
    return str(part.get_content()).replace("\r\n", "\n")


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Run a mail server."""
    server = MailServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()
