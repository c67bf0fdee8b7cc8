"""The data directory: its permissions, the lock that keeps a second server out, and the credentials kept in it.

<data-dir>/            0700 (0711 when run as root: the database's own user has to pass through)
├── rapport.lock       0600  held while a server runs
├── credentials.json   0600  the keys made for the embedded database
├── demo-loaded        0600  that the demo is in, and the calls it suggests, with a key
├── outbox/            0700  mail that no SMTP server was given for
├── postgres/          0700  the embedded database
└── postgres.log       0600
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from rapport.settings import Bootstrap, StartError

CREDENTIALS = "credentials.json"
LOCK = "rapport.lock"
DEMO_MARKER = "demo-loaded"
_FOR_OTHERS = 0o077


def prepare(data_dir: Path) -> None:
    """Make the data directory and its outbox, for their owner only. Raises StartError where that cannot be."""
    try:
        if not data_dir.exists():
            data_dir.mkdir(parents=True, mode=0o711 if os.geteuid() == 0 else 0o700)
        outbox = data_dir / "outbox"
        outbox.mkdir(mode=0o700, exist_ok=True)
        outbox.chmod(0o700)
    except OSError as error:
        raise StartError(f"cannot use the data directory {data_dir}: {error.strerror or error}") from None
    if not os.access(data_dir, os.R_OK | os.W_OK | os.X_OK):
        raise StartError(f"cannot use the data directory {data_dir}: no permission to write in it")


@contextmanager
def lock(data_dir: Path) -> Iterator[None]:
    """Hold the data directory; the system lets go of it when the process ends, however it ends.

    Raises StartError, naming the other process, when the directory is held already.
    """
    path = data_dir / LOCK
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StartError(f"cannot open {path}: {error.strerror or error}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in {errno.EACCES, errno.EAGAIN}:
                raise StartError(f"cannot lock {path}: {error.strerror or error}") from None
            holder = os.read(descriptor, 20).decode("ascii", "replace").strip()
            raise StartError(
                f"the data directory {data_dir} is in use by another server (process {holder or 'unknown'});"
                " stop it, or give this one a --data-dir of its own"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def read_credentials(data_dir: Path) -> list[Bootstrap]:
    """Return the kept keys; none when there is no file. Raises StartError where it cannot be read."""
    path = data_dir / CREDENTIALS
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Bootstrap])
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StartError(f"cannot read {path}: {error.strerror or error}") from None
    except msgspec.MsgspecError as error:
        raise StartError(f"{path} is not what Rapport wrote ({error}); remove it to have new keys made") from None


def write_credentials(data_dir: Path, keys: list[Bootstrap]) -> None:
    """Keep the keys, in clear."""
    write_secret(data_dir / CREDENTIALS, msgspec.json.format(msgspec.json.encode(keys), indent=2) + b"\n")


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read; it appears whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)


def exposed(data_dir: Path) -> list[str]:
    """Return a line for each secret that others than its owner could read."""
    return [
        f"{path} is open to other users (mode {path.stat().st_mode & 0o777:04o})"
        for path in (data_dir / CREDENTIALS, data_dir / DEMO_MARKER, data_dir / "outbox", data_dir / "postgres")
        if path.exists() and path.stat().st_mode & _FOR_OTHERS
    ]
