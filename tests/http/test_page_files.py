import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from tidegauge.server.current import KEY
from tidegauge.server.owner import Owner
from tidegauge.settings import Settings

SAMPLED = """
from pathlib import Path
from bokeh.plotting import figure
from tidegauge import dashboard, live, sampler
@sampler("till", every_s=0.1)
def till():
    return float(Path({file!r}).read_text())
@dashboard(title="Till")
def shown():
    plot = figure()
    plot.line("t", "v", source=live("till"))
    return plot
"""
TABLE = """
from bokeh.models import DataTable, TableColumn
from tidegauge import dashboard, live
@dashboard(title="Table")
def shown():
    return DataTable(source=live("till"), columns=[TableColumn(field="v")])
"""


@pytest.fixture
def till(tmp_path: Path) -> Path:
    """What the sampler reads: it fails while this is no number."""
    file = tmp_path / "till"
    file.write_text("1")
    return file


@pytest.fixture
def opened(tmp_path: Path, till: Path) -> Flask:
    folder = tmp_path / "dashboards"
    folder.mkdir()
    (folder / "till.py").write_text(SAMPLED.format(file=str(till)))
    (folder / "table.py").write_text(TABLE)
    (folder / "broken.py").write_text("import nothing_of_that_name")
    run = tmp_path / "run"
    return create_app(Settings(run=str(run), dashboards=str(folder), journal="memory", publish_ms=50))


def names(owner: Owner) -> list[str]:
    return sorted(file.name for file in owner.run_folder.pages.glob("*.html"))


def test_pages_are_kept_while_they_are_the_same_for_all(
    opened: Flask, till: Path, eventually: Callable[..., None]
) -> None:
    owner: Owner = opened.extensions[KEY]
    owner.run_folder.pages.mkdir(parents=True)
    (owner.run_folder.pages / "gone.html").write_text("of another life")
    opened.extensions["tidegauge"].start()
    try:
        eventually(lambda: names(owner) == [".html", "server.html", "till.html"])  # not the broken one, nor the table
        till.write_text("no number")
        eventually(lambda: names(owner) == [".html", "server.html"])
        assert "is in trouble" in opened.test_client().get("/dashboard/till/").text
        till.write_text("2")
        eventually(lambda: "till.html" in names(owner))
    finally:
        opened.extensions["tidegauge"].stop()


def test_all_kept_pages_have_the_nonce_of_the_one_policy(opened: Flask, eventually: Callable[..., None]) -> None:
    owner: Owner = opened.extensions[KEY]
    opened.extensions["tidegauge"].start()
    try:
        eventually(lambda: len(names(owner)) == 3)
    finally:
        opened.extensions["tidegauge"].stop()
    [nonce] = re.findall(r"'nonce-([^']+)'", (owner.run_folder.pages / "policy").read_text())
    for name in names(owner):
        assert re.findall(r'nonce="([^"]+)"', (owner.run_folder.pages / name).read_text()) == [nonce]
