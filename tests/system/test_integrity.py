"""Every byte, once, in order, to the right client, and nobody else's (D1, D8, S1)."""

import threading
import time

from .harness.client import connect, read_exactly, reset
from .harness.launch import BASE
from .harness.load import in_threads
from .harness.scale import SCALE
from .harness.transfer import random_transfers, run
from .harness.waiting import eventually

LARGEST = 64 << 20 if SCALE >= 1 else 8 << 20  # bytes of the largest transfer


def listener(port, server):
    return f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        server {server.name} {server}
    """


def test_two_way_transfers_are_exact(fastlb, peer, port, scale):
    """D1: both directions at once, sizes from nothing to large, pauses, small and large writes.

    No twin of HAProxy: on a busy machine 2.6 cuts the tail of some of the large ones off, or resets.
    """
    server = peer("duplex", "s")
    fastlb.start(listener(port, server))
    transfers = random_transfers(scale("transfers", 20_000, least=60), seed=7, largest=LARGEST)
    sent = in_threads([lambda t=t: (t.seed, run(("127.0.0.1", port), t)) for t in transfers], width=6)
    arrived = {event["seed"]: event["sha256"] for event in server.wait_events(len(transfers))}
    assert arrived == dict(sent)


def test_transfers_are_exact_however_bytes_move(fastlb, mover, peer, port, scale):
    """D8: with the random mover of a debug build, any step may be copied or spliced."""
    server = peer("duplex", "s1")
    lb = fastlb.start(mover.listener(port, server), environment=mover.environment)
    transfers = random_transfers(scale("transfers", 20_000, least=60), seed=8, largest=LARGEST)
    sent = in_threads([lambda t=t: (t.seed, run(("127.0.0.1", port), t)) for t in transfers], width=6)
    arrived = {event["seed"]: event["sha256"] for event in server.wait_events(len(transfers))}
    assert arrived == dict(sent)
    check_moved(mover, lb.samples())


def check_moved(mover, now):
    """The bytes took the way that was asked for."""
    copied, spliced = (now.sum("fastlb_worker_moved_bytes_total", mover=way) for way in ("copy", "splice"))
    if mover.name == "random":
        assert 0.25 < spliced / copied < 4
    elif mover.name in ("copy", "splice"):
        assert (copied if mover.name == "splice" else spliced) <= 0.02 * (copied + spliced)


def test_no_byte_reaches_another_client(fastlb, mover, peer, port, scale):
    """S1: each client has its own tag, half of them abort with data in flight; pooled pipes must come back empty."""
    server = peer("tagged", "s1")
    lb = fastlb.start(mover.listener(port, server, workers=1), environment=mover.environment)
    count = scale("connections", 100_000, least=400)
    in_threads([lambda n=n: visit_tagged(("127.0.0.1", port), n) for n in range(count)], width=12)
    eventually(lambda: lb.samples().sum("fastlb_frontend_sessions") == 0, "all sessions closed")
    events = [event for event in server.events() if "foreign" in event]
    assert len(events) >= count // 2
    assert [event for event in events if event["foreign"]] == []


def visit_tagged(to, number):
    """Even numbers abort: they let the reply fill every buffer on its way and reset. Odd ones check all of it."""
    tag = b"%016d" % number
    abort = number % 2 == 0
    with connect(to, rcvbuf=8192 if abort else 0) as sock:
        sock.sendall(tag)
        if abort:
            assert read_exactly(sock, 16) == tag
            time.sleep(0.005)
            reset(sock)
            return
        uploading = threading.Thread(target=sock.sendall, args=(tag * (number * 37 % 6000),))
        uploading.start()
        reply = read_exactly(sock, 16 * 32768)
        uploading.join()
        assert reply == tag * 32768, f"client {number} got foreign bytes"
