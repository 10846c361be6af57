"""What a dashboard file says, and what became of it. Without Bokeh, which ``loader`` builds with."""

from collections.abc import Callable
from dataclasses import dataclass, field
from inspect import cleandoc
from typing import TypeVar

from tidegauge.dashboards.view import View
from tidegauge.errors import refer_to_log, reference
from tidegauge.ingest.samplers import Sampler

Function = TypeVar("Function", bound=Callable[..., object])


@dataclass(frozen=True)
class Mark:
    """What ``@dashboard`` leaves on a function."""

    title: str
    description: str


def dashboard(*, title: str, description: str = "") -> Callable[[Function], Function]:
    """Mark the function of this file that returns its figures: one Bokeh model, of any layout.

    It is called once when the server starts, never for a viewer.

    Args:
        title: shown on the front page and above the figures.
        description: a sentence on the front page; by default the function's docstring.
    """
    if not isinstance(title, str) or not isinstance(description, str):
        raise TypeError(f"@dashboard(title={title!r}): the title and the description are texts")

    def mark(function: Function) -> Function:
        function.tidegauge_dashboard = Mark(title, description or cleandoc(function.__doc__ or ""))  # type: ignore[attr-defined]
        return function

    return mark


@dataclass(frozen=True)
class Dashboard:
    """A dashboard file as it was found: what it draws, or why it cannot.

    ``documents`` has the figures as JSON bytes, by theme; ``bokehjs`` the names of the BokehJS files that they need;
    ``views`` what their live sources draw, each once, in the order of the page. ``problem`` says in a line why it
    cannot be used, and ``trace`` where in the user's own files that happened.
    """

    name: str
    title: str
    description: str = ""
    documents: dict[str, bytes] = field(default_factory=dict)
    bokehjs: tuple[str, ...] = ()
    views: tuple[View, ...] = ()
    samplers: tuple[Sampler, ...] = ()
    problem: str = ""
    trace: str = ""

    @property
    def reference(self) -> str:
        """The name of its problem in the log."""
        return reference(f"{self.name}: {self.problem}")

    def problem_for(self, *, is_shown: bool) -> str:
        """Return its problem, or where *is_shown* is false a reference to it; "" without one."""
        return self.problem if is_shown or not self.problem else refer_to_log(self.reference)

    @property
    def series(self) -> tuple[str, ...]:
        """The names and patterns that are drawn, each once."""
        return tuple(dict.fromkeys(one.series for one in self.views))
