"""Round robin over all workers together: exact at any moment, because the turn is one shared atomic counter."""

from collections import Counter

from .harness.client import connect, read_exactly, who
from .harness.launch import BASE
from .harness.load import in_threads

SERVERS = 4


def config(port, servers, weights=(1, 1, 1, 1)):
    lines = "\n".join(f"        server {s.name} {s} weight {w}" for s, w in zip(servers, weights, strict=True))
    return f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        balance roundrobin
{lines}
    """


def test_equal_weights_differ_by_at_most_one_at_any_moment(fastlb, peer, port):
    """Connections are held, so the servers' counts can be looked at after each one, whichever worker took it."""
    servers = [peer("hold", f"s{n}") for n in range(SERVERS)]
    lb = fastlb.start(config(port, servers))
    held, counts = [], Counter({server.name: 0 for server in servers})
    for _ in range(50):
        held.append(connect(("127.0.0.1", port)))
        counts[read_exactly(held[-1], 3).decode().strip()] += 1
        assert max(counts.values()) - min(counts.values()) <= 1, counts
    busy = {labels["worker"]: n for labels, n in lb.samples().select("fastlb_worker_sessions")}
    assert len(busy) == 2 and min(busy.values()) > 0, f"only one worker took part: {busy}"
    for sock in held:
        sock.close()


def test_concurrent_clients_get_exact_shares(fastlb, peer, port, scale):
    servers = [peer("banner", f"s{n}") for n in range(SERVERS)]
    lb = fastlb.start(config(port, servers))
    count = scale("connections", 40_000, least=400) // 8 * 8
    seen = Counter(in_threads([lambda: who(("127.0.0.1", port))] * count))
    assert seen == {server.name: count // SERVERS for server in servers}
    now = lb.samples()
    for server in servers:
        assert now.sum("fastlb_server_sessions_total", server=server.name) == count // SERVERS


def test_concurrent_clients_get_exact_weighted_shares(fastlb, peer, port):
    servers = [peer("banner", f"s{n}") for n in range(SERVERS)]
    fastlb.start(config(port, servers, weights=(1, 2, 3, 4)))
    seen = Counter(in_threads([lambda: who(("127.0.0.1", port))] * 200))
    assert seen == {"s0": 20, "s1": 40, "s2": 60, "s3": 80}
