"""Readings of this very server: Apache by mod_status, the daemon process by mod_wsgi, itself by the system."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from time import monotonic, process_time
from types import ModuleType
from urllib.request import ProxyHandler, build_opener

STATUS_TIMEOUT_S = 2.0
_without_proxy = build_opener(ProxyHandler({}))  # it is this host's, whatever http_proxy says
STATM = Path("/proc/self/statm")  # proc(5): the second number is the resident set, in pages


def mod_wsgi() -> ModuleType | None:
    """Return mod_wsgi's module inside Apache, None elsewhere.

    The package of that name in the virtual environment can be imported anywhere; only Apache's has a version.
    """
    try:
        import mod_wsgi as module  # type: ignore[import-untyped]
    except ImportError:
        return None
    return module if hasattr(module, "version") else None


class Rate:
    """Turns a count that only grows into a rate per second; None where it cannot tell."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._last: tuple[float, float] | None = None

    def __call__(self, count: float) -> float | None:
        """Return the growth since the last call, per second; None at first, and when the count started over."""
        now = monotonic()
        with self._lock:
            last, self._last = self._last, (now, count)
        if last is None or now <= last[0] or count < last[1]:
            return None
        return (count - last[1]) / (now - last[0])


def apache_status(url: str) -> dict[str, float]:
    """Return the numbers of mod_status's machine-readable page: ``BusyWorkers`` and others.

    Raises:
        OSError: it cannot be reached within two seconds.
    """
    with _without_proxy.open(url, timeout=STATUS_TIMEOUT_S) as answer:
        lines = answer.read().decode("utf-8", "replace").splitlines()
    numbers = {}
    for line in lines:
        name, _, value = line.partition(": ")
        try:
            numbers[name] = float(value)
        except ValueError:
            continue
    return numbers


def apache_cpu_seconds() -> float:
    """Return the processor time of the Apache that this process belongs to, in seconds: of all but this process.

    Raises:
        OSError: this system's /proc does not tell (Linux, proc(5)).
    """
    apache = os.getppid()
    clock_ticks = sum(_cpu_ticks(apache))  # children that have ended included
    for child in Path(f"/proc/{apache}/task/{apache}/children").read_text().split():
        if int(child) != os.getpid():
            with suppress(FileNotFoundError, ProcessLookupError):  # it ends just now
                clock_ticks += sum(_cpu_ticks(int(child))[:2])
    return clock_ticks / os.sysconf("SC_CLK_TCK")


def _cpu_ticks(pid: int) -> list[int]:
    """Return utime, stime, cutime and cstime of a process; before them stands its name, which may be anything."""
    return [int(field) for field in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]]


def request_metrics() -> Callable[[], dict[str, float | int]] | None:
    """Begin to record mod_wsgi's request metrics and return their reader, or None where there are none.

    They came with mod_wsgi 6. The reader *drains*: it returns what happened since it was last called, so
    there may be one caller in a process.
    """
    module = mod_wsgi()
    if module is None or not hasattr(module, "start_recording_metrics"):
        return None
    module.start_recording_metrics()
    reader: Callable[[], dict[str, float | int]] = module.request_metrics
    return reader


def requests() -> int | None:
    """Return how many requests this process has been given, or None where mod_wsgi does not count them."""
    module = mod_wsgi()
    if module is None or not hasattr(module, "start_recording_metrics"):
        return None
    return int(module.process_metrics()["request_count"])


def resident_bytes() -> int:
    """Return the physical memory that this process occupies, in bytes (Linux: its resident set)."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# What the house counts: called for the samples kept by this process, its commits, the seconds that they took, and the
# journal's bytes. The house puts its own here when it opens, before it imports the dashboards.
own_figures: list[Callable[[], tuple[int, int, float, int]]] = []


def absent(status_url: str) -> dict[str, str]:
    """Return which vitals cannot be read here, and why: by groups of plots in the dashboard ``server``."""
    reasons = {}
    if not status_url:
        reasons["workers"] = "Apache's busy workers need mod_status: set TIDEGAUGE_STATUS_URL to its ?auto page."
    if mod_wsgi() is None:
        reasons["requests"] = "The daemon process's requests are counted by mod_wsgi, and this is another server."
    elif not hasattr(mod_wsgi(), "start_recording_metrics"):
        reasons["requests"] = "The daemon process's requests are counted by mod_wsgi 6, and this one is older."
    if not own_figures:
        reasons["journal"] = "The journal's figures are those of a server, and none is open."
    if mod_wsgi() is None or not STATM.exists():
        reasons["apache"] = "Apache's processor time is read from Linux's /proc by a process that is Apache's own."
    if not STATM.exists():
        reasons["memory"] = "The resident memory is read from Linux's /proc, which is not here."
    return reasons


cpu_seconds = process_time  # user and system time of this process, all threads, in seconds
