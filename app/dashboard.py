"""A dashboard file as it was found. Without Bokeh, which dashboards.py builds with."""

from dataclasses import dataclass, field
from pathlib import Path

from app.drawn import Drawn
from app.errors import refer, reference
from app.samplers import Sampler

SHIPPED = Path(__file__).resolve().parent.parent / "dashboards"


@dataclass(frozen=True)
class Dashboard:
    """A dashboard file as it was found: what it draws, or why it cannot.

    ``documents`` has the figures as JSON bytes, by theme; ``bokehjs`` the names of the BokehJS files that they need;
    ``drawn`` what their live sources draw, each once, in the order of the page. ``problem`` says in a line why it
    cannot be used, and ``trace`` where in the user's own files that happened.
    """

    name: str
    title: str
    description: str = ""
    documents: dict[str, bytes] = field(default_factory=dict)
    bokehjs: tuple[str, ...] = ()
    drawn: tuple[Drawn, ...] = ()
    samplers: tuple[Sampler, ...] = ()
    problem: str = ""
    trace: str = ""

    @property
    def reference(self) -> str:
        """The name of its problem in the log."""
        return reference(f"{self.name}: {self.problem}")

    def told(self, *, shown: bool) -> str:
        """Return its problem, or where *shown* is false a reference to it; "" without one."""
        return self.problem if shown or not self.problem else refer(self.reference)

    @property
    def series(self) -> tuple[str, ...]:
        """The names and patterns that are drawn, each once."""
        return tuple(dict.fromkeys(one.series for one in self.drawn))
