"""Many connections: none fails, the workers share them, the weights hold (L1, L2, L8)."""

from collections import Counter

import pytest

from .harness import netns
from .harness.client import ask, who
from .harness.launch import BASE
from .harness.load import in_threads


@pytest.mark.netns
def test_churn_without_a_single_failure(balancer, peer, port, scale):
    """L1: connect, one byte each way, close. In a namespace of our own the kernel's counters are ours."""
    one, two = peer("ping", "one"), peer("ping", "two")
    balancer.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        server one {one}
        server two {two}
    """)
    count = scale("connections", 100_000, least=2000)
    assert in_threads([lambda: ask(("127.0.0.1", port), b"?")] * count, width=16) == [b"!"] * count
    kernel = netns.counters()
    assert kernel["ListenOverflows"] == kernel["ListenDrops"] == 0


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
