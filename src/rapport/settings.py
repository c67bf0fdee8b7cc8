"""Settings: everything the environment may say, read once when a process starts, frozen, units in the names.

The only module that looks at the environment. `load()` gives a `Settings`; it is handed from function to function.
"""

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "RAPPORT_"
_SPAN = re.compile(r"([+-]?)((?:\d{1,10}[dhms])+)", re.ASCII)
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_NAMED = re.compile(r"(?P<name>[^<>\r\n]*)<(?P<address>[^<>\s]+)>")
MAX_ADDRESS = 254
_UNIT_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}


class StartError(Exception):
    """A process cannot start; the message is one line for the operator, printed as `rapport: <message>`."""


class SmtpServer(msgspec.Struct, frozen=True, kw_only=True):
    """Where mail is handed over, read from `RAPPORT_SMTP_URL`.

    `starttls` is None where the URL says nothing: used when the server offers it. `tls` is TLS from the first byte.
    """

    host: str
    port: int
    username: str | None
    password: str | None
    tls: bool
    starttls: bool | None


class Bootstrap(msgspec.Struct, frozen=True, kw_only=True):
    """A key of the default project that the environment asks for; the token is in clear."""

    kind: Literal["server", "client", "management"]
    app_id: str
    app_token: str


def parse_span(text: str) -> timedelta:
    """Read a span of time such as `+31d`, `-2h`, `+90m`, `10s` or `+1d12h`. Raises ValueError."""
    found = _SPAN.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is not a span of time such as +31d, -2h, +90m, 10s or +1d12h")
    seconds = sum(int(part[:-1]) * _UNIT_SECONDS[part[-1]] for part in re.findall(r"\d+[dhms]", found[2]))
    if seconds > 100 * 366 * 86_400:
        raise ValueError(f"{text!r} is more than a hundred years")
    return timedelta(seconds=-seconds if found[1] == "-" else seconds)


def parse_smtp_url(url: str) -> SmtpServer:
    """Read `smtp://user:password@host:587?starttls=1` or `smtps://…`. Raises ValueError, never quoting the password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError("is not a URL such as smtp://user:password@host:587?starttls=1") from error
    flags = parse_qs(parts.query).get("starttls", [])
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or flags not in ([], ["0"], ["1"]):
        raise ValueError("is not a URL such as smtp://user:password@host:587?starttls=1")
    tls = parts.scheme == "smtps"
    if tls and flags == ["1"]:
        raise ValueError("asks for TLS twice: smtps:// or starttls=1, not both")
    starttls = {"0": False, "1": True}.get(flags[0]) if flags else None
    return SmtpServer(
        host=parts.hostname,
        port=port or (465 if tls else 587 if starttls else 25),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        tls=tls,
        starttls=starttls,
    )


def parse_address(text: str) -> str:
    """Return a plain mail address, its domain in ASCII. Raises ValueError.

    Local parts are those of RFC 5321 without quoting, so nothing in them means anything to a mail server; those with
    other than ASCII characters are refused, few servers take them.
    """
    text = text.strip()
    local, at, domain = text.rpartition("@")
    try:
        domain = domain.encode("idna").decode("ascii").lower() if domain else ""
    except UnicodeError:
        raise ValueError(text) from None
    known = at and _LOCAL.fullmatch(local) and all(_LABEL.fullmatch(label) for label in domain.split("."))
    if not known or len(local) > 64 or len(local) + 1 + len(domain) > MAX_ADDRESS:
        raise ValueError(text)
    return f"{local}@{domain}"


def parse_sender(text: str) -> tuple[str, str]:
    """Read `shop@example.com` or `The Shop <shop@example.com>`: name and address. Raises ValueError."""
    found = _NAMED.fullmatch(text.strip())
    return ("", parse_address(text)) if found is None else (found["name"], parse_address(found["address"]))


def _sender(value: str) -> str:
    try:
        parse_sender(value)
    except ValueError:
        raise ValueError("is not an address such as shop@example.com or The Shop <shop@example.com>") from None
    return value


def _span(value: object) -> object:
    return parse_span(value) if isinstance(value, str) else value


def _database_url(value: object) -> object:
    if isinstance(value, str) and value and urlsplit(value).scheme not in {"postgresql", "postgres"}:
        raise ValueError("is not a URL such as postgresql://user:password@host:5432/database")
    return value or None


def _public_url(value: object) -> object:
    if not isinstance(value, str) or not value:
        return value or None
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("is not a URL such as https://rapport.example.com")
    return value.rstrip("/")


def _networks(value: str) -> str:
    try:
        _parse_networks(value)
    except ValueError:
        raise ValueError("is not a list of addresses and networks such as 10.0.0.0/8,192.168.1.5") from None
    return value


def _parse_networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def _default_workers() -> int:
    return max(1, min(4, os.cpu_count() or 1))


class Settings(BaseSettings):
    """What a Rapport process goes by; each field is `RAPPORT_` and its name in capitals."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    database_url: Annotated[str | None, BeforeValidator(_database_url)] = Field(default=None, repr=False)
    data_dir: Path = Path("data")
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)
    workers: int = Field(default_factory=_default_workers, ge=1, le=64)
    clock_offset: Annotated[timedelta, BeforeValidator(_span)] = timedelta(0)
    # Where the API is reached from outside, for links in mails and answers.
    public_url: Annotated[str | None, BeforeValidator(_public_url)] = None

    bootstrap_app_id: str | None = None
    bootstrap_app_token: str | None = Field(default=None, repr=False)
    bootstrap_client_id: str | None = None
    bootstrap_client_token: str | None = Field(default=None, repr=False)
    bootstrap_management_id: str | None = None
    bootstrap_management_token: str | None = Field(default=None, repr=False)

    smtp_url: str | None = Field(default=None, repr=False)
    smtp_from: Annotated[str, AfterValidator(_sender)] = "rapport@localhost"

    # How long the file of an export can be downloaded.
    export_file_days: int = Field(default=7, ge=1, le=365)

    # Whose X-Forwarded-For is believed: addresses and networks, separated by commas.
    trusted_proxies: Annotated[str, AfterValidator(_networks)] = ""
    # How many codes may be tried in vain, by whom; 0 is no limit.
    failed_codes_per_address_per_hour: int = Field(default=100, ge=0, le=1_000_000)
    failed_codes_per_customer_per_hour: int = Field(default=100, ge=0, le=1_000_000)
    failed_codes_per_client_key_per_hour: int = Field(default=10_000, ge=0, le=1_000_000)
    failed_codes_per_server_key_per_hour: int = Field(default=100_000, ge=0, le=1_000_000)

    log_format: Literal["text", "json"] = "text"

    max_body_bytes: int = Field(default=1_048_576, ge=1_024)
    # Of a file to be imported; and how long failed rows, and what undoing an import takes, are kept after its end.
    import_max_bytes: int = Field(default=1_073_741_824, ge=1_024)
    import_kept_days: int = Field(default=30, ge=1, le=3_660)
    statement_timeout_s: int = Field(default=30, ge=1, le=3_600)
    pool_size: int = Field(default=10, ge=1, le=1_000)
    drain_timeout_s: int = Field(default=30, ge=0, le=3_600)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for kind in ("app", "client", "management"):
            names = (f"bootstrap_{kind}_id", f"bootstrap_{kind}_token")
            given = [name for name in names if getattr(self, name)]
            if len(given) == 1:
                missing = next(name for name in names if name not in given)
                raise ValueError(f"{variable(given[0])} is set but {variable(missing)} is not")
        if self.smtp_url:
            try:
                parse_smtp_url(self.smtp_url)
            except ValueError as error:
                raise ValueError(f"{variable('smtp_url')} {error}") from None
        return self

    @property
    def smtp(self) -> SmtpServer | None:
        """Where mail is handed over; None keeps it in `outbox`."""
        return parse_smtp_url(self.smtp_url) if self.smtp_url else None

    @property
    def proxy_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The proxies whose word on addresses is taken."""
        return _parse_networks(self.trusted_proxies)

    @property
    def reached_at(self) -> str | None:
        """Where links in mails lead: the configured address, or this server's own; None where nobody can tell."""
        if self.public_url or self.port == 0 or self.host in {"", "0.0.0.0", "::"}:  # noqa: S104 (compared, not bound)
            return self.public_url
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @property
    def outbox(self) -> Path:
        """The directory that keeps mail when there is no SMTP server; `rapport serve` makes it, for its owner only."""
        return self.data_dir / "outbox"

    @property
    def bootstrap_keys(self) -> list[Bootstrap]:
        """The keys the environment asks for, in clear."""
        asked: list[tuple[Literal["server", "client", "management"], str | None, str | None]] = [
            ("server", self.bootstrap_app_id, self.bootstrap_app_token),
            ("client", self.bootstrap_client_id, self.bootstrap_client_token),
            ("management", self.bootstrap_management_id, self.bootstrap_management_token),
        ]
        return [Bootstrap(kind=kind, app_id=key, app_token=token) for kind, key, token in asked if key and token]

    def environment(self) -> dict[str, str]:
        """Return the environment of a child process: this one's, with every `RAPPORT_` variable as settled here."""
        kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(PREFIX)}
        for name, value in self.model_dump().items():
            if isinstance(value, timedelta):
                kept[variable(name)] = f"{'-' if value < timedelta(0) else '+'}{abs(int(value.total_seconds()))}s"
            elif value is not None:
                kept[variable(name)] = str(value)
        return kept


def variable(field: str) -> str:
    """Return the name of a field's environment variable."""
    return PREFIX + field.upper()


def unknown_variables(environment: Mapping[str, str] | None = None) -> list[str]:
    """Return the `RAPPORT_` variables that no setting reads: misspelt, most likely."""
    known = {variable(field) for field in Settings.model_fields}
    names = os.environ if environment is None else environment
    return sorted(name for name in names if name.startswith(PREFIX) and name not in known)


def load(**overrides: Any) -> Settings:
    """Read the environment; keyword arguments that are not None go before it. Raises StartError, one line."""
    try:
        settings = Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        raise StartError("; ".join(_explain(problem) for problem in error.errors(include_url=False))) from None
    return settings.model_copy(update={"data_dir": settings.data_dir.expanduser().resolve()})


def _explain(problem: Any) -> str:
    message = str(problem["msg"]).removeprefix("Value error, ")
    place = ".".join(str(part) for part in problem["loc"])
    return f"{variable(place)}: {message[:1].lower() + message[1:]}" if place else message
