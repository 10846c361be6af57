"""What was measured: printed as tables, and kept as one file."""

import json
import os
import platform
import re
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median

RESULTS = Path(__file__).parent / "results.json"


@dataclass
class Table:
    """One comparison: for each contender a list of rounds of each column.

    The ratio is that of the medians of *compared*, a column, to the contender *limit*.
    """

    title: str
    columns: dict[str, str]  # with their units
    limit: str
    compared: str
    rounds: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def add(self, contender: str, **values: float) -> None:
        """Add a round of *contender*."""
        for column, value in values.items():
            assert column in self.columns, column  # noqa: S101
            self.rounds.setdefault(contender, {}).setdefault(column, []).append(value)

    def middle(self, contender: str, column: str) -> float | None:
        """Return the median of a column; None if it was not measured."""
        rounds = self.rounds[contender].get(column)
        return median(rounds) if rounds else None

    def ratio(self, contender: str) -> float | None:
        """Return how *contender* stands to the limit."""
        ours, limit = self.middle(contender, self.compared), self.middle(self.limit, self.compared)
        return None if ours is None or not limit else ours / limit

    def printed(self) -> str:
        """Return the table as text: medians, and in brackets the lowest and the highest round."""
        width = max(len(name) for name in self.rounds)
        heads = [f"{name}, {unit}" if unit else name for name, unit in self.columns.items()]
        lines = [f"\n{self.title}", f"{'':{width}} " + " ".join(f"{head:>26}" for head in heads) + "  ratio"]
        for name, columns in self.rounds.items():
            cells = []
            for column in self.columns:
                values = columns.get(column)
                cell = f"{median(values):.4g} ({min(values):.4g}-{max(values):.4g})" if values else "-"
                cells.append(f"{cell:>26}")
            ratio = self.ratio(name)
            lines.append(f"{name:{width}} " + " ".join(cells) + (f" {ratio:6.2f}" if ratio is not None else "      -"))
        return "\n".join(lines)


def load() -> dict[str, Table]:
    """Return what was measured last."""
    if not RESULTS.exists():
        return {}
    return {name: Table(**one) for name, one in json.loads(RESULTS.read_text("utf-8"))["tables"].items()}


def save(tables: dict[str, Table]) -> None:
    """Keep *tables*, beside those that were measured before."""
    found = {"machine": machine(), "tables": {name: asdict(one) for name, one in (load() | tables).items()}}
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


def machine() -> dict[str, str]:
    """Return what this machine is."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": f"{os.cpu_count()} x {cpu[1] if cpu else platform.machine()}",
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.freedesktop_os_release()['PRETTY_NAME']}, Linux {platform.release()}",
        "Python": platform.python_version(),
        "Bokeh": version("bokeh"),
    }
