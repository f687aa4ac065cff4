"""S11: what costs a client nothing must cost a worker next to nothing."""

import contextlib
import socket
import time

import pytest

from .harness.client import connect, reset
from .harness.movers import OWN_CHOICE
from .harness.processes import run_s
from .harness.waiting import PATIENCE

MOVERS = OWN_CHOICE

SHARE = 0.05  # of a CPU, for one connection
EVERY_S = 0.01


def urgent_bytes(client, far):
    client.send(b"!", socket.MSG_OOB)
    drain(far)


def drip(client, far):
    client.sendall(b"d")
    drain(far)


def zero_window(client, far):
    """The client talks and never reads; the server has more to say, always."""
    push(far)
    client.send(b"z")
    drain(far)


def window_of_one(client, far):
    """The client takes one byte at a time."""
    push(far)
    client.recv(1)


def drain(sock):
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        sock.recv(65536)


def push(sock):
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            sock.send(bytes(65536))


@pytest.mark.parametrize("attack", [urgent_bytes, drip, zero_window, window_of_one], ids=lambda f: f.__name__)
def test_one_connection_cannot_busy_a_worker(fastlb, mover, puppet, port, scale, attack):
    server = puppet()
    patient = "timeout client 5m\n        timeout server 5m"
    lb = fastlb.start(mover.listener(port, server, more=patient), environment=mover.environment)
    client = connect(("127.0.0.1", port), rcvbuf=4096)
    far = server.accept()
    repeat(lambda: attack(client, far), 0.3)  # what follows is the state that lasts
    seconds = scale("seconds of one attack", 20, least=1)
    before = used_s(lb)
    repeat(lambda: attack(client, far), seconds)
    share = (used_s(lb) - before) / seconds
    print(f"{share * 100:.2f} % of a CPU")
    assert share <= SHARE * PATIENCE
    client.close()
    far.close()


def repeat(step, for_s):
    """Every 10 ms, by the clock."""
    until = due = time.monotonic()
    until += for_s
    while (due := due + EVERY_S) < until:
        step()
        time.sleep(max(0.0, due - time.monotonic()))


def used_s(lb):
    return sum(map(run_s, lb.workers()))


def test_a_storm_of_resets_is_cheap(fastlb, mover, peer, port, scale):
    """At 1,000 a second; each is accepted, connected on, and given up."""
    lb = fastlb.start(mover.listener(port, peer("silent", "s1")), environment=mover.environment)
    count = scale("resets", 20_000, least=500)
    before, due = used_s(lb), time.monotonic()
    for _ in range(count):
        client = connect(("127.0.0.1", port))
        client.send(b"x")
        reset(client)
        due += 0.001
        time.sleep(max(0.0, due - time.monotonic()))
    each = (used_s(lb) - before) / count
    print(f"{each * 1e6:.0f} us of CPU for each")
    assert each <= 0.0005 * PATIENCE
