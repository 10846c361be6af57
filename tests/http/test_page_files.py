import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from app.house import House
from app.page_files import PageFiles
from app.settings import Settings

SAMPLED = """
from pathlib import Path
from bokeh.plotting import figure
from app.dashboards import dashboard, live, sampler
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
from app.dashboards import dashboard, live
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


def names(house: House) -> list[str]:
    return sorted(file.name for file in house.pages.glob("*.html"))


def test_pages_are_kept_while_they_are_the_same_for_all(
    opened: Flask, till: Path, eventually: Callable[..., None]
) -> None:
    house: House = opened.extensions["house"]
    house.pages.mkdir(parents=True)
    (house.pages / "gone.html").write_text("of another life")
    house.publish_pages = PageFiles(opened).publish
    house.start()
    try:
        eventually(lambda: names(house) == [".html", "server.html", "till.html"])  # not the broken one, nor the table
        till.write_text("no number")
        eventually(lambda: names(house) == [".html", "server.html"])
        assert "is in trouble" in opened.test_client().get("/dashboard/till/").text
        till.write_text("2")
        eventually(lambda: "till.html" in names(house))
    finally:
        house.stop()


def test_all_kept_pages_have_the_nonce_of_the_one_policy(opened: Flask, eventually: Callable[..., None]) -> None:
    house: House = opened.extensions["house"]
    house.publish_pages = PageFiles(opened).publish
    house.start()
    try:
        eventually(lambda: len(names(house)) == 3)
    finally:
        house.stop()
    [nonce] = re.findall(r"'nonce-([^']+)'", (house.pages / "policy").read_text())
    for name in names(house):
        assert re.findall(r'nonce="([^"]+)"', (house.pages / name).read_text()) == [nonce]
