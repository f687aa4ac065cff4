"""Running out of things: descriptors, readers, servers that stall (X1, X9)."""

import subprocess
import time

from .harness.client import connect, elapsed_s, read_exactly, silent, who
from .harness.launch import BASE
from .harness.load import in_threads
from .harness.processes import cpu_s, rss_kib


def config(port, server, more=""):
    return f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        {more}
        server s {server}
    """


def test_few_descriptors_lower_maxconn_and_the_rest_waits(fastlb, peer, port):
    """X1 as designed: the balancer knows what fits, accepts no more, and says so at the start."""
    server = peer("hold", "s")
    lb = fastlb.start(config(port, server), nofile=256)
    clients = [connect(("127.0.0.1", port)) for _ in range(400)]
    served = [client for client in clients if not silent(client, 0.005)]
    assert 20 < len(served) < 300
    assert "maxconn" in lb.output()
    before = sum(map(cpu_s, lb.workers()))
    time.sleep(1)
    assert sum(map(cpu_s, lb.workers())) - before < 0.2, "busy while nothing can be accepted"
    for client in served:
        client.close()
    waiting = [client for client in clients if client not in served]
    for client in waiting:
        assert read_exactly(client, 2) == b"s\n"
        client.close()


def test_emfile_on_accept_is_survived(fastlb, peer, port):
    """X1 the hard way: the limit is taken away from the workers while they run, by prlimit(1)."""
    server = peer("hold", "s")
    lb = fastlb.start(config(port, server))
    for pid in lb.workers():
        subprocess.run(["prlimit", "--pid", str(pid), "--nofile=60:"], check=True)
    clients = [connect(("127.0.0.1", port), timeout_s=30) for _ in range(200)]
    time.sleep(0.5)
    before, started = sum(map(cpu_s, lb.workers())), time.monotonic()
    lines = len(lb.output().splitlines())
    time.sleep(2)
    assert sum(map(cpu_s, lb.workers())) - before <= 0.2 * elapsed_s(started), "busy while out of descriptors"
    assert len(lb.output().splitlines()) - lines <= 2 * 2 * elapsed_s(started) + 2, "one line a second for each worker"
    assert len(lb.workers()) == 2
    for pid in lb.workers():
        subprocess.run(["prlimit", "--pid", str(pid), "--nofile=4096:"], check=True)
    greeted = [read_exactly(client, 2) for client in clients]
    assert set(greeted) <= {b"s\n", b""}, "served or shed, nothing else"
    assert greeted.count(b"s\n") > 20
    for client in clients:
        client.close()
    assert [who_holds(port) for _ in range(10)] == [b"s\n"] * 10


def who_holds(port):
    with connect(("127.0.0.1", port)) as client:
        return read_exactly(client, 2)


def test_stalled_readers_cost_little_memory_and_no_time(fastlb, peer, port, scale):
    """X9: many clients that never read, one that does."""
    lb = fastlb.start(config(port, peer("firehose", "hose")))
    before = sum(map(rss_kib, lb.workers()))
    stalled = [connect(("127.0.0.1", port), rcvbuf=4096) for _ in range(scale("stalled readers", 1000, least=60))]
    reader = connect(("127.0.0.1", port))
    started = time.monotonic()
    assert len(read_exactly(reader, 200 << 20)) == 200 << 20
    assert elapsed_s(started) < 30
    assert sum(map(rss_kib, lb.workers())) - before < 20 * 1024
    for client in [*stalled, reader]:
        client.close()


def test_burst_of_connections_is_served(fastlb, peer, port):
    """L4 in small: 300 clients at once, none waits for a retransmitted SYN."""
    server = peer("banner", "s")
    fastlb.start(config(port, server))
    started = time.monotonic()
    assert in_threads([lambda: who(("127.0.0.1", port))] * 300, width=150) == ["s"] * 300
    assert elapsed_s(started) < 5
