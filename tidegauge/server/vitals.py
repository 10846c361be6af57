"""Readings of this very server: Apache by mod_status, the daemon process by mod_wsgi, itself by the system."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from time import monotonic, process_time
from types import ModuleType
from urllib.request import ProxyHandler, build_opener

from tidegauge.store.hub import Hub

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


class Vitals:
    """Readings of this very server, as a dashboard's samplers want them.

    Args:
        hub: whose journal is measured.
        status_url: mod_status's machine-readable page, "" without one.
    """

    def __init__(self, hub: Hub, status_url: str) -> None:
        self._hub = hub
        self._status_url = status_url
        self._cpu, self._apache_cpu, self._samples = Rate(), Rate(), Rate()
        self._commits, self._commit_s = 0, 0.0  # of the last reading

    @property
    def absent(self) -> dict[str, str]:
        """Why some readings are not available here, a sentence each, by the name of the reading."""
        reasons = {}
        if not self._status_url:
            reasons["busy_workers"] = "Apache's busy workers need mod_status: set TIDEGAUGE_STATUS_URL to its page."
        if mod_wsgi() is None:
            reasons["requests"] = "The daemon process's requests are counted by mod_wsgi, and this is another server."
        elif not hasattr(mod_wsgi(), "start_recording_metrics"):
            reasons["requests"] = "The daemon process's requests are counted by mod_wsgi 6, and this one is older."
        if mod_wsgi() is None or not STATM.exists():
            reasons["apache_cpu"] = "Apache's processor time is read from Linux's /proc, by a process of Apache's own."
        if not STATM.exists():
            reasons["memory"] = "The resident memory is read from Linux's /proc, which is not here."
        return reasons

    def cpu(self) -> float | None:
        """Return the processor time of this process, all threads, as a share of one core since the last call."""
        return self._cpu(process_time())

    def apache_cpu(self) -> float | None:
        """Return that of the Apache that this process belongs to, but for this process."""
        return self._apache_cpu(apache_cpu_seconds())

    def memory(self) -> int:
        """Return the physical memory that this process occupies, in bytes."""
        return resident_bytes()

    def busy_workers(self) -> float:
        """Return how many of Apache's threads are at a request; raises OSError where mod_status cannot be reached."""
        return apache_status(self._status_url)["BusyWorkers"]

    def request_metrics(self) -> Callable[[], dict[str, float | int]] | None:
        """Begin to record mod_wsgi's request metrics; see ``request_metrics``."""
        return request_metrics()

    def journal(self) -> dict[str, float | None]:
        """Return samples kept per second, the mean time of a commit (ms), and the journal's bytes."""
        journal = self._hub.journal
        count, total_s = journal.commits.count, journal.commits.seconds
        commits, seconds = count - self._commits, total_s - self._commit_s
        self._commits, self._commit_s = count, total_s
        return {
            "samples": self._samples(self._hub.windows.kept),
            "commit_ms": seconds / commits * 1000 if commits else None,
            "bytes": float(str(journal.state().get("bytes", 0))),
        }
