"""Programs that are measured: each started on a free port, and ended by its process id."""

import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import psutil

HERE = Path(__file__).parent / "contenders"
START_S = 30.0


@dataclass
class Contender:
    """A server that runs: where it is, and the process that it began as."""

    name: str
    url: str
    pid: int
    version: str = ""
    stack: ExitStack = field(default_factory=ExitStack)

    @property
    def processes(self) -> list[psutil.Process]:
        """Its processes, workers too."""
        first = psutil.Process(self.pid)
        return [first, *first.children(recursive=True)]

    def cpu_s(self) -> float:
        """Return the processor time of all its processes since they began, s."""
        return sum(sum(one.cpu_times()[:2]) for one in self.processes)

    def memory_kb(self) -> float:
        """Return the memory of all its processes, kB; what they share counts once."""
        return sum(one.memory_full_info().pss for one in self.processes) / 1024

    def ask(self, path: str, method: str = "GET", body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
        """Return the body of an answer of success."""
        parts = urlsplit(self.url)
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            said = answer.read()
            if answer.status >= 300:
                raise RuntimeError(f"{self.name}: {method} {path} gave {answer.status}: {said[:300]!r}")
            return said
        finally:
            connection.close()


@contextmanager
def running(
    name: str, command: Sequence[str | Path], port: int, *, ready: str = "/", version: str = "", cwd: Path = HERE
) -> Iterator[Contender]:
    """Run *command*, which listens on *port*, as long as the block lasts.

    Args:
        ready: asked until it is answered with success; "" where a connection is enough.
    """
    with TemporaryDirectory() as folder:
        log = Path(folder, "log")
        with log.open("wb") as out, subprocess.Popen(command, cwd=cwd, stdout=out, stderr=out) as process:
            one = Contender(name, f"http://127.0.0.1:{port}", process.pid, version)
            deadline = time.monotonic() + START_S
            try:
                while True:
                    try:
                        if ready:
                            one.ask(ready)
                        else:  # it does not speak HTTP
                            socket.create_connection(("127.0.0.1", port)).close()
                        break
                    except (OSError, RuntimeError) as error:
                        if process.poll() is not None or time.monotonic() > deadline:
                            raise RuntimeError(f"{name} does not answer ({error}):\n{log.read_text()}") from error
                        time.sleep(0.05)
                yield one
            finally:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
