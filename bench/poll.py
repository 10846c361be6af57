"""A poll beside a static file of the same size and an answer from Python, by wrk, on the same real Apache."""

import re
import shutil
import subprocess

from served import Served

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


def measure(server: Served) -> dict[str, list[float]]:
    """Return requests a second of each contender, a number for each of ROUNDS interleaved rounds."""
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
    return {name: [one[name] for one in rounds] for name in contenders}
