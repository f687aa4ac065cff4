"""One worker, many streams: nobody starves beside bulk traffic (L6), nobody is slowed by slow readers (L7)."""

import random
from statistics import median

from .harness.client import connect
from .harness.endless import request
from .harness.latency import percentile, ping_pongs
from .harness.movers import OWN_CHOICE
from .harness.processes import run_s
from .harness.readers import Readers
from .harness.waiting import PATIENCE, eventually

MOVERS = OWN_CHOICE

FOREVER = request(1 << 50)
SLOW_BYTES_PER_S = 10_000


def two_listeners(mover, port, first, second):
    """Echo on ``port``, streams on the next one; one worker has all."""
    return f"""{mover.base(workers=1)}
    listen echo
        bind 127.0.0.1:{port}
        server s {first}
    listen streams
        bind 127.0.0.1:{port + 1}
        server s {second}
    """


def test_a_small_message_gets_through_beside_bulk(fastlb, mover, peer, ports, scale):
    """L6: four streams as fast as they can and one ping-pong. The sharp figure is in bench/."""
    port = ports.take(2)
    fastlb.start(two_listeners(mover, port, peer("echo", "e"), peer("stream", "b")), environment=mover.environment)
    count, dice = scale("ping-pongs beside 4 streams", 10_000, least=200), random.Random(6)
    with Readers(port + 1, 4, 600 if count > 1000 else 60, request=FOREVER), connect(("127.0.0.1", port)) as client:
        samples = ping_pongs(client, (dice.randbytes(dice.randint(1, 200)) for _ in range(count)))
    print(f"p50 {median(samples) * 1000:.2f} ms, p99 {percentile(samples, 99) * 1000:.2f} ms")
    assert median(samples) < 0.010 * PATIENCE
    assert percentile(samples, 99) < 0.100 * PATIENCE


def test_bulk_streams_share_a_worker(fastlb, mover, peer, port, scale):
    """L6: each turn moves a bounded amount of each, so no stream is left behind."""
    fastlb.start(mover.listener(port, peer("stream", "b"), workers=1), environment=mover.environment)
    with Readers(port, 4, scale("seconds of 4 streams", 20, least=1), request=FOREVER) as readers:
        counts = readers.received()
    print(f"{[count // 1_000_000 for count in counts]} MB")
    assert min(counts) > sum(counts) / 4 / 4


def test_slow_readers_do_not_slow_the_fast(fastlb, mover, peer, port, scale):
    """L7: 50 fast readers, alone and beside 200 that take 10 kB/s.

    The worker's CPU for a byte is compared: how many bytes pass in a second is the machine's affair (and bench/'s).
    """
    lb = fastlb.start(mover.listener(port, peer("firehose", "b"), workers=1), environment=mover.environment)
    seconds, fast_count = scale("seconds of fast readers", 10, least=1), scale("fast readers", 50, least=8)
    slow_count = scale("slow readers", 200, least=50)
    alone = cost_of_fast(lb, port, fast_count, seconds)
    with Readers(port, slow_count, 120, SLOW_BYTES_PER_S) as slow:
        buffers_full(lb, slow_count * SLOW_BYTES_PER_S)
        beside = cost_of_fast(lb, port, fast_count, seconds)
        trickles = slow.received(now=True)
    print(f"{alone * 1e12:.0f} us of CPU for a MB alone, {beside * 1e12:.0f} us beside {slow_count} slow readers")
    assert beside <= 2 * PATIENCE * alone
    assert min(trickles) >= 0.5 * SLOW_BYTES_PER_S * seconds


def cost_of_fast(lb, port, count, seconds):
    """Seconds of the worker's CPU for each byte that the fast readers got."""
    (worker,) = lb.workers()
    before = run_s(worker)
    with Readers(port, count, seconds) as fast:
        received = fast.received()
    assert min(received) > 0
    return (run_s(worker) - before) / sum(received)


def buffers_full(lb, pace):
    """Until what comes from the servers is what the slow readers take: ``pace`` bytes a second."""
    seen = []

    def level():
        seen.append(lb.samples().sum("fastlb_server_received_bytes_total", server="s1"))
        return len(seen) > 1 and seen[-1] - seen[-2] <= pace / 2

    eventually(level, "the buffers of the slow readers are full", 30, every_s=0.25)
