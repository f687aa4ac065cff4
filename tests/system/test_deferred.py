"""``defer-accept``: who has connected and said nothing is not accepted yet, and is lost in no change (R3)."""

import select
import signal
import socket
import time

import pytest

from .harness.client import TIMEOUT_S, connect, elapsed_s, read_exactly, refused
from .harness.launch import BASE
from .harness.load import in_threads
from .harness.waiting import PATIENCE, eventually
from .test_worker_deaths import kill

KERNEL_WAITS_S = 1.0  # the value 1 of HAProxy and fastlb: then the kernel repeats its SYN-ACK, and defers no more


def config(at, server, options="defer-accept", more=""):
    return f"""{BASE}
    global
        nbthread 1
    listen lb
        bind {at} {options}
        {more}
        server s {server}
    """


def first_served(to, server):
    """Which of two clients reaches the server first: one that connects and waits, or a later one that speaks.

    None when this machine was so slow that the kernel may have ended the deferral of the first one.
    """
    began = time.monotonic()
    with connect(to) as mute, connect(to) as talker:
        talker.sendall(b"hello")
        seen = server.accept()
        in_time = elapsed_s(began) < 0.8 * KERNEL_WAITS_S
        seen.settimeout(5 * PATIENCE)
        other = server.accept()  # the mute one too is served in the end, without a word
        deferred_s = elapsed_s(began)
        try:
            seen.settimeout(0.2)
            first = "talker" if read_exactly(seen, 5) == b"hello" else "nobody"
        except TimeoutError:
            first = "mute"
        seen.close()
        other.close()
        mute.settimeout(5)
        assert mute.recv(1) == b"", "served, and ended by the server"
    if first == "talker":
        assert deferred_s > 0.5 * KERNEL_WAITS_S, "accepted in its turn: not deferred at all"
    return first if in_time else None


def first_of(to, server):
    return eventually(lambda: first_served(to, server), "a round in time", 30)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_who_says_nothing_is_accepted_after_a_second_only(balancer, puppet, port, host):
    server = puppet()
    balancer.start(config(f"[{host}]:{port}" if ":" in host else f"{host}:{port}", server))
    assert first_of((host, port), server) == "talker"


def test_without_it_connections_are_accepted_as_they_come(balancer, puppet, port):
    server = puppet()
    balancer.start(config(f"127.0.0.1:{port}", server, options=""))
    assert first_of(("127.0.0.1", port), server) == "mute"


def test_reload_switches_it_on_and_off_on_the_same_socket(fastlb, puppet, port):
    server, to = puppet(), ("127.0.0.1", port)
    lb = fastlb.start(config(f"127.0.0.1:{port}", server, options=""))
    assert first_of(to, server) == "mute"
    for options, first in (("defer-accept", "talker"), ("", "mute")):
        lb.reload(config(f"127.0.0.1:{port}", server, options))
        assert first_of(to, server) == first


def test_what_waits_deferred_is_accepted_when_a_reload_switches_it_off(fastlb, peer, port):
    server = peer("banner", "s")
    lb = fastlb.start(config(f"127.0.0.1:{port}", server))
    with connect(("127.0.0.1", port)) as mute:
        lb.reload(config(f"127.0.0.1:{port}", server, options=""))
        assert mute.recv(2) == b"s\n"


def test_maxconn_holds_for_the_deferred_too(balancer, puppet, port):
    """One at a time: those who wait are served in the end, whether the kernel or the limit made them wait."""
    server = puppet()
    balancer.start(config(f"127.0.0.1:{port}", server, more="maxconn 1"))
    clients = [connect(("127.0.0.1", port)) for _ in range(3)]
    for client in clients[:2]:
        client.sendall(b"x")
    while clients:
        far = server.accept()
        assert server.nobody_comes(0.3)
        far.shutdown(socket.SHUT_WR)
        (served,) = select.select(clients, [], [], TIMEOUT_S)[0]
        assert served.recv(1) == b""
        served.close()
        clients.remove(served)


def mute_clients(to, count):
    return in_threads([lambda: connect(to)] * count, width=min(count, 20))


def all_served(clients):
    """Each says its number now, and is answered with it."""
    for number, client in enumerate(clients):
        client.sendall(b"%06d" % number)
    answers = [read_exactly(client, 6) for client in clients]
    for client in clients:
        client.close()
    return answers == [b"%06d" % number for number in range(len(clients))]


def test_reload_while_handshakes_are_deferred(fastlb, peer, port, scale):
    """R3: the sockets stay, and so does what the kernel keeps for them."""
    text = config(f"127.0.0.1:{port}", peer("echo", "s"))
    lb = fastlb.start(text)
    clients = mute_clients(("127.0.0.1", port), scale("deferred clients", 200, least=40))
    lb.reload(text.replace("timeout connect 5s", "timeout connect 6s"))
    assert all_served(clients)


def test_bind_removed_while_handshakes_are_deferred(fastlb, peer, ports, scale):
    """R3 and R10: those who connected before are served, whenever they speak; then the address refuses."""
    server, old, new = peer("echo", "s"), ports.take(), ports.take()
    lb = fastlb.start(config(f"127.0.0.1:{old}", server))
    clients = mute_clients(("127.0.0.1", old), scale("deferred clients", 200, least=40))
    lb.reload(config(f"127.0.0.1:{new}", server))
    assert refused(("127.0.0.1", old))
    assert all_served(clients)
    fastlb.sheet(lb).retake()


def test_drain_serves_the_deferred(fastlb, peer, port):
    lb = fastlb.start(config(f"127.0.0.1:{port}", peer("echo", "s")))
    clients = mute_clients(("127.0.0.1", port), 20)
    lb.signal(signal.SIGUSR1)
    eventually(lambda: refused(("127.0.0.1", port)), "the socket is closed")
    assert all_served(clients)
    assert lb.wait_end() == 0


def test_worker_killed_while_handshakes_are_deferred(fastlb, peer, port):
    """F1: they wait in the kernel, for whoever accepts next from the socket that stays open."""
    lb = fastlb.start(config(f"127.0.0.1:{port}", peer("echo", "s")))
    clients = mute_clients(("127.0.0.1", port), 20)
    victim = lb.workers()[0]
    kill(victim)
    assert all_served(clients)
    assert victim not in lb.wait_workers(1, without=[victim])
