"""D12: a fast source and a slow sink. What is under way stays bounded, and the sink gets exactly what was sent."""

import contextlib
import socket
import time
from pathlib import Path

from .harness.client import connect
from .harness.endless import BLOCK, PATTERN, PERIOD, Stream

HELD = 256 << 10  # bytes that fastlb itself may hold for one direction of a session
SINK_BYTES_PER_S, END_BUFFER = 1_000_000, 65536
PAIRS = 4


class Source:
    """Writes the pattern as fast as it is taken."""

    def __init__(self, sock):
        self.sock, self.sent = sock, 0
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, END_BUFFER)
        sock.setblocking(False)

    def push(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                at = self.sent % PERIOD
                self.sent += self.sock.send(memoryview(PATTERN)[at : at + BLOCK])


def test_bytes_under_way_are_bounded(fastlb, mover, puppet, port, scale):
    server = puppet()
    lb = fastlb.start(mover.listener(port, server), environment=mover.environment)
    sources, sinks = zip(*(open_pair(port, server) for _ in range(PAIRS)), strict=True)
    seconds = scale("seconds", 60, least=2)
    peaks = [drip_for(second_s, sources, sinks, lb) for second_s in [1.0] * seconds]
    held, under_way = max(held for held, _ in peaks), max(one for _, one in peaks)
    print(f"at most {held} B held by fastlb for {PAIRS} sessions, {under_way} B of one session between the two ends")
    assert held <= PAIRS * HELD
    assert under_way <= HELD + 4 * END_BUFFER + buffer_limit("tcp_rmem") + buffer_limit("tcp_wmem")
    finish(sources, sinks)


def open_pair(port, server):
    """One at a time: two workers do not connect in the order in which clients came."""
    client = connect(("127.0.0.1", port), rcvbuf=END_BUFFER)
    return Source(server.accept()), Stream(client)


def drip_for(seconds, sources, sinks, lb):
    """(held by fastlb, most under way of one session) after the sinks have read at their pace for so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for source, sink in zip(sources, sinks, strict=True):
            source.push()
            sink.take(SINK_BYTES_PER_S // 20)
        time.sleep(0.05)
    now = lb.samples()
    received = now.sum("fastlb_server_received_bytes_total", server="s1")
    held = received - now.sum("fastlb_frontend_sent_bytes_total", proxy="lb")
    return held, max(source.sent - sink.received for source, sink in zip(sources, sinks, strict=True))


def buffer_limit(name):
    """What the kernel lets one socket's buffer grow to."""
    return int((Path("/proc/sys/net/ipv4") / name).read_text().split()[2])


def finish(sources, sinks):
    for source, sink in zip(sources, sinks, strict=True):
        source.sock.shutdown(socket.SHUT_WR)
        assert sink.read_to_end() == source.sent
        sink.sock.close()
        source.sock.close()
