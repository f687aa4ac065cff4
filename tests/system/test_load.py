"""Many connections: none fails, the workers share them, the weights hold (L1, L2, L4, L8)."""

import contextlib
import select
import socket
import time
from collections import Counter

import pytest

from .harness import kernel, netns
from .harness.client import ask, who
from .harness.launch import BASE
from .harness.load import in_threads
from .harness.waiting import PATIENCE


@pytest.mark.netns
def test_churn_without_a_single_failure(balancer, peer, port, scale):
    """L1: connect, one byte each way, close. In a namespace of our own the kernel's counters are ours."""
    kernel.settings(tcp_tw_reuse=2)  # the kernel's default: in full this takes more ports than TIME_WAIT leaves
    one, two = peer("ping", "one"), peer("ping", "two")
    balancer.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        server one {one}
        server two {two}
    """)
    count = scale("connections", 100_000, least=2000)
    assert in_threads([lambda: ask(("127.0.0.1", port), b"?")] * count, width=16) == [b"!"] * count
    counted = netns.counters()
    assert counted["ListenOverflows"] == counted["ListenDrops"] == 0


def test_workers_share_the_connections(fastlb, peer, port, scale):
    """L2: a fair coin per connection; the bound is five standard deviations."""
    server = peer("banner", "s")
    lb = fastlb.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        server s {server}
    """)
    count = scale("connections", 10_000, least=1000)
    in_threads([lambda: who(("127.0.0.1", port))] * count, width=8)
    taken = {labels["worker"]: value for labels, value in lb.samples().select("fastlb_worker_sessions_total")}
    assert sum(taken.values()) == count
    assert len(taken) == 2
    for share in taken.values():
        assert abs(share - count / 2) <= 5 * (count**0.5) / 2


def test_weights_hold_under_load(balancer, peer, port, scale):
    """L8: weights 1, 2, 5 over two workers and many clients at once."""
    weights = {"w1": 1, "w2": 2, "w5": 5}
    servers = {name: peer("banner", name) for name in weights}
    lines = "\n        ".join(f"server {name} {servers[name]} weight {weights[name]}" for name in weights)
    balancer.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        {lines}
    """)
    count = scale("connections", 80_000, least=800)
    seen = Counter(in_threads([lambda: who(("127.0.0.1", port))] * count, width=8))
    for name, weight in weights.items():
        assert abs(seen[name] / count - weight / 8) <= 0.005


@pytest.mark.netns
def test_bursts_of_connects_are_served_at_once(balancer, peer, port, scale):
    """L4: all clients at the same edge of a clock. None is dropped, none has to send its SYN again."""
    server = peer("banner", "s")
    balancer.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port} backlog 4096
        server s {server}
    """)
    count = scale("clients in a burst", 2000, least=400)
    before = netns.tcp_counters()
    for _ in range(scale("bursts", 20, least=2)):
        started = time.monotonic()
        answered = burst(("127.0.0.1", port), count)
        assert answered == count
        assert time.monotonic() - started < 5 * PATIENCE  # a second for the full figure; a lost SYN costs one more
    kernel = netns.counters()
    assert kernel["ListenDrops"] == kernel["ListenOverflows"] == 0
    assert netns.tcp_counters()["RetransSegs"] == before["RetransSegs"]


def burst(to, count):
    """Connect all at once, then read every banner to its FIN; how many came whole."""
    socks = [socket.socket() for _ in range(count)]
    for sock in socks:
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            sock.connect(to)
    waiting, answered = {sock.fileno(): sock for sock in socks}, 0
    with select.epoll() as poll:
        for fd in waiting:
            poll.register(fd, select.EPOLLRDHUP)
        until = time.monotonic() + 20
        while waiting and time.monotonic() < until:
            for fd, _ in poll.poll(1):
                with waiting.pop(fd) as sock:
                    answered += sock.recv(10) == b"s\n"
    for sock in waiting.values():
        sock.close()
    return answered
