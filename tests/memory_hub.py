"""A hub that keeps nothing beyond the process, opened."""

from tidegauge.store.hub import Hub
from tidegauge.store.journal.memory import MemoryJournal


def memory_hub(*, window: int = 100, max_series: int = 10) -> Hub:
    hub = Hub(MemoryJournal(), window=window, max_series=max_series)
    hub.open()
    return hub
