"""What the CIS Docker Benchmark asks of an image (4) and of a container (5), by the numbers of its version 1.6.

The other tests of this folder hold 4.3 (no tool that nothing needs), 4.4 (Debian's updates), 4.6 (health), 5.13
(read-only) and 5.26 (no privilege to be gained); hadolint holds 4.7 and 4.9. Not followed, and why:

4.5    content trust is a setting of the client that pulls the base image
4.11   my-dashboards/requirements.txt: yours, with hashes if you write them; all else is held to its hash or signature
5.3    SELinux is the host's; the engine labels the container by itself
5.12   CPU: `cpus` above the host's cores refuses the start, below them it makes everybody wait; a smaller share than
       other containers' would take the numbers away just when the machine is busy and somebody looks
5.15   `on-failure:5` would stay down after the host's restart; the engine slows down what fails again and again
5.19   open files: more than the engine may have itself ends the start (tried: 65,536), fewer turn viewers away
5.23   and 5.24, `docker exec` as root: whoever can do so is root on the host already
5.28   the image is built, not pulled: `docker compose build --pull`
"""

import json
import re
from collections.abc import Callable
from http.client import HTTPConnection
from textwrap import dedent
from typing import Any

import pytest
from container_engine import Compose, docker
from served import ROOT

PLANTED = "c0ffee5ec7e7" * 2  # found nowhere by chance, and long enough for a token
README = (ROOT / "README.md").read_text()
BY_MODE = "find / -xdev -type f -perm /6000"
CAPABILITIES = """
import os
for folder, _, names in os.walk("/"):
    for path in (os.path.join(folder, name) for name in names if not folder.startswith(("/proc", "/sys"))):
        if "security.capability" in os.listxattr(path, follow_symlinks=False):
            print(path)
"""


def in_image(compose: Compose, script: str) -> str:
    return docker("run", "--rm", "--user", "0", "--entrypoint", "bash", compose.image, "-euc", script)


def test_4_1_the_images_user_is_a_number_and_not_roots(compose: Compose) -> None:
    assert docker("image", "inspect", "--format", "{{.Config.User}}", compose.image) == "10001:10001"


def test_4_3_no_package_manager_left_a_cache_or_a_log(compose: Compose) -> None:
    folders = (
        "/var/lib/apt/lists /var/cache/apt /var/cache/debconf/*-old /var/cache/ldconfig /var/log /root/.cache /tmp"
    )
    assert in_image(compose, f"find {folders} -type f -size +0 2>/dev/null || true") == ""


def test_4_8_no_file_gives_its_caller_another_user_group_or_capability(compose: Compose) -> None:
    assert in_image(compose, f"{BY_MODE}; python3 -c '{CAPABILITIES}'") == ""


def test_4_10_nothing_secret_gets_into_the_image(new_compose: Callable[[], Compose]) -> None:
    mine = new_compose()
    for name in (".env", "id_rsa", "my-dashboards/mine.py", "requirements/pip.conf", ".git/config"):
        (mine.folder / name).parent.mkdir(exist_ok=True)
        (mine.folder / name).write_text(f"TIDEGAUGE_PUSH_TOKEN={PLANTED}\n")
    mine("build")
    search = f"grep -rlIE -e {PLANTED} -e '^-----BEGIN .*PRIVATE KEY' --exclude-dir=proc --exclude-dir=sys / || true"
    assert in_image(mine, search) == ""
    told = docker("image", "inspect", mine.image) + docker("history", "--no-trunc", mine.image)
    assert PLANTED not in told
    for word in ("token", "secret", "password", "api_key"):
        assert word not in told.lower()


def field(compose: Compose, path: str) -> Any:
    """What `docker inspect` says at *path*, such as HostConfig.Memory."""
    found: Any = compose.container
    for name in path.split("."):
        found = found[name]
    return found


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        pytest.param(
            "HostConfig.SecurityOpt", (["no-new-privileges:true"],), id="5.2, 5.22, 5.26 engine's own profiles"
        ),
        pytest.param("HostConfig.CapAdd", (None, []), id="5.4 no capability is added"),
        pytest.param("HostConfig.CapDrop", (["ALL"],), id="5.4 all are dropped"),
        pytest.param("HostConfig.Privileged", (False,), id="5.5 not privileged"),
        pytest.param("HostConfig.Memory", (1 << 30,), id="5.11 memory"),
        pytest.param("HostConfig.ReadonlyRootfs", (True,), id="5.13 read-only"),
        pytest.param("HostConfig.RestartPolicy.Name", ("unless-stopped",), id="5.15 restarted, see above"),
        pytest.param("HostConfig.PidMode", ("",), id="5.16 processes of its own"),
        pytest.param("HostConfig.IpcMode", ("private",), id="5.17 shared memory of its own"),
        pytest.param("HostConfig.Devices", (None, []), id="5.18 no device"),
        pytest.param("HostConfig.UTSMode", ("",), id="5.21 a host name of its own"),
        pytest.param("HostConfig.CgroupParent", ("",), id="5.25 the engine's cgroup"),
        pytest.param("HostConfig.CgroupnsMode", ("private",), id="a view of cgroups of its own"),
        pytest.param("HostConfig.PidsLimit", (2560,), id="5.29 processes"),
        pytest.param("HostConfig.UsernsMode", ("",), id="5.31 not the host's users where the engine maps them"),
    ],
)
def test_5_what_the_engine_was_told(running: Compose, path: str, allowed: tuple[Any, ...]) -> None:
    assert field(running, path) in allowed


def test_5_2_the_engines_apparmor_profile_is_used_where_there_is_one(running: Compose) -> None:
    has_one = "name=apparmor" in docker("info", "--format", "{{.SecurityOptions}}")
    assert field(running, "AppArmorProfile") == ("docker-default" if has_one else "")


def test_5_6_and_5_32_nothing_of_the_host_is_mounted_but_the_dashboards(running: Compose) -> None:
    mounts = {
        (one["Type"], one["Destination"], one["RW"], one["Propagation"] in {"", "rprivate"})
        for one in field(running, "Mounts")
        if one["Type"] != "tmpfs"
    }
    assert mounts == {
        ("bind", "/opt/tidegauge/my-dashboards", False, True),
        ("volume", "/var/lib/tidegauge", True, True),
    }
    assert "docker.sock" not in json.dumps(running.container)


def test_5_8_5_9_and_5_14_one_port_above_1023_is_published_to_this_machine(running: Compose) -> None:
    assert field(running, "NetworkSettings.Ports") == {
        "8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(running.port)}]
    }


def test_5_19_no_crash_leaves_the_memory_on_the_hosts_disk(running: Compose) -> None:
    assert "Max core file size        0                    0 " in running.inside("cat /proc/1/limits").output


def test_5_30_the_network_is_the_projects_own(running: Compose) -> None:
    assert set(field(running, "NetworkSettings.Networks")) == {f"{running.project}_default"}


def test_a_push_token_shows_in_no_log_no_metric_no_file_and_no_command_line(compose: Compose) -> None:
    compose.up({"TIDEGAUGE_PUSH_TOKEN": PLANTED})
    for token, status in ((PLANTED, 200), (f"{PLANTED}x", 403)):
        assert push(compose, token) == status
    get = "python3 -c 'import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).read())' http://127.0.0.1:8080"
    seen = {
        "log": compose("logs"),
        "health": compose.inside(f"{get}/health").output,
        "metrics": compose.inside(f"{get}/metrics").output,
        "command lines": compose.inside("cat /proc/[0-9]*/cmdline | tr -d '\\0'").output,
    }
    assert [where for where, text in seen.items() if PLANTED in text or len(text) < 100] == []
    search = f"grep -rlF {PLANTED} /run/tidegauge /var/lib/tidegauge || echo nowhere"
    assert compose.inside(search) == (0, "nowhere\n")


def test_what_the_readme_says_of_limits_and_of_a_token_in_a_file_is_so(new_compose: Callable[[], Compose]) -> None:
    mine = new_compose()
    limits, secret = re.findall(r"\n\n((?:    [^\n]*\n)+)", README.partition("## The container")[2])[:2]
    override = mine.folder / "docker-compose.override.yml"
    override.write_text(dedent(limits))
    mine("build")
    mine.up()
    assert (field(mine, "HostConfig.Memory"), field(mine, "HostConfig.NanoCpus")) == (4 << 30, 10**9)
    override.write_text(dedent(secret))
    (mine.folder / "push-token").write_text(PLANTED)
    (mine.folder / "push-token").chmod(0o644)
    mine.up()
    assert push(mine, PLANTED) == 200
    assert PLANTED not in json.dumps(mine.container)


def push(compose: Compose, token: str) -> int:
    """Push a sample with *token*; return the answer's status."""
    connection = HTTPConnection("127.0.0.1", compose.port, timeout=10)
    body = '{"name": "token.check", "value": 1}'
    connection.request("POST", "/api/series", body, {"Authorization": f"Bearer {token}"})
    try:
        return connection.getresponse().status
    finally:
        connection.close()
