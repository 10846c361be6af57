"""Every scenario in its long form: ``python -m torture``, or only those that are named.

``--seed N`` repeats a run's random choices, ``--rounds N`` takes another number of rounds. Each row is kept in
torture.json as soon as it is there, and the page of the documents is written from it.
"""

import argparse
import json
import shutil
import sys
import time
from random import Random

from torture import page
from torture.rows import ROWS

SOAK = "soak"  # takes hours: only where it is named


def main() -> int:
    """Run what is asked for; returns 1 if something did not hold."""
    parser = argparse.ArgumentParser(prog="python -m torture", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(one.name for one in ROWS))
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    parser.add_argument("--rounds", type=int)
    given = parser.parse_args()
    if unknown := set(given.names) - {one.name for one in ROWS}:
        parser.error(f"there is no scenario {', '.join(sorted(unknown))}")
    failed = 0
    for one in ROWS:
        if one.name not in given.names if given.names else one.name == SOAK:
            continue
        if missing := [tool for tool in one.tools if not shutil.which(tool)]:
            sys.exit(f"{one.name} needs {', '.join(missing)}")
        rounds = given.rounds or one.long
        print(f"{one.number:>2} {one.name}: {rounds} rounds, seed {given.seed}", flush=True)
        started = time.monotonic()
        found = one.run(rounds, Random(f"{given.seed} {one.name}"))
        row = page.Result(
            one.number, rounds, given.seed, round(time.monotonic() - started), found.counted, found.broken + found.late
        )
        print(json.dumps(found.counted, indent=1), *found.broken, *found.late, sep="\n", flush=True)
        failed += bool(found.broken or found.late)
        if not given.rounds:
            page.save(one.name, row)
    page.write(ROWS)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
