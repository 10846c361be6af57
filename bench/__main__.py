"""The measured comparisons: interleaved rounds in one run; what counts is the ratio of the medians.

Prints a table for each and writes bench/results.json.
"""

import json
from pathlib import Path
from statistics import median

import served

from bench import journal, poll, push

RESULTS = Path(__file__).parent / "results.json"


def table(title: str, unit: str, limit: str, rounds: dict[str, list[float]]) -> dict[str, object]:
    """Print one comparison, as ratios to *limit*, and return it for the results."""
    middle = {name: median(values) for name, values in rounds.items()}
    print(f"\n{title}, {unit}\n{'':44} {'median':>10} {'lowest':>10} {'highest':>10} {'ratio':>6}")
    for name, values in rounds.items():
        ratio = middle[name] / middle[limit]
        print(f"{name:44} {middle[name]:10.5g} {min(values):10.5g} {max(values):10.5g} {ratio:6.2f}")
    return {"unit": unit, "limit": limit, "rounds": rounds}


def main() -> None:
    """Run all comparisons."""
    server = served.start(TIDEGAUGE_DASHBOARDS=str(Path(__file__).parent / "dashboards"))
    try:
        results = {
            "poll": table("A poll", "requests/s", "static file of the same size", poll.measure(server)),
            "batches": table("Samples in, batches of 5,000", "samples/s", push.BARE, push.batches(server)),
            "singles": table("Samples in, one a push, 16 connections", "pushes/s", push.EMPTY, push.singles(server)),
            "latency": table("From a push's answer to the feed", "ms", "publish_ms", push.latency(server)),
        }
    finally:
        served.stop(server)
    server = served.start()  # without the dashboard of 1,000 lines, which is 80 MB of figures
    try:
        results["memory"] = table("Memory of the daemon process", "MB", "budget", push.memory(server))
    finally:
        served.stop(server)
    results["journal"] = table("The journal, a million samples", "s", journal.BUDGET, journal.measure())
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
