"""The PROXY protocol, with HAProxy as the twin and nginx as a real peer."""

import random
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from .harness.client import RST, ask, connect, read_exactly, read_to_end
from .harness.launch import BASE
from .harness.proxyheader import LOCAL, crc32c, ends_of, field, v1, v2
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


@pytest.mark.parametrize("options", ["crc32c,authority,unique-id", "unique-id,authority"])
def test_fields_of_a_header(balancer, puppet, port, log, options):
    """What the client's header names as the host it asked for goes on, and the log has the name of the connection."""
    server, ends = puppet(), (("192.0.2.1", 1111), ("198.51.100.2", 443))
    balancer.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port} accept-proxy
        log {log} local0
        log-format "id %ID host %[fc_pp_authority] other %[fc_pp_unique_id]"
        unique-id-format %{{+X}}o\\ %ci:%cp_%fi:%fp
        acl asked fc_pp_authority example.org
        tcp-request content reject unless asked
        server s {server} send-proxy-v2 proxy-v2-options {options}
    """)
    name = b"C0000201:0457_C6336402:01BB"
    checksum = field(3, bytes(4)) if "crc32c" in options else b""
    expected = v2(ends, checksum + field(2, b"example.org") + field(5, name))
    expected = crc32c(expected, 31) if checksum else expected
    with connect(("127.0.0.1", port)) as client:
        client.sendall(v2(ends, field(2, b"example.org") + field(4, bytes(9)) + field(5, b"theirs")) + b"hello")
        behind = server.accept()
        assert read_exactly(behind, len(expected) + 5) == expected + b"hello"
        behind.close()
        read_to_end(client)
    eventually(lambda: f"id {name.decode()} host example.org other theirs" in str(log.lines()), "the line")
    with connect(("127.0.0.1", port)) as client:
        client.sendall(v2(ends, field(2, b"example.com")) + b"hello")
        assert read_to_end(client)[0] == b""


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
        default-server inter 200ms fall 3 rise 1
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


# ---- accepted from clients --------------------------------------------------------------------------------------

ENDS = (("192.0.2.1", 1111), ("198.51.100.2", 443))


def declared(number):
    return (f"192.0.2.{number}", 1000 + number), ENDS[1]


@pytest.mark.parametrize("header", [v1, v2])
def test_the_declared_client_is_the_client(balancer, puppet, log, port, header):
    """For the server that is told, and in the log."""
    server = puppet()
    balancer.start(f"""{BASE}
        log {log} local0
        option tcplog
    listen lb
        bind 127.0.0.1:{port} accept-proxy
        server s {server} send-proxy
    """)
    with connect(("127.0.0.1", port)) as client:
        client.sendall(header(ENDS) + b"hello")
        behind = server.accept()
        assert read_exactly(behind, len(v1(ENDS)) + 5) == v1(ENDS) + b"hello"
        behind.close()
    (session,) = log.wait_sessions(1)
    assert (session.client, session.client_port, session.bytes) == ("192.0.2.1", 1111, 0)


def test_balance_source_goes_by_the_declared_address(balancer, peer, port):
    """HAProxy's choice of the server, too."""
    one, two = peer("banner", "one"), peer("banner", "two")
    balancer.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port} accept-proxy
        balance source
        server a {one}
        server b {two}
    """)

    def name(number: int) -> bytes:
        with connect(("127.0.0.1", port)) as client:
            client.sendall(v2(declared(number)))
            return read_to_end(client)[0].strip()

    names = [name(number) for number in (1, 2, 3, 4, 1, 2)]
    assert names == [b"two", b"one", b"two", b"one", b"two", b"one"]


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", "Received something which does not look like a PROXY protocol header"),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 1x 2\r\n", "Received an invalid PROXY protocol header"),
    ],
)
def test_without_a_right_header_there_is_no_session(balancer, puppet, log, port, sent, words):
    server = puppet()
    balancer.start(f"""{BASE}
        log {log} local0
        option tcplog
    listen lb
        bind 127.0.0.1:{port} accept-proxy
        server s {server}
    """)
    with connect(("127.0.0.1", port)) as client:
        client.sendall(sent)
        assert read_to_end(client) == (b"", RST)
    line = log.wait_line("PROXY")
    assert re.search(rf"127\.0\.0\.1:\d+ \[[^]]+\] lb/1: {words}$", line), line
    assert server.nobody_comes(0.2)


FRONTS = ["haproxy send-proxy", "haproxy send-proxy-v2 proxy-v2-options crc32c", "nginx"]


@pytest.mark.parametrize("front", FRONTS)
def test_between_real_balancers_and_nginx(fastlb, haproxy, nginx, nginx_front, ports, front):
    """What is in front declares the client, fastlb passes that on, and nginx behind it says who asks."""
    server, port, outside = nginx("web", proxied=True), ports.take(), ports.take()
    fastlb.start(f"""{BASE}
        timeout client-hs 5s
    listen lb
        bind 127.0.0.1:{port} accept-proxy defer-accept
        server s {server} send-proxy-v2
    """)
    if front == "nginx":
        nginx_front(outside, port)
    else:
        haproxy.start(f"""{BASE}
    listen front
        bind 127.0.0.1:{outside}
        server lb 127.0.0.1:{port} {front.partition(" ")[2]}
    """)
    for _ in range(3):
        with connect(("127.0.0.1", outside)) as client:
            client.sendall(GET)
            (host, source_port), (_, destination_port) = ends_of(client)
            answer = client.makefile("rb").read()
        assert f"\r\n\r\n{host}:{source_port} {destination_port}\n".encode() in answer


def test_a_reload_may_ask_for_it_and_what_follows_is_spliced(fastlb, peer, port):
    echo = peer("echo", "s")
    config = f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        server s {echo}
    """
    lb = fastlb.start(config)
    assert ask(("127.0.0.1", port), b"plain") == b"plain"
    lb.reload(config.replace(str(port), f"{port} accept-proxy"))
    data = random.Random(1).randbytes(3_000_000)
    with connect(("127.0.0.1", port)) as client, ThreadPoolExecutor(1) as pool:
        sending = pool.submit(client.sendall, v1(ENDS) + data)
        assert read_exactly(client, len(data)) == data
        sending.result()
    with connect(("127.0.0.1", port)) as client:
        client.sendall(b"plain")
        assert read_to_end(client) == (b"", RST)
    lb.reload(config)
    assert ask(("127.0.0.1", port), b"plain") == b"plain"
