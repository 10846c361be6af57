"""What all tests share: marks by folder, what to do without a tool, and an open owner."""

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_SH, LOCK_UN, flock
from pathlib import Path
from shutil import rmtree, which
from tempfile import mkdtemp
from time import monotonic, sleep

import certificate
import hypothesis
import pytest
import served
from bokeh.themes import Theme
from certificate import Certificate
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from tidegauge import Tidegauge
from tidegauge.dashboards import loader
from tidegauge.server.current import KEY
from tidegauge.server.owner import Owner
from tidegauge.settings import Settings

HERE = Path(__file__).parent
# `make check` takes few examples, the same ones each time; `make test` takes others each time.
hypothesis.settings.register_profile("full", deadline=None)
hypothesis.settings.register_profile("quick", deadline=None, max_examples=12, stateful_step_count=15, derandomize=True)
hypothesis.settings.load_profile("full")
LONGEST = ("container", "torture", "bench")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test by its folder, for `pytest -m unit`, and by which others the same process has to run.

    Those of a file share servers, those of the container images; a scenario of torture shares nothing. What takes
    longest begins first, and last what wants quiet.
    """
    for item in items:
        folder = item.path.relative_to(HERE).parts[0]
        item.add_marker(folder)
        together = {"container": folder, "torture": item.nodeid}.get(folder, str(item.path))
        item.add_marker(pytest.mark.xdist_group("quiet" if item.get_closest_marker("quiet") else together))
    items.sort(key=lambda item: any(item.get_closest_marker(folder) for folder in LONGEST), reverse=True)
    items.sort(key=lambda item: item.get_closest_marker("quiet") is not None)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run a test that is marked `quiet`, as it is about time, while no other process runs one."""
    with served.LOCK.with_suffix(".turn").open("w") as turn, served.LOCK.with_suffix(".test").open("w") as test:
        flock(turn, LOCK_EX)  # who wants quiet waits for those who run, and lets nobody else begin
        flock(test, LOCK_EX if item.get_closest_marker("quiet") else LOCK_SH)
        flock(turn, LOCK_UN)
        return (yield)


@pytest.fixture(scope="session")
def require() -> Callable[[bool, str], None]:
    """Skip the test when the condition does not hold, with the reason; fail it where CI=true."""

    def check(condition: bool, reason: str) -> None:
        if condition:
            return
        if os.environ.get("CI") == "true":
            pytest.fail(f"in CI nothing is skipped: {reason}")
        pytest.skip(reason)

    return check


@pytest.fixture(scope="session")
def eventually() -> Callable[..., None]:
    """Wait until a condition holds, at most *within_s* seconds."""

    def wait(condition: Callable[[], object], within_s: float = 30.0) -> None:
        deadline = monotonic() + within_s
        while not condition():
            assert monotonic() < deadline, f"did not come true within {within_s} s"
            sleep(0.02)

    return wait


def _settings(folder: Path) -> Settings:
    return Settings(
        run=str(folder / "run"),
        publish_ms=50,
        journal=str(folder / "data" / "journal.sqlite"),
        push_token=served.TOKENS,
        max_series=30,
    )


@pytest.fixture(scope="session", autouse=True)
def _shipped_dashboards_are_drawn_once() -> Iterator[None]:
    """Keep what Bokeh has made of the shipped dashboards: two thirds of a start, and the same at each.

    Their modules are imported anew by each application, as their samplers are its own.
    """
    shipped = {str(path) for path in (served.ROOT / "app/dashboards").glob("*.py")}
    kept: dict[tuple[object, ...], loader.Drawing] = {}
    draw = loader.draw

    def draw_once(function: Callable[[], object], themes: dict[str, Theme], window: int) -> loader.Drawing:
        code = function.__code__
        if code.co_filename not in shipped:
            return draw(function, themes, window)
        absent = function.__globals__.get("ABSENT", {})  # what this server cannot measure, so does not draw
        key = (code.co_filename, *themes, *absent, window)
        if key not in kept:
            kept[key] = draw(function, themes, window)
        return kept[key]

    loader.draw = draw_once
    yield
    loader.draw = draw


@contextmanager
def _opened(settings: Settings) -> Iterator[Flask]:
    app = create_app(settings)
    tidegauge: Tidegauge = app.extensions["tidegauge"]
    tidegauge.start()
    assert tidegauge.owner.site  # waits for it
    yield app
    tidegauge.stop()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return _settings(tmp_path)


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """The application with its owner open, as the development server has it."""
    with _opened(settings) as app:
        yield app


@pytest.fixture(scope="session")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """A client of one owner for all tests that change nothing: half a second saved for each of them."""
    with _opened(_settings(tmp_path_factory.mktemp("untouched"))) as app:
        yield app.test_client()


@pytest.fixture
def owner(app: Flask) -> Owner:
    opened: Owner = app.extensions[KEY]
    return opened


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture(scope="session")
def server() -> Iterator[served.Served]:
    """A real Apache with mod_wsgi, on this host, by the host way's own commands."""
    one = served.start()
    yield one
    served.stop(one)


@pytest.fixture(scope="session")
def pem(require: Callable[[bool, str], None]) -> Iterator[Certificate]:
    """A certificate where Tidegauge's user can read it."""
    require(which("openssl") is not None, "needs openssl: apt-get install openssl")
    folder = Path(mkdtemp(dir="/dev/shm"))  # pytest's own folder is for root's eyes alone
    folder.chmod(0o755)
    yield certificate.make(folder)
    rmtree(folder)


@pytest.fixture(scope="session")
def lenient(pem: Certificate) -> Path:
    """A configuration of OpenSSL that takes everything, for OPENSSL_CONF."""
    conf = pem.key.with_name("lenient.cnf")
    conf.write_text(certificate.LENIENT)
    return conf


@pytest.fixture(scope="session")
def secure(
    server: served.Served,  # noqa: ARG001 -- the first installs packages, by an OpenSSL as it is
    pem: Certificate,
    lenient: Path,
) -> Iterator[served.Served]:
    """A real Apache that speaks HTTPS, with a certificate of the tests' own, under a lenient OpenSSL."""
    wiki = {"TIDEGAUGE_EMBED_ORIGINS": "https://wiki.example.org"}
    one = served.start(OPENSSL_CONF=str(lenient), **pem.settings, **wiki)
    yield one
    served.stop(one)
