"""Ports for tests: below the ephemeral range (no self-connect, no theft by clients), one owner among processes."""

import itertools
import random
import socket
from pathlib import Path

SPAN = 20000


def ephemeral_low() -> int:
    return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])


class Ports:
    """Hands out free ports. Each is reserved by an abstract unix socket, so parallel test processes never share one."""

    def __init__(self) -> None:
        self._held: list[socket.socket] = []

    def take(self, count: int = 1) -> int:
        """The first of ``count`` neighbouring free ports."""
        high = ephemeral_low()
        low = max(1024, high - SPAN)
        for _ in range(1000):
            first = random.randrange(low, high - count)
            locks = [lock for lock in map(_lock, range(first, first + count)) if lock]
            self._held += locks
            if len(locks) == count and all(map(_is_free, range(first, first + count))):
                return first
        raise AssertionError(f"no {count} free ports in {low}..{high}")

    def release(self) -> None:
        for lock in self._held:
            lock.close()
        self._held.clear()


def _lock(port: int) -> socket.socket | None:
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        lock.bind(f"\0fastlb-tests-port-{port}")
    except OSError:
        lock.close()
        return None
    return lock


def _is_free(port: int) -> bool:
    for family, host in itertools.zip_longest((socket.AF_INET, socket.AF_INET6), ("127.0.0.1", "::1")):
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
                probe.listen(1)
            except OSError as error:
                if family == socket.AF_INET or error.errno == 98:
                    return False
    return True
