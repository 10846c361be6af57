"""What the README says of it: a table and a chart, made from bench/results.json."""

import json
from dataclasses import dataclass
from math import log10
from pathlib import Path

from jinja2 import Template

from bench import report
from bench.report import RESULTS, Table

ROOT = Path(__file__).parent.parent
README, CHART = ROOT / "README.md", ROOT / "docs/bench.svg"
BEGIN, END = "<!-- measured: written by `make bench` -->\n", "<!-- measured -->\n"


@dataclass(frozen=True)
class Row:
    """A line of the README's table: what was measured, and where it stands."""

    says: str
    table: str
    column: str
    others: tuple[str, ...]
    ours: str = "Tidegauge"
    unit: str = ""


GUNICORN, DASH, BOKEH = "tutorial, gunicorn", "Dash, gunicorn", "Bokeh Server"
ROWS = (
    Row("updates a second, 64 connections", "update", "answers", ("nginx, the same file", GUNICORN, DASH)),
    Row(
        "processor time of an update", "update", "processor", ("nginx, the same file", GUNICORN, DASH, BOKEH), unit="µs"
    ),
    Row("dashboards opened a second", "opening", "opened", (GUNICORN, DASH, "Bokeh Server, without its websocket")),
    Row("viewers at a poll every 2 s, p99 below 100 ms", "viewers", "viewers", (GUNICORN, DASH)),
    Row("memory that a viewer adds, in Python", "memory", "Python", (GUNICORN, DASH, BOKEH), unit="kB"),
    Row("in Python and Apache together", "memory", "all processes", (GUNICORN, DASH, BOKEH), unit="kB"),
    Row("script in the browser, an update of 12 plots", "browser", "script", (GUNICORN, DASH), unit="ms"),
    Row(
        "samples a second, batches of 5,000, 8 agents",
        "batches",
        "samples",
        ("InfluxDB, agents: 8", "carbon, in its files, no sync and no answer"),
        ours="Tidegauge, agents: 8",
    ),
    Row(
        "pushes of one sample a second, 16 agents", "singles", "pushes", ("InfluxDB, line protocol",), "Tidegauge, JSON"
    ),
    Row(
        "samples a second through three NATS servers",
        "cluster",
        "batches",
        ("a journal of its own",),
        ours="three NATS servers",
    ),
    Row("1,000 series a second on 20 dashboards, of a core", "publishing", "of a core", (), unit="%"),
    Row("memory of the Python process, at rest", "rest", "resident", (), unit="MB"),
    Row("from its start to ready", "rest", "to ready", (), unit="s"),
)
NAMES = {
    "nginx, the same file": "nginx (a file)",
    GUNICORN: "tutorial on gunicorn",
    DASH: "Dash on gunicorn",
    "Bokeh Server, without its websocket": "Bokeh Server (its page)",
    "InfluxDB, agents: 8": "InfluxDB 1.6",
    "InfluxDB, line protocol": "InfluxDB 1.6",
    "carbon, in its files, no sync and no answer": "carbon (unsynced)",
}
PANELS = (("Updates a second", "update", "answers"), ("Dashboards opened a second", "opening", "opened"))
SVG = Template(
    """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{ width }} {{ height }}"
 font-family="sans-serif" font-size="13">
<title>Updates and dashboards a second, beside other servers (logarithmic)</title>
<rect width="100%" height="100%" fill="#fff"/>
{%- for text in heads %}
<text x="{{ left }}" y="{{ text.y }}" font-weight="bold" fill="#222">{{ text.says }}</text>
{%- endfor %}
{%- for bar in bars %}
<text x="{{ left - 8 }}" y="{{ bar.y + 13 }}" text-anchor="end" fill="#222">{{ bar.name }}</text>
<rect x="{{ left }}" y="{{ bar.y }}" width="{{ bar.width }}" height="18" fill="{{ bar.fill }}"/>
<text x="{{ left + bar.width + 6 }}" y="{{ bar.y + 13 }}" fill="#222">{{ bar.says }}</text>
{%- endfor %}
</svg>
"""
)


def number(value: float) -> str:
    """Return *value* with three digits; what is less than nothing, too, is what cannot be told from it."""
    if value < 0.1:
        return "under 0.1"
    if value >= 100:
        digits = max(0, len(str(int(value))) - 3)
        return f"{round(value, -digits):,.0f}"
    return f"{value:.3g}"


def section(tables: dict[str, Table], machine: dict[str, str]) -> str:
    """Return the table, in Markdown, and what it was measured on."""
    lines = ["| | | beside |", "|---|---|---|"]
    for row in ROWS:
        if row.table not in tables:  # not measured yet
            continue
        table = tables[row.table]
        ours = table.middle(row.ours, row.column)
        others = ((NAMES.get(other, other), table.middle(other, row.column)) for other in row.others)
        beside = ", ".join(f"{name} {number(value)}" for name, value in others if value is not None)
        lines.append(f"| {row.says} | **{number(ours or 0)}**{f' {row.unit}' if row.unit else ''} | {beside} |")
    on = f"{machine['processor']}, {machine['memory']}, {machine['system']}, Python {machine['Python']}"
    how = f"Medians, each line of one run; server and load shared {on}, Bokeh {machine['Bokeh']}."
    return "\n".join([*lines, "", how, ""])


def chart(tables: dict[str, Table]) -> str:
    """Return bars, as SVG; a logarithmic axis that begins at 1."""
    left, scale, y = 260, 90, 10
    heads, bars = [], []
    for says, name, column in PANELS:
        table = tables[name]
        heads.append({"says": f"{says} (logarithmic)", "y": y + 14})
        y += 24
        values = [(table.middle(one, column), one) for one in table.rounds]
        for value, one in sorted(((value, one) for value, one in values if value), reverse=True):
            fill = "#1f77b4" if one == "Tidegauge" else "#b0b7bf"
            width = round(log10(max(value, 1)) * scale)
            bars.append({"name": one, "y": y, "width": width, "says": number(value), "fill": fill})
            y += 24
        y += 12
    drawn: str = SVG.render(heads=heads, bars=bars, left=left, width=left + 5 * scale + 60, height=y)
    return f"{drawn}\n"


def write() -> None:
    """Bring README and chart up to date."""
    tables, machine = report.load(), json.loads(RESULTS.read_text("utf-8"))["machine"]
    text = README.read_text("utf-8")
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    README.write_text(text[:begin] + section(tables, machine) + text[end:], "utf-8")
    CHART.write_text(chart(tables), "utf-8")
