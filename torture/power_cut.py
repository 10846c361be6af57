"""The power is cut: what was not synced is lost in part, or torn. ``disk.py`` has what is assumed of a disk."""

from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest

from tidegauge.errors import TidegaugeError, UnknownSeries
from tidegauge.store.hub import Hub
from tidegauge.store.journal.sqlite import database
from torture.disk import Disk, left, noted
from torture.harness import Found, Scenario
from torture.life import A_LIFE, FILE, Kept, Life

CUTS = 10  # of one workload
TRIES = 5  # of a control
AGAIN = 0.3  # of those: once more, in the recovery


def run(rounds: int, random: Random) -> Found:
    """Cut so many times, some of them a second time while the journal recovers; then the controls."""
    found = Found()
    _cut(rounds, random, "FULL", found)
    for level, controls in (("NORMAL", 4), ("OFF", 20)):  # a damaged file may take 20 s to recover
        control, bad = Found(), 0.0
        for _ in range(TRIES):  # of few cuts none may lose something
            _cut(max(4, rounds // controls), random, level, control)
            if bad := control.counted.get("cuts with a loss", 0):
                break
        of = control.counted["cuts"]
        found.counted |= {f"control, synchronous={level}: cuts": of, f"control, synchronous={level}: with a loss": bad}
        found.expect(bad, f"synchronous={level} loses nothing by {of:g} cuts: they cut nothing off")
    return found


def _cut(cuts: int, random: Random, level: str, found: Found) -> None:
    for at in range(0, cuts, CUTS):
        with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
            life = Life(random, level)
            life.patch(patch)
            with noted({}) as disk:
                life.do(Path(name), disk)
            found.count("steps noted", len(disk.steps))
            for _ in range(min(CUTS, cuts - at)):
                _one_cut(life, disk, 0, [], random, found)


def _one_cut(life: Life, disk: Disk, start: int, earlier: list[Kept], random: Random, found: Found) -> None:
    """Cut at a step from *start* on, and look at what is left; at times once more, while that was done."""
    steps = disk.steps[: random.randint(start, len(disk.steps))]
    kept = earlier + [one.note for one in steps if isinstance(one.note, Kept)]
    files = left(steps, random)
    with TemporaryDirectory() as name, noted(files) as second:
        folder = Path(name)
        for file, data in files.items():
            (folder / file).write_bytes(data)
        before = len(second.steps)
        try:
            broken = _look(life, folder, second, kept, found)
        except TidegaugeError as error:
            broken = [f"the journal does not open, or is of no use: {error}"]
    where = f"cut {found.counted.get('cuts', 0):g}, at step {len(steps)}"
    found.broken += [f"{where}: {what}" for what in broken]
    found.count("cuts")
    found.count("cuts with a loss", bool(broken))
    found.count("acknowledged before the cuts", sum(len(one.batch.values) for one in kept))
    if random.random() < AGAIN and not broken:
        found.count("of them cut again in the recovery")
        _one_cut(life, second, before, kept, random, found)


def _look(life: Life, folder: Path, disk: Disk, kept: Sequence[Kept], found: Found) -> list[str]:
    """Open, append something new and something again, read all; returns what is wrong."""
    broken = []
    hub = life.open(folder)
    try:
        highest = max((one.last for one in kept), default=0)
        if kept and kept[-1].batch.start_ms and life.kept > A_LIFE:
            again = kept[-1].batch.append(hub)
            if again != kept[-1].last:
                broken.append(f"a push that is repeated was kept again: as {again}, first as {kept[-1].last}")
        new = Kept(one := life.batch(Random(len(life.batches))), life.append(hub, disk, one))
        if (before := new.last - len(one.values)) < highest:
            broken.append(f"numbers from {before + 1} on were given, after {highest} was acknowledged")
        if kept and hub.journal.losses:
            broken.append(f"a loss is reported: {hub.journal.losses}")
        broken += _compare(life, hub, folder, [*kept, new], found)
    finally:
        hub.journal.close()
    return broken


def _compare(life: Life, hub: Hub, folder: Path, kept: Sequence[Kept], found: Found) -> list[str]:
    there: dict[int, list[int]] = {}  # numbers by value
    for number in range(life.series):
        with suppress(UnknownSeries):
            for seq, _, value in hub.read(f"torture.{number}", 0, limit=1_000_000):
                there.setdefault(int(value or 0), []).append(seq)
    with closing(database.connect_reader(folder / FILE)) as db:
        [(horizon,)] = db.execute("SELECT horizon FROM journal")
    numbers = {value: seq for one in kept for value, seq in one.numbers().items()}
    # Whole batches go: of those that may be on their way besides, at most one a thread.
    certain = sorted(numbers.values(), reverse=True)[: max(0, life.kept - life.longest * (life.threads + 2))]
    due = {value for value, seq in numbers.items() if seq > horizon or (certain and seq >= certain[-1])}
    found.count("of them still due, not past the retention", len(due))
    whole = Counter(len(there.keys() & set(one.values)) in {0, len(one.values)} for one in life.batches)
    sentences = {
        "acknowledged samples are lost": due - there.keys(),
        "samples are there twice": {value for value, seqs in there.items() if len(seqs) > 1},
        "samples have another number": {v for v, seqs in there.items() if v in numbers and numbers[v] not in seqs},
        "batches are there in part": whole[False] * [0],
    }
    return [f"{len(wrong)} {what}" for what, wrong in sentences.items() if wrong]


SCENARIO = Scenario(
    2,
    "power_cut",
    "the power is cut at any step of writing, checkpoint, retention, index and recovery: writes since the last sync are"
    " dropped or torn at a sector",
    "everything acknowledged is there, once, under its number; numbers go on above; no loss is reported;"
    " with synchronous=NORMAL or OFF the same cuts lose something",
    run,
    short=40,
    long=1000,
)
