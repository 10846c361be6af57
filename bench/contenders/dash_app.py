"""A Dash application: a graph, and a dcc.Interval whose callback appends a point; at /twelve/ there are twelve."""

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
        line = {"x": list(range(points)), "y": [random() for _ in range(points)], "mode": "lines"}  # noqa: S311
        return dcc.Graph(id=name, figure={"data": [line], "layout": {"height": 300}})

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
_add("/twelve/", 12, 1000, 100, lambda: (next(x) + 1000, random()))  # noqa: S311
