"""Where a balancer can listen and connect: IPv6, unix sockets, ranges, lists, and files written elsewhere."""

import socket
from pathlib import Path

import pytest

from .harness import netns
from .harness.client import ask, connect, refused, who
from .harness.launch import BASE


def test_ipv6_on_both_sides(balancer, peer, port):
    server = peer("banner", "six", host="::1")
    balancer.start(f"""{BASE}
    listen lb
        bind [::1]:{port}
        server six {server}
    """)
    assert who(("::1", port)) == "six"


def test_ipv6_wildcard_serves_ipv4_too_unless_v6only(balancer, peer, ports):
    server = peer("banner", "s")
    both, only = ports.take(), ports.take()
    balancer.start(f"""{BASE}
    listen both
        bind :::{both} v4v6
        server s {server}
    listen only
        bind [::]:{only} v6only
        server s {server}
    """)
    assert who(("::1", both)) == who(("127.0.0.1", both)) == who(("::1", only)) == "s"
    assert refused(("127.0.0.1", only))


def test_unix_sockets_on_both_sides(balancer, peer, directory):
    path, server = str(directory / "in.sock"), peer("echo", "s", at=str(directory / "server.sock"))
    balancer.start(f"""{BASE}
    listen lb
        bind {path} mode 666
        server s {server}
    """)
    assert Path(path).stat().st_mode & 0o777 == 0o666
    assert ask(path, b"over unix") == b"over unix"


def test_unix_socket_replaces_a_stale_one(balancer, peer, directory):
    path, server = directory / "in.sock", peer("banner", "s")
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.close()
    balancer.start(f"""{BASE}
    listen lb
        bind {path}
        server s {server}
    """)
    assert who(str(path)) == "s"


def test_abstract_unix_server(balancer, directory, port):
    """abns@ names are padded with zeros to the full length of sun_path, as HAProxy always did."""
    listener = socket.socket(socket.AF_UNIX)
    name = f"fastlb-test-{port}"
    listener.bind(b"\0" + name.encode().ljust(107, b"\0"))
    listener.listen()
    listener.settimeout(10)
    balancer.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        server s abns@{name}
    """)
    with connect(("127.0.0.1", port)) as client:
        far, _ = listener.accept()
        far.sendall(b"abstract")
        assert client.recv(8) == b"abstract"
        far.close()
    listener.close()


def test_port_range_opens_every_port(balancer, peer, ports):
    server = peer("banner", "s")
    first = ports.take(5)
    balancer.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{first}-{first + 4}
        server s {server}
    """)
    assert [who(("127.0.0.1", first + n)) for n in range(5)] == ["s"] * 5


def test_list_of_addresses_on_one_line(balancer, peer, ports):
    server = peer("banner", "s")
    one, two = ports.take(), ports.take()
    balancer.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{one},127.0.0.2:{two}
        server s {server}
    """)
    assert who(("127.0.0.1", one)) == who(("127.0.0.2", two)) == "s"


def test_crlf_file(balancer, peer, port):
    server = peer("banner", "s")
    text = f"{BASE}\nlisten lb\n    bind 127.0.0.1:{port}\n    server s {server}\n"
    balancer.start(text.replace("\n", "\r\n"))
    assert who(("127.0.0.1", port)) == "s"


def test_environment_and_quotes(balancer, peer, port, monkeypatch):
    server = peer("banner", "s")
    monkeypatch.setenv("TEST_SERVER_ADDRESS", str(server))
    balancer.start(f"""{BASE}
    listen lb # a comment
        bind 127.0.0.1:{port}
        server 's' "${{TEST_SERVER_ADDRESS}}"
    """)
    assert who(("127.0.0.1", port)) == "s"


def test_name_is_resolved_at_start(balancer, peer, port):
    server = peer("banner", "s")
    balancer.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        server s localhost:{server.port}
    """)
    assert who(("127.0.0.1", port)) == "s"


def test_frontend_and_backend_of_one_name(fastlb, peer, port):
    """Fatal in HAProxy 3.3 and later, a warning before: 13 of 66 real files do it."""
    server = peer("banner", "s")
    fastlb.start(f"""{BASE}
    frontend web
        bind 127.0.0.1:{port}
        default_backend web
    backend web
        server s {server}
    """)
    assert who(("127.0.0.1", port)) == "s"


@pytest.mark.netns
def test_virtual_address_comes_and_goes(balancer, peer, port):
    """As with keepalived: a wildcard bind serves the address while this host has it."""
    server = peer("banner", "s")
    balancer.start(f"""{BASE}
    listen lb
        bind :{port}
        server s {server}
    """)
    vip = "192.0.2.10"
    for _ in range(2):
        netns.ip("addr", "add", f"{vip}/32", "dev", "lo")
        assert who((vip, port)) == "s"
        netns.ip("addr", "del", f"{vip}/32", "dev", "lo")
        with pytest.raises(OSError):
            connect((vip, port), timeout_s=1)
        assert who(("127.0.0.1", port)) == "s"


@pytest.mark.netns
def test_sessions_outlive_the_virtual_address_they_came_by(balancer, puppet, port):
    """The address moves away for a moment and returns: TCP repeats, nothing is lost."""
    server = puppet()
    balancer.start(f"""{BASE}
    listen lb
        bind :{port}
        server s {server}
    """)
    netns.ip("addr", "add", "192.0.2.10/32", "dev", "lo")
    client = connect(("192.0.2.10", port), source="127.0.0.1")
    far = server.accept()
    netns.ip("addr", "del", "192.0.2.10/32", "dev", "lo")
    far.sendall(b"x" * 1000)
    netns.ip("addr", "add", "192.0.2.10/32", "dev", "lo")
    far.close()
    got = b""
    while part := client.recv(2000):
        got += part
    assert got == b"x" * 1000
    client.close()
