"""``source``: where connections to servers come from, and how many ports there are (X4)."""

import pytest

from .harness import kernel, netns
from .harness.client import connect, read_exactly, who
from .harness.launch import BASE
from .harness.waiting import eventually

IN_USE = "fastlb_host_ephemeral_ports_in_use"

pytestmark = pytest.mark.netns


def clients_of(port, count):
    """Connections that each come from an address of their own: their ports are not what is scarce."""
    return [connect(("127.0.0.1", port), f"127.0.3.{1 + number}") for number in range(count)]


@pytest.mark.parametrize("where", ["section", "server"])
def test_connections_come_from_the_address(balancer, puppet, port, where):
    far, six = puppet(), puppet(host="::1")
    section, server = ("source 127.0.0.9", "") if where == "section" else ("", "source 127.0.0.9")
    balancer.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        {section}
        server s {far} {server}
        server six {six} source [::1] interface lo
    """)
    with connect(("127.0.0.1", port)), connect(("127.0.0.1", port)):
        assert far.accept().getpeername()[0] == "127.0.0.9"
        assert six.accept().getpeername()[0] == "::1"


def test_an_address_serves_every_destination_with_all_ports(balancer, peer, port):
    """X4: bind() takes no port away, connect() chooses one that is free towards this server."""
    servers = [peer("hold", "one"), peer("hold", "two")]
    lines = "\n        ".join(f"server {one.name} {one}" for one in servers)
    balancer.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        retries 0
        source 127.0.0.9
        {lines}
    """)
    kernel.setting("net.ipv4.ip_local_port_range", "40000 40009")
    clients = clients_of(port, 20)
    names = [read_exactly(client, 4) for client in clients]
    assert sorted(names) == [b"one\n"] * 10 + [b"two\n"] * 10
    for client in clients:
        client.close()


def test_every_port_of_a_range_is_used_towards_each_server(fastlb, peer, port):
    """By whatever worker: 4 of them, 10 ports, 2 servers; the 21st finds none, and the metric and the log say why."""
    servers = [peer("hold", "one"), peer("hold", "two")]
    lines = "\n        ".join(f"server {one.name} {one} source 127.0.0.9:23000-23009" for one in servers)
    lb = fastlb.start(f"""{BASE.replace("nbthread 2", "nbthread 4")}
    listen lb
        bind 127.0.0.1:{port}
        retries 0
        {lines}
    """)
    clients = clients_of(port, 20)
    assert sorted(read_exactly(client, 4) for client in clients) == [b"one\n"] * 10 + [b"two\n"] * 10
    with connect(("127.0.0.1", port), "127.0.4.1") as late:
        assert late.recv(1) == b""
    eventually(lambda: lb.samples().sum(IN_USE, address=str(servers[0])) == 10, "10 ports are in use")
    assert lb.samples().sum(IN_USE, source="127.0.0.9:23000-23009") == 20
    eventually(lambda: "10 of the 10 source ports are in use" in lb.output(), "a warning")
    assert lb.samples().sum("fastlb_server_connect_failures_total", kind="local") == 1
    assert lb.samples().sum("fastlb_server_connect_failures_total", kind="error") == 0
    for client in clients[:5]:
        client.close()
    eventually(lambda: lb.samples().sum("fastlb_server_sessions") == 15, "5 have left")


@pytest.fixture
def far(peer, puppet):
    """A server and a client, each in a network of its own; what the server sends to the client's comes to us."""
    with netns.fresh():
        there, server = peer("hold", "there"), puppet(host="0.0.0.0")
    with netns.fresh():
        client = peer("hold", "client")
    netns.neighbour(there.process.pid, "far", "192.0.2")
    netns.neighbour(client.process.pid, "near", "198.51.100")
    netns.ip("rule", "add", "iif", "far", "lookup", "100")
    netns.ip("route", "add", "local", "default", "dev", "lo", "table", "100")
    server.host = "192.0.2.2"
    return server, client.process.pid


@pytest.mark.parametrize(
    ("usesrc", "expected"), [("clientip", "198.51.100.2"), ("client", "198.51.100.2"), ("203.0.113.9", "203.0.113.9")]
)
def test_addresses_that_are_not_ours(balancer, far, port, usesrc, expected):
    """The server sees the client itself, or whom we say; workers have dropped all other privileges."""
    server, client = far
    base = BASE.replace("global", "global\n    user nobody") if balancer.kind == "fastlb" else BASE
    balancer.start(f"""{base}
    listen lb
        bind {":::" if balancer.kind == "fastlb" else ":"}{port}
        source 0.0.0.0 usesrc {usesrc}
        server s {server} check inter 50ms
    """)
    with netns.inside(client):
        connection = connect(("198.51.100.1", port))
    here = connection.getsockname()[1]
    while True:
        try:
            seen = (accepted := server.accept()).getpeername()
        except OSError:  # a check, which has left already
            continue
        if seen[0] != "192.0.2.1":
            break
        accepted.close()
    assert seen[0] == expected
    assert (seen[1] == here) == (usesrc == "client")
    connection.sendall(b"there")
    assert accepted.recv(5) == b"there"
    accepted.sendall(b"and back")
    assert read_exactly(connection, 8) == b"and back"
    connection.close()
    accepted.close()


def test_usesrc_needs_a_privilege_that_workers_have_from_the_start(fastlb, peer, port):
    server = peer("banner", "s")
    text = f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        server s {server}
    """
    lb = fastlb.start(text)
    lb.config_path.write_text(text.replace(str(server), f"{server} source * usesrc clientip"))
    done = lb.command("reload")
    assert done.returncode == 1
    assert "the first 'usesrc' needs a restart" in lb.output()
    assert who(("127.0.0.1", port)) == "s"


def test_a_source_that_is_not_here_is_our_own_trouble(fastlb, peer, port):
    """It is said at once; the server stays up, and is served when the address has come."""
    server = peer("banner", "s")
    lb = fastlb.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        retries 0
        server s {server} source 192.0.2.7 check inter 50ms
    """)
    assert "no connection can come from 'source 192.0.2.7' now: this machine has no such address" in lb.output()
    eventually(lambda: lb.samples().sum("fastlb_server_checks_inconclusive_total") > 2, "blind checks")
    with connect(("127.0.0.1", port)) as client:
        assert client.recv(1) == b""
    assert lb.samples().sum("fastlb_server_connect_failures_total", kind="local") == 1
    assert lb.samples().sum("fastlb_server_up") == 1
    netns.ip("addr", "add", "192.0.2.7/32", "dev", "lo")
    with connect(("127.0.0.1", port)) as client:
        assert client.recv(10) == b"s\n"
