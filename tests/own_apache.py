"""A host's own Apache, which includes apache/tidegauge.conf under a prefix, beside other applications."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import served
from served import Served

CONF = """
ServerRoot {folder}
ServerName localhost
DefaultRuntimeDir {folder}
PidFile {folder}/apache.pid
ErrorLog {folder}/error.log
TypesConfig /dev/null
Listen 127.0.0.1:{port}
{modules}
LoadModule wsgi_module {folder}/mod_wsgi.so
WSGISocketPrefix {folder}/wsgi
<Directory {folder}>
    Require all granted
</Directory>
WSGIScriptAlias /embedded {folder}/neighbour.wsgi
WSGIDaemonProcess other threads=32 python-home={venv}
WSGIScriptAlias /daemon {folder}/neighbour.wsgi process-group=other
Define TIDEGAUGE_PREFIX /live
Include {folder}/tidegauge.conf
"""
NEIGHBOUR = """
def application(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"neighbour " + body]
"""
# Changes of tidegauge.conf: no daemon process, and so many of them.
EMBEDDED = (
    "process-group=tidegauge application-group=%{GLOBAL}",
    "\nWSGIPythonHome ${TIDEGAUGE_VENV}\nWSGIPythonPath ${TIDEGAUGE_ROOT}",
)
PROCESSES = ("WSGIDaemonProcess tidegauge threads=32", "WSGIDaemonProcess tidegauge processes={} threads=32")
MODULES = ("mpm_event", "authz_core", "alias", "allowmethods", "headers", "mime", "rewrite")


@dataclass(frozen=True)
class Host(Served):
    """The host's Apache, and the folder that it writes to."""

    folder: Path

    def status(self, path: str) -> int:
        """The status of a GET of *path*, 0 while nobody listens."""
        try:
            return self.ask(path).status
        except OSError:
            return 0

    @property
    def log(self) -> str:
        return (self.folder / "error.log").read_text()


@contextmanager
def own_apache(
    server: Served,
    mod_wsgi: Path | None = None,
    change: tuple[str, str] = ("", ""),
    run: Path | None = None,
    neighbour: str = NEIGHBOUR,
    modules: tuple[str, ...] = (),
    files: dict[str, str] | None = None,
    token: str = "",
    settings: dict[str, str] | None = None,
) -> Iterator[Host]:
    """Start an Apache of a host's own, with the code and packages that *server* has.

    With *mod_wsgi* (default: the product's), *change* made in tidegauge.conf, feeds in *run*, beside *neighbour*, with
    further *settings* such as TIDEGAUGE_WINDOW.
    """
    root = Path(f"/opt/tidegauge/{server.port}") if os.geteuid() == 0 else served.ROOT
    venv = root / "venv" if os.geteuid() == 0 else root / ".venv"
    port = served.free_ports()
    folder = Path("/dev/shm") / f"tidegauge-test-host-{port}"  # noqa: S108 - as the run folder
    folder.mkdir(mode=0o755)
    mod_wsgi = mod_wsgi or next(venv.glob("lib/python3*/site-packages/mod_wsgi/server/mod_wsgi-*.so"))
    loaded = "\n".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in MODULES + modules)
    tidegauge = (root / "apache/tidegauge.conf").read_text()
    assert change[0] in tidegauge
    shutil.copy(mod_wsgi, folder / "mod_wsgi.so")  # where Apache's user can read it
    (folder / "neighbour.wsgi").write_text(neighbour)
    (folder / "tidegauge.conf").write_text(tidegauge.replace(*change) if change[0] else tidegauge)
    (folder / "httpd.conf").write_text(CONF.format(folder=folder, port=port, modules=loaded, venv=venv))
    for name, text in (files or {}).items():
        (folder / name).write_text(text)
    user = []
    if os.geteuid() == 0:
        user = ["setpriv", "--reuid=tidegauge", "--regid=tidegauge", "--init-groups"]
        subprocess.run(["chown", "-R", "tidegauge:", folder], check=True)
    environ = {"TIDEGAUGE_ROOT": str(root), "TIDEGAUGE_VENV": str(venv), "TIDEGAUGE_RUN": str(run or folder)}
    environ["TIDEGAUGE_PUSH_TOKEN"] = token
    environ["TIDEGAUGE_JOURNAL"] = str((run or folder) / "data" / "journal.sqlite")
    environ |= settings or {}
    command = [*user, "/usr/sbin/apache2", "-f", str(folder / "httpd.conf"), "-DFOREGROUND"]
    with subprocess.Popen(command, env=os.environ | environ) as apache:
        try:
            host = Host(port, environ, folder)
            deadline = monotonic() + 60
            while not host.status("/live/health/live"):
                assert apache.poll() is None, host.log
                assert monotonic() < deadline, host.log
                sleep(0.05)
            yield host
        finally:
            apache.send_signal(signal.SIGTERM)
    shutil.rmtree(folder)
