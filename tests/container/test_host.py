"""`make serve` as root on a fresh Debian: a container stands for the host, with nothing of ours in it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from container_engine import copy_clone, docker, run

SERVED = "http://127.0.0.1:18080"
MINE = """
import iniconfig
from bokeh.plotting import figure
from app.dashboards import dashboard

@dashboard(title="Mine")
def mine():
    return figure(title=iniconfig.__name__)
"""


@pytest.fixture
def host(
    engine: None,  # noqa: ARG001 -- asked for its refusal
    tmp_path: Path,
) -> Iterator[str]:
    """A fresh Debian 13 with `make` and the clone below /root, which nobody else can read, with a dashboard in it."""
    clone = copy_clone(tmp_path / "clone")
    (clone / "my-dashboards" / "mine.py").write_text(MINE)
    (clone / "my-dashboards" / "requirements.txt").write_text("iniconfig\n")
    container = docker("run", "--detach", "--init", "debian:trixie-slim", "sleep", "infinity")
    try:
        docker("exec", container, "bash", "-c", "apt-get update && apt-get install --yes --no-install-recommends make")
        docker("cp", f"{clone}/.", f"{container}:/root/tidegauge")
        docker("exec", container, "chmod", "700", "/root", "/root/tidegauge")
        yield container
    finally:
        docker("rm", "--force", "--volumes", container)


def processes(host: str) -> list[tuple[str, str]]:
    """The uid and the command line of every process of *host*, but for the two that keep it up."""
    lines = docker("top", host, "-eo", "pid,uid,args").splitlines()[1:]  # docker itself wants the pid
    found = [(line.split()[1], line.split(maxsplit=2)[2]) for line in lines]
    return [one for one in found if not one[1].endswith("sleep infinity")]


def test_make_serve_on_a_fresh_debian(host: str) -> None:
    def make(target: str) -> None:
        mine = "TIDEGAUGE_DASHBOARDS=/root/tidegauge/my-dashboards"
        command = ["docker", "exec", "--workdir", "/root/tidegauge", "--env", mine, host, "make", target, "PORT=18080"]
        status, output = run(*command, within_s=500)
        assert status == 0, output[-3000:]

    def get(path: str) -> str:
        script = f"from urllib.request import urlopen; print(urlopen('{SERVED}{path}', timeout=9).read().decode())"
        return docker("exec", host, "python3", "-c", script)

    make("serve")
    assert "dashboard/server/" in get("/")
    assert "server" in get("/dashboard/server/")
    assert "dashboard/mine/" in get("/")
    health = json.loads(get("/health"))
    assert (health["status"], health["troubles"]) == ("pass", [])

    served = processes(host)
    assert any("apache2" in arguments for _uid, arguments in served)
    assert [arguments for uid, arguments in served if uid in {"0", "root"}] == []

    before = json.loads(get("/feeds/server/tail.json"))["epoch"]
    make("reload")
    assert json.loads(get("/feeds/server/tail.json"))["epoch"] != before

    make("stop")
    assert processes(host) == []
