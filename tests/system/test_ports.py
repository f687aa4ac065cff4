"""Ephemeral ports: who leaves one in TIME_WAIT, the figure and the warning, and what happens without any (X3, X5)."""

import pytest

from .harness import kernel
from .harness.client import ask, connect, read_exactly, reset, who
from .harness.launch import BASE
from .harness.processes import cpu_s
from .harness.waiting import PATIENCE, eventually, stays

PORTS = 20
IN_USE = "fastlb_host_ephemeral_ports_in_use"

pytestmark = pytest.mark.netns


def few_ports():
    """From now on there are 20 ports for connections to one address, and each may wait in TIME_WAIT (a kernel's default
    would take it again after a second on the loopback)."""
    kernel.setting("net.ipv4.ip_local_port_range", f"40000 {40000 + PORTS - 1}")


def sources(count):
    """Addresses of clients: each has all ports of its own."""
    return [f"127.0.{1 + n // 200}.{1 + n % 200}" for n in range(count)]


def config(port, *servers):
    lines = "\n        ".join(f"server {one.name} {one}" for one in servers)
    return f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        retries 1
        option redispatch
        {lines}
    """


def test_nothing_is_left_when_the_server_ends_first(fastlb, peer, port, scale):
    server = peer("banner", "s")
    lb = fastlb.start(config(port, server))
    few_ports()
    count = scale("sessions", 2000, least=4 * PORTS)
    assert [who(("127.0.0.1", port), source) for source in sources(count)] == ["s"] * count
    nothing_left(lb, server)


def test_nothing_is_left_of_a_client_that_aborts(fastlb, peer, port, scale):
    server = peer("ping", "s")
    lb = fastlb.start(config(port, server))
    few_ports()
    for source in sources(scale("sessions", 2000, least=4 * PORTS)):
        client = connect(("127.0.0.1", port), source)
        client.sendall(b"?")
        assert client.recv(1) == b"!"
        reset(client)
    nothing_left(lb, server)


def test_nothing_is_left_of_health_checks(fastlb, peer, port, scale):
    server = peer("hold", "s")
    lb = fastlb.start(config(port, server).replace(str(server), f"{server} check inter 10ms"))
    few_ports()
    count = scale("checks", 2000, least=4 * PORTS)
    eventually(lambda: lb.samples().sum("fastlb_server_checks_total") >= count, f"{count} checks", 60)
    assert lb.samples().sum("fastlb_server_check_failures_total") == 0
    assert lb.samples().sum("fastlb_server_checks_inconclusive_total") == 0
    nothing_left(lb, server)


def nothing_left(lb, server):
    eventually(lambda: lb.samples().sum("fastlb_server_sessions") == 0, "all sessions have ended")
    now = lb.samples()
    assert kernel.time_waits(server.port) == 0
    assert now.sum(IN_USE) == now.sum("fastlb_server_closed_first_total") == 0
    assert now.sum("fastlb_worker_local_errors_total") == 0


def test_ports_in_time_wait_are_counted_warned_of_and_missed(fastlb, peer, port):
    """X5: the client's FIN goes on to the server first, so that TIME_WAIT is ours: exact up to the last port, a warning
    at 80 %, and when all are used a session fails for a reason of our own."""
    server, other = peer("echo", "s"), peer("echo", "other", host="127.0.0.2")
    lb = fastlb.start(config(port, server) + f"    server other {other} backup\n")
    few_ports()
    assert lb.samples().sum("fastlb_host_ephemeral_ports") == PORTS
    for number, source in enumerate(sources(PORTS), 1):
        assert ask(("127.0.0.1", port), b"x", source) == b"x"
        eventually(lambda n=number: lb.samples().sum(IN_USE, address=str(server)) == n, f"{number} ports in use")
        assert kernel.time_waits(server.port) == number
        if number < 0.8 * PORTS:
            assert "ephemeral ports are in use" not in lb.output()
    eventually(lambda: "ephemeral ports are in use" in lb.output(), "a warning")
    assert f"of the {PORTS} ephemeral ports are in use towards {server}" in lb.output()
    assert lb.samples().sum(IN_USE, address=str(other)) == 0
    with connect(("127.0.0.1", port), sources(1)[0]) as client:
        assert client.recv(1) == b"", "a server that is full of our own making is not down: no backup"
    assert lb.samples().sum("fastlb_server_connect_failures_total", server="s", kind="local") == 2
    stays(lambda: lb.output().count("ephemeral ports are in use") == 1, "one warning a minute", 1.5)


def test_without_a_port_another_server_is_taken(fastlb, peer, port, scale):
    """X3: EADDRNOTAVAIL is our trouble, not the server's: it is counted, costs no time, and the checks say nothing."""
    server, other = peer("hold", "s"), peer("hold", "o", host="127.0.0.2")
    text = config(port, server, other)
    for one in (server, other):
        text = text.replace(str(one), f"{one} check inter 200ms")
    lb = fastlb.start(text)
    few_ports()
    count = scale("connections", 200, least=3 * PORTS)
    clients = [connect(("127.0.0.1", port), source) for source in sources(count)]
    endings = [read_exactly(client, 2) for client in clients]
    assert endings.count(b"s\n") <= PORTS
    assert endings.count(b"s\n") + endings.count(b"o\n") > 1.5 * PORTS, "the ports of both"
    before = sum(map(cpu_s, lb.workers()))
    checks = lb.samples().sum("fastlb_server_checks_inconclusive_total")
    eventually(lambda: lb.samples().sum("fastlb_server_checks_inconclusive_total") >= checks + 6, "blind checks")
    assert sum(map(cpu_s, lb.workers())) - before < 0.2 * PATIENCE, "busy without ports"
    now = lb.samples()
    for name in ("s", "o"):
        assert now.sum("fastlb_server_connect_failures_total", server=name, kind="local") > 0
        assert now.sum("fastlb_server_connect_failures_total", server=name, kind="error") == 0
        assert now.sum("fastlb_server_up", server=name) == 1, "down for a reason of our own"
    for client in clients:
        client.close()
