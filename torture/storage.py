"""The journal's disk fails, and is well again: it is full, fsync fails on it, it is read-only, files are immutable."""

import json
import os
import re
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from served import Served

from torture.faults import FAULTS, disk
from torture.harness import ROOT, Found, Scenario, wait_until
from torture.load import AUTH, Load, load, serving

NOTICED_S = 30.0
BACK_S = 5.0


@dataclass
class Answers:
    """What a push and a look at the readiness were answered while the disk failed; "" while they were not refused."""

    push: str = ""
    retry_after: str = ""
    ready: str = ""
    others: set[int] = field(default_factory=set)  # statuses of pushes that were neither kept nor refused by 503

    def ask(self, server: Served) -> bool:
        """Push and look once; tells whether both have been refused."""
        answer = server.ask("/api/series", "POST", json.dumps({"name": "asked", "value": 1}).encode(), **AUTH)
        if answer.status == 503:
            self.push, self.retry_after = answer.json["detail"], answer.headers.get("Retry-After", "")
        elif answer.status != 200:
            self.others.add(answer.status)
        answer = server.ask("/health/ready")
        if answer.status == 503:
            self.ready = "; ".join(answer.json.get("reasons") or [answer.json.get("detail", "")])
        return bool(self.push and self.ready)


def run(rounds: int, random: Random) -> Found:
    """Let the disk fail in each way in turn, and wait until pushes are taken again; then read everything back."""
    found = Found()
    with disk() as folder, serving(TIDEGAUGE_JOURNAL=str(folder / "journal.sqlite"), TIDEGAUGE_WINDOW="100") as server:
        with load(server) as running:
            for number in range(rounds):
                time.sleep(random.uniform(0.2, 1))
                name = list(FAULTS)[number % len(FAULTS)]
                _fail(name, server, folder, random.uniform(0.2, 2), found)
                _back(name, running, found)
            os.kill(server.daemon_pid, signal.SIGKILL)  # what is read back is from the disk
            _acknowledged_again(running)
        _judge(running, rounds, found)
    return found


def _fail(name: str, server: Served, folder: Path, for_s: float, found: Found) -> None:
    fault, answers, pid = FAULTS[name], Answers(), server.daemon_pid
    with fault.make(server, folder) as hold:

        def is_refused() -> bool:
            hold()
            return answers.ask(server)

        took = wait_until(is_refused, NOTICED_S)
        found.expect(took <= NOTICED_S, f"{name}: within {NOTICED_S:g} s not both a push and the readiness failed")
        wait_until(lambda: is_refused() and False, for_s)
    found.count(f"times {name}")
    found.longest(f"longest until {name} was noticed, s", took)
    found.expect(fault.kills or server.daemon_pid == pid, f"{name}: the Python process ended")
    found.expect(answers.others <= ({502} if fault.kills else set()), f"{name}: a push was answered {answers.others}")
    found.expect(answers.retry_after, f"{name}: a refused push has no Retry-After")
    for what, reason in (("push", answers.push), ("/health/ready", answers.ready)):
        found.expect(
            re.search(fault.word, reason), f"{name}: {what} gives the reason {reason!r}, without {fault.word!r}"
        )


def _back(name: str, running: Load, found: Found) -> None:
    took = _acknowledged_again(running)
    found.longest("longest until pushes are acknowledged again, s", took)
    found.expect_in_time(
        took <= BACK_S, f"{name}: {took:.1f} s until pushes were acknowledged again, {BACK_S:g} allowed"
    )


def _acknowledged_again(running: Load) -> float:
    before = running.pushes.good
    return wait_until(lambda: running.pushes.good > before + 4 and running.server.is_ready(), 60)


def _judge(running: Load, rounds: int, found: Found) -> None:
    found.broken += running.wrong()
    found.count("acknowledged", sum(map(len, running.acknowledged)))
    found.count("refused by 503", running.pushes.failed["503"])
    found.count("polls", running.polls.good)
    found.count("polls failed", sum(running.polls.failed.values()))
    found.expect(not running.polls.failed, f"polls failed: {dict(running.polls.failed)}")
    kills = 1 + sum(one.kills for one in list(FAULTS.values()) * (rounds // len(FAULTS) + 1))
    others = {status: count for status, count in running.pushes.failed.items() if status != "503"}
    found.expect(sum(others.values()) <= kills * len(running.series), f"pushes failed otherwise than by 503: {others}")


SCENARIO = Scenario(
    11,
    "disk",
    "the journal's disk is full, its fsync fails (EIO), it is read-only at a start, its files are immutable: in turn",
    "no false success; pushes get 503 with the reason, readiness says it, no poll fails; by itself well again in 5 s",
    run,
    short=5,
    long=100,
    tools=("mkfs.ext4", "mount", "chattr", "strace", *ROOT),
)
