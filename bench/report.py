"""What was measured: printed as tables, and kept as one file."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

RESULTS = Path(__file__).parent / "results.json"
QUICK_ROUNDS = 1


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
    found = json.loads(RESULTS.read_text("utf-8"))
    return {name: Table(**one) for name, one in found["tables"].items()}


def save(tables: dict[str, Table], machine: dict[str, object]) -> None:
    """Keep *tables*."""
    found = {"machine": machine, "tables": {name: asdict(one) for name, one in tables.items()}}
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


Measure = Callable[[], Table]
