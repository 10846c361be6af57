"""The results: one file, and the table of the documents that is made of it."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from served import ROOT

from torture.harness import Scenario

RESULTS = ROOT / "docs/torture.json"
DOCUMENT = ROOT / "SECURITY.md"
BEGIN, END = "<!-- measured: written by `make torture` -->", "<!-- measured -->"


@dataclass
class Result:
    """How a scenario ended: its row, rounds, seed, how long it took, and what was found."""

    number: int
    rounds: int
    seed: int
    took_s: int
    counted: dict[str, float]
    broken: list[str]


def load() -> dict[str, Result]:
    """Return the rows by the scenarios' names, as they ended last."""
    if not RESULTS.exists():
        return {}
    return {name: Result(**row) for name, row in json.loads(RESULTS.read_text("utf-8")).items()}


def save(name: str, row: Result) -> None:
    """Keep a row, beside those of other scenarios."""
    rows = load() | {name: row}
    rows = dict(sorted(rows.items(), key=lambda item: item[1].number))
    RESULTS.write_text(json.dumps({name: asdict(row) for name, row in rows.items()}, indent=1) + "\n", "utf-8")


def table(scenarios: Iterable[Scenario]) -> str:
    """Return the table as Markdown."""
    rows = load()
    lines = ["| | what is done | what must hold | what came of it |", "|---|---|---|---|"]
    for one in scenarios:
        row = rows.get(one.name)
        lines.append(f"| {one.number} | {one.done} | {one.promise} | {_result(row) if row else 'not run yet'} |")
    return "\n".join(lines)


def _result(row: Result) -> str:
    verdict = "**held**" if not row.broken else "**missed**: " + "; ".join(row.broken)
    return f"{verdict}. " + ", ".join(
        f"{what} {value:,.4g}" if value % 1 else f"{what} {value:,.0f}" for what, value in row.counted.items()
    )


def write(scenarios: Iterable[Scenario]) -> None:
    """Write the table into its document."""
    text = DOCUMENT.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{table(scenarios)}\n{END}{after}", "utf-8")
