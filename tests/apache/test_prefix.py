"""apache/tidegauge.conf in a host's own Apache: under a prefix, with two releases of mod_wsgi, and set up wrongly."""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from own_apache import EMBEDDED, PROCESSES, Host, own_apache
from served import Served


def debians_mod_wsgi(folder: Path) -> Path:
    """Unpack Debian's own package, without installing it: that would change this machine's Apache."""
    subprocess.run(["apt-get", "download", "-qq", "libapache2-mod-wsgi-py3"], cwd=folder, check=True)
    subprocess.run(["dpkg", "-x", *folder.glob("*.deb"), folder], check=True)
    return next(folder.glob("usr/lib/apache2/modules/mod_wsgi*.so"))


@pytest.fixture(scope="module", params=["ours", "debian's"])
def host(
    request: pytest.FixtureRequest,
    server: Served,
    require: Callable[[bool, str], None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Host]:
    mod_wsgi = None
    if request.param != "ours":
        require(shutil.which("apt-get") is not None, "Debian's own mod_wsgi comes by apt-get")
        mod_wsgi = debians_mod_wsgi(tmp_path_factory.mktemp("mod_wsgi"))
    with own_apache(server, mod_wsgi) as one:
        yield one


def test_everything_works_under_a_prefix(host: Host, eventually: Callable[..., None]) -> None:
    eventually(lambda: host.status("/live/health/ready") == 200, within_s=20)
    assert host.ask("/live").headers["Location"] == "live/"
    page = host.ask("/live/dashboard/server/").body.decode()
    script = re.findall(r'src="\.\./\.\./(static/[^"]*/live\.js)"', page)[0]
    assert host.ask(f"/live/{script}").status == 200
    assert host.ask("/live/feeds/server/tail.json").json["series"]
    assert host.ask("/live/data/", "POST").json["x"] == [host.ask("/live/data/", "POST").json["x"][0] - 1]
    assert host.ask("/live/nothing").json["instance"] == "/live/nothing"
    assert host.ask("/live/feeds/nothing/tail.json").json["status"] == 404
    assert host.ask("/live/data/", "POST", b"x").json["status"] == 413


def test_vitals_that_the_host_cannot_give_are_named(host: Host, eventually: Callable[..., None]) -> None:
    eventually(lambda: host.status("/live/health/ready") == 200, within_s=20)
    page = host.ask("/live/dashboard/server/").body.decode()
    assert "need mod_status" in page
    is_old = host.ask("/live/health").json["versions"]["mod_wsgi"] < "6"
    assert ("counted by mod_wsgi 6, and this one is older" in page) == is_old


@pytest.mark.parametrize("url", ["/embedded", "/daemon"])
def test_a_neighbour_is_left_alone(host: Host, eventually: Callable[..., None], url: str) -> None:
    eventually(lambda: host.status(url) == 200, within_s=20)
    answer = host.ask(url, "POST", b"with a body")
    assert answer.body == b"neighbour with a body"
    assert "Content-Security-Policy" not in answer.headers


@pytest.mark.parametrize("processes", [1, 2])
def test_several_processes_are_refused_with_the_reason(server: Served, processes: int) -> None:
    with own_apache(server, change=(PROCESSES[0], PROCESSES[1].format(processes))) as host:
        assert "processes=" in host.ask("/live/").json["detail"]
        assert host.status("/live/health/ready") == 503


def test_embedded_mode_is_refused_with_the_reason(server: Served) -> None:
    with own_apache(server, change=EMBEDDED) as host:
        assert "it needs a WSGIDaemonProcess" in host.ask("/live/").json["detail"]
        assert "it runs in embedded mode" in host.log
        assert host.status("/live/health/ready") == 503


def test_a_second_server_on_one_run_folder_is_refused_and_the_first_undisturbed(
    server: Served, eventually: Callable[..., None]
) -> None:
    with own_apache(server) as first:
        eventually(lambda: first.status("/live/health/ready") == 200, within_s=20)
        epoch = first.ask("/live/health").json["epoch"]
        with own_apache(server, run=first.folder) as second:
            assert f"the process {first.daemon_pid} already serves" in second.ask("/live/").json["detail"]
            assert "already serves" in second.log
            assert first.ask("/live/health").json["epoch"] == epoch
        assert first.ask("/live/feeds/server/tail.json").json["epoch"] == epoch
