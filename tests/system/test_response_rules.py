"""``tcp-response``: what the server says first is looked at before the client gets any of it."""

from .harness.client import FIN, RST, connect, read_exactly, read_to_end, reset, silent
from .harness.waiting import eventually


def until_connected(lb):
    """A reset that comes before the worker has looked at its connect is the end of the connect, not of the session."""
    eventually(lambda: lb.samples().sum("fastlb_server_connecting") == 0, "the worker is connected")


def test_what_a_server_says_first(balancer, puppet, ports, log):
    server = puppet()
    banner, late, close, lv = (ports.take() for _ in range(4))
    lb = balancer.start(f"""
    global
        nbthread 1
    defaults
        mode tcp
        log {log} local0
        option tcplog
        timeout connect 5s
        timeout client 20s
        timeout server 20s
    listen banner
        bind 127.0.0.1:{banner}
        tcp-response inspect-delay 15s
        tcp-response content accept if {{ res.payload(0,4) -m str "220 " }}
        tcp-response content reject
        server s {server}
    listen late
        bind 127.0.0.1:{late}
        tcp-response inspect-delay 300ms
        tcp-response content reject if WAIT_END {{ res.len gt 1 }}
        server s {server}
    listen close
        bind 127.0.0.1:{close}
        tcp-response inspect-delay 15s
        tcp-response content close if {{ res.payload(0,3) -m str BYE }}
        server s {server}
    listen lv
        bind 127.0.0.1:{lv}
        tcp-response inspect-delay 15s
        tcp-response content reject if {{ res.payload_lv(1,2,+1) -m str abc }}
        server s {server}
    """)
    states = []

    def open_at(port, request=b""):
        client = connect(("127.0.0.1", port))
        client.sendall(request)
        far = server.accept()
        assert read_exactly(far, len(request)) == request, "what the client says does not wait"
        return client, far

    def ended(client, far, state):
        client.close()
        far.close()
        states.append(state)
        eventually(lambda: len(log.sessions()) == len(states), "the line of the log")
        assert [one.state for one in log.sessions()] == states

    client, far = open_at(banner, b"EHLO")
    far.sendall(b"22")
    assert silent(client, 0.2)
    far.sendall(b"0 here I am")
    assert read_exactly(client, 13) == b"220 here I am"
    client.sendall(b"QUIT")
    assert read_exactly(far, 4) == b"QUIT"
    far.close()
    assert read_to_end(client) == (b"", FIN)
    ended(client, far, "--")

    client, far = open_at(banner)
    far.sendall(b"500 no")
    assert read_to_end(client) == (b"", FIN)
    ended(client, far, "PD")
    client, far = open_at(banner)
    far.sendall(b"22")
    far.close()
    assert read_to_end(client) == (b"", FIN), "there will be no more of it"
    ended(client, far, "PD")

    client, far = open_at(late, b"x")
    far.sendall(b"a")
    assert read_exactly(client, 1) == b"a", "once the time is over"
    client.close()
    ended(client, far, "--")
    client, far = open_at(late)
    far.sendall(b"ab")
    assert read_to_end(client) == (b"", FIN)
    ended(client, far, "PD")

    client, far = open_at(close, b"x")
    far.sendall(b"BYE, " + bytes(100))
    assert read_to_end(client) == (b"BYE, " + bytes(100), FIN)
    assert read_to_end(far)[0] == b""
    ended(client, far, "--")
    client, far = open_at(close)
    if balancer.kind == "fastlb":
        until_connected(lb)
    far.sendall(b"BYEx"[:2])
    reset(client)
    assert read_to_end(far) == (b"", RST)
    ended(client, far, "CD")

    client, far = open_at(lv)
    far.sendall(b"?\0\3!ab")
    assert silent(client, 0.1)
    far.sendall(b"c")
    assert read_to_end(client) == (b"", FIN)
    ended(client, far, "PD")
    client, far = open_at(lv)
    far.sendall(b"?\0\0!")
    assert read_exactly(client, 4) == b"?\0\0!"
    client.close()
    ended(client, far, "--")


def test_who_is_rejected_for_what_the_server_said_is_counted(fastlb, puppet, port):
    """And a server that is lost before the rules are decided passes nothing on that they have not seen."""
    server = puppet()
    lb = fastlb.start(f"""
    defaults
        mode tcp
        timeout connect 5s
        timeout client 20s
        timeout server 20s
    listen l
        bind 127.0.0.1:{port}
        tcp-response inspect-delay 15s
        tcp-response content accept if {{ res.payload(0,3) -m str 220 }}
        tcp-response content reject
        server s {server}
    """)
    for said, expected in ((b"22", (b"", FIN)), (b"", (b"", FIN)), (b"220", (b"220", RST))):
        with connect(("127.0.0.1", port)) as client:
            far = server.accept()
            until_connected(lb)
            far.sendall(said)
            if not said.startswith(b"220"):
                assert silent(client, 0.1)
            reset(far)
            assert read_to_end(client) == expected
    samples = lb.samples()
    ends = {
        one: samples.sum("fastlb_frontend_session_ends_total", reason=one)
        for one in ("denied_response", "server_abort")
    }
    assert ends == {"denied_response": 2, "server_abort": 1}
