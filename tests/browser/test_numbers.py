"""The numbers behind the plots: tables, downloads, and names for who cannot see them."""

import csv
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from served import PLOTS

MEMORY = "process.memory"
TITLE = "Python: resident memory"
Open = Callable[..., Any]


def download(tab: Any, button: str) -> bytes:
    with tab.page.expect_download() as coming:
        tab.page.get_by_role("button", name=button, exact=True).press("Enter")
    return Path(coming.value.path()).read_bytes()


def test_a_plots_table_has_its_newest_numbers_in_the_viewers_zone(open_tab: Open) -> None:
    tab = open_tab("dashboard/server/", timezone_id="Asia/Tokyo")
    tab.until(lambda: len(tab.points(MEMORY)) >= 3)
    tab.page.keyboard.press("p")
    points = tab.points(MEMORY)
    summary = tab.page.locator("summary", has_text=TITLE)
    summary.press("Enter")
    rows = tab.page.get_by_role("region", name=f"Numbers of {TITLE}").get_by_role("row")
    assert rows.first.inner_text().split("\t") == ["Time, Asia/Tokyo", "Value"]
    assert rows.count() == 1 + min(50, len(points))
    time, value = rows.nth(1).inner_text().split("\t")
    shown = datetime.fromisoformat(f"{time}+09:00").timestamp()
    assert 0 <= points[-1][0] / 1000 - shown < 1
    assert value.endswith("MiB")
    assert value in summary.inner_text()
    assert tab.complaints == []


def test_a_plots_csv_has_exactly_the_samples_that_it_shows(open_tab: Open) -> None:
    tab = open_tab("dashboard/server/?span=1m")
    tab.until(lambda: len(tab.points(MEMORY)) >= 3)
    tab.page.keyboard.press("p")
    newest = tab.points(MEMORY)[-1][0]
    points = [row for row in tab.points(MEMORY) if row[0] > newest - 59_000]
    rows = list(csv.DictReader(download(tab, f"CSV of {TITLE}").decode().splitlines()))
    assert {row["series"] for row in rows} == {MEMORY}
    times = [round(datetime.fromisoformat(row["time"]).timestamp() * 1000) for row in rows]
    values = [float(row["value"]) if row["value"] else None for row in rows]
    assert newest - 60_000 <= times[0]  # the span ends at the newest sample of all plots, a few ms later
    assert [[time, value] for time, value in zip(times, values, strict=True) if time > newest - 59_000] == points


def test_a_plot_is_saved_as_a_picture(open_tab: Open) -> None:
    assert download(open_tab("dashboard/server/"), f"PNG of {TITLE}").startswith(b"\x89PNG")


def test_a_plot_without_live_source_has_its_columns(open_tab: Open) -> None:
    tab = open_tab("dashboard/")
    rows = download(tab, "CSV of y = 2**x").decode().splitlines()
    assert rows == ["x,y", *(f"{n},{2**n}" for n in range(10))]
    assert tab.complaints == []


def test_each_plot_is_a_picture_with_its_title_and_newest_value(open_tab: Open) -> None:
    tab = open_tab("dashboard/server/", timezone_id="Europe/Berlin")
    picture = tab.page.get_by_role("img", name=TITLE)
    tab.until(lambda: picture.count() == 1)
    assert "MiB at 2" in picture.get_attribute("aria-label")
    assert picture.get_attribute("aria-label").endswith("Europe/Berlin")
    assert tab.page.get_by_role("img").count() == PLOTS


def test_the_axis_moves_in_few_steps_for_who_wants_less_motion(open_tab: Open) -> None:
    tab = open_tab("dashboard/server/?span=5m", reduced_motion="reduce")
    assert tab.page.evaluate("Bokeh.documents[0].roots()[0].children[0].x_range.end") % 60_000 == 0
