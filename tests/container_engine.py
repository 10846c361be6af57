"""A real engine, asked through its own command line; and a compose project of the tests' own."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

from served import ROOT


class Finished(NamedTuple):
    """How a program ended; ``output`` is what it wrote to either stream."""

    status: int
    output: str


def run(*command: str, cwd: Path | None = None, env: dict[str, str] | None = None, within_s: float = 120) -> Finished:
    """Run *command* to its end, whatever that is."""
    ended = subprocess.run(
        command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=within_s,
        check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return Finished(ended.returncode, ended.stdout)


def docker(*arguments: str, within_s: float = 120) -> str:
    """Run a docker command that has to succeed; return its output."""
    status, output = run("docker", *arguments, within_s=within_s)
    assert status == 0, f"docker {' '.join(arguments)}: {output}"
    return output.strip()


def missing() -> str:
    """Return why no container engine with Compose answers here, "" if one does."""
    if shutil.which("docker") is None:
        return "there is no docker command"
    for command in (["info"], ["compose", "version"]):
        status, output = run("docker", *command)
        if status:
            return f"docker {' '.join(command)} fails: {output[-200:]}"
    return ""


@dataclass(frozen=True)
class Compose:
    """A compose project of one container, under a name of its own."""

    folder: Path
    project: str
    port: int

    def command(self, *arguments: str) -> list[str]:
        return ["docker", "compose", "--project-name", self.project, *arguments]

    def environment(self, settings: dict[str, str] | None = None) -> dict[str, str]:
        """Return the caller's environment with no setting of Tidegauge but *settings* and the free port."""
        ours = ("TIDEGAUGE_", "COMPOSE_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return kept | {"TIDEGAUGE_PORT": str(self.port)} | (settings or {})

    def try_(self, *arguments: str, settings: dict[str, str] | None = None, within_s: float = 500) -> Finished:
        return run(*self.command(*arguments), cwd=self.folder, env=self.environment(settings), within_s=within_s)

    def __call__(self, *arguments: str, settings: dict[str, str] | None = None) -> str:
        """Run a ``docker compose`` command that has to succeed; return its output."""
        status, output = self.try_(*arguments, settings=settings)
        assert status == 0, f"docker compose {' '.join(arguments)}: {output}"
        return output.strip()

    def up(self, settings: dict[str, str] | None = None) -> float:
        """Bring it up, wait until it is healthy, and return the seconds which that took."""
        started = monotonic()
        self("up", "--detach", "--wait", settings=settings)
        return monotonic() - started

    @property
    def image(self) -> str:
        return f"{self.project}-tidegauge"

    @property
    def container(self) -> dict[str, Any]:
        """What the engine knows of the container, running or not."""
        found: dict[str, Any] = json.loads(docker("inspect", self("ps", "--all", "--quiet", "tidegauge")))[0]
        return found

    def inside(self, script: str, *, user: str = "") -> Finished:
        """Run a shell *script* in the running container, as the server's user or as *user*."""
        who = ["--user", user] if user else []
        return run("docker", "exec", *who, self.container["Id"], "bash", "-euc", script)

    def busy_workers(self) -> int:
        """Return how many of Apache's threads are at a request, that for this answer among them."""
        script = "from urllib.request import urlopen; print(urlopen('http://127.0.0.1:8081/server-status?auto').read().decode())"
        status = self.inside(f'python3 -c "{script}"')
        [busy] = re.findall(r"^BusyWorkers: (\d+)$", status.output, re.MULTILINE)
        return int(busy)

    def get(self, path: str, within_s: float = 10) -> tuple[int, bytes]:
        """GET *path* on the published port: the status and the whole body."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=within_s)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def get_json(self, path: str) -> dict[str, Any]:
        status, body = self.get(path)
        assert status == 200, body
        answer: dict[str, Any] = json.loads(body)
        return answer


def copy_clone(target: Path) -> Path:
    """Copy what git has, or would add, of this clone: nothing that only this machine has."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists():  # else deleted, and not yet committed
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    # The container's user reads the mounted dashboards, whatever the umask is here.
    (target / "my-dashboards").chmod(0o755)
    return target
