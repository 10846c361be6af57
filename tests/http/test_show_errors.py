"""Who sees why a dashboard file or a sampler fails."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app import create_app
from tidegauge.server.current import KEY
from tidegauge.server.owner import Owner
from tidegauge.settings import Settings

FILES = {
    "_till.py": "def total():\n    return 1 / 0\n",
    "broken.py": "import _till\nfrom tidegauge import dashboard\n\n\n"
    "@dashboard(title='Broken')\ndef page():\n    return _till.total()\n",
    "syntax.py": "x = 1\ny = = <b>\n",
    "sampled.py": "from bokeh.plotting import figure\nfrom tidegauge import dashboard, live, sampler\n\n\n"
    "@sampler('till', every_s=0.1)\ndef till():\n    raise OSError('password=1234')\n\n\n"
    "@dashboard(title='Sampled')\ndef page():\n    plot = figure()\n"
    "    plot.line('t', 'v', source=live('till'))\n    return plot\n",
}
HTML = {"Accept": "text/html"}
Ask = Callable[[str], str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mine")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture(params=["loopback", "everyone", "nobody"])
def owner(
    request: pytest.FixtureRequest, tmp_path: Path, folder: Path, eventually: Callable[..., None]
) -> Iterator[Owner]:
    settings = Settings(run=str(tmp_path), dashboards=str(folder), journal="memory", show_errors=request.param)
    app = create_app(settings)
    owner: Owner = app.extensions[KEY]
    owner.start()
    eventually(lambda: any(state.problem for state in owner.site.samplers.states))
    owner.client = app.test_client()  # type: ignore[attr-defined]
    yield owner
    owner.stop()


def pages(owner: Owner, address: str, **headers: str) -> dict[str, str]:
    """What is answered where errors are told, by URL."""
    client: FlaskClient = owner.client  # type: ignore[attr-defined]
    urls = ("/", "/dashboard/broken/", "/dashboard/syntax/", "/dashboard/sampled/", "/health")
    environ = {"REMOTE_ADDR": address}
    return {url: client.get(url, environ_overrides=environ, headers=HTML | headers).text for url in urls}


def test_who_may_see_an_error_sees_its_lines_and_no_path_of_the_server(owner: Owner, folder: Path) -> None:
    expected = owner.settings.show_errors
    seen = pages(owner, "127.0.0.1")
    assert ("line 7: ZeroDivisionError: division by zero" in seen["/"]) == (expected != "nobody")
    trace = (
        "broken.py, line 7\n    return _till.total()\n_till.py, line 2\n    return 1 / 0\n"
        "ZeroDivisionError: division by zero"
    )
    assert (trace in seen["/dashboard/broken/"]) == (expected != "nobody")
    assert ("syntax.py, line 2\n    y = = &lt;b&gt;\n" in seen["/dashboard/syntax/"]) == (expected != "nobody")
    for url in ("/dashboard/sampled/", "/health"):
        assert ("password=1234" in seen[url]) == (expected != "nobody"), url
    # The cards' troubles come from a file that is the same for all.
    assert ("password=1234" in seen["/"]) == (expected == "everyone")
    assert [url for url, text in seen.items() if str(folder) in text or "site-packages" in text] == []


@pytest.mark.parametrize(
    ("address", "headers"), [("192.0.2.1", {}), ("172.17.0.1", {}), ("127.0.0.1", {"X-Forwarded-For": "192.0.2.1"})]
)
def test_others_see_a_reference(owner: Owner, address: str, headers: dict[str, str]) -> None:
    shown = owner.settings.show_errors == "everyone"
    seen = pages(owner, address, **headers)
    assert ("docker compose logs | grep e-" in seen["/"]) == (not shown)
    for url, text in seen.items():
        assert bool(re.search("ZeroDivisionError|SyntaxError|password=1234", text)) == shown, url
        assert (re.search(r"reference e-[0-9a-f]{6}", text) is not None) == (not shown), url


def test_the_log_has_the_error_in_the_line_of_the_reference(owner: Owner, caplog: pytest.LogCaptureFixture) -> None:
    wanted = {one.name: one.reference for one in owner.site.dashboards.values() if one.problem}
    wanted |= {"till": next(state.reference for state in owner.site.samplers.states if state.problem)}
    again = create_app(owner.settings.model_copy(update={"run": f"{owner.settings.run}-again"}))
    Path(again.extensions[KEY].settings.run).mkdir()
    again.extensions[KEY].start()
    again.extensions[KEY].stop()
    lines = {name: [line for line in caplog.text.splitlines() if ref in line] for name, ref in wanted.items()}
    assert "line 7: ZeroDivisionError: division by zero" in lines["broken"][-1]
    assert "line 2: SyntaxError" in lines["syntax"][-1]
    assert "OSError: password=1234" in lines["till"][-1]
