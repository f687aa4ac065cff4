"""Endless streams of which every byte says where it belongs, at the speed of memcmp."""

import random
import socket
import time
from dataclasses import dataclass

from .poison import checked

BLOCK = 1 << 18
PERIOD = 1_000_003  # a prime: a block lost, doubled or swapped cannot fall in step again
PATTERN = random.Random(PERIOD).randbytes(PERIOD) * 2


@dataclass
class Stream:
    """The reading end of a pattern: counts, checks the order, notes the longest pause."""

    sock: socket.socket
    received: int = 0
    longest_pause_s: float = 0.0

    def take(self, most: int = BLOCK) -> int:
        """One read, checked; 0 at the end."""
        started = time.monotonic()
        part = checked(self.sock.recv(min(most, BLOCK)))
        self.longest_pause_s = max(self.longest_pause_s, time.monotonic() - started)
        at = self.received % PERIOD
        assert PATTERN.startswith(part, at), f"a foreign byte after {self.received}"
        self.received += len(part)
        return len(part)

    def read_to_end(self) -> int:
        while self.take():
            pass
        return self.received

    def read_slowly(self, bytes_per_s: float, for_s: float) -> None:
        """Keep to a pace by pausing after each read."""
        started, before = time.monotonic(), self.received
        while time.monotonic() - started < for_s and self.take(int(bytes_per_s / 20)):
            ahead_s = (self.received - before) / bytes_per_s - (time.monotonic() - started)
            time.sleep(max(0.0, ahead_s))


def request(count: int) -> bytes:
    """The first line that the ``stream`` server reads."""
    return b"%d\n" % count
