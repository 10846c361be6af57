"""The table: every scenario, in its order."""

from torture import bodies, kill, restart, soak
from torture.harness import Scenario

ROWS: tuple[Scenario, ...] = (
    kill.SCENARIO,
    restart.RELOAD,
    restart.APACHE,
    bodies.SCENARIO,
    soak.SCENARIO,
)
