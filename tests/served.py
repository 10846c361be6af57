"""A real Apache on this host: what `make serve` does, on a free port."""

import atexit
import fcntl
import json
import os
import random
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from pathlib import Path
from time import monotonic, sleep
from typing import Any

ROOT = Path(__file__).parent.parent
PLOTS = 10  # of the dashboard `server`
# The packages that servers lend each other, also those of other processes of the same run.
LENT = Path(os.environ.get("TESTS_PACKAGES") or f"/opt/tidegauge/packages-of-tests-{os.getpid()}")
LOCK = Path("/dev/shm") / f"{LENT.name}.lock"  # noqa: S108 - where every user may make one
if "TESTS_PACKAGES" not in os.environ:
    os.environ["TESTS_PACKAGES"] = str(LENT)
    atexit.register(shutil.rmtree, LENT, ignore_errors=True)
    for suffix in (".lock", ".turn", ".test"):
        atexit.register(LOCK.with_suffix(suffix).unlink, missing_ok=True)
COMMAND_S = 600.0  # in which a command has to end; the first start installs packages
READY_S = 60.0  # in which a server has to be ready
TOKEN = "token-of-the-tests"  # noqa: S105
ROOM_TOKEN = "token-for-the-rooms"  # noqa: S105
TOKENS = f"{TOKEN} rooms:room.:{ROOM_TOKEN}"


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Served:
    """The server, and how to ask it."""

    port: int
    environ: dict[str, str]

    @property
    def certificate(self) -> str:
        """The file of the certificate by which it speaks HTTPS, "" for HTTP."""
        return self.environ.get("TIDEGAUGE_TLS_CERTIFICATE", "")

    @property
    def url(self) -> str:
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}/"

    def connect(self) -> HTTPConnection:
        if self.certificate:
            trusted = ssl.create_default_context(cafile=self.certificate)
            return HTTPSConnection("127.0.0.1", self.port, timeout=30, context=trusted)
        return HTTPConnection("127.0.0.1", self.port, timeout=30)

    @property
    def run(self) -> Path:
        return Path(self.environ["TIDEGAUGE_RUN"])

    @property
    def journal(self) -> Path:
        if os.geteuid() == 0:
            return Path(f"/var/lib/tidegauge/{self.port}/journal.sqlite")
        return Path.home() / f".local/share/tidegauge/{self.port}/journal.sqlite"

    @property
    def daemon_pid(self) -> int:
        return int((self.run / "daemon.pid").read_text() or 0)  # empty for a moment, when another takes over

    @property
    def log(self) -> str:
        """Everything that Apache and the application have logged."""
        if os.geteuid() == 0:
            return Path(f"/var/log/tidegauge-{self.port}.log").read_text()
        return (Path.home() / f".local/state/tidegauge/{self.port}.log").read_text()

    def command(self, action: str) -> str:
        """Run `apache/serve ACTION`; returns what it says, or fails with it."""
        command = [str(ROOT / "apache/serve"), action]
        done = subprocess.run(command, env=self.environ, capture_output=True, text=True, timeout=COMMAND_S)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
        """Ask once, on a connection of its own. Header names are written with `_` for `-`."""
        connection = self.connect()
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, sent)
            answer: HTTPResponse = connection.getresponse()
            return Answer(answer.status, dict(answer.headers), answer.read())
        finally:
            connection.close()

    def push(self, *samples: dict[str, object]) -> None:
        """Push samples as JSON, with the token that may write all."""
        answer = self.ask("/api/series", "POST", json.dumps(samples).encode(), Authorization=f"Bearer {TOKEN}")
        assert answer.status == 200, answer.body

    def raw(self, request: bytes) -> bytes:
        """Send bytes as they are and return the whole answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(request)
            received = b""
            while part := connection.recv(65536):
                received += part
            return received

    def is_ready(self, path: str = "/health/ready") -> bool:
        try:
            return self.ask(path).status == 200
        except OSError:
            return False

    def wait_ready(self, path: str = "/health/ready") -> None:
        deadline = monotonic() + READY_S
        while not self.is_ready(path):
            assert monotonic() < deadline, f"not ready within {READY_S} s"
            sleep(0.05)


def free_ports() -> int:
    """Return a port that is free, and so is the next: mod_status's.

    Below those that the system gives to clients (net.ipv4.ip_local_port_range), who might take one meanwhile.
    """
    while True:
        port = random.randrange(10_000, 32_000, 2)
        with socket.socket() as one, socket.socket() as two:
            try:
                one.bind(("127.0.0.1", port))
                two.bind(("127.0.0.1", port + 1))
                return port
            except OSError:
                continue


def start(**settings: str) -> Served:
    """Start a server as `make serve` does, with everything of its own; *settings* such as TIDEGAUGE_WINDOW."""
    port = free_ports()
    run = Path("/dev/shm") / f"tidegauge-test-{port}"  # noqa: S108 - tmpfs, as the product wants it
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TIDEGAUGE_")}
    environ |= {"TIDEGAUGE_PORT": str(port), "TIDEGAUGE_RUN": str(run), "TIDEGAUGE_PUSH_TOKEN": TOKENS}
    environ |= settings
    served = Served(port, environ)
    venv = Path(f"/opt/tidegauge/{port}/venv")
    with _one_at_a_time():
        if is_first := not LENT.exists():
            served.command("start")
            if venv.exists():
                subprocess.run(["cp", "-al", venv, LENT], check=True)
        else:
            _lend_packages(venv)
    if not is_first:
        served.command("start")
    return served


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Keep other processes from here meanwhile: the first server installs packages, Debian's among them."""
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _lend_packages(venv: Path) -> None:
    """Give a server that starts as root the packages that the first one has installed: half a minute for each."""
    venv.parent.mkdir(parents=True)
    subprocess.run(["cp", "-al", LENT, venv], check=True)
    for script in (venv / "bin").iterdir():
        if not script.is_symlink() and re.match(rb"#!/opt/tidegauge/\d+/venv/", body := script.read_bytes()):
            script.unlink()  # it is the others' file, too
            script.write_bytes(re.sub(rb"/opt/tidegauge/\d+/venv", bytes(venv), body))
            script.chmod(0o755)


def stop(served: Served) -> None:
    """Stop it and remove what it made."""
    served.command("stop")
    shutil.rmtree(served.run, ignore_errors=True)
    if os.geteuid() == 0:
        shutil.rmtree(f"/opt/tidegauge/{served.port}", ignore_errors=True)
        shutil.rmtree(f"/var/lib/tidegauge/{served.port}", ignore_errors=True)
        Path(f"/var/log/tidegauge-{served.port}.log").unlink(missing_ok=True)
