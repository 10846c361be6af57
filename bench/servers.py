"""How each contender is started: the commands of their own documentation, and no tuning but what is said here."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import served
from own_apache import own_apache
from served import Served

from bench.contender import HERE, Contender, running

BIN = Path(sys.executable).parent
GUNICORN: list[str | Path] = [BIN / "gunicorn", "--worker-class", "gthread", "--threads", "16", "--keep-alive", "60"]


def tidegauge(server: Served) -> Contender:
    """Return a server of ours that runs."""
    return Contender("Tidegauge", server.url.rstrip("/"), int((server.run / "apache.pid").read_text()))


def _printed(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return (done.stdout + done.stderr).split("\n")[0]


@contextmanager
def flask_server() -> Iterator[Contender]:
    """Flask's own server: threads, and a connection for each request."""
    port = served.free_ports()
    command: list[str | Path] = [BIN / "flask", "--app", "tutorial", "run", "--port", str(port)]
    with running("tutorial, flask run", command, port, ready="/dashboard/", version=version("flask")) as one:
        yield one


@contextmanager
def gunicorn(module: str, name: str, packages: str, ready: str) -> Iterator[Contender]:
    """One worker, as both applications count in memory, of 16 threads."""
    port = served.free_ports()
    command: list[str | Path] = [*GUNICORN, "--bind", f"127.0.0.1:{port}", f"{module}:application"]
    with running(name, command, port, ready=ready, version=f"{version('gunicorn')}, {version(packages)}") as one:
        yield one


def tutorial() -> AbstractContextManager[Contender]:
    """Return the tutorial's application on gunicorn."""
    return gunicorn("tutorial", "tutorial, gunicorn", "bokeh", "/dashboard/")


def dash() -> AbstractContextManager[Contender]:
    """Return the Dash application on gunicorn."""
    return gunicorn("dash_app", "Dash, gunicorn", "dash", "/_dash-layout")


@contextmanager
def tutorial_under_apache(server: Served) -> Iterator[Contender]:
    """The tutorial's application in a daemon process of 32 threads, with the mod_wsgi and packages of *server*."""
    with own_apache(server, neighbour=(HERE / "tutorial.py").read_text()) as host:
        pid = int((host.folder / "apache.pid").read_text())
        yield Contender("tutorial, mod_wsgi", f"http://127.0.0.1:{host.port}", pid, version("mod_wsgi"))


@contextmanager
def bokeh_server() -> Iterator[Contender]:
    """Bokeh Server, one process."""
    port = served.free_ports()
    command: list[str | Path] = [
        BIN / "bokeh",
        "serve",
        "bokeh_app.py",
        "--port",
        str(port),
        "--allow-websocket-origin",
        "*",
    ]
    with running("Bokeh Server", command, port, ready="/bokeh_app", version=version("bokeh")) as one:
        yield one


@contextmanager
def _serving_files(
    name: str, conf: str, files: dict[str, bytes], command: list[str], release: str
) -> Iterator[Contender]:
    port = served.free_ports()
    with _configured(conf, port, parent="/dev/shm") as folder:  # noqa: S108 - as Tidegauge's feeds
        www = folder / "www"
        www.mkdir()
        for path, body in files.items():
            (www / path).write_bytes(body)
        if os.geteuid() == 0:  # both change to a user of their own
            subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
        command = [part.replace("@FOLDER@", str(folder)) for part in command]
        with running(name, command, port, ready=f"/{next(iter(files))}", version=release, cwd=folder) as one:
            yield one


def nginx(files: dict[str, bytes]) -> AbstractContextManager[Contender]:
    """Return nginx with *files*, a worker a core."""
    command = ["/usr/sbin/nginx", "-p", "@FOLDER@", "-c", "@FOLDER@/nginx.conf"]
    return _serving_files("nginx, the same file", "nginx.conf", files, command, _printed("/usr/sbin/nginx", "-v"))


def bare_apache(files: dict[str, bytes]) -> AbstractContextManager[Contender]:
    """Return an Apache with *files*, without headers, log, or any condition."""
    command = ["/usr/sbin/apache2", "-f", "@FOLDER@/apache.conf", "-DFOREGROUND"]
    release = _printed("/usr/sbin/apache2", "-v")
    return _serving_files("Apache, the same file, bare", "apache.conf", files, command, release)


@contextmanager
def influxdb() -> Iterator[Contender]:
    """InfluxDB 1, which syncs its log before it answers, with a database `bench`."""
    port = served.free_ports()
    with _configured("influxdb.conf", port) as folder:
        command: list[str | Path] = ["influxd", "-config", folder / "influxdb.conf"]
        release = _printed("influxd", "version")
        with running("InfluxDB", command, port, ready="/ping", version=release, cwd=folder) as one:
            one.ask("/query?q=CREATE%20DATABASE%20bench", "POST")
            yield one


@contextmanager
def carbon() -> Iterator[tuple[Contender, Path]]:
    """carbon-cache, and the folder of its whisper files."""
    port = served.free_ports()
    with _configured("carbon.conf", port) as folder:
        shutil.copy(HERE / "storage-schemas.conf", folder)
        command: list[str | Path] = ["carbon-cache", "--config", folder / "carbon.conf", "--nodaemon", "start"]
        release = _printed("dpkg-query", "-W", "-f", "graphite-carbon ${Version}", "graphite-carbon")
        with running("carbon", command, port, ready="", version=release, cwd=folder) as one:
            yield one, folder / "whisper"


@contextmanager
def _configured(conf: str, port: int, parent: str = "/var/tmp") -> Iterator[Path]:  # noqa: S108
    """Make a folder, by default on disk, with the configuration *conf*, filled in."""
    with TemporaryDirectory(dir=parent) as name:
        folder = Path(name)
        text = (HERE / conf).read_text().replace("@OTHER_PORT@", str(port + 1)).replace("@PORT@", str(port))
        (folder / conf).write_text(text.replace("@FOLDER@", name))
        yield folder
