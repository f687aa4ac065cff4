"""The PROXY protocol, with HAProxy as the twin and nginx as a real peer."""

from contextlib import suppress

import pytest

from .harness.client import connect, read_exactly
from .harness.launch import BASE
from .harness.proxyheader import LOCAL, ends_of, v1, v2
from .harness.waiting import eventually

GET = b"GET /who HTTP/1.0\r\n\r\n"

# ---- sent to servers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "options", "header"),
    [
        ("127.0.0.1", "send-proxy", v1),
        ("::1", "send-proxy", v1),
        ("127.0.0.1", "send-proxy send-proxy-v2", v2),
        ("::1", "send-proxy-v2", v2),
    ],
)
def test_servers_are_told_who_connects(balancer, puppet, port, host, options, header):
    """Before anything else, and without waiting for the client to speak."""
    server = puppet()
    balancer.start(f"""{BASE}
    listen lb
        bind {host}:{port}
        server s {server} {options}
    """)
    with connect((host, port)) as client:
        behind, expected = server.accept(), header(ends_of(client))
        assert read_exactly(behind, len(expected)) == expected
        behind.sendall(b"220 ready")
        assert read_exactly(client, 9) == b"220 ready"
        client.sendall(b"QUIT")
        assert read_exactly(behind, 4) == b"QUIT"


@pytest.mark.parametrize(("options", "header"), [("send-proxy", b"PROXY UNKNOWN\r\n"), ("send-proxy-v2", LOCAL)])
def test_a_client_of_a_unix_socket_has_no_address(fastlb, puppet, directory, options, header):
    """The bytes are HAProxy's."""
    server = puppet()
    fastlb.start(f"""{BASE}
    listen lb
        bind {directory}/lb.sock
        server s {server} {options}
    """)
    with connect(str(directory / "lb.sock")) as client:
        client.sendall(b"hello")
        assert read_exactly(server.accept(), len(header) + 5) == header + b"hello"


def test_a_server_that_takes_over_is_told_too(balancer, puppet, ports, port):
    refuses, server = ports.take(), puppet()
    balancer.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        option redispatch
        server a 127.0.0.1:{refuses} send-proxy
        server b {server} send-proxy
    """)
    for _ in range(2):
        with connect(("127.0.0.1", port)) as client:
            client.sendall(b"hello")
            expected = v1(ends_of(client)) + b"hello"
            assert read_exactly(server.accept(), len(expected)) == expected


@pytest.mark.parametrize("options", ["send-proxy", "send-proxy-v2 proxy-v2-options crc32c"])
def test_nginx_behind_the_balancer(balancer, nginx, port, options):
    """Its health checks bring the header too: without one nginx answers nothing."""
    server = nginx("web", proxied=True)
    balancer.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        option httpchk GET /healthy
        default-server inter 50ms fall 1 rise 1
        server s {server} check {options}
    """)

    def told() -> bool:
        with suppress(OSError), connect(("127.0.0.1", port)) as client:
            client.sendall(GET)
            source, destination = ends_of(client)
            answer = client.makefile("rb").read()
            return f"\r\n\r\n{source[0]}:{source[1]} {destination[1]}\n".encode() in answer
        return False

    assert all(told() for _ in range(3))
    server.set_health(503)
    eventually(lambda: not told(), "checks see nginx fail")
    server.set_health(200)
    eventually(told, "checks see nginx recover")
