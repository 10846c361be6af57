"""What is left out of BokehJS's painting changes nothing of what is drawn."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import served
from served import Served

Open = Callable[..., Any]
STYLED = """
from bokeh.models import InlineStyleSheet
from bokeh.plotting import figure

from tidegauge import dashboard, live


@dashboard(title="Styled")
def styled():
    sheet = InlineStyleSheet(css=":host { --bk-axis-line-color: rgb(255, 0, 0); }")
    plot = figure(title="Styled", x_axis_type="datetime", height=200, sizing_mode="stretch_width")
    plot.xaxis.stylesheets = [sheet]
    plot.line("t", "v", source=live("styled"))
    return plot
"""
# How often a plot is painted, and how often the room of each of its axes is worked out meanwhile.
MEASURED = """async () => {
    const {AxisView} = Bokeh.require("models/axes/axis");
    const {PlotView} = Bokeh.require("models/plots/plot_canvas");
    const count = new Map();
    let paints = 0;
    const {_tick_extent: measure} = AxisView.prototype;
    const {_actual_paint: paint} = PlotView.prototype;
    AxisView.prototype._tick_extent = function () {
        count.set(this, (count.get(this) ?? 0) + 1);
        return measure.call(this);
    };
    PlotView.prototype._actual_paint = function (...given) {
        paints += 1;
        return paint.apply(this, given);
    };
    const [{data_source: source}] = Bokeh.documents[0].roots()[0].renderers;
    source.stream({t: [source.data.t.at(-1) + 60_000], v: [1.5]});
    await new Promise((done) => setTimeout(done, 500));
    Object.assign(AxisView.prototype, {_tick_extent: measure});
    Object.assign(PlotView.prototype, {_actual_paint: paint});
    return [paints, ...count.values()];
}"""
COLOR = """() => {
    const {AxisView} = Bokeh.require("models/axes/axis");
    let found = null;
    const own = AxisView.prototype._draw_rule;
    return new Promise((done) => {
        AxisView.prototype._draw_rule = function (ctx, extents) {
            if (this.dimension === 0) done(this.visuals.axis_line.get_line_color());
            own.call(this, ctx, extents);
        };
        Bokeh.documents[0].roots()[0].change.emit();
        const [{data_source: source}] = Bokeh.documents[0].roots()[0].renderers;
        source.change.emit();
    });
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("dashboards")
    (folder / "styled.py").write_text(STYLED)
    one = served.start(TIDEGAUGE_DASHBOARDS=str(folder))
    one.push({"name": "styled", "value": 1}, {"name": "styled", "value": 2})
    yield one
    served.stop(one)


def test_a_style_sheet_of_a_dashboard_counts(open_tab: Open) -> None:
    tab = open_tab("dashboard/styled/")
    assert tab.page.evaluate(COLOR) == "rgb(255, 0, 0)"


def test_the_room_of_an_axis_is_worked_out_once_a_paint(open_tab: Open) -> None:
    tab = open_tab("dashboard/styled/")
    tab.until(lambda: len(tab.points("styled")) == 2)
    tab.page.wait_for_timeout(500)
    paints, *axes = tab.page.evaluate(MEASURED)
    assert paints >= 1
    assert axes == [paints, paints]


def test_a_sheet_is_not_written_again(open_tab: Open) -> None:
    tab = open_tab("dashboard/styled/")
    script = """() => {
        const {InlineStyleSheet} = Bokeh.require("core/dom");
        const sheet = new InlineStyleSheet("a { color: red }");
        const {firstChild} = sheet.el;
        sheet.replace("a { color: red }");
        const isKept = sheet.el.firstChild === firstChild;
        sheet.replace("a { color: blue }");
        return [isKept, sheet.css];
    }"""
    assert tab.page.evaluate(script) == [True, "a { color: blue }"]
