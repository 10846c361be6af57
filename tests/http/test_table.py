"""The numbers of a dashboard without JavaScript."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app import create_app
from tidegauge.server.current import KEY
from tidegauge.server.owner import Owner
from tidegauge.settings import Settings

FILE = """
from bokeh.plotting import figure
from tidegauge import dashboard, live

@dashboard(title="Rooms <1>")
def page():
    plot = figure()
    plot.line("t", "v", source=live("room.*", unit="°C", description="How warm it is.", warn=25, bad=30))
    plot.line("t", "v", source=live("door <b>"))
    plot.line("t", "v", source=live("bytes", rate_s=1, unit="B/s", bad=1))
    return plot
"""
DAY_MS = 86_400_000


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Owner]:
    (tmp_path / "rooms.py").write_text(FILE)
    app = create_app(Settings(run=str(tmp_path / "run"), dashboards=str(tmp_path), journal="memory"))
    owner: Owner = app.extensions[KEY]
    owner.start()
    owner.client = app.test_client()  # type: ignore[attr-defined]
    yield owner
    owner.stop()


def table(owner: Owner, query: str = "") -> str:
    client: FlaskClient = owner.client  # type: ignore[attr-defined]
    answer = client.get(f"/dashboard/rooms/table/{query}")
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert ("Refresh" in answer.headers) == (query == "?refresh")
    return answer.text


def rows(text: str) -> list[list[str]]:
    """The cells of every row, as text with its entities."""
    found = re.findall(r"<tr>(.*?)</tr>", text, re.DOTALL)
    return [
        [re.sub(r"<[^>]*>", "", cell).strip() for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)]
        for row in found
    ]


def test_every_series_has_its_newest_value_with_its_time_unit_and_verdict_in_the_order_of_the_page(
    owner: Owner,
) -> None:
    owner.hub.append(
        [
            ("room.b", DAY_MS, 31.25),
            ("room.a", DAY_MS, 20),
            ("bytes", 0, 0),
            ("bytes", DAY_MS, 86_400),
            ("room.a", 0, 26),
        ]
    )
    assert rows(table(owner))[:5] == [
        ["Series", "Time, UTC", "Newest value"],
        ["room.a", "1970-01-02 00:00:00", "20 °C"],
        ["room.b", "1970-01-02 00:00:00", "bad 31.25 °C"],
        ["door &lt;b&gt;", "", "no sample yet"],
        ["bytes", "1970-01-02 00:00:00", "bad 1 B/s"],
    ]


def test_the_newest_samples_of_a_series_are_listed_newest_first_with_gaps(owner: Owner) -> None:
    owner.hub.append([("door <b>", n * 1000, None if n == 49 else n / 3) for n in range(50)])
    listed = [row for row in rows(table(owner)) if len(row) == 2]
    assert listed[:3] == [
        ["Time, UTC", "Value"],
        ["1970-01-01 00:00:49", "no value"],
        ["1970-01-01 00:00:48", "16"],
    ]
    assert listed[3] == ["1970-01-01 00:00:47", "15.6667"]
    assert len(listed) == 21


def test_it_loads_itself_anew_only_for_who_wants_that(owner: Owner) -> None:
    assert 'href="?refresh"' in table(owner)
    assert 'href="./"' in table(owner, "?refresh")


def test_a_page_leads_to_it_where_there_is_no_javascript(owner: Owner) -> None:
    client: FlaskClient = owner.client  # type: ignore[attr-defined]
    noscript = re.findall(r"<noscript>.*?</noscript>", client.get("/dashboard/rooms/").text)[0]
    assert 'href="../../dashboard/rooms/table/"' in noscript


def test_a_dashboard_without_series_says_so(owner: Owner) -> None:
    client: FlaskClient = owner.client  # type: ignore[attr-defined]
    assert "This dashboard draws no series." in client.get("/dashboard/exponential/table/").text


@pytest.mark.parametrize("time", [-(2**52), 2**52])
def test_a_time_that_no_calendar_has_is_shown_as_it_is(owner: Owner, time: int) -> None:
    owner.hub.append([("door <b>", time, 1.0)])
    assert f"{time} ms" in table(owner)
