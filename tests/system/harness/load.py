"""Background clients: closed-loop conversations until told to stop, every failure kept."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from .client import Address, ask, who


@dataclass(frozen=True)
class Failure:
    """A conversation that went wrong: when it began (time.monotonic), how long it took, why."""

    began: float
    took_s: float
    why: str


class Load:
    """``clients`` threads repeat ``conversation`` while the body of a ``with`` runs. ``answers`` counts the results."""

    def __init__(self, conversation: Callable[[], str], clients: int = 4, pause_s: float = 0.0) -> None:
        self.answers: Counter[str] = Counter()
        self.failures: list[Failure] = []
        self._conversation, self._pause_s = conversation, pause_s
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(clients)]

    def _run(self) -> None:
        while not self._stop.is_set():
            started = time.monotonic()
            try:
                answer, failure = self._conversation(), None
            except (OSError, AssertionError) as error:
                answer, failure = "", Failure(started, time.monotonic() - started, repr(error))
            with self._lock:
                if failure:
                    self.failures.append(failure)
                else:
                    self.answers[answer] += 1
            if self._pause_s:
                self._stop.wait(self._pause_s)

    @property
    def done(self) -> int:
        return sum(self.answers.values())

    def failed_since(self, moment: float) -> list[Failure]:
        """Failures of conversations that began after ``moment`` (time.monotonic)."""
        return [failure for failure in self.failures if failure.began > moment]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive(), "a client hangs"


def banners(to: Address, clients: int = 4, pause_s: float = 0.0) -> Load:
    """Clients that connect, read the banner server's name and close."""
    return Load(lambda: who(to) or "nothing", clients, pause_s)


def echoes(to: Address, clients: int = 4, pause_s: float = 0.0) -> Load:
    """Clients that send one byte and want it back."""
    return Load(lambda: ask(to, b"x").decode(), clients, pause_s)


def in_threads(jobs: list[Callable[[], object]], width: int = 8) -> list[object]:
    """Run every job, ``width`` at a time; results in order, the first exception raised."""
    results: list[object] = [None] * len(jobs)
    errors: list[BaseException] = []
    numbers = iter(range(len(jobs)))
    lock = threading.Lock()

    def run() -> None:
        while not errors:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            try:
                results[number] = jobs[number]()
            except BaseException as error:  # handed to the caller below
                errors.append(error)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(min(width, len(jobs)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results
