"""`docker compose up`: how it starts, what it may do, how it stops."""

import re
import ssl
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from shutil import which
from socket import create_connection
from time import monotonic
from typing import Any
from urllib.request import Request, urlopen

import certificate
import pytest
from container_engine import Compose, docker
from served import TOKEN

UP_WITHIN_S = 15  # of the image being there

# The one that my-dashboards/README.md shows, so that the page cannot go wrong.
EXAMPLE = re.compile("```python\\n(.*?)```", re.DOTALL)


@pytest.mark.quiet
def test_it_is_healthy_within_15_s(compose: Compose) -> None:
    compose("down", "--timeout", "5")
    assert compose.up() < UP_WITHIN_S


def test_the_published_port_lists_the_dashboards(running: Compose) -> None:
    status, page = running.get("/")
    assert status == 200
    assert b"dashboard/server/" in page


def test_the_published_port_has_live_numbers_of_this_server(running: Compose, eventually: Callable[..., None]) -> None:
    first = running.get_json("/feeds/server/tail.json")["to"]
    eventually(lambda: running.get_json("/feeds/server/tail.json")["to"] > first)
    names = {series["name"] for series in running.get_json("/feeds/server/window.json")["series"]}
    assert any(name.startswith("apache.") for name in names)


def test_only_this_machine_is_let_in(running: Compose) -> None:
    assert running("port", "tidegauge", "8080") == f"127.0.0.1:{running.port}"
    networks = running.container["NetworkSettings"]["Networks"]
    another_address_of_this_machine = next(iter(networks.values()))["Gateway"]
    with pytest.raises(ConnectionRefusedError):
        create_connection((another_address_of_this_machine, running.port), timeout=5).close()


def test_the_first_process_is_apache_itself(running: Compose) -> None:
    assert running.inside("readlink /proc/1/exe").output.strip() == "/usr/sbin/apache2"


def test_no_process_is_root_or_could_become_it(running: Compose) -> None:
    facts = running.inside("cat /proc/[0-9]*/status").output.splitlines()
    seen = {line for line in facts if line.startswith(("Uid:", "Gid:", "Cap", "NoNewPrivs:", "Seccomp:"))}
    no_capability = {f"{which}:\t{0:016x}" for which in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
    ids = {f"{which}:" + "\t10001" * 4 for which in ("Uid", "Gid")}
    assert seen == no_capability | ids | {"NoNewPrivs:\t1", "Seccomp:\t2"}


@pytest.mark.parametrize("folder", ["/", "/etc", "/tmp", "/opt/tidegauge", "/opt/tidegauge/my-dashboards", "/var"])  # noqa: S108
def test_even_root_could_write_nothing_there(running: Compose, folder: str) -> None:
    status, output = running.inside(f"touch {folder}/x", user="0")
    assert status != 0
    assert "Read-only file system" in output


def test_the_run_folder_and_the_journals_are_all_that_can_be_written(running: Compose) -> None:
    writable = "find / -path /proc -prune -o -type d -writable -print 2>/dev/null || true"
    found = running.inside(writable).output.split()
    engines_own = {"/dev/shm", "/dev/mqueue"}  # noqa: S108 -- in memory, per container
    assert {
        folder for folder in found if not folder.startswith(("/run/tidegauge", "/var/lib/tidegauge"))
    } <= engines_own
    assert "/run/tidegauge" in found


def test_a_library_can_have_a_temporary_file(running: Compose) -> None:
    script = "venv/bin/python -c 'import tempfile; tempfile.NamedTemporaryFile().write(b\"x\")'"
    assert running.inside(script) == (0, "")


def test_memory_processes_and_logs_are_limited(running: Compose) -> None:
    limits = running.container["HostConfig"]
    assert limits["Memory"] > 0
    # Every worker and its child's other threads, the daemon process and a probe.
    assert limits["PidsLimit"] > 16 * (64 + 3) + 64
    assert limits["LogConfig"]["Config"] == {"max-file": "3", "max-size": "10m"}


def test_a_setting_of_the_host_reaches_the_application(compose: Compose) -> None:
    compose.up({"TIDEGAUGE_POLL_MS": "4321"})
    assert compose.get_json("/feeds/server/tail.json")["poll_ms"] == 4321


def test_a_setting_that_cannot_be_used_stops_the_start_and_says_so(compose: Compose) -> None:
    status, output = compose.try_("run", "--rm", "--no-TTY", "tidegauge", settings={"TIDEGAUGE_WINDOW": "many"})
    assert status == 2
    assert "TIDEGAUGE_WINDOW" in output
    assert "many" in output
    assert "Traceback" not in output


def test_a_dashboard_in_the_mounted_folder_is_live_after_a_restart(
    running: Compose, eventually: Callable[..., None]
) -> None:
    folder = running.folder / "my-dashboards"
    example = EXAMPLE.search((folder / "README.md").read_text())
    assert example
    (folder / "sine.py").write_text(example[1])
    try:
        running("restart")
        running.up()
        assert b"dashboard/sine/" in running.get("/")[1]

        seen: list[float] = []

        def values() -> list[float]:
            [sine] = running.get_json("/feeds/sine/tail.json")["series"]
            seen.extend(value for value in sine["v"] if value is not None)
            return seen

        eventually(values)
        assert -1 <= seen[-1] <= 1
    finally:
        (folder / "sine.py").unlink()
        running("restart", "--timeout", "5")


def test_a_stop_lets_a_request_finish(running: Compose, eventually: Callable[..., None]) -> None:
    """The daemon process is frozen with a request in its hands until Apache has closed its door.

    With SIGTERM as the stop signal Apache would cut this request at once.
    """
    door = "exec 3<>/dev/tcp/127.0.0.1/8080"
    grace_s = running.container["Config"]["StopTimeout"]
    running.inside("kill -STOP $(head -1 /run/tidegauge/daemon.pid)")
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(running.get, "/explore/?held", 60)
        eventually(lambda: running.busy_workers() > 1)
        started = monotonic()
        stop = subprocess.Popen(running.command("stop"), cwd=running.folder, env=running.environment())
        try:
            eventually(lambda: running.inside(door).status != 0)
            assert not held.done()
            assert running.inside("kill -CONT $(head -1 /run/tidegauge/daemon.pid)").status == 0
            status, page = held.result()
        finally:
            assert stop.wait(60) == 0
    assert status == 200
    assert page.rstrip().endswith(b"</html>")
    assert monotonic() - started < grace_s
    assert running.container["State"]["ExitCode"] == 0


@pytest.mark.quiet
def test_a_restart_goes_on_where_it_was(running: Compose, eventually: Callable[..., None]) -> None:
    def tail() -> Any:
        return running.get_json("/feeds/server/tail.json")

    before = tail()
    running("restart")
    assert running.up() < UP_WITHIN_S
    eventually(lambda: tail()["to"] > before["to"])
    assert tail()["epoch"] == before["epoch"]


def test_what_was_pushed_survives_a_down_and_an_up(compose: Compose) -> None:
    token = {"TIDEGAUGE_PUSH_TOKEN": TOKEN}
    compose.up(token)
    push = Request(
        f"http://127.0.0.1:{compose.port}/api/series",
        b'{"name": "room.temperature", "value": 21.5}',
        {"Authorization": f"Bearer {TOKEN}"},
    )
    with urlopen(push, timeout=10) as answer:
        assert answer.status == 200
    before = compose.get_json("/feeds/server/window.json")
    compose("down", "--timeout", "20")
    compose.up(token)
    after = compose.get_json("/feeds/server/window.json")
    assert after["epoch"] == before["epoch"]
    old, new = ({one["name"]: one["t"] for one in window["series"]} for window in (before, after))
    assert all(set(times) <= set(new[name]) for name, times in old.items())
    assert compose.get_json("/api/series?name=room.temperature")["v"] == [21.5]
    assert compose.get_json("/health")["troubles"] == []
    listed = compose.inside("venv/bin/flask --app wsgi series list")
    assert "21.5  room.temperature" in listed.output


def test_https_by_the_mount_that_the_file_shows_and_a_renewed_certificate(
    compose: Compose, eventually: Callable[..., None], require: Callable[[bool, str], None]
) -> None:
    require(which("openssl") is not None, "needs openssl: apt-get install openssl")
    (compose.folder / "tls").mkdir(mode=0o755)

    def renew() -> str:
        made = certificate.make(compose.folder / "tls")
        return made.certificate.rename(made.certificate.with_name("fullchain.pem")).read_text()

    def presented() -> str:
        return ssl.get_server_certificate(("127.0.0.1", compose.port), timeout=10)

    file = compose.folder / "docker-compose.yml"
    as_it_was = file.read_text()
    mount = "# - ./tls:/run/tls:ro"
    paths = dict(re.findall(r"(TIDEGAUGE_TLS_\w+)=([^\s,]+)", as_it_was))
    assert (mount in as_it_was, len(paths)) == (True, 2)
    file.write_text(as_it_was.replace(mount, mount.removeprefix("# ")))
    first = renew()
    try:
        compose.up(paths)  # healthy, by HTTPS
        assert presented() == first
        second = renew()
        assert compose.inside("apache/reload") == (0, "")
        eventually(lambda: presented() == second)
        assert compose.inside("apache/healthcheck 30") == (0, "")
    finally:
        file.write_text(as_it_was)


@pytest.mark.quiet
def test_a_killed_container_starts_again(running: Compose) -> None:
    docker("kill", running.container["Id"])
    running("start")
    assert running.up() < UP_WITHIN_S
    assert running.get("/")[0] == 200
