"""Rules: who is let in, and where sessions go, by address, by what the client says, by what goes on."""

import contextlib
import shutil
import time

import pytest

from .harness.client import FIN, RST, ask, connect, read_exactly, read_to_end, reset, who
from .harness.launch import BASE
from .harness.tls import TlsServer, greeting
from .harness.waiting import eventually


def sections(*servers):
    return "\n".join(f"    backend {name}\n        server {name} {address}" for name, address in servers)


def turned_away(port):
    """Whether a client at 127.0.0.9 is reset, which it may learn before or after connect() returns."""
    try:
        with connect(("127.0.0.1", port), "127.0.0.9") as client:
            return read_to_end(client) == (b"", RST)
    except ConnectionResetError:
        return True


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_tls_passes_through_to_the_server_that_the_client_names(balancer, peer, directory, port):
    """The usual configuration as it stands in a thousand files, with real handshakes."""
    one, two, plain = TlsServer("one", directory), TlsServer("two", directory), peer("echo", "plain")
    balancer.start(f"""{BASE}
    frontend tls
        bind 127.0.0.1:{port}
        tcp-request inspect-delay 5s
        tcp-request content accept if {{ req_ssl_hello_type 1 }}
        use_backend one if {{ req_ssl_sni -i one.example }}
        use_backend two if {{ req.ssl_sni -m end .two.example }}
        default_backend plain
{sections(("one", one), ("two", two), ("plain", plain))}
    """)
    here = ("127.0.0.1", port)
    asked = [("one.example", 1 << 16), ("ONE.Example", 100), ("a.two.example", 1), ("b.two.example", 7)]
    assert [greeting(here, *one) for one in asked] == ["one", "one", "two", "two"]
    began = time.monotonic()
    assert ask(here, b"GET / HTTP/1.0\r\n\r\n") == b"GET / HTTP/1.0\r\n\r\n"
    assert time.monotonic() - began < 4, "what is no TLS needs no waiting"
    for server in (one, two):
        server.close()


def test_routes_by_address_by_map_and_to_a_server(balancer, peer, directory, ports):
    (directory / "nets").write_text("# offices\n127.0.0.2\n127.1.0.0/16\n")
    (directory / "sites").write_text("127.0.0.4 beta\n127.0.4.0/24 alpha\n127.0.4.9 nowhere\n")
    (directory / "servers").write_text("127.0.1.1 a\n127.0.1.2 b\n127.0.1.3 nowhere\n127.0.1.4 down\n")
    servers = [(name, peer("banner", name)) for name in ("alpha", "beta", "gamma")]
    static, dynamic, direct = ports.take(), ports.take(), ports.take()
    balancer.start(f"""{BASE}
    frontend static
        bind 127.0.0.1:{static}
        acl office src -f {directory}/nets
        acl office src 127.0.0.3
        tcp-request connection reject if {{ src 127.0.0.9 }}
        use_backend alpha if office
        use_backend beta if {{ src 127.5.0.0/16 }} !office or {{ dst_port 1 }}
        default_backend gamma
    frontend dynamic
        bind 127.0.0.1:{dynamic}
        use_backend %[src,map_ip({directory}/sites)] unless {{ src 127.0.0.7 }}
        default_backend gamma
    listen direct
        bind 127.0.0.1:{direct}
        use-server %[src,map_ip({directory}/servers)] if {{ src 127.0.1.0/24 }}
        use-server b if {{ src 127.0.0.2 }}
        use-server down if TRUE
        use-server a unless {{ src 127.0.0.3 }}
        server a {servers[0][1]} weight 0
        server b {servers[1][1]} weight 0
        server c {servers[2][1]}
        server down 127.0.0.1:1 disabled
{sections(*servers)}
    """)

    def answers(port, *sources):
        return [who(("127.0.0.1", port), source) for source in sources]

    assert answers(static, "127.0.0.1", "127.0.0.2", "127.0.0.3", "127.1.2.3", "127.5.0.1") == [
        "gamma", "alpha", "alpha", "alpha", "beta",
    ]  # fmt: skip
    assert turned_away(static)
    assert answers(dynamic, "127.0.0.1", "127.0.0.4", "127.0.4.1", "127.0.4.9", "127.0.0.7") == [
        "gamma", "beta", "alpha", "gamma", "gamma",
    ]  # fmt: skip
    assert answers(direct, "127.0.0.1", "127.0.0.2", "127.0.0.3") == ["alpha", "beta", "gamma"]
    named = [f"127.0.1.{n}" for n in range(1, 5)]
    assert answers(direct, *named) == ["alpha", "beta", "gamma", "alpha"], "an unknown name ends the search"


def test_behind_a_proxy_header_rules_look_at_the_declared_client(balancer, peer, ports):
    """Session, content and use_backend; ``tcp-request connection`` comes before the header, and sees who connects."""
    servers = [(name, peer("hold", name)) for name in ("alpha", "beta")]
    named, spoken = ports.take(), ports.take()
    balancer.start(f"""{BASE}
    frontend named
        bind 127.0.0.1:{named} accept-proxy
        tcp-request connection reject if {{ src 127.0.0.9 }}
        tcp-request session accept if {{ src 192.0.2.7 }}
        tcp-request session reject if {{ src 192.0.2.0/24 }} or {{ dst 192.0.2.1 }}
        use_backend alpha if {{ src 192.0.2.7 }}
        use_backend beta if {{ src 127.0.0.9 }}
    frontend spoken
        bind 127.0.0.1:{spoken} accept-proxy
        tcp-request inspect-delay 15s
        tcp-request content reject if {{ req.payload(0,3) -m str BAD }}
        tcp-request content accept if {{ req.payload(0,3) -m str YES }}
        use_backend beta if {{ req.payload(0,4) -m str YESb }}
        default_backend alpha
{sections(*servers)}
    """)

    def said(client, text="", to="127.0.0.1"):
        return f"PROXY TCP4 {client} {to} 5 6\r\n{text}".encode()

    def reaches(port, header, name):
        """Without a FIN, which would be the end of a client that says nothing."""
        with connect(("127.0.0.1", port)) as client:
            client.sendall(header)
            return read_exactly(client, len(name)) == name

    assert reaches(named, said("192.0.2.7"), b"alpha") and reaches(named, said("127.0.0.9"), b"beta")
    assert turned_away(named)
    for header in (said("192.0.2.8"), said("198.51.100.1", to="192.0.2.1")):
        with connect(("127.0.0.1", named)) as client:
            client.sendall(header)
            assert read_to_end(client) == (b"", FIN)
    assert reaches(spoken, said("192.0.2.1", "YESa"), b"alpha") and reaches(spoken, said("192.0.2.1", "YESb"), b"beta")
    with connect(("127.0.0.1", spoken)) as client:
        client.sendall(said("192.0.2.1", "BAD"))
        assert read_to_end(client) == (b"", FIN)


def test_how_inspected_sessions_end(balancer, puppet, ports, log):
    """What the client sees, and the code in the log. (Which backend the log names before one is chosen differs.)"""
    server, (port, quick, late, both) = puppet(), [ports.take() for _ in range(4)]
    balancer.start(f"""
    global
        nbthread 1
        log {log} local0
    defaults
        mode tcp
        log global
        option tcplog
        timeout connect 5s
        timeout client 20s
        timeout server 20s
    frontend words
        bind 127.0.0.1:{port}
        tcp-request inspect-delay 15s
        tcp-request content reject if {{ req.payload(0,3) -m str BAD }}
        tcp-request content accept if {{ req.payload(0,4) -m found }}
        default_backend plain
    frontend impatient
        bind 127.0.0.1:{quick}
        timeout client 300ms
        tcp-request inspect-delay 15s
        tcp-request content accept if {{ req.len gt 5 }}
        default_backend b
    frontend late
        bind 127.0.0.1:{late}
        default_backend b
    backend b
        tcp-request inspect-delay 200ms
        tcp-request content reject if WAIT_END REQ_CONTENT
        server s {server}
    backend plain
        server s {server}
    frontend both
        bind 127.0.0.1:{both}
        tcp-request inspect-delay 300ms
        tcp-request content accept if REQ_CONTENT
        default_backend patient
    backend patient
        tcp-request inspect-delay 15s
        tcp-request content reject if {{ req.payload(0,2) -m str ab }}
        server s {server}
    """)

    def speak(data, to=port, then=None):
        sock = connect(("127.0.0.1", to))
        sock.sendall(data)
        if then:
            time.sleep(0.1)
            then(sock)
        return sock

    def ends(*states):
        eventually(lambda: len(log.sessions()) >= len(states), "the lines of the log")
        assert [one.state for one in log.sessions()] == list(states)

    assert read_to_end(speak(b"BAD client")) == (b"", FIN)
    ends("PR")
    assert read_to_end(speak(b"", quick)) == (b"", FIN)
    ends("PR", "cR")
    speak(b"BA", then=reset)
    ends("PR", "cR", "CR")
    assert read_to_end(speak(b"x", late)) == (b"", FIN)
    ends("PR", "cR", "CR", "PR")
    first, last = log.sessions()[0], log.sessions()[-1]
    assert (first.backend, first.server, last.backend, last.server) == ("words", "<NOSRV>", "b", "<NOSRV>")
    with speak(b"", late) as client:  # says nothing for the whole delay: the rule cannot hold
        far = server.accept()
        client.sendall(b"hello")
        assert read_exactly(far, 5) == b"hello"
        far.close()
    with speak(b"", both, then=lambda sock: sock.sendall(b"a")) as client:
        assert server.nobody_comes(0.8), "the frontend's time is not the backend's"
        client.sendall(b"b")
        assert read_to_end(client) == (b"", FIN)


def test_a_session_that_waits_counts_and_keeps_its_rules(fastlb, puppet, port):
    """It holds its place under maxconn, and over a reload the rules under which it came. Refusals are counted."""
    old, new = puppet(), puppet()

    def config(name, more=""):
        return f"""{BASE}
    frontend f
        bind 127.0.0.1:{port}
        maxconn 1
        tcp-request inspect-delay 19s
        tcp-request content accept if {{ req.len gt 3 }}
        {more}
        use_backend {name} if {{ req.payload(0,4) -m str GOOD }}
{sections(("old", old), ("new", new))}
    """

    def samples(name):
        return lb.samples().sum(f"fastlb_frontend_{name}", proxy="f")

    lb = fastlb.start(config("old"))
    with connect(("127.0.0.1", port)) as first, contextlib.ExitStack() as later:
        first.sendall(b"GO")
        eventually(lambda: samples("sessions") == 1, "a session waits for its rules")
        later.enter_context(connect(("127.0.0.1", port))).sendall(b"GOOD, too")
        assert old.nobody_comes(0.3)
        denied = "tcp-request connection reject if { src 127.0.0.9 }", "tcp-request session reject if { src 127.0.0.8 }"
        lb.reload(config("new", "\n        ".join(denied)))
        first.sendall(b"OD one")
        far = old.accept()
        assert read_exactly(far, 8) == b"GOOD one"
        first.close()
        far.close()
        far = new.accept()
        assert read_exactly(far, 9) == b"GOOD, too"
        far.close()
    assert turned_away(port)
    eventually(lambda: samples("denied_connections_total") == 1, "a refusal is counted")
    with connect(("127.0.0.1", port), "127.0.0.8") as client:
        assert read_to_end(client) == (b"", FIN)
    eventually(lambda: samples("sessions_total") == 3, "who is refused behind the header was a session")
    ends = lb.samples().sum("fastlb_frontend_session_ends_total", proxy="f", reason="denied_session")
    assert (ends, samples("denied_connections_total"), samples("sessions")) == (1, 1, 0)
