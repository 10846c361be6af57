from threading import Thread
from time import sleep

from app.counter import Counter
from tidegauge.settings import load_settings

MEMORY = load_settings({"TIDEGAUGE_JOURNAL": "memory"})


class Yielding(int):
    """A number that lets every other thread run while it is being added."""

    def __add__(self, other: int) -> "Yielding":
        return self._yield(other)

    def __radd__(self, other: int) -> "Yielding":
        return self._yield(other)

    def _yield(self, other: int) -> "Yielding":
        sleep(0.001)
        return Yielding(int(self) + other)


def test_the_first_number_is_one() -> None:
    assert Counter(MEMORY).next() == 1


def test_no_number_is_lost_or_handed_out_twice_when_adding_yields_to_other_threads() -> None:
    counter = Counter(MEMORY)
    counter._value = Yielding(0)
    seen: list[int] = []
    threads = [Thread(target=lambda: seen.extend(counter.next() for _ in range(10))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == list(range(1, 81))
