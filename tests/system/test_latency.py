"""L3: small messages are passed on at once; none waits for a timer of the kernel (40 ms, 200 ms)."""

import ctypes
import platform
import random
import struct

import pytest

from .harness.client import connect
from .harness.latency import assert_no_cluster, percentile, ping_pongs
from .harness.waiting import PATIENCE

ABOUT = (1, 150, 20_000, 100_000, 300_000)  # bytes: some are copied, some spliced
GENEROUS_S = 0.1  # the machine is busy with other tests; bench/ has the sharp figure


def test_small_messages_meet_no_timer(fastlb, mover, peer, port, scale):
    lb_config = mover.listener(port, peer("echo", "s1"))
    fastlb.start(lb_config, environment=mover.environment)
    dice = random.Random(3)
    messages = (dice.randbytes(dice.randint(1, 200)) for _ in range(scale("ping-pongs", 100_000, least=2000)))
    with connect(("127.0.0.1", port)) as client:
        check(ping_pongs(client, messages))


def test_tails_of_large_messages_meet_no_timer(fastlb, mover, peer, port, scale):
    """The last, odd piece of what was spliced: sent with a hint that more follows, it would wait 200 ms."""
    fastlb.start(mover.listener(port, peer("echo", "s1")), environment=mover.environment)
    dice = random.Random(4)
    sizes = [dice.choice(ABOUT) + dice.randint(0, 99) for _ in range(scale("ping-pongs", 10_000, least=150))]
    messages = map(dice.randbytes, sizes)
    with connect(("127.0.0.1", port)) as client:
        check(ping_pongs(client, messages))


def test_a_worker_that_wakes_need_not_wait_for_the_slice_of_another(fastlb, mover, peer, port):
    if tuple(map(int, platform.release().split(".")[:2])) < (6, 12) or platform.machine() != "x86_64":
        pytest.skip("a slice of its own came with Linux 6.12; the number of the call is that of x86_64")
    lb = fastlb.start(mover.listener(port, peer("echo", "s1"), workers=2))
    assert [slice_ns(worker) for worker in lb.workers()] == [100_000, 100_000]


def slice_ns(pid):
    """sched_getattr(2): 24 bytes of other things stand before the slice."""
    attributes = ctypes.create_string_buffer(48)
    assert ctypes.CDLL(None).syscall(315, pid, attributes, 48, 0) == 0
    return struct.unpack_from("=24xQ", attributes)[0]


def check(samples):
    late = percentile(samples, 99)
    print(f"{len(samples)} samples: p50 {percentile(samples, 50) * 1000:.2f} ms, p99 {late * 1000:.2f} ms")
    assert_no_cluster(samples)
    assert late < GENEROUS_S * PATIENCE
