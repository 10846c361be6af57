"""The table: every scenario, in its order."""

from torture import (
    bodies,
    clock,
    cluster,
    container,
    damage,
    kill,
    limits,
    malformed,
    names,
    overload,
    power_cut,
    repeats,
    restart,
    second,
    slow,
    soak,
    storage,
)
from torture.harness import Scenario

ROWS: tuple[Scenario, ...] = (
    kill.SCENARIO,
    power_cut.SCENARIO,
    restart.RELOAD,
    restart.APACHE,
    container.SCENARIO,
    slow.SCENARIO,
    malformed.SCENARIO,
    bodies.SCENARIO,
    names.SCENARIO,
    overload.SCENARIO,
    storage.SCENARIO,
    damage.SCENARIO,
    clock.SCENARIO,
    repeats.SCENARIO,
    second.SCENARIO,
    limits.SCENARIO,
    soak.SCENARIO,
    cluster.SCENARIO,
)
