"""L5: thousands of idle sessions cost little memory, no pipe, and no time of the active ones."""

import random
import resource

import pytest

from .harness.client import connect, read_exactly
from .harness.latency import percentile, ping_pongs
from .harness.movers import OWN_CHOICE
from .harness.processes import private_kib
from .harness.waiting import PATIENCE, eventually

MOVERS = OWN_CHOICE

POOL_LIMIT = 64  # idle pipes that a worker keeps
BURST = 300_000  # bytes: enough to be spliced


@pytest.fixture
def many_descriptors():
    """This process holds both ends of every session: two descriptors each."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_idle_mass_beside_a_few_active(fastlb, mover, peer, puppet, ports, scale, many_descriptors):
    server, port = puppet(), ports.take(2)
    lb = fastlb.start(
        f"""{mover.base()}
    listen active
        bind 127.0.0.1:{port}
        server s {peer("echo", "e")}
    listen idle
        bind 127.0.0.1:{port + 1}
        timeout client 10m
        timeout server 10m
        server s {server}
    """,
        environment=mover.environment,
    )
    count = min(scale("idle sessions", 8000, least=400), (many_descriptors - 500) // 2)
    active = [connect(("127.0.0.1", port)) for _ in range(scale("active sessions", 50, least=10))]
    alone = rounds(active)
    before = sum(map(private_kib, lb.workers()))
    idle = [open_idle(port + 1, server, BURST if number < 50 else 1) for number in range(count)]
    at_rest(lb)
    grown = sum(map(private_kib, lb.workers())) - before
    beside = rounds(active)
    print(
        f"{grown / count:.2f} KiB for each of {count} idle sessions; p99 of {len(active)} active ones "
        f"{alone * 1000:.2f} ms alone, {beside * 1000:.2f} ms beside them"
    )
    assert lb.sanitized() or grown <= 4 * count
    assert beside <= 2 * alone + 0.010 * PATIENCE
    assert pipes(lb, "pipes") <= len(active) + POOL_LIMIT * 2
    for sock in [*active, *(sock for pair in idle for sock in pair)]:
        sock.close()


def rounds(socks):
    """The 99th percentile, in seconds, of twenty small messages on each."""
    dice = random.Random(5)
    samples = [ping_pongs(sock, [dice.randbytes(100)]) for _ in range(20) for sock in socks]
    return percentile([took for one in samples for took in one], 99)


def open_idle(port, server, size):
    """A session that has moved ``size`` bytes each way and now says nothing."""
    client = connect(("127.0.0.1", port))
    far = server.accept()
    for source, sink in ((client, far), (far, client)):
        for _ in range(0, size, 50_000):
            part = bytes(min(size, 50_000))
            source.sendall(part)
            assert read_exactly(sink, len(part)) == part
    return client, far


def at_rest(lb):
    """Nobody who is idle holds a pipe or a buffer."""
    eventually(lambda: pipes(lb, "pipes") == pipes(lb, "pipes_idle"), "every pipe is back in its pool")
    assert pipes(lb, "buffers") == 0


def pipes(lb, name):
    return lb.samples().sum(f"fastlb_worker_{name}")
