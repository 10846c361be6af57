"""The host ways as root, on a fresh Debian: a container stands for the host, with nothing of ours in it."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from container_engine import copy_clone, docker, run

SERVED = "http://127.0.0.1:18080"
GET = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=9).read().decode())"
# With systemd as the first process, and the Apache of somebody else.
BOOTED = """
FROM debian:trixie-slim
RUN apt-get update && apt-get install --yes --no-install-recommends \\
    apache2 ca-certificates libapache2-mod-wsgi-py3 make systemd systemd-sysv
CMD ["/sbin/init"]
"""
MINE = """
import iniconfig
from bokeh.plotting import figure
from tidegauge import dashboard

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


@pytest.fixture(scope="module")
def booted(
    engine: None,  # noqa: ARG001 -- asked for its refusal
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """A Debian 13 that was booted by systemd and runs an Apache, with `make install` done as the README has it."""
    folder = tmp_path_factory.mktemp("booted")
    (folder / "Dockerfile").write_text(BOOTED)
    image = docker("build", "--quiet", str(folder))
    needs = ["--cap-add=SYS_ADMIN", "--security-opt=seccomp=unconfined", "--security-opt=apparmor=unconfined"]
    needs += [
        "--cgroupns=host",
        "--volume=/sys/fs/cgroup:/sys/fs/cgroup:rw",
        "--tmpfs=/run",
        "--tmpfs=/tmp",
        "--env=container=docker",
    ]
    # systemd still serves the older cgroups, where a machine has them, when it is told so.
    old_cgroups = ["/sbin/init", "systemd.unified_cgroup_hierarchy=0", "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"]
    container = docker("run", "--detach", *needs, image, *old_cgroups)
    try:
        docker("cp", f"{copy_clone(folder / 'clone')}/.", f"{container}:/root/tidegauge")
        yield container
    finally:
        docker("rm", "--force", "--volumes", container)
        run("docker", "image", "rm", image)


def processes(host: str) -> list[tuple[str, str]]:
    """The uid and the command line of every process of *host*, but for the two that keep it up."""
    lines = docker("top", host, "-eo", "pid,uid,args").splitlines()[1:]  # docker itself wants the pid
    found = [(line.split()[1], line.split(maxsplit=2)[2]) for line in lines]
    return [one for one in found if not one[1].endswith("sleep infinity")]


def test_make_serve_on_a_fresh_debian(host: str, eventually: Callable[..., None]) -> None:
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

    before = json.loads(get("/feeds/server/tail.json"))
    make("reload")
    eventually(lambda: json.loads(get("/feeds/server/tail.json"))["to"] > before["to"])
    assert json.loads(get("/feeds/server/tail.json"))["epoch"] == before["epoch"]

    make("stop")
    assert processes(host) == []

    # By a user who is not root, from a clone of his own: what needs root is there.
    on_host(
        host,
        "useradd --create-home dev && cp -r /root/tidegauge /home/dev/ && chown -R dev: /home/dev",
    )
    as_dev = "setpriv --reuid=dev --regid=dev --init-groups env HOME=/home/dev make -C /home/dev/tidegauge PORT=28080"
    on_host(host, f"{as_dev} serve")
    assert ask(host, "http://127.0.0.1:28080/health/ready")["status"] == "pass"
    dev = on_host(host, "id -u dev")
    assert {uid for uid, arguments in processes(host) if "apache2" in arguments} <= {dev, "dev"}
    on_host(host, f"{as_dev} stop")
    assert processes(host) == []


def on_host(host: str, script: str) -> str:
    """Run a shell *script* as root in the clone on *host*; returns what it prints, or fails with it."""
    status, output = run("docker", "exec", "--workdir", "/root/tidegauge", host, "bash", "-euc", script, within_s=500)
    assert status == 0, output[-3000:]
    return output.strip()


def ask(host: str, url: str, within_s: int = 20) -> Any:
    """The JSON answer of *url* on *host*, once there is one."""
    script = f"for _ in {{1..{within_s * 5}}}; do python3 -c '{GET}' {url} 2>/dev/null && exit; sleep .2; done; exit 1"
    return json.loads(on_host(host, script))


def test_the_systemd_unit_starts_ready_reloads_restarts_after_a_crash_and_stops(booted: str) -> None:
    main = "systemctl show --property MainPID --value tidegauge@18080"

    on_host(booted, "make install PORT=18080 && systemctl enable --now tidegauge@18080")
    first = ask(booted, f"{SERVED}/health", within_s=1)
    assert first["status"] == "pass"
    ours = [uid for uid, arguments in processes(booted) if "/opt/tidegauge/" in arguments]
    assert ours
    assert not {"0", "root"} & set(ours)

    old = "head -n 1 /run/tidegauge-18080/daemon.pid"
    pid = on_host(booted, old)
    on_host(booted, "systemctl reload tidegauge@18080")
    on_host(booted, f"for _ in {{1..50}}; do [[ $({old}) == {pid} ]] || exit 0; sleep .2; done; exit 1")
    assert ask(booted, f"{SERVED}/health/ready")["status"] == "pass"

    before = on_host(booted, main)
    on_host(
        booted,
        f"kill -9 {before}; "
        f"for _ in {{1..100}}; do [[ $({main}) =~ ^({before}|0)$ ]] || exit 0; sleep .2; done; exit 1",
    )
    assert ask(booted, f"{SERVED}/health/ready")["status"] == "pass"

    on_host(booted, "systemctl stop tidegauge@18080")
    assert on_host(booted, "systemctl show --property Result --value tidegauge@18080") == "success"
    # And while systemd still waits for readiness: Apache answers by itself, and Python does not yet.
    answers = r"{ printf 'GET /static/ HTTP/1.0\r\n\r\n' >&3 && read -r <&3; } 3<>/dev/tcp/127.0.0.1/18080"
    on_host(booted, f"systemctl start --no-block tidegauge@18080; until {answers}; do sleep .05; done")
    on_host(booted, "systemctl stop tidegauge@18080")
    assert on_host(booted, "systemctl show --property Result --value tidegauge@18080") == "success"


def test_the_readmes_commands_for_an_apache_that_is_there(booted: str) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    commands = re.search(r"you already have\*\*[^\n]*\n\n((?:    [^\n]*\n)+)", readme)
    assert commands
    on_host(booted, commands[1])
    assert ask(booted, "http://localhost/live/health/ready")["status"] == "pass"
    assert ask(booted, "http://localhost/live/health")["versions"]["mod_wsgi"] < "6"
    assert ask(booted, "http://localhost/live/feeds/server/tail.json")["series"]
    assert "Apache2 Debian Default Page" in on_host(booted, f"python3 -c '{GET}' http://localhost/")
    on_host(booted, "systemctl reload apache2")  # a graceful restart
    assert ask(booted, "http://localhost/live/health/ready")["status"] == "pass"
