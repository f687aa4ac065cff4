"""D9: received, sent and undelivered bytes are what both ends saw, to the byte, however a session ends."""

import contextlib
import os

import pytest

from .harness.client import connect, read_to_end, reset
from .harness.load import in_threads
from .harness.transfer import bytes_received, header, random_transfers, run
from .harness.waiting import eventually

JUNK = os.urandom(50_000)


def test_byte_counters_equal_what_both_ends_saw(fastlb, mover, peer, port, scale):
    """Per server and per frontend, with nothing aborted."""
    servers = [peer("duplex", "s1"), peer("duplex", "s2")]
    lb = fastlb.start(mover.listener(port, *servers), environment=mover.environment)
    transfers = random_transfers(scale("transfers", 20_000, least=40), seed=11, largest=1 << 20)
    in_threads([lambda t=t: run(("127.0.0.1", port), t) for t in transfers], width=6)
    headers = {t.seed: len(header(t)) for t in transfers}
    all_closed(lb)
    now, up, down = lb.samples(), 0, 0
    for server in servers:
        events = server.wait_events(len(transfers) // 2)
        sent = sum(event["received"] + headers[event["seed"]] for event in events)
        received = sum(event["sent"] for event in events)
        assert now.sum("fastlb_server_sent_bytes_total", server=server.name) == sent
        assert now.sum("fastlb_server_received_bytes_total", server=server.name) == received
        up, down = up + sent, down + received
    assert now.sum("fastlb_frontend_received_bytes_total", proxy="lb") == up
    assert now.sum("fastlb_frontend_sent_bytes_total", proxy="lb") == down
    assert now.sum("fastlb_frontend_undelivered_bytes_total", proxy="lb") == 0
    assert now.sum("fastlb_server_undelivered_bytes_total", proxy="lb") == 0


@pytest.mark.parametrize("direction", ["up", "down"])
def test_byte_counters_are_exact_when_the_reader_aborts(fastlb, mover, puppet, port, scale, direction):
    """Every buffer on the way is full then. What the reader's kernel had was delivered; the rest was not."""
    server = puppet()
    lb = fastlb.start(mover.listener(port, server), environment=mover.environment)
    pairs = [open_pair(port, server, direction) for _ in range(scale("aborts", 200, least=4))]
    written = fill([writer for writer, _ in pairs])
    delivered = sum(settled(reader) for _, reader in pairs)
    for writer, reader in pairs:
        reset(reader)
        assert end_of(writer) == b""
        writer.close()
    all_closed(lb)
    check_counters(lb.samples(), direction, written, delivered)
    assert undelivered(lb.samples(), direction) > 0, "full buffers leave something undelivered"


@pytest.mark.parametrize("direction", ["up", "down"])
def test_byte_counters_are_exact_when_the_writer_aborts(fastlb, mover, puppet, port, scale, direction):
    """The reader gets what had been taken from the writer before its reset, and that is what was counted."""
    server = puppet()
    lb = fastlb.start(mover.listener(port, server), environment=mover.environment)
    pairs = [open_pair(port, server, direction) for _ in range(scale("aborts", 200, least=4))]
    written = fill([writer for writer, _ in pairs])
    for writer, _ in pairs:
        reset(writer)
    delivered = sum(len(end_of(reader)) for _, reader in pairs)
    all_closed(lb)
    assert delivered == sum(bytes_received(reader) for _, reader in pairs)
    check_counters(lb.samples(), direction, written, delivered)
    for _, reader in pairs:
        reader.close()


def open_pair(port, server, direction):
    """(writer, reader); the reader's window is small."""
    small = 4096 if direction == "down" else 0
    client = connect(("127.0.0.1", port), rcvbuf=small)
    far = server.accept()
    return (client, far) if direction == "up" else (far, client)


def fill(writers):
    """Write until nothing more is taken for a while; the bytes that were."""
    total = [0]

    def all_refuse():
        pushed = sum(map(push, writers))
        total[0] += pushed
        return pushed == 0

    eventually(all_refuse, "every buffer full", within_s=60, every_s=0.15)
    return total[0]


def push(writer):
    count = 0
    writer.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            count += writer.send(JUNK)
    return count


def settled(sock):
    """The count of received bytes once it no longer grows."""
    seen = [-1]

    def unchanged():
        seen.append(bytes_received(sock))
        return seen[-1] == seen[-2]

    eventually(unchanged, "no more bytes arrive", every_s=0.05)
    return seen[-1]


def end_of(sock):
    sock.settimeout(20)
    return read_to_end(sock)[0]


def check_counters(now, direction, written, delivered):
    """``written`` by the writers, ``delivered`` to the readers' kernels."""
    source, sink = ("frontend", "server") if direction == "up" else ("server", "frontend")
    received = now.sum(f"fastlb_{source}_received_bytes_total", proxy="lb")
    sent = now.sum(f"fastlb_{sink}_sent_bytes_total", proxy="lb")
    assert received - undelivered(now, direction) == delivered, "received and not lost: what the readers' kernels took"
    assert delivered <= sent <= received <= written


def undelivered(now, direction):
    return now.sum(f"fastlb_{'server' if direction == 'up' else 'frontend'}_undelivered_bytes_total", proxy="lb")


def all_closed(lb):
    eventually(lambda: lb.samples().sum("fastlb_frontend_sessions") == 0, "all sessions closed", 30)
