import json
import subprocess
import sys
from pathlib import Path

import pytest
from served import ROOT

from app import create_app
from tidegauge.dashboards.definition import Dashboard
from tidegauge.dashboards.loader import load_dashboards
from tidegauge.dashboards.themes import COLOURS, themes
from tidegauge.settings import Settings

GOOD = """
from bokeh.plotting import figure
from tidegauge import dashboard, live, sampler

@sampler("{series}", every_s=2)
def value():
    return 1

@dashboard(title="{title}")
def draw():
    "What it shows."
    plot = figure()
    source = live("{series}")
    plot.line("t", "v", source=source)
    plot.scatter("t", "v", source=source)
    plot.step("t", "v", source=live("{series}"))
    plot.vbar("t", top="v", width=1, source=live("{series}.bars"))
    plot.varea("t", y1=0, y2="v", source=live("{series}.area"))
    return plot
"""


def load(*folders: Path) -> dict[str, Dashboard]:
    return load_dashboards(folders, themes(), window=500)


def write(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def test_a_file_becomes_a_dashboard_with_its_series_samplers_and_a_document_a_theme(tmp_path: Path) -> None:
    write(tmp_path, "orders.py", GOOD.format(series="orders.waiting", title="Orders"))
    one = load(tmp_path)["orders"]
    assert (one.title, one.description, one.problem) == ("Orders", "What it shows.", "")
    assert one.series == ("orders.waiting", "orders.waiting.bars", "orders.waiting.area")  # as they are drawn
    assert [sampler.names for sampler in one.samplers] == [("orders.waiting",)]
    assert one.bokehjs == ("bokeh.min.js",)
    assert sorted(one.documents) == ["dark", "light"]


def test_live_sources_know_their_size(tmp_path: Path) -> None:
    write(tmp_path, "orders.py", GOOD.format(series="s", title="Orders"))
    document = load(tmp_path)["orders"].documents["light"].decode()
    assert document.count('"tidegauge.dashboards.source.LiveSource"') == 4
    assert document.count('"max_size":500') == 4


def test_keys_of_a_document_keep_their_order_so_that_definitions_precede_references(tmp_path: Path) -> None:
    write(tmp_path, "orders.py", GOOD.format(series="s", title="Orders"))
    item = json.loads(load(tmp_path)["orders"].documents["light"])
    assert list(item["doc"]) != sorted(item["doc"])


def test_the_files_of_widgets_and_tables_are_loaded_where_they_are_needed(tmp_path: Path) -> None:
    write(
        tmp_path,
        "table.py",
        "from bokeh.models import DataTable, TableColumn\n"
        "from tidegauge import dashboard, live\n"
        "@dashboard(title='T')\n"
        "def draw():\n    return DataTable(source=live('a'), columns=[TableColumn(field='v')])\n",
    )
    assert load(tmp_path)["table"].bokehjs == ("bokeh.min.js", "bokeh-widgets.min.js", "bokeh-tables.min.js")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("import nothing_of_that_name", "line 1: ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("x = 1\nx +", "line 2: SyntaxError"),
        ("x = 1", "a dashboard file has one function marked @dashboard(title=...), this one has 0"),
        ("raise SystemExit(1)", "it ends the process"),
        ("open('/etc/tidegauge/secret')", "line 1: FileNotFoundError: [Errno 2] No such file or directory: 'secret'"),
        (
            "from tidegauge import dashboard\n@dashboard(title='x')\ndef draw():\n    return 5\n",
            "TypeError: draw() returned int, expected a Bokeh figure or layout",
        ),
        (
            "from tidegauge import dashboard\n@dashboard(title='x')\ndef draw():\n    1 / 0\n",
            "line 4: ZeroDivisionError: division by zero",
        ),
        (
            "from tidegauge import sampler\n@sampler('a', every_s=0)\ndef s(): ...\n",
            "every_s must be at least 0.1",
        ),
        ("from tidegauge import sampler\n@sampler\ndef s(): ...\n", "TypeError"),
    ],
)
def test_a_broken_file_is_one_dashboard_with_its_problem_and_breaks_no_other(
    tmp_path: Path, text: str, problem: str
) -> None:
    write(tmp_path, "broken.py", text)
    write(tmp_path, "good.py", GOOD.format(series="s", title="Good"))
    found = load(tmp_path)
    assert problem in found["broken"].problem
    assert found["broken"].samplers == ()
    assert found["good"].problem == ""


def test_a_name_that_is_no_url_a_subfolder_and_a_clash_are_refused_by_name(tmp_path: Path) -> None:
    text = GOOD.format(series="s", title="One")
    write(tmp_path / "one", "orders.py", text)
    write(tmp_path / "one", "My Orders.py", text)
    write(tmp_path / "one/more", "deep.py", text)
    write(tmp_path / "two", "orders.py", text)
    problems = {one.title: one.problem for one in load(tmp_path / "one", tmp_path / "two").values()}
    assert problems["One"] == ""
    assert "becomes a URL" in problems["My Orders.py"]
    assert "is a folder" in problems["more"]
    assert "is taken by a file of the same name in another folder" in problems["orders.py"]


def test_what_has_no_url_takes_no_name_from_a_dashboard_that_has_one(tmp_path: Path) -> None:
    write(tmp_path, "my-orders.py", GOOD.format(series="s", title="Mine"))
    write(tmp_path, "My Orders.py", "x = 1")
    write(tmp_path, "orders.py", GOOD.format(series="o", title="Orders"))
    write(tmp_path / "orders", "deep.py", "x = 1")
    found = load(tmp_path)
    assert (found["my-orders"].problem, found["orders"].problem) == ("", "")
    assert sorted(one.title for one in found.values() if one.problem) == ["My Orders.py", "orders"]


def test_two_samplers_of_one_series_clash(tmp_path: Path) -> None:
    write(tmp_path, "one.py", GOOD.format(series="s", title="One"))
    write(tmp_path, "two.py", GOOD.format(series="s", title="Two"))
    found = load(tmp_path)
    assert found["one"].problem == ""
    assert found["two"].problem == "its sampler of 's' clashes with the one in one.py"
    assert found["two"].samplers == ()


@pytest.mark.parametrize(
    "text",
    [
        "@dashboard(title=5)\ndef page(): pass",
        "@sampler('a', every_s=1)\ndef a(): pass\n"
        "@sampler('a', every_s=2)\ndef b(): pass\n@dashboard(title='x')\ndef page(): return figure()",
    ],
)
def test_what_only_shows_when_it_is_used_is_a_problem_of_its_file_too(tmp_path: Path, text: str) -> None:
    head = "from bokeh.plotting import figure\nfrom tidegauge import dashboard, sampler\n"
    write(tmp_path, "broken.py", head + text)
    write(tmp_path, "good.py", GOOD.format(series="s", title="Good"))
    found = load(tmp_path)
    assert found["broken"].problem
    assert found["good"].problem == ""


def test_files_and_folders_that_begin_with_an_underscore_are_the_users_own_modules(tmp_path: Path) -> None:
    write(tmp_path, "_shop_of_this_test.py", "TITLE = 'Shop'")
    text = "from _shop_of_this_test import TITLE\n" + GOOD.format(series="s", title="x")
    write(tmp_path, "orders.py", text.replace('title="x"', "title=TITLE"))
    found = load(tmp_path)
    assert [(one.name, one.title) for one in found.values()] == [("orders", "Shop")]


def test_the_shipped_dashboards_are_well(tmp_path: Path) -> None:
    app = create_app(Settings(run=str(tmp_path), journal="memory"))
    with app.app_context():
        found = load(Path(app.root_path) / "dashboards")
    assert {name: one.problem for name, one in found.items()} == {"exponential": "", "server": ""}


def test_documents_are_the_same_bytes_in_the_next_process_or_open_pages_would_reload() -> None:
    code = """
import hashlib
from pathlib import Path
from app import create_app
from tidegauge.dashboards.loader import load_dashboards
from tidegauge.dashboards.themes import themes

app = create_app()
with app.app_context():
    found = load_dashboards([Path(app.root_path, "dashboards")], themes(), window=9)
print([hashlib.md5(b"".join(one.documents.values())).hexdigest() for one in found.values()])
"""
    runs = {subprocess.check_output([sys.executable, "-c", code], cwd=ROOT) for _ in range(2)}
    assert len(runs) == 1


def test_a_file_of_the_first_edition_says_what_to_write(tmp_path: Path) -> None:
    write(tmp_path, "old.py", "from app.dashboards import dashboard, live, sampler\n")
    assert load(tmp_path)["old"].problem == (
        "line 1: app.dashboards is now tidegauge: write `from tidegauge import dashboard, live, sampler`"
    )


def test_glyphs_without_a_colour_get_the_themes_one_a_source_and_others_keep_theirs(tmp_path: Path) -> None:
    write(
        tmp_path,
        "mine.py",
        "from bokeh.plotting import figure\nfrom tidegauge import dashboard, live\n"
        "@dashboard(title='Mine')\ndef page():\n    plot = figure()\n    first = live('a')\n"
        "    plot.line('t', 'v', source=first)\n    plot.scatter('t', 'v', source=first)\n"
        "    plot.line('t', 'v', source=live('b'))\n    plot.line('t', 'v', source=live('c'), color='red')\n"
        "    return plot\n",
    )
    for theme, document in load(tmp_path)["mine"].documents.items():
        text = document.decode()
        assert "#1f77b4" not in text
        first, second, third = COLOURS[theme][:3]
        assert (first in text, second in text, third in text, '"red"' in text) == (True, True, False, True)


@pytest.mark.parametrize(("theme", "paper"), [("light", "#ffffff"), ("dark", "#171c22")])
def test_each_colour_stands_out_from_its_ground(theme: str, paper: str) -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    for colour in COLOURS[theme]:
        dark, light = sorted([luminance(colour), luminance(paper)])
        assert (light + 0.05) / (dark + 0.05) >= 3, colour
