"""The wheel: what is in it, what it says without an extra, and somebody's own application that uses it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import shop
from served import ROOT, TOKEN, Served, free_ports

DATA = {
    "apache/errors.conf",
    "apache/healthcheck",
    "apache/httpd-foreground",
    "apache/httpd.conf",
    "apache/reload",
    "apache/tidegauge.conf",
    "py.typed",
    "web/openapi.json",
}
BLOCKED = """
import sys
sys.modules |= dict.fromkeys(("brotli", "mod_wsgi", "nats", "nkeys", "opentelemetry", "google"))
from flask import Flask
from tidegauge import Tidegauge
from tidegauge.errors import ExtraMissing
from tidegauge.settings import Settings

app = Flask("shop", root_path="{folder}", instance_path="{folder}/instance")
tidegauge = Tidegauge(app, settings=Settings(journal="memory", push_token="{token}", run="{folder}/run"))
tidegauge.start()
answer = app.test_client().post("/live/v1/metrics", json={{}}, headers={{"Authorization": "Bearer {token}"}})
tidegauge.stop()
print(answer.status_code, answer.json["cure"])
ended = app.test_cli_runner().invoke(args=["tidegauge", "assets", "{folder}/assets"])
print(ended.exit_code, ended.output)
try:
    Tidegauge(Flask("other"), settings=Settings(journal="nats://127.0.0.1", run="{folder}/run"))
except ExtraMissing as error:
    print("refused", error)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, require: Callable[[bool, str], None]) -> Path:
    """The wheel, unpacked."""
    require(find_spec("hatchling") is not None, "needs hatchling: make develop")
    return shop.unpack_wheel(tmp_path_factory.mktemp("wheel") / "site-packages")


def test_it_has_the_package_whole_and_nothing_else(wheel: Path) -> None:
    packed = {str(path.relative_to(wheel)) for path in wheel.rglob("*") if path.is_file()}
    files = (path for path in (ROOT / "tidegauge").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    code = {str(path.relative_to(ROOT)) for path in files}
    assert any(name.startswith("tidegauge/web/templates/") for name in code)
    assert any(name.startswith("tidegauge/publish/static/") for name in code)
    assert {f"tidegauge/{name}" for name in DATA} <= packed
    assert code <= packed
    assert {path.name.partition("-")[0] for path in wheel.iterdir()} == {"tidegauge"}


@pytest.mark.parametrize("name", sorted(name for name in DATA if name.startswith("apache/")))
def test_apaches_files_are_those_of_the_clone(wheel: Path, name: str) -> None:
    assert (wheel / "tidegauge" / name).read_bytes() == (ROOT / name).read_bytes()


def test_without_an_extra_what_needs_it_names_it(tmp_path: Path) -> None:
    code = BLOCKED.format(folder=tmp_path, token=TOKEN)
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    otlp, command, nats = filter(None, done.stdout.splitlines())
    assert otlp == "501 pip install 'tidegauge[otlp]'"
    assert command.startswith("1 Error: Static files for Apache need packages that are not installed.")
    assert "pip install 'tidegauge[apache]'" in command
    assert nats.startswith("refused NATS servers in TIDEGAUGE_JOURNAL need packages that are not installed.")
    assert "pip install 'tidegauge[nats]'" in nats


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shop.write(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def environ(wheel: Path) -> dict[str, str]:
    """The environment of somebody who has installed the wheel, with no setting."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TIDEGAUGE_", "FLASK_"))}
    return kept | {"PYTHONPATH": str(wheel)}


@pytest.fixture(scope="module")
def site(folder: Path, environ: dict[str, str]) -> Iterator[Served]:
    """The shop's application under `flask run`."""
    port = free_ports()
    command = [sys.executable, "-m", "flask", "--app", "app", "run", "--port", str(port)]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=log, stderr=log)
    try:
        site = Served(port, environ)
        site.wait_ready("/live/health/ready")
        yield site
    finally:
        process.terminate()
        process.wait(10)


def test_an_application_has_its_dashboards_below_the_prefix(site: Served, eventually: Callable[..., None]) -> None:
    assert b"Orders of the shop" in site.ask("/live/").body
    assert site.ask("/live/dashboard/orders/").status == 200
    eventually(lambda: site.ask("/live/feeds/orders/tail.json").json["series"][0]["v"])


@pytest.mark.parametrize(("path", "method", "status", "body"), shop.ANSWERS)
def test_its_own_addresses_and_errors_stay_its_own(
    site: Served, path: str, method: str, status: int, body: bytes
) -> None:
    answer = site.ask(path, method)
    assert (answer.status, body in answer.body) == (status, True), answer.body


def test_its_own_package_may_be_called_app_and_an_old_dashboard_says_what_to_write(site: Served) -> None:
    [trouble] = site.ask("/live/health").json["troubles"]
    assert trouble.startswith("dashboard first_edition: line 1: ")
    assert trouble.endswith("write `from tidegauge import dashboard, live, sampler`")


def test_its_own_commands_stay_beside_ours(folder: Path, environ: dict[str, str]) -> None:
    command = [sys.executable, "-m", "flask", "--app", "app", "--help"]
    listed = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=True).stdout
    assert {"stock", "tidegauge", "routes"} <= {line.split()[0] for line in listed.splitlines() if line.strip()}
