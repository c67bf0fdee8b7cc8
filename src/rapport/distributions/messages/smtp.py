"""Handing mails over by SMTP, command by command, so that it is known whether a mail may have been taken."""

import asyncio
import contextlib
import socket
import time

import aiosmtplib
from aiosmtplib import SMTPDataError, SMTPException, SMTPResponseException

from rapport.distributions.messages.mail import Mail
from rapport.distributions.messages.providers import Outcome
from rapport.settings import SmtpServer

CONNECT_TIMEOUT_S = 10.0
COMMAND_TIMEOUT_S = 30.0
DATA_TIMEOUT_S = 60.0
BEGIN_LIMIT_S = 60.0  # all that comes before the content
NAME_TIMEOUT_S = 2.0
MAILS_A_CONNECTION = 100
IDLE_S = 20.0
MAX_REPLY = 500

_LOST = (SMTPException, OSError, TimeoutError, EOFError)


class Unreachable(Exception):
    """No session with the server came about; nothing was handed over."""


def _said(error: BaseException) -> str:
    text = f"{error.code} {error.message}" if isinstance(error, SMTPResponseException) else str(error)
    return " ".join((text or type(error).__name__).split())[:MAX_REPLY]


def _answered(key: str, error: SMTPResponseException) -> Outcome:
    """Return what a code other than the expected one means: the mail was not taken."""
    if 500 <= error.code < 600:
        return Outcome("refused", key, _said(error))
    # 421: the server is closing down, whatever the mail.
    return Outcome("later", key, _said(error), down=error.code == 421)


class Smtp:
    """One connection to an SMTP server, made when it is needed and kept for the next mails."""

    name = "smtp"

    def __init__(self, server: SmtpServer, *, data_timeout_s: float = DATA_TIMEOUT_S) -> None:
        """Hand over to `server`; the answer to a mail's content is awaited for `data_timeout_s`."""
        self._server = server
        self._data_timeout_s = data_timeout_s
        self._client: aiosmtplib.SMTP | None = None
        self._handed = 0
        self._used_at = 0.0
        self._own_name: str | None = None

    async def hand_over(self, mail: Mail, file_name: str) -> Outcome:
        """Hand one mail over; `file_name` is not used."""
        _ = file_name
        try:
            async with asyncio.timeout(BEGIN_LIMIT_S):
                client = await self._begin(mail)
        except Unreachable as error:
            return Outcome("later", "smtp_unreachable", str(error), down=True)
        except SMTPResponseException as error:
            await self._reset()
            return _answered("smtp_refused", error)
        except TimeoutError:
            self._drop()
            return Outcome("later", "smtp_unreachable", f"no session within {BEGIN_LIMIT_S:.0f} s", down=True)
        except asyncio.CancelledError:
            self._drop()
            raise
        return await self._content(client, mail)

    async def take_back(self, file_name: str) -> None:
        """Nothing can be taken back from a mail server."""

    async def close(self) -> None:
        """Take leave of the server."""
        if self._client is not None:
            with contextlib.suppress(*_LOST):
                await self._client.quit(timeout=1.0)
        self._drop()

    async def _begin(self, mail: Mail) -> aiosmtplib.SMTP:
        """Open the transaction: connection, sender, recipient. Raises Unreachable, or how the server refused.

        A connection that was kept may be gone without notice; then it is made anew, once.
        """
        kept = await self._still_open()
        for fresh in (False, True) if kept else (True,):
            client = await self._connect() if fresh else kept
            assert client is not None
            try:
                await client.mail(mail.sender, timeout=COMMAND_TIMEOUT_S)
                await client.rcpt(mail.recipient, timeout=COMMAND_TIMEOUT_S)
            except SMTPResponseException as error:
                if error.code == 421 and not fresh:
                    self._drop()
                    continue
                raise
            except _LOST as error:
                self._drop()
                if fresh:
                    raise Unreachable(_said(error)) from error
            else:
                return client
        raise AssertionError("unreachable")

    async def _content(self, client: aiosmtplib.SMTP, mail: Mail) -> Outcome:
        try:
            await client.data(mail.content, timeout=self._data_timeout_s)
        except SMTPDataError as error:
            if 400 <= error.code < 600:
                await self._reset()
                return _answered("smtp_refused", error)
            self._drop()
            return Outcome("doubtful", "smtp_unclear", _said(error))
        except (*_LOST, asyncio.CancelledError) as error:
            self._drop()
            return Outcome("doubtful", "smtp_lost", f"the connection was lost after DATA: {_said(error)}")
        self._handed += 1
        self._used_at = time.monotonic()
        return Outcome("taken")

    async def _still_open(self) -> aiosmtplib.SMTP | None:
        if self._client is None or not self._client.is_connected:
            self._drop()
        elif self._handed >= MAILS_A_CONNECTION or time.monotonic() - self._used_at > IDLE_S:
            await self.close()
        return self._client

    async def _connect(self) -> aiosmtplib.SMTP:
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            use_tls=server.tls,
            start_tls=False if server.tls else server.starttls,
            local_hostname=await self._name(),
            timeout=COMMAND_TIMEOUT_S,
        )
        try:
            await client.connect(timeout=CONNECT_TIMEOUT_S)
        except (*_LOST, ValueError) as error:
            client.close()
            raise Unreachable(_said(error)) from error
        except asyncio.CancelledError:
            client.close()
            raise
        self._client, self._handed, self._used_at = client, 0, time.monotonic()
        return client

    async def _name(self) -> str:
        """Return the name this machine gives itself; asking for it may wait for a name server, but not for long."""
        if self._own_name is None:
            try:
                async with asyncio.timeout(NAME_TIMEOUT_S):
                    found = await asyncio.to_thread(socket.getfqdn)
            except TimeoutError:
                found = socket.gethostname()
            plain = found.encode("ascii", "ignore").decode()
            self._own_name = "".join(one for one in plain if one.isalnum() or one in ".-") or "localhost"
        return self._own_name

    async def _reset(self) -> None:
        """Make the connection ready for the next mail, or give it up."""
        if self._client is not None:
            try:
                await self._client.rset(timeout=COMMAND_TIMEOUT_S)
            except _LOST:
                self._drop()

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = None
