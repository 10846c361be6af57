"""The moment under the pointer."""

from collections.abc import Callable
from typing import Any

LINES = """() => Bokeh.documents[0].roots()[0].children.map((plot) =>
    plot.center.filter((one) => one.type === "Span" && one.visible).map((one) => one.location)).flat()"""


def test_the_moment_under_the_pointer_is_marked_in_every_plot_until_it_leaves(
    open_tab: Callable[..., Any], eventually: Callable[..., None]
) -> None:
    tab = open_tab("dashboard/server/?span=5m")
    plots = tab.page.evaluate("Bokeh.documents[0].roots()[0].children.length")
    box = tab.page.locator("#figures canvas").first.bounding_box()
    tab.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def lines() -> list[float]:
        tab.page.wait_for_timeout(50)
        return list(tab.page.evaluate(LINES))

    eventually(lambda: len(lines()) == plots)
    assert len(set(lines())) == 1
    newest = tab.points("process.memory")[-1][0]
    assert newest - 300_000 < lines()[0] < newest
    tab.page.mouse.move(5, 5)
    eventually(lambda: lines() == [])
    assert tab.complaints == []
