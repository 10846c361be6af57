from threading import Thread
from time import sleep

from tidegauge.store.counter import Counter


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
    assert Counter().next() == 1


def test_adding_returns_the_last_of_the_numbers_that_the_caller_owns() -> None:
    counter = Counter()
    assert counter.add(10) == 10
    assert counter.next() == 11


def test_no_number_is_lost_or_handed_out_twice_when_adding_yields_to_other_threads() -> None:
    counter = Counter(Yielding(0))
    seen: list[int] = []
    threads = [Thread(target=lambda: seen.extend(counter.next() for _ in range(10))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == list(range(1, 81))
