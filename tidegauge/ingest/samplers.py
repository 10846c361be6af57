"""Samplers: Python functions that yield values, each called on its own schedule, once for all viewers."""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event, Thread
from time import monotonic
from typing import TypeVar

from tidegauge.errors import BadSample, JournalUnwritable, explain, refer_to_log, reference
from tidegauge.store.hub import Hub
from tidegauge.store.series import check_name, check_value
from tidegauge.store.times import now_ms

log = logging.getLogger(__name__)

STOP_S = 2.0  # in which a sampler's call has to end
LOOK_S = 0.1  # between two looks whether this process leads
SamplerFunction = TypeVar("SamplerFunction", bound=Callable[[], object])


@dataclass(frozen=True)
class Sampler:
    """A function and its schedule.

    Args:
        names: the series it yields values of, one or more.
        function: called with nothing. With one name it returns the value; with several it returns a
            mapping, or yields pairs, of name and value. A value is a finite number, or None: a gap.
        every_s: seconds from call to call, >= 0.1.
    """

    names: tuple[str, ...]
    function: Callable[[], object]
    every_s: float

    @property
    def name(self) -> str:
        """The name it is reported by: its first series', which no other sampler has."""
        return self.names[0]

    def sample(self) -> dict[str, float | None]:
        """Call the function and return a value for each name; a name it left out is a gap.

        Raises:
            BadSample: it yielded what is no sample, or a name that it does not declare.
        """
        result = self.function()
        if len(self.names) == 1 and not isinstance(result, Mapping):
            result = {self.names[0]: result}
        if not isinstance(result, Mapping | Iterable):
            raise BadSample(
                f"{self.name} gave {result!r:.80} for {len(self.names)} series.",
                "Return a mapping of name to value, or yield pairs of them.",
            )
        values = dict(result)
        if unknown := values.keys() - set(self.names):
            raise BadSample(
                f"{self.name} gave {', '.join(map(repr, sorted(map(str, unknown))))}, which it does not declare.",
                f"Name it in its @sampler, beside {', '.join(self.names)}.",
            )
        return {name: check_value(name, values.get(name)) for name in self.names}


def sampler(*series: str, every_s: float) -> Callable[[SamplerFunction], SamplerFunction]:
    """Mark a function that is called every *every_s* seconds, once for all viewers.

    Args:
        series: one name: the function returns its value. Several: it returns a mapping of name to value,
            or yields pairs of them. A value is a finite number, or None: a gap.
        every_s: seconds from call to call, >= 0.1.
    """
    if not series or not all(isinstance(name, str) for name in series):
        raise TypeError('@sampler needs the name of its series: @sampler("orders.waiting", every_s=2)')
    if not every_s >= 0.1:
        raise ValueError(f"@sampler({series[0]!r}, every_s={every_s!r}): every_s must be at least 0.1 seconds")
    names = tuple(dict.fromkeys(check_name(name) for name in series))

    def mark(function: SamplerFunction) -> SamplerFunction:
        function.tidegauge_sampler = Sampler(names, function, every_s)  # type: ignore[attr-defined]
        return function

    return mark


@dataclass
class SamplerState:
    """What a sampler's thread last did; written by it alone, read by anyone."""

    sampler: Sampler
    called_at: float = 0.0  # monotonic, s; of the call that is under way, else 0
    ended_at: float = field(default_factory=monotonic)  # s; of the last call, however it ended; at first, of the start
    failures: int = 0
    dropped: int = 0  # values that the journal did not take
    problem: str = ""  # why the last call failed; "" if it did not
    reference: str = ""  # of the user's own error in the log; "" if the problem is none

    @property
    def overdue_s(self) -> float:
        """Seconds by which the call under way has outlasted its period, 0.0 if it has not."""
        called_at = self.called_at
        return max(0.0, monotonic() - called_at - self.sampler.every_s) if called_at else 0.0

    @property
    def trouble(self) -> str:
        """A sentence on what is wrong with this sampler now, "" if nothing is."""
        if overdue_s := self.overdue_s:
            return f"its call is {overdue_s:.0f} s overdue"
        return self.problem

    def trouble_for(self, *, is_shown: bool) -> str:
        """Return its trouble; where *is_shown* is false a reference instead of an error of the user's own code."""
        trouble = self.trouble
        is_own = self.reference and trouble and trouble == self.problem
        return refer_to_log(self.reference) if is_own and not is_shown else trouble


class Samplers:
    """Calls every sampler on schedule, each from a background thread of its own, while this process leads.

    A slow or raising function delays no other; it gets gaps in its own series, and is named in the
    log when it begins to fail and when it is well again. Calls of one sampler never overlap; periods that a slow call
    has missed are left out, and the schedule does not drift.

    Args:
        hub: where the values go, and what knows whether this process leads.
        samplers: what is called.
    """

    def __init__(self, hub: Hub, samplers: Iterable[Sampler]) -> None:
        self._hub = hub
        self._samplers = tuple(samplers)
        self._ending = Event()
        self._running = _Running(hub, ())
        self._thread = Thread(target=self._follow_leadership, name="samplers", daemon=True)

    @property
    def states(self) -> Sequence[SamplerState]:
        """What each sampler last did; empty while another process samples."""
        return self._running.states

    def start(self) -> None:
        """Begin to sample as soon as this process leads."""
        self._hub.journal.campaign()
        self._thread.start()

    def stop(self, timeout_s: float = STOP_S) -> None:
        """End all threads that end within *timeout_s*; one stuck in its function dies with the process."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s + LOOK_S)

    @property
    def silent_s(self) -> float:
        """Seconds beyond its own period since *any* sampler's call last ended; 0.0 with no samplers.

        One that hangs is its own affair; when all are silent, the machinery is broken.
        """
        now = monotonic()
        return min((now - state.ended_at - state.sampler.every_s for state in self.states), default=0.0)

    def in_trouble(self) -> set[Sampler]:
        """Return the samplers whose last calls failed or are overdue."""
        return {state.sampler for state in self.states if state.trouble}

    def troubles(self, among: Collection[Sampler] | None = None, *, is_shown: bool) -> dict[str, str]:
        """Return what is wrong with samplers, by their names.

        Args:
            among: those that are asked about; None: all.
            is_shown: where false, errors of the user's own code are references to the log.
        """
        return {
            state.sampler.name: why
            for state in self.states
            if (among is None or state.sampler in among) and (why := state.trouble_for(is_shown=is_shown))
        }

    def _follow_leadership(self) -> None:
        while True:
            if (is_leader := self._hub.journal.is_leader) != self._running.is_begun:
                try:
                    self._begin() if is_leader else self._end()
                except RuntimeError:  # no thread is left: another host may have some
                    log.exception("The samplers could not be started")
                    self._hub.journal.resign()
            if self._ending.wait(LOOK_S):
                break
        self._running.stop()

    def _begin(self) -> None:
        self._running = _Running(self._hub, self._samplers)
        self._running.start()

    def _end(self) -> None:
        ended, self._running = self._running, _Running(self._hub, ())
        ended.stop()


class _Running:
    """The threads of samplers, from the beginning of a lead to its end."""

    def __init__(self, hub: Hub, samplers: Iterable[Sampler]) -> None:
        self._hub = hub
        self.states = [SamplerState(sampler) for sampler in samplers]
        self.is_begun = False
        self._stop = Event()
        self._threads = [
            Thread(target=self._run, args=(state,), name=f"sampler {state.sampler.name}", daemon=True)
            for state in self.states
        ]

    def start(self) -> None:
        """Append a gap to every series, for the time nobody sampled; then begin."""
        self.is_begun = True
        now = now_ms()
        for state in self.states:
            with suppress(JournalUnwritable):
                self._hub.append([(name, now, None) for name in state.sampler.names])
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_s: float = STOP_S) -> None:
        """End all threads that end within *timeout_s*."""
        self._stop.set()
        deadline = monotonic() + timeout_s
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - monotonic()))

    def _run(self, state: SamplerState) -> None:
        every_s = state.sampler.every_s
        due = monotonic()
        while not self._stop.wait(max(0.0, due - monotonic())):
            state.called_at = monotonic()
            self._call(state)
            state.called_at, state.ended_at = 0.0, monotonic()
            due += every_s * (1 + (state.ended_at - due) // every_s)

    def _call(self, state: SamplerState) -> None:
        sampler = state.sampler
        called_ms = now_ms()
        try:
            values, problem = sampler.sample(), ""
        except (Exception, SystemExit) as error:
            values, problem = dict.fromkeys(sampler.names), explain(error)
            if not state.reference:
                state.reference = reference(f"{sampler.name}: {problem}")
                log.exception(
                    "The sampler %s failed (%s), %s; its series get gaps until it is well again",
                    sampler.name,
                    state.reference,
                    problem,
                )
        ended_ms, every_ms = now_ms(), round(sampler.every_s * 1000)
        readings = [(name, ended_ms, value) for name, value in values.items()]
        if ended_ms - called_ms > every_ms:  # overdue: a gap where the next value was due
            readings = [(name, called_ms + every_ms, None) for name in sampler.names] + readings
        try:
            if refused := self._hub.append(readings).refused:
                problem = f"{', '.join(refused)} would be more series than TIDEGAUGE_MAX_SERIES allows"
        except JournalUnwritable as error:
            state.dropped += len(readings)
            problem = f"{error.what} {state.dropped} of its values were dropped so far"
        if state.problem and not problem:
            log.warning("The sampler %s is well again after %d failures", sampler.name, state.failures)
        if not problem:
            state.reference = ""
        state.failures += bool(problem)
        state.problem = problem
