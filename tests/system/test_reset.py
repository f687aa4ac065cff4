"""RST/FIN truth (D4), resets before accept (B8), and what an abort may cost others (nothing)."""

import fcntl
import socket
import struct

import pytest

from .harness.client import FIN, RST, connect, read_exactly, read_to_end, reset, who
from .harness.launch import BASE
from .harness.waiting import eventually


@pytest.fixture
def through(fastlb, puppet, port):
    server = puppet()
    lb = fastlb.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        server s {server}
    """)

    def make(**options):
        client = connect(("127.0.0.1", port), **options)
        client.sendall(b"?")
        far = server.accept()
        assert far.recv(1) == b"?"
        return client, far

    make.lb = lb
    return make


def ends(client, far, side):
    """(the one that acts, the one that sees)"""
    return (client, far) if side == "client" else (far, client)


@pytest.mark.parametrize("side", ["client", "server"])
def test_idle_reset_arrives_as_reset(through, side, scale):
    for _ in range(scale("resets", 200, least=20)):
        actor, witness = ends(*through(), side)
        reset(actor)
        assert read_to_end(witness) == (b"", RST)
        witness.close()


@pytest.mark.parametrize("side", ["client", "server"])
def test_idle_fin_arrives_as_fin(through, side, scale):
    for _ in range(scale("ends", 200, least=20)):
        actor, witness = ends(*through(), side)
        actor.shutdown(socket.SHUT_WR)
        assert read_to_end(witness) == (b"", FIN)
        witness.close()
        assert read_to_end(actor)[1] == FIN
        actor.close()


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("size", [100, 50_000])
def test_data_sent_before_a_reset_is_delivered_first(through, side, size, scale):
    for _ in range(scale("resets", 200, least=20)):
        actor, witness = ends(*through(), side)
        actor.sendall(b"d" * size)
        eventually(lambda: taken(actor), "the balancer took all of it")  # noqa: B023 - called at once
        reset(actor)
        assert read_to_end(witness) == (b"d" * size, RST)
        witness.close()


def taken(sock):
    """Nothing unsent or unacknowledged is left in the send queue (SIOCOUTQ, tcp(7))."""
    return struct.unpack("i", fcntl.ioctl(sock, 0x5411, b"\0\0\0\0"))[0] == 0


@pytest.mark.parametrize("side", ["client", "server"])
def test_reset_towards_a_reader_that_sleeps(through, side):
    """The aborting side's data fill the other's window; the abort is not lost, however late it can be told."""
    actor, witness = ends(*through(rcvbuf=4096), side)
    actor.settimeout(0.3)
    try:
        while True:
            actor.send(bytes(65536))
    except TimeoutError:
        reset(actor)
    got, how = read_to_end(witness)
    assert how == RST
    assert set(got) <= {0}
    witness.close()


def test_client_that_resets_while_the_server_is_connected_to_frees_it(fastlb, black_hole, port):
    lb = fastlb.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        timeout connect 20s
        server s {black_hole}
    """)
    client = connect(("127.0.0.1", port))
    eventually(lambda: lb.samples().sum("fastlb_server_connecting", server="s") == 1, "a connect under way")
    reset(client)
    eventually(lambda: lb.samples().sum("fastlb_server_connecting", server="s") == 0, "the connect given up", 5)


def test_reset_before_accept(fastlb, peer, port, scale):
    """B8: the connection is already dead when it is accepted."""
    server = peer("banner", "s")
    lb = fastlb.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        server s {server}
    """)
    for _ in range(scale("resets", 5000, least=300)):
        reset(connect(("127.0.0.1", port)))
    assert who(("127.0.0.1", port)) == "s"
    assert len(lb.workers()) == 2


def test_resets_do_not_leak_under_a_mixture_of_endings(through, scale):
    """Every kind of ending, one after the other; the balance sheet at the end of the test is the assertion."""
    for number in range(scale("sessions", 2000, least=60)):
        client, far = through()
        first, second = ends(client, far, "client" if number % 2 else "server")
        far.sendall(b"x" * 3000)
        if number % 3:
            assert read_exactly(client, 3000) == b"x" * 3000
        (reset if number % 5 < 3 else socket.socket.close)(first)
        (reset if number % 7 < 3 else socket.socket.close)(second)
    assert len(through.lb.workers()) == 2
