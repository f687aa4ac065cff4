"""D7: one connection that moves very much, without a pause and without a wrong byte; the counters know every one."""

import time

from .harness.client import connect
from .harness.endless import Stream, request
from .harness.movers import OWN_CHOICE
from .harness.waiting import PATIENCE, eventually

MOVERS = OWN_CHOICE

MB = 1_000_000


def test_long_stream(fastlb, mover, peer, port, scale):
    server = peer("stream", "s1")
    lb = fastlb.start(mover.listener(port, server), environment=mover.environment)
    count = scale("MB on one connection", 100_000, least=100) * MB
    with connect(("127.0.0.1", port), timeout_s=10) as client:
        client.sendall(request(count))
        stream, started = Stream(client), time.monotonic()
        assert stream.read_to_end() == count
        print(f"{count} B in {time.monotonic() - started:.1f} s, longest pause {stream.longest_pause_s * 1000:.0f} ms")
    assert stream.longest_pause_s < 1 * PATIENCE
    assert server.wait_events(1)[0]["sent"] == count
    eventually(lambda: lb.samples().sum("fastlb_frontend_sessions") == 0, "the session closed")
    now = lb.samples()
    assert now.sum("fastlb_server_received_bytes_total", server="s1") == count
    assert now.sum("fastlb_frontend_sent_bytes_total", proxy="lb") == count
    assert now.sum("fastlb_frontend_received_bytes_total", proxy="lb") == len(request(count))
