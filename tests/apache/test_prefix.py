"""apache/tidegauge.conf in a host's own Apache, under a prefix, beside another application."""

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import served
from served import Served

HOST = """
ServerRoot {folder}
ServerName localhost
DefaultRuntimeDir {folder}
PidFile {folder}/apache.pid
ErrorLog {folder}/error.log
TypesConfig /dev/null
Listen 127.0.0.1:{port}
{modules}
LoadModule wsgi_module {mod_wsgi}
WSGISocketPrefix {folder}/wsgi
<Directory {folder}>
    Require all granted
</Directory>
WSGIScriptAlias /embedded {folder}/neighbour.wsgi
WSGIDaemonProcess other
WSGIScriptAlias /daemon {folder}/neighbour.wsgi process-group=other
Define TIDEGAUGE_PREFIX /live
Include {root}/apache/tidegauge.conf
"""
NEIGHBOUR = """
def application(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"neighbour " + body]
"""
MODULES = ("mpm_event", "authz_core", "alias", "allowmethods", "headers", "mime", "rewrite")


@pytest.fixture(scope="module")
def host(server: Served) -> Iterator[Served]:
    root = Path(f"/opt/tidegauge/{server.port}") if os.geteuid() == 0 else served.ROOT
    venv = root / "venv" if os.geteuid() == 0 else root / ".venv"
    folder = Path("/dev/shm") / f"tidegauge-test-host-{server.port}"  # noqa: S108 - as the run folder
    folder.mkdir(mode=0o755)
    (folder / "neighbour.wsgi").write_text(NEIGHBOUR)
    port = served.free_ports()
    modules = "\n".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in MODULES)
    mod_wsgi = next(venv.glob("lib/python3*/site-packages/mod_wsgi/server/mod_wsgi-*.so"))
    conf = HOST.format(folder=folder, port=port, modules=modules, mod_wsgi=mod_wsgi, root=root)
    (folder / "httpd.conf").write_text(conf)
    user = ["setpriv", "--reuid=tidegauge", "--regid=tidegauge", "--init-groups"] if os.geteuid() == 0 else []
    if user:
        subprocess.run(["chown", "-R", "tidegauge:", folder], check=True)
    environ = {"TIDEGAUGE_ROOT": str(root), "TIDEGAUGE_VENV": str(venv), "TIDEGAUGE_RUN": str(folder)}
    command = [*user, "/usr/sbin/apache2", "-f", str(folder / "httpd.conf"), "-DFOREGROUND"]
    with subprocess.Popen(command, env=os.environ | environ) as apache:
        yield replace(server, port=port, environ=environ)
        apache.send_signal(signal.SIGTERM)
    subprocess.run(["rm", "-r", folder], check=True)


def test_everything_works_under_a_prefix(host: Served, eventually: Callable[..., None]) -> None:
    eventually(lambda: _status(host, "/live/health/ready") == 200, within_s=20)
    assert host.ask("/live").headers["Location"] == "live/"
    page = host.ask("/live/dashboard/server/").body.decode()
    script = re.findall(r'src="\.\./\.\./(static/[^"]*/live\.js)"', page)[0]
    assert host.ask(f"/live/{script}").status == 200
    assert host.ask("/live/feeds/server/tail.json").json["series"]
    assert host.ask("/live/data/", "POST").json == {"x": [1], "y": [2]}
    assert host.ask("/live/nothing").json["instance"] == "/live/nothing"
    assert host.ask("/live/feeds/nothing/tail.json").json["status"] == 404
    assert host.ask("/live/data/", "POST", b"x").json["status"] == 413


@pytest.mark.parametrize("url", ["/embedded", "/daemon"])
def test_a_neighbour_is_left_alone(host: Served, eventually: Callable[..., None], url: str) -> None:
    eventually(lambda: _status(host, url) == 200, within_s=20)
    answer = host.ask(url, "POST", b"with a body")
    assert answer.body == b"neighbour with a body"
    assert "Content-Security-Policy" not in answer.headers


def _status(host: Served, url: str) -> int:
    try:
        return host.ask(url).status
    except OSError:
        return 0
