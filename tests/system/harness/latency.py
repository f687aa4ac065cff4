"""Ping-pong: how long answers take, and whether they gather where timers of the kernel would put them."""

import socket
import time
from collections.abc import Iterable, Sequence

from .client import read_exactly
from .waiting import PATIENCE

DELAYED_ACK_S, HELD_SEGMENT_S = (0.035, 0.045), (0.195, 0.215)  # the marks of Nagle with delayed ACKs, and of MSG_MORE


def ping_pongs(sock: socket.socket, messages: Iterable[bytes]) -> list[float]:
    """Seconds that each message took to come back whole; what comes back must be it."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return [_ping_pong(sock, message) for message in messages]


def _ping_pong(sock: socket.socket, message: bytes) -> float:
    started = time.perf_counter()
    sock.sendall(message)
    assert read_exactly(sock, len(message)) == message
    return time.perf_counter() - started


def percentile(samples: Sequence[float], percent: float) -> float:
    """The sample that ``percent`` % of all do not exceed (nearest rank)."""
    return sorted(samples)[max(0, -(-len(samples) * percent // 100).__trunc__() - 1)]


def within(samples: Iterable[float], bounds: tuple[float, float]) -> int:
    low, high = bounds
    return sum(low <= sample <= high for sample in samples)


def assert_no_cluster(samples: Sequence[float]) -> None:
    """A timer that every message meets shows as a heap; the odd sample is a busy machine."""
    few = max(3, len(samples) // 1000) * PATIENCE
    for bounds in (DELAYED_ACK_S, HELD_SEGMENT_S):
        assert within(samples, bounds) <= few, f"{within(samples, bounds)} of {len(samples)} samples in {bounds} s"
