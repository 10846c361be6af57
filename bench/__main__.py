"""Measure a poll beside a static file of the same size and a page from Python, by wrk, in one run.

Interleaved rounds on the same real Apache; what counts is the ratio of the medians, as the machine may be busy.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path
from statistics import median

import served

ROUNDS = 5
SECONDS = 3
CONNECTIONS = 64


def requests_per_s(url: str) -> float:
    """Return what wrk reaches on *url* in SECONDS with CONNECTIONS; raises if an answer was no success."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", url]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in printed:
        raise RuntimeError(f"{url} failed under load:\n{printed}")
    found = re.search(r"Requests/sec:\s+([\d.]+)", printed)
    if found is None:
        raise RuntimeError(f"wrk printed no rate for {url}:\n{printed}")
    return float(found.group(1))


def main() -> None:
    """Run all rounds, print a table, and write bench/results.json."""
    server = served.start()
    try:
        feed = server.run / "feeds/server"
        same_size = feed / "bench.json"  # the same headers and log; another file, which nobody replaces
        shutil.copyfile(feed / "tail.json", same_size)
        same_size.chmod(0o644)
        contenders = {
            "static file of the same size": f"{server.url}feeds/server/bench.json",
            "poll": f"{server.url}feeds/server/tail.json",
            "answer from Python": f"{server.url}health/live",
        }
        rounds = [{name: requests_per_s(url) for name, url in contenders.items()} for _ in range(ROUNDS)]
    finally:
        served.stop(server)
    rates = {name: [one[name] for one in rounds] for name in contenders}
    limit = median(rates["static file of the same size"])
    print(f"{'':30} {'median/s':>9} {'lowest':>9} {'highest':>9} {'ratio':>6}")
    for name, values in rates.items():
        middle = median(values)
        print(f"{name:30} {middle:9.0f} {min(values):9.0f} {max(values):9.0f} {middle / limit:6.2f}")
    results = {"connections": CONNECTIONS, "seconds": SECONDS, "requests_per_s": rates}
    (Path(__file__).parent / "results.json").write_text(json.dumps(results, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
