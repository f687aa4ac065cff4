"""``tfo``: TCP Fast Open (RFC 7413), data that comes with the SYN of a client that has been here before."""

import random
import socket
from pathlib import Path

import pytest

from .harness import netns
from .harness.client import TIMEOUT_S, ask, read_exactly, read_to_end, reset
from .harness.launch import BASE

pytestmark = pytest.mark.netns
SWITCH = Path("/proc/sys/net/ipv4/tcp_fastopen")
CLIENT, SERVER = 1, 2


@pytest.fixture
def system(network):
    """Both ends may use it."""
    SWITCH.write_text(str(CLIENT | SERVER))


def config(at, server, options="tfo"):
    return f"""{BASE}
    listen lb
        bind {at} {options}
        server s {server}
    """


def fast_socket(to, request):
    """A client that has begun its request; without a cookie the first call waits for the handshake."""
    client = socket.socket(socket.AF_INET6 if ":" in to[0] else socket.AF_INET)
    sent = client.sendto(request, socket.MSG_FASTOPEN, to)
    client.settimeout(TIMEOUT_S)
    client.sendall(request[sent:])
    return client


def fast(to, request):
    """One conversation in which the request leaves with the SYN, as far as the kernel lets it."""
    with fast_socket(to, request) as client:
        client.shutdown(socket.SHUT_WR)
        return read_to_end(client)[0]


def in_syn(to, request):
    """How many SYNs brought data that was taken during this conversation, which must be answered with its echo."""
    before = netns.counters()["TCPFastOpenPassive"]
    assert fast(to, request) == request
    return netns.counters()["TCPFastOpenPassive"] - before


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_data_comes_with_the_syn(system, balancer, peer, port, host):
    """The first conversation brings the client its cookie, the next ones are fast."""
    balancer.start(config(f"[{host}]:{port}" if ":" in host else f"{host}:{port}", peer("echo", "s")))
    assert in_syn((host, port), b"first") == 0
    assert [in_syn((host, port), b"%d" % n * 500) for n in range(10)] == [1] * 10


def test_without_it_the_same_client_is_served_the_usual_way(system, balancer, peer, port):
    balancer.start(config(f"127.0.0.1:{port}", peer("echo", "s"), options=""))
    assert [in_syn(("127.0.0.1", port), b"request") for _ in range(3)] == [0] * 3


def test_reload_switches_it_on_and_off_on_the_same_socket(system, fastlb, peer, port):
    server, to = peer("echo", "s"), ("127.0.0.1", port)
    lb = fastlb.start(config(f"127.0.0.1:{port}", server, options=""))
    for options, count in (("tfo", 1), ("", 0), ("tfo backlog 64 defer-accept", 1)):
        lb.reload(config(f"127.0.0.1:{port}", server, options))
        fast(to, b"for the cookie")
        assert [in_syn(to, b"request") for _ in range(3)] == [count] * 3, options


def test_what_follows_the_syn_is_exact(system, fastlb, peer, port):
    """More than fits into a SYN, by many at once over all workers' sockets."""
    fastlb.start(config(f"127.0.0.1:{port}", peer("echo", "s")))
    for size in (1, 1400, 65_000, 3_000_000):
        request = random.Random(size).randbytes(size)
        assert fast(("127.0.0.1", port), request) == request


def test_client_that_resets_at_once(system, fastlb, puppet, port):
    """Its request arrives with the SYN or not at all; the balance sheet is what counts."""
    server = puppet()
    fastlb.start(config(f"127.0.0.1:{port}", server))
    for _ in range(20):
        reset(fast_socket(("127.0.0.1", port), b"request"))
    with fast_socket(("127.0.0.1", port), b"the last") as client:
        while first_bytes(far := server.accept()) != b"the last":
            far.close()
        far.sendall(b"answer")
        assert read_exactly(client, 6) == b"answer"


def first_bytes(far):
    try:
        return read_exactly(far, 8)
    except ConnectionResetError:
        return b""


def test_system_that_does_not_allow_it_is_named(fastlb, peer, port):
    SWITCH.write_text(str(CLIENT))
    server, warning = peer("echo", "s"), f"net.ipv4.tcp_fastopen is {CLIENT}: 'tfo' has no effect before it is 3"
    lb = fastlb.start(config(f"127.0.0.1:{port}", server))
    assert lb.output().count(warning) == 1
    assert ask(("127.0.0.1", port), b"served all the same") == b"served all the same"
    lb.reload()
    assert lb.output().count(warning) == 2
    SWITCH.write_text(str(CLIENT | SERVER))
    lb.reload()
    assert lb.output().count(warning) == 2
