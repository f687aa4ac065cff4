"""Every byte, once, in order, to the right client (D1, S1), and none without being counted (D9)."""

import os
import threading
import time

from .harness.client import connect, read_exactly, read_to_end, reset
from .harness.launch import BASE
from .harness.load import in_threads
from .harness.transfer import bytes_received, random_transfers, run
from .harness.waiting import eventually


def listener(port, *servers):
    lines = "\n        ".join(f"server {one.name} {one}" for one in servers)
    return f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        {lines}
    """


def test_two_way_transfers_are_exact(balancer, peer, port, scale):
    """D1: both directions at once, sizes from nothing to large, pauses, small and large writes."""
    server = peer("duplex", "s")
    balancer.start(listener(port, server))
    transfers = random_transfers(scale("transfers", 20_000, least=60), seed=7, largest=4 << 20)
    sent = in_threads([lambda t=t: (t.seed, run(("127.0.0.1", port), t)) for t in transfers], width=6)
    arrived = {event["seed"]: event["sha256"] for event in server.wait_events(len(transfers))}
    assert arrived == dict(sent)


def test_byte_counters_equal_what_both_ends_saw(fastlb, peer, port, scale):
    """D9, without aborts: received and sent, per server and frontend, to the byte."""
    server = peer("duplex", "s")
    lb = fastlb.start(listener(port, server))
    transfers = random_transfers(scale("transfers", 20_000, least=40), seed=11, largest=1 << 20)
    in_threads([lambda t=t: run(("127.0.0.1", port), t) for t in transfers], width=6)
    events = server.wait_events(len(transfers))
    headers = sum(len(f"{t.down} {t.seed} {t.chunk} {t.pause_ms}\n") for t in transfers)
    up = headers + sum(event["received"] for event in events)
    down = sum(event["sent"] for event in events)
    sheet_closed(lb)
    now = lb.samples()
    assert now.sum("fastlb_frontend_received_bytes_total", proxy="lb") == up
    assert now.sum("fastlb_frontend_sent_bytes_total", proxy="lb") == down
    assert now.sum("fastlb_server_sent_bytes_total", proxy="lb", server="s") == up
    assert now.sum("fastlb_server_received_bytes_total", proxy="lb", server="s") == down
    assert now.sum("fastlb_frontend_undelivered_bytes_total", proxy="lb") == 0
    assert now.sum("fastlb_server_undelivered_bytes_total", proxy="lb", server="s") == 0


def sheet_closed(lb):
    eventually(lambda: lb.samples().sum("fastlb_frontend_sessions") == 0, "all sessions closed")


def test_byte_counters_are_exact_for_aborted_transfers(fastlb, puppet, port):
    """The client stops reading and resets. What its kernel had acknowledged was sent; the rest is undelivered."""
    server = puppet()
    lb = fastlb.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        server s {server}
    """)
    acknowledged = sent = 0
    for _ in range(5):
        client = connect(("127.0.0.1", port), rcvbuf=4096)
        far = server.accept()
        far.settimeout(0.3)
        try:
            while sent < 1 << 40:
                sent += far.send(os.urandom(20_000))
        except TimeoutError:
            pass
        acknowledged += settled(client)
        reset(client)
        sent_by_far_end = read_to_end(far)
        assert sent_by_far_end[0] == b""
        far.close()
    sheet_closed(lb)
    now = lb.samples()
    received = now.sum("fastlb_server_received_bytes_total", server="s")
    delivered = now.sum("fastlb_frontend_sent_bytes_total", proxy="lb")
    undelivered = now.sum("fastlb_frontend_undelivered_bytes_total", proxy="lb")
    assert undelivered > 0, "an abort with a full window leaves something undelivered"
    assert received - undelivered == acknowledged, "what was received and acknowledged is what the clients got"
    assert acknowledged <= delivered <= received <= sent


def settled(sock):
    """The count of received bytes once it no longer grows."""
    seen = [-1]

    def unchanged():
        seen.append(bytes_received(sock))
        return seen[-1] == seen[-2]

    eventually(unchanged, "no more bytes arrive", every_s=0.2)
    return seen[-1]


def test_no_byte_reaches_another_client(fastlb, peer, port, scale):
    """S1: each client has its own tag, half of them abort with data in flight; pooled pipes must come back empty."""
    server = peer("tagged", "s")
    lb = fastlb.start(listener(port, server))
    count = scale("connections", 100_000, least=600)
    in_threads([lambda n=n: visit_tagged(("127.0.0.1", port), n) for n in range(count)], width=12)
    sheet_closed(lb)
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
