"""The wheel under Apache with mod_wsgi: in somebody's own application, and with Apache's files out of it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp

import pytest
import served
import shop
from own_apache import Host, own_apache
from served import Served

# In the place of tidegauge.conf: the lines of the host's own application, and nothing of ours.
OWN_LINES = """
WSGIDaemonProcess shop threads=8 display-name=%{GROUP} python-home="${TIDEGAUGE_VENV}" \\
    home="${SHOP}" python-path="${SHOP}:${WHEEL}"
WSGIScriptAlias / "${SHOP}/wsgi.py" process-group=shop application-group=%{GLOBAL}
<Directory "${SHOP}">
    Require all granted
</Directory>
"""
# The wheel's own file, as its first lines say.
OUR_LINES = """
Define TIDEGAUGE_APACHE ${WHEEL}/tidegauge/apache
Include ${TIDEGAUGE_APACHE}/tidegauge.conf
"""
ALONE = """
from flask import Flask
from tidegauge import Tidegauge
application = app = Flask(__name__)
Tidegauge(app, url_prefix="/")
"""


@pytest.fixture(scope="module")
def installed(require: Callable[[bool, str], None]) -> Iterator[dict[str, str]]:
    """The shop's application and the wheel, where Apache's user can read them."""
    require(find_spec("hatchling") is not None, "needs hatchling: make develop")
    folder = Path(mkdtemp(dir="/dev/shm"))
    folder.chmod(0o755)
    shop.write(folder / "shop")
    (folder / "alone").mkdir()
    (folder / "alone/wsgi.py").write_text(ALONE)
    wheel = shop.unpack_wheel(folder / "site-packages")
    yield {"SHOP": str(folder / "shop"), "WHEEL": str(wheel), "ALONE": str(folder / "alone")}
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def site(server: Served, installed: dict[str, str]) -> Iterator[Host]:
    with own_apache(server, files={"tidegauge.conf": OWN_LINES}, settings=installed) as host:
        host.wait_ready("/live/health/ready")
        yield host


def test_an_application_has_its_dashboards_below_the_prefix(site: Host, eventually: Callable[..., None]) -> None:
    assert b"Orders of the shop" in site.ask("/live/").body
    assert site.ask("/live/dashboard/orders/").status == 200
    eventually(lambda: site.ask("/live/feeds/orders/tail.json").json["series"][0]["v"])
    assert site.ask("/live/health").json["status"] == "pass"


@pytest.mark.parametrize(("path", "method", "status", "body"), shop.ANSWERS)
def test_its_own_addresses_and_errors_stay_its_own(
    site: Host, path: str, method: str, status: int, body: bytes
) -> None:
    answer = site.ask(path, method)
    assert (answer.status, body in answer.body) == (status, True), answer.body


def test_apaches_files_of_the_wheel_serve_an_application_that_has_no_clone(
    server: Served, installed: dict[str, str], eventually: Callable[..., None]
) -> None:
    alone, wheel = Path(installed["ALONE"]), installed["WHEEL"]
    (alone / "tidegauge").symlink_to(f"{wheel}/tidegauge")  # stands for an installation in the virtual environment
    write = [sys.executable, "-m", "flask", "--app", "wsgi", "tidegauge", "assets", "assets"]
    environ = os.environ | {"PYTHONPATH": wheel, "TIDEGAUGE_RUN": str(alone / "run"), "TIDEGAUGE_JOURNAL": "memory"}
    subprocess.run(write, cwd=alone, env=environ, check=True, capture_output=True)
    subprocess.run(["chmod", "-R", "a+rX", alone], check=True)
    settings = installed | {"TIDEGAUGE_ROOT": str(alone)}
    with own_apache(server, files={"tidegauge.conf": OUR_LINES}, settings=settings) as host:
        eventually(lambda: host.status("/live/health/ready") == 200)
        assert host.ask("/live/feeds/nothing/tail.json").json["title"] == "Not Found"
        [style] = [part for part in host.ask("/live/").body.decode().split('"') if part.endswith("/page.css")]
        answer = host.ask(f"/live/{style.removeprefix('./')}", Accept_Encoding="br")
        assert (answer.status, answer.headers["Content-Encoding"]) == (200, "br")
    environ |= {"TIDEGAUGE_ROOT": str(alone), "TIDEGAUGE_VENV": host.environ["TIDEGAUGE_VENV"]}
    environ["TIDEGAUGE_PORT"] = str(served.free_ports())
    check = [f"{wheel}/tidegauge/apache/httpd-foreground", "-t"]
    done = subprocess.run(["bash", *check], env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "Syntax OK\n")
