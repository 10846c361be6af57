"""Explore: feeds of any series, history, and the file that draws the same."""

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bokeh.model import Model
from flask.testing import FlaskClient

from tidegauge.dashboards.definition import Dashboard
from tidegauge.dashboards.instant import as_file, draw
from tidegauge.dashboards.loader import load_dashboards
from tidegauge.dashboards.themes import house_style, themes
from tidegauge.dashboards.view import View
from tidegauge.server.owner import Owner
from tidegauge.web.explore import GLYPHS

NOW = 1_795_000_000_000


@pytest.fixture
def filled(client: FlaskClient, owner: Owner) -> FlaskClient:
    owner.hub.append([(f"net{{if={name}}}", NOW + n * 1000, float(n * 10)) for n in range(50) for name in ("a", "b")])
    return client


def ask(client: FlaskClient, query: str) -> dict[str, Any]:
    answer = client.get(f"/api/feed?{query}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = json.loads(answer.data)
    return body


def names(body: dict[str, Any]) -> list[str]:
    return [one["name"] for one in body["series"]]


def test_a_feed_of_any_series_is_as_a_dashboards(filled: FlaskClient, owner: Owner) -> None:
    window = ask(filled, "series=net{if=a}")
    assert names(window) == ["net{if=a}"]
    assert window["series"][0]["v"] == [n * 10.0 for n in range(50)]
    cursor = window["to"]
    owner.hub.append([("net{if=a}", NOW + 60_000, 7.0)])
    tail = ask(filled, f"series=net{{if=a}}&since={cursor}")
    assert (tail["epoch"], tail["from"]) == (window["epoch"], cursor)
    assert (tail["to"], tail["series"][0]["v"]) == (tail["series"][0]["seq"][-1], [7.0])


def test_a_pattern_names_every_series_that_matches(filled: FlaskClient) -> None:
    assert names(ask(filled, "series=net{if=*}")) == ["net{if=a}", "net{if=b}"]


def test_a_series_that_is_not_there_yet_has_no_samples(filled: FlaskClient) -> None:
    assert ask(filled, "series=later")["series"] == [{"name": "later", "from": 0, "t": [], "v": []}]


def test_history_is_thinned_and_keeps_its_peak(client: FlaskClient, owner: Owner) -> None:
    batch = [("load", NOW + n * 100, 1.0) for n in range(20_000)]
    batch[7777] = ("load", NOW + 777_700, 99.0)
    appended = owner.hub.append(batch).seq
    history = ask(client, f"series=load&from={NOW}&to={NOW + 2_000_000}&columns=100")
    [one] = history["series"]
    assert len(one["t"]) <= 400
    assert 99.0 in one["v"]
    assert appended <= history["to"] <= owner.hub.windows.newest  # samplers go on meanwhile


def test_history_of_a_dashboard_has_its_rates(filled: FlaskClient) -> None:
    history = ask(filled, f"series=net{{if=a}}&rate_s=1&from={NOW}&to={NOW + 60_000}")
    assert history["series"][0]["rate_s"] == 1
    assert set(history["series"][0]["v"]) == {10.0}
    assert names(ask(filled, "dashboard=server&span_s=60"))


def test_a_gap_is_null_in_history(client: FlaskClient, owner: Owner) -> None:
    owner.hub.append([("gap", NOW, 1.0), ("gap", NOW + 1, None), ("gap", NOW + 2, 2.0)])
    assert ask(client, f"series=gap&from={NOW}&to={NOW + 10}")["series"][0]["v"] == [1.0, None, 2.0]


@pytest.mark.parametrize(
    ("query", "status", "what"),
    [
        ("series=a&from=5&to=5", 400, "from, to"),
        ("series=a&from=5", 400, "from, to"),
        ("series=a&from=soon&to=5", 400, "from"),
        ("series=a&span_s=0", 400, "span_s"),
        ("series=a&span_s=67019770825551432", 400, "span_s"),
        ("series=a&since=x", 400, "cursor"),
        ("&".join(f"series=s{n}" for n in range(101)), 400, "101 series"),
        ("dashboard=nobody", 404, "nobody"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_with_its_name(
    untouched: FlaskClient, query: str, status: int, what: str
) -> None:
    answer = untouched.get(f"/api/feed?{query}")
    assert answer.status_code == status
    assert what in answer.json["detail"]  # type: ignore[index]


def test_a_span_may_be_longer_than_time_is(filled: FlaskClient) -> None:
    assert names(ask(filled, f"series=net{{if=*}}&span_s={2**53 - 1}")) == ["net{if=a}", "net{if=b}"]


def test_a_large_answer_is_compressed_for_who_takes_it(filled: FlaskClient) -> None:
    answer = filled.get("/api/feed?series=net{if=*}", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert names(json.loads(gzip.decompress(answer.data))) == ["net{if=a}", "net{if=b}"]


def drawn(model: Model) -> list[str]:
    """What a model is made of, without its ids."""
    for one in house_style(model):
        one.apply("light")
    return sorted(
        str(sorted((k, v) for k, v in one.properties_with_values(include_defaults=False).items() if not _refers(v)))
        for one in model.references()
    )


def _refers(value: object) -> bool:
    return isinstance(value, Model | list | tuple | dict)


@pytest.mark.parametrize("glyph", GLYPHS)
@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("rate", [True, False])
def test_the_dashboard_file_draws_exactly_what_explore_does(
    tmp_path: Path, glyph: str, together: bool, rate: bool
) -> None:
    wanted = ['it\'s a "name" \\ {x=*}', "b", "Größe"]
    code = as_file(wanted, glyph, together=together, rate=rate)
    scope: dict[str, Any] = {}
    exec(compile(code, "explored.py", "exec"), scope)  # noqa: S102 - the file, as a server would import it
    assert drawn(scope["page"]()) == drawn(draw(wanted, glyph, together=together, rate=rate))
    (tmp_path / "explored.py").write_text(code, "utf-8")
    [dashboard] = load_dashboards([tmp_path], themes(), window=100).values()
    assert (dashboard.problem, {one.series for one in dashboard.views}) == ("", set(wanted))


def test_the_page_has_the_names_as_text_and_the_file_to_copy(untouched: FlaskClient) -> None:
    page = untouched.get("/explore/", query_string={"series": ["<b>", "process.cpu"], "glyph": "step"}).text
    assert "<b>" not in page.replace("<body", "")
    assert "plot.step(" in page
    assert "This series has no sample yet: &lt;b&gt;." in page


def test_a_glyph_that_is_none_is_refused(untouched: FlaskClient) -> None:
    answer = untouched.get("/explore/?glyph=pie&series=a")
    assert (answer.status_code, "glyph='pie'" in answer.json["detail"]) == (400, True)  # type: ignore[index]


def test_a_dashboard_has_the_history_of_all_that_it_draws(
    client: FlaskClient, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    views = tuple(View(f"pump{{n={n}}}") for n in range(150))
    dashboards = {**owner.site.dashboards, "pumps": Dashboard("pumps", "Pumps", views=views)}
    monkeypatch.setattr(owner, "_site", replace(owner.site, dashboards=dashboards))
    assert len(names(ask(client, f"dashboard=pumps&from={NOW}&to={NOW + 1000}"))) == 150
    assert client.get("/api/feed?" + "&".join(f"series=pump{n}" for n in range(150))).status_code == 400
