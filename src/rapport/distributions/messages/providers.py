"""Handing a mail over to a provider, and what came of it; with no SMTP server, a file in the outbox."""

import asyncio
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from rapport.distributions.messages.mail import Mail

OUTBOX = "outbox"


class Outcome(msgspec.Struct, frozen=True):
    """What came of handing a mail over.

    taken: the provider has it. refused: it never will take it. later: it surely has not taken it and may do so later;
    `down` when the reason is not this mail. doubtful: nobody knows.
    """

    kind: Literal["taken", "refused", "later", "doubtful"]
    key: str = ""
    message: str = ""
    down: bool = False


class Provider(Protocol):
    """Takes mails, one after another."""

    name: str

    async def hand_over(self, mail: Mail, file_name: str) -> Outcome:
        """Hand one mail over. Cancelled, it raises CancelledError if nothing was handed over yet, else is doubtful."""

    async def take_back(self, file_name: str) -> None:
        """Undo handing a mail over as far as it can be undone: the customer was erased in that very moment."""

    async def close(self) -> None:
        """End what is open."""


def file_name(message_id: str, created_at: datetime) -> str:
    """Return what a message's mail is called in the outbox."""
    return f"{created_at:%Y%m%dT%H%M%S}.{created_at.microsecond // 1000:03d}Z_{message_id}.eml"


def remove(directory: Path, file_names: Sequence[str]) -> None:
    """Remove mails from an outbox, also what a dead worker wrote in part; what is not there is fine. Raises OSError."""
    for name in file_names:
        (directory / name).unlink(missing_ok=True)
        for part in directory.glob(f".{name}.*.new"):
            part.unlink(missing_ok=True)


class Outbox:
    """Keeps each mail as one file, written whole or not at all; doing so twice leaves one file."""

    name = OUTBOX

    def __init__(self, directory: Path) -> None:
        """Write into `directory`, made for its owner only when it is not there."""
        self._directory = directory

    async def hand_over(self, mail: Mail, file_name: str) -> Outcome:
        """Write the mail to `<directory>/<file_name>`."""
        try:
            await asyncio.to_thread(self._write, mail.content, file_name)
        except OSError as error:
            return Outcome("later", "outbox_not_writable", f"{self._directory}: {error.strerror}", down=True)
        return Outcome("taken")

    async def take_back(self, file_name: str) -> None:
        """Remove the mail. Raises OSError."""
        await asyncio.to_thread(remove, self._directory, [file_name])

    async def close(self) -> None:
        """Nothing is open."""

    def _write(self, content: bytes, file_name: str) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self._directory / f".{file_name}.{os.getpid()}.new"
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            fresh.rename(self._directory / file_name)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise
