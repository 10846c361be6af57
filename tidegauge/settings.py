"""Every setting: its name, unit, range, default and refusal. Read once, from five places.

The first that names a setting wins: the environment (``TIDEGAUGE_WINDOW=500``), a secret file
(``TIDEGAUGE_WINDOW_FILE=/run/secrets/window``), and the file of ``NAME=value`` lines that
``TIDEGAUGE_SETTINGS`` names; then ``app.config`` of the Flask application, and the default.
"""

import os
import re
import ssl
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from hashlib import sha256
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Annotated, Literal, NamedTuple
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, model_validator

from tidegauge.errors import RefusedSetting, SettingsRefused

PREFIX = "TIDEGAUGE_"


def _host_names(names: str) -> str:
    for name in names.split(","):
        if name and not all(part and part.replace("-", "a").isalnum() for part in name.strip().split(".")):
            raise ValueError("expected host names separated by commas, such as live.example.org,stats.example.org")
    return names


def _origins(given: str) -> str:
    for origin in _parse_list(given):
        parts = urlsplit(origin)
        try:
            is_origin = parts.port != 0 and origin == f"{parts.scheme}://{parts.netloc}"
        except ValueError:  # a port that is no number
            is_origin = False
        # An address of IPv6 has no place in a Content-Security-Policy.
        is_host = re.fullmatch(r"(?!-)[a-z0-9-]+(\.[a-z0-9-]+)*(:\d+)?", parts.netloc)
        if not (is_origin and is_host and parts.scheme in {"http", "https"}):
            raise ValueError(
                "expected origins separated by commas, each a scheme, a host and perhaps a port, without a path or a"
                " wildcard, such as https://wiki.example.org,http://intranet:8000"
            )
    return given


def _parse_list(given: str) -> tuple[str, ...]:
    return tuple(part.strip().lower() for part in given.split(",") if part.strip())


def _folder(path: str) -> str:
    if path and not Path(path).is_dir():
        raise ValueError("expected a folder that exists and can be read")
    return path


def _pem_path(path: str) -> str:
    # Apache's configuration has it between quotes.
    if path and not re.fullmatch(r'/[^"\\\x00-\x1f]*', path):
        raise ValueError("expected the absolute path of a PEM file, such as /etc/tidegauge/tls/fullchain.pem")
    return path


def _with_certificate(key: str, others: ValidationInfo) -> str:
    certificate = others.data.get("tls_certificate")
    if certificate and not key:
        raise ValueError("expected the path of the key of TIDEGAUGE_TLS_CERTIFICATE: set both, or neither")
    if key and certificate == "":
        raise ValueError("expected TIDEGAUGE_TLS_CERTIFICATE beside it: set both, or neither")
    return key


NATS_URL = re.compile(r"(nats|tls)://([A-Za-z0-9.-]+(?::\d+)?(?:,[A-Za-z0-9.-]+(?::\d+)?)*)(?:/([A-Za-z0-9_-]{1,32}))?")


class Servers(NamedTuple):
    """NATS servers, each by its *urls*, and the name of the *stream* on them."""

    urls: tuple[str, ...]
    stream: str


def parse_servers(given: str) -> Servers | None:
    """Return the NATS servers of a journal's URL, None if it is none."""
    if not (named := NATS_URL.fullmatch(given)):
        return None
    scheme, hosts, stream = named.groups()
    return Servers(tuple(f"{scheme}://{host}" for host in hosts.split(",")), stream or "tidegauge")


def _journal(given: str) -> str:
    if "://" in given and not parse_servers(given):
        raise ValueError(
            "expected a file, memory, or servers such as nats://a:4222,b:4222,c:4222, where the stream is called"
            " tidegauge, or as is said behind them: nats://a:4222/NAME"
        )
    return given


def _private(path: str) -> str:
    try:
        mode = Path(path).stat().st_mode if path else 0
    except OSError:
        raise ValueError("expected a file that can be read") from None
    if mode & 0o004:
        raise ValueError("everybody may read this file: chmod 640, or less")
    return path


class Token(NamedTuple):
    """Who may push: a *name* for the log, the *prefix* of the series it may write, and the *secret* it brings."""

    name: str
    prefix: str
    secret: str
    digest: bytes  # the SHA-256 of the secret


def _tokens(given: str) -> str:
    for token in _parse_tokens(given):
        if not re.fullmatch(r"[A-Za-z0-9._~+/=-]{16,}", token.secret):
            raise ValueError(
                "expected tokens separated by blanks, each SECRET, NAME:SECRET or NAME:PREFIX:SECRET, a secret of 16 or"
                " more of A-Z a-z 0-9 . _ ~ + / = -, such as `openssl rand -hex 16` makes"
            )
    return given


def _parse_tokens(given: str) -> tuple[Token, ...]:
    found = []
    for number, entry in enumerate(given.split(), 1):
        *names, secret = entry.split(":", 2)
        name, prefix = [*names, "", ""][:2]
        found.append(Token(name or f"token {number}", prefix, secret, sha256(secret.encode()).digest()))
    return tuple(found)


class Settings(BaseModel):
    """All settings, checked. The README's table is tested against this class."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    window: int = Field(1000, ge=10, le=100_000, description="newest samples kept in memory, a series")
    max_series: int = Field(10_000, ge=1, le=1_000_000, description="series kept; further ones are refused")
    publish_ms: int = Field(500, ge=50, le=5_000, description="shortest time between two tails of a feed, ms")
    poll_ms: int = Field(2000, ge=100, le=10_000, description="time between two polls of a page, ms")
    hosts: Annotated[str, AfterValidator(_host_names)] = Field(
        "",
        description="host names with a dot that are answered, separated by commas;"
        " IP addresses, localhost and names without a dot are always accepted",
    )
    embed_origins: Annotated[str, AfterValidator(_origins)] = Field(
        "", description="origins whose pages may embed plots, separated by commas, such as https://wiki.example.org"
    )
    show_errors: Literal["loopback", "everyone", "nobody"] = Field(
        "loopback",
        description="who sees why a dashboard file or a sampler fails: loopback (who asks from this machine),"
        " everyone or nobody; others see a reference to the log",
    )
    dashboards: Annotated[str, AfterValidator(_folder)] = Field("", description="folder of your own dashboard files")
    journal: Annotated[str, AfterValidator(_journal)] = Field(
        "",
        description="file that keeps all samples; memory: none, nothing is kept;"
        " nats://a:4222,b:4222,c:4222: NATS servers, for several hosts",
    )
    journal_copy: str = Field("", description="file of this host's copy, where the journal is on NATS")
    nats_credentials: Annotated[str, AfterValidator(_private)] = Field(
        "", description="file with what NATS asks for: an NKey's seed, a user's JWT and seed, or USER:PASSWORD"
    )
    nats_ca: str = Field("", description="CA certificate (PEM) for the NATS servers")
    push_token: Annotated[str, AfterValidator(_tokens)] = Field(
        "",
        repr=False,
        description="who may push: SECRET, NAME:SECRET or NAME:PREFIX:SECRET, with blanks between them",
    )
    retention_days: float = Field(7, gt=0, le=36_500, description="age at which samples are removed, days")
    retention_samples: int = Field(50_000_000, ge=1_000, description="samples kept at most; the oldest are removed")
    run: str = Field("", description="folder for feeds and the process id, best on tmpfs")
    status_url: str = Field(
        "", pattern="^(https?://.*)?$", description="Apache's mod_status, machine-readable; set by the start script"
    )
    bind: str = Field("127.0.0.1", description="address that Apache listens on (compose: publishes on)")
    port: int = Field(8080, ge=1, le=65_534, description="port that Apache listens on (compose: publishes on)")
    tls_certificate: Annotated[str, AfterValidator(_pem_path)] = Field(
        "", description="PEM file of a certificate with its chain: Apache then speaks HTTPS"
    )
    tls_key: Annotated[str, AfterValidator(_pem_path), AfterValidator(_with_certificate)] = Field(
        "", validate_default=True, description="PEM file of its key, without a passphrase"
    )
    status_port: int | None = Field(None, ge=1, le=65_535, description="port of mod_status on 127.0.0.1; port + 1")
    root: str = Field("", description="folder that the defaults of other folders lie in; set by the start script")
    venv: str = Field("", description="virtual environment; set by the start script")

    @model_validator(mode="before")
    @classmethod
    def _place(cls, given: dict[str, object]) -> dict[str, object]:
        """Put the files and folders that are not named into the root: by default the current folder."""
        root = Path(str(given.get("root") or Path.cwd()))
        own = root / "my-dashboards"
        places = {
            "root": root,
            "dashboards": own if own.is_dir() else "",
            "journal": root / ".data" / "journal.sqlite",
            "journal_copy": root / ".data" / "copy.sqlite",
            "run": root / ".run",
        }
        return {name: str(place) for name, place in places.items()} | given

    @cached_property
    def servers(self) -> Servers | None:
        """The NATS servers of ``journal``, None where it is a file."""
        return parse_servers(self.journal)

    @property
    def file(self) -> str:
        """The SQLite file of this host: the journal, or the copy of it."""
        return self.journal_copy if self.servers else self.journal

    @cached_property
    def push_tokens(self) -> tuple[Token, ...]:
        """The tokens of ``push_token``."""
        return _parse_tokens(self.push_token)

    @cached_property
    def accepted_hosts(self) -> frozenset[str]:
        """The names of ``hosts``, in lower case."""
        return frozenset(_parse_list(self.hosts))

    @cached_property
    def embedders(self) -> tuple[str, ...]:
        """The origins of ``embed_origins``, in lower case; () when nobody may embed."""
        return _parse_list(self.embed_origins)


def load_settings(environ: Mapping[str, str] | None = None, config: Mapping[str, object] | None = None) -> Settings:
    """Read the settings from *environ* (default: this process's), secret files, the settings file and *config*.

    Args:
        config: a Flask application's; what of it begins with ``TIDEGAUGE_`` is a setting.

    Raises:
        SettingsRefused: with every setting that cannot be used, also a name that is no setting.
    """
    environ = os.environ if environ is None else environ
    refused: list[RefusedSetting] = []
    # An empty variable is an unset one: compose files pass `${TIDEGAUGE_WINDOW:-}`.
    given = {name: value for name, value in environ.items() if name.startswith(PREFIX) and value}
    in_file: dict[str, str] = {}
    if settings_file := given.pop(f"{PREFIX}SETTINGS", ""):
        try:
            lines = StringIO(Path(settings_file).read_text("utf-8"))
            in_file = {name: value for name, value in dotenv_values(stream=lines, interpolate=False).items() if value}
        except (OSError, UnicodeDecodeError):
            refused.append(RefusedSetting(f"{PREFIX}SETTINGS", settings_file, "expected a readable text file"))
    for named in (in_file, given):
        for name in [name for name in named if name.endswith("_FILE")]:
            secret_file = named.pop(name)
            try:
                named.setdefault(name.removesuffix("_FILE"), Path(secret_file).read_text("utf-8").strip())
            except (OSError, UnicodeDecodeError):
                refused.append(RefusedSetting(name, secret_file, "expected a readable text file"))
    in_config = {name: value for name, value in (config or {}).items() if name.startswith(PREFIX)}
    values = {name.removeprefix(PREFIX).lower(): value for name, value in (in_config | in_file | given).items()}
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        for problem in error.errors():
            field = str(problem["loc"][0])
            known = f"the settings are {', '.join(PREFIX + name.upper() for name in Settings.model_fields)}"
            would_do = known if problem["type"] == "extra_forbidden" else problem["msg"].removeprefix("Value error, ")
            is_secret = field in Settings.model_fields and not Settings.model_fields[field].repr
            # A key itself, too, where its path belongs: TIDEGAUGE_TLS_KEY_FILE.
            shown = "***" if is_secret or "PRIVATE KEY" in str(problem["input"]) else str(problem["input"])
            refused.append(RefusedSetting(PREFIX + field.upper(), shown, would_do))
    if refused:
        raise SettingsRefused(refused)
    return settings


def check_tls(settings: Settings) -> None:
    """Look whether the certificate and its key can be used.

    Where Apache starts, and not where settings are read: a process of Python that starts while files are being
    renewed needs neither.

    Raises:
        SettingsRefused: one cannot be read, or they do not belong together.
    """
    if not settings.tls_certificate:
        return
    certificate, key = settings.tls_certificate, settings.tls_key
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with _refusing(
        "tls_certificate", certificate, "expected the PEM file of a certificate, readable by the server's user"
    ):
        context.load_verify_locations(certificate)
    with _refusing("tls_key", key, "expected the PEM file of the certificate's key, readable and without a passphrase"):
        Path(key).read_bytes()  # whose error has a name
        context.load_cert_chain(certificate, key, password="")  # else OpenSSL asks the terminal for one


def check_extras(settings: Settings) -> None:
    """Look whether the packages that a setting needs are installed.

    Raises:
        SettingsRefused: some are not; it names the extra to install.
    """
    if settings.servers and find_spec("nats") is None:
        would_do = "NATS servers need packages that are not installed: pip install 'tidegauge[nats]'"
        raise SettingsRefused([RefusedSetting(f"{PREFIX}JOURNAL", settings.journal, would_do)])


@contextmanager
def _refusing(field: str, value: str, expected: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise SettingsRefused([RefusedSetting(PREFIX + field.upper(), value, f"{expected}: {error}")]) from None


def as_lines(settings: Settings) -> str:
    """Return all settings as ``NAME=value  # meaning`` lines, secrets as ``***``."""
    return "\n".join(
        f"{PREFIX}{name.upper()}={getattr(settings, name) if field.repr else '***'}  # {field.description}"
        for name, field in Settings.model_fields.items()
    )


if __name__ == "__main__":
    try:
        to_start = load_settings()
        check_tls(to_start)
        check_extras(to_start)
        print(as_lines(to_start))
    except SettingsRefused as error:
        print("\n".join(f"tidegauge: {refused}" for refused in error.refused), file=sys.stderr)
        sys.exit(2)
