"""A Dash application: a graph, and a dcc.Interval whose callback appends a point to it.

At /twelve/100/ there are twelve graphs, and the interval is 100 ms.
"""

from collections.abc import Callable
from itertools import count
from random import random
from typing import Any

from dash import Dash, Input, Output, dcc, html
from flask import Flask

application = Flask(__name__)
x = count(1)


def _add(base: str, graphs: int, points: int, every_ms: int, point: Callable[[], tuple[int, float]]) -> None:
    names = [f"graph-{n}" for n in range(graphs)]

    def graph(name: str) -> dcc.Graph:
        columns = {"x": list(range(points)), "y": [random() for _ in range(points)]}
        line = {**columns, "mode": "lines", "line": {"width": 4}}
        layout = {"height": 300, "margin": {"l": 40, "r": 40, "t": 20, "b": 40}}
        return dcc.Graph(id=name, figure={"data": [line], "layout": layout})

    def append(_: int) -> list[Any]:
        n, value = point()
        return [[{"x": [[n]], "y": [[value]]}, [0], 1000]] * graphs

    app = Dash(__name__, server=application, url_base_pathname=base, title="Dash sample", update_title="")
    interval = dcc.Interval(id="interval", interval=every_ms)
    app.layout = html.Div([html.H1("Dash sample"), *[graph(name) for name in names], interval])
    outputs = [Output(name, "extendData") for name in names]
    app.callback(outputs, Input("interval", "n_intervals"), prevent_initial_call=True)(append)


def _power() -> tuple[int, float]:
    n = next(x)
    return n, 2.0 ** min(n, 1023)


_add("/", 1, 0, 2000, _power)
for every_ms in (100, 500):
    _add(f"/twelve/{every_ms}/", 12, 1000, every_ms, lambda: (next(x) + 1000, random()))
