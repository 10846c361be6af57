"""The table: every scenario, in its order."""

from torture import bodies, clock, damage, kill, malformed, names, power_cut, repeats, restart, soak, storage
from torture.harness import Scenario

ROWS: tuple[Scenario, ...] = (
    kill.SCENARIO,
    power_cut.SCENARIO,
    restart.RELOAD,
    restart.APACHE,
    malformed.SCENARIO,
    bodies.SCENARIO,
    names.SCENARIO,
    storage.SCENARIO,
    damage.SCENARIO,
    clock.SCENARIO,
    repeats.SCENARIO,
    soak.SCENARIO,
)
