"""What is in the image, and what is not."""

import json
from collections.abc import Callable
from time import monotonic

import pytest
from container_engine import Compose, docker, run

ADDED_MB = 225  # measured: 200, see the layers in Dockerfile; Debian's own base comes on top


def in_image(compose: Compose, script: str, user: str = "0") -> str:
    return docker("run", "--rm", "--user", user, "--entrypoint", "bash", compose.image, "-euc", script)


def test_the_image_adds_little_to_debians(compose: Compose) -> None:
    sizes = [
        int(docker("image", "inspect", "--format", "{{.Size}}", image))
        for image in (compose.image, "debian:trixie-slim")
    ]
    assert (sizes[0] - sizes[1]) / 1e6 <= ADDED_MB


@pytest.mark.parametrize("tool", ["gcc", "cc", "make", "curl", "wget", "pip", "pip3", "apxs", "apachectl"])
def test_a_tool_that_nothing_needs_is_not_there(compose: Compose, tool: str) -> None:
    assert in_image(compose, f"PATH=$PATH:/opt/tidegauge/venv/bin; command -v {tool} || echo absent") == "absent"


@pytest.mark.parametrize("python", ["/usr/bin/python3", "/opt/tidegauge/venv/bin/python"])
@pytest.mark.parametrize("module", ["pip", "setuptools", "ensurepip"])
def test_no_python_there_can_install_anything(compose: Compose, python: str, module: str) -> None:
    assert in_image(compose, f"{python} -c 'import {module}' 2>&1 || true").endswith(f"No module named '{module}'")


def test_every_python_package_of_the_lock_is_there_and_works(compose: Compose) -> None:
    # numpy.testing is what stripping NumPy of its tests would break, Pillow and PyYAML have stripped libraries.
    check = "import bokeh.plotting, brotli, msgspec, numpy.testing, PIL.Image, yaml; from yaml import CSafeLoader"
    assert in_image(compose, f"/opt/tidegauge/venv/bin/python -W error -c '{check}' && echo works") == "works"


def test_a_start_compiles_nothing(compose: Compose) -> None:
    # The second word of a .pyc is 1 where it is taken whatever becomes of its source's time.
    stale = """
from importlib.util import cache_from_source
from pathlib import Path
for source in Path("/opt/tidegauge").rglob("*.py"):
    compiled = Path(cache_from_source(source))
    if not compiled.is_file() or compiled.read_bytes()[4:8] != bytes([1, 0, 0, 0]):
        print(source)
"""
    assert in_image(compose, f"python3 -c '{stale}'") == ""


def test_the_server_cannot_change_its_own_code(compose: Compose) -> None:
    assert (
        in_image(compose, "find /opt/tidegauge /usr /etc -writable -not -type l 2>/dev/null || true", user="10001")
        == ""
    )


def test_a_new_build_has_every_security_update_of_debian(compose: Compose) -> None:
    pending = "apt-get update >/dev/null 2>&1; apt list --upgradable 2>/dev/null | grep -e -security || true"
    if in_image(compose, pending):  # the build cache is older than an update
        compose("build", "--no-cache")
    assert in_image(compose, pending) == ""
    sources = in_image(compose, "apt-get update >/dev/null 2>&1; apt-cache policy apache2-bin")
    installed, candidate = (line.split()[-1] for line in sources.splitlines()[1:3])
    assert installed == candidate
    assert "trixie-security/main" in sources


def test_the_build_takes_nothing_from_the_clone_but_what_it_serves(compose: Compose) -> None:
    found = in_image(compose, "ls -A /opt/tidegauge").split()
    assert found == ["__pycache__", "apache", "app", "assets", "sbom.cdx.json", "tidegauge", "venv", "wsgi.py"]


def test_a_plain_docker_run_without_any_network_gets_healthy(compose: Compose, eventually: Callable[..., None]) -> None:
    container = docker("run", "--detach", "--network", "none", compose.image)
    try:
        eventually(lambda: docker("inspect", "--format", "{{.State.Health.Status}}", container) == "healthy", 60)
    finally:
        docker("rm", "--force", "--volumes", container)


def test_what_dashboards_import_is_installed_by_the_build(new_compose: Callable[[], Compose]) -> None:
    mine = new_compose()
    (mine.folder / "my-dashboards" / "requirements.txt").write_text("iniconfig\n")
    mine("build")
    assert in_image(mine, "/opt/tidegauge/venv/bin/python -c 'import iniconfig' && echo works") == "works"


def test_a_requirement_that_would_move_a_pinned_package_ends_the_build_and_says_which(
    new_compose: Callable[[], Compose],
) -> None:
    mine = new_compose()
    (mine.folder / "my-dashboards" / "requirements.txt").write_text("flask<3\n")
    status, output = mine.try_("build")
    assert status != 0
    assert "The user requested flask<3" in output
    assert "The user requested (constraint) flask==3" in output


def test_the_probe_says_why_it_fails(running: Compose) -> None:
    status, output = run(
        "docker",
        "exec",
        "-e",
        "TIDEGAUGE_RUN=/nowhere",
        "-e",
        "TIDEGAUGE_PORT=1",
        running.container["Id"],
        "apache/healthcheck",
    )
    assert status == 1
    assert output.startswith("no answer from 127.0.0.1:1: ConnectionRefusedError")


@pytest.mark.quiet
def test_the_probe_ends_by_itself_when_nothing_answers_it(running: Compose) -> None:
    running.inside("kill -STOP $(head -1 /run/tidegauge/daemon.pid)")
    started = monotonic()
    try:
        status, output = running.inside("apache/healthcheck")
    finally:
        running.inside("kill -CONT $(head -1 /run/tidegauge/daemon.pid)")
    limit = json.loads(docker("image", "inspect", "--format", "{{json .Config.Healthcheck.Timeout}}", running.image))
    assert monotonic() - started < limit / 1e9
    assert status == 1
    assert "timed out" in output
