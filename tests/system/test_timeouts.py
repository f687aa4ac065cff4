"""Which clock ends a session and which does not. The log codes of each ending are in test_log_lines.py."""

import socket
import time

from .harness.client import FIN, connect, elapsed_s, read_exactly, read_to_end, silent
from .harness.launch import BASE
from .harness.processes import children, cpu_s
from .harness.waiting import PATIENCE


def config(port, server, *lines):
    more = "\n        ".join(lines)
    return f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        server s {server}
        {more}
    """


def test_traffic_in_one_direction_keeps_both_alive(balancer, puppet, port):
    """The client never speaks again; the server's bytes refresh its timer too."""
    server = puppet()
    balancer.start(config(port, server, "timeout client 600ms", "timeout server 600ms"))
    client = connect(("127.0.0.1", port))
    far = server.accept()
    started = time.monotonic()
    while elapsed_s(started) < 1.5:
        far.sendall(b".")
        assert client.recv(1) == b"."
        time.sleep(0.1)
    far.close()
    assert read_to_end(client)[0] == b""
    client.close()


def test_nothing_ends_before_its_time(balancer, puppet, port):
    server = puppet()
    balancer.start(config(port, server, "timeout client 2s", "timeout server 2s"))
    client = connect(("127.0.0.1", port))
    far = server.accept()
    assert silent(client, 1.5), "ended before the timeout"
    assert read_to_end(client)[0] == b""
    far.close()
    client.close()


def test_zero_is_no_limit(balancer, puppet, port):
    server = puppet()
    balancer.start(config(port, server, "timeout client 0", "timeout server 0"))
    client = connect(("127.0.0.1", port))
    far = server.accept()
    assert silent(client, 1.0)
    far.sendall(b"still here")
    assert read_exactly(client, 10) == b"still here"
    far.close()
    client.close()


def test_tunnel_replaces_client_and_server_timeouts(balancer, puppet, port):
    server = puppet()
    balancer.start(config(port, server, "timeout client 300ms", "timeout server 300ms", "timeout tunnel 20s"))
    client = connect(("127.0.0.1", port))
    far = server.accept()
    client.sendall(b"?")
    assert far.recv(1) == b"?"
    far.sendall(b"!")
    assert client.recv(1) == b"!"
    assert silent(client, 1.0), "client and server timeouts still count in a tunnel"
    far.close()
    client.close()


def test_stalled_reader_is_ended_by_the_inactivity_timeout(balancer, puppet, port):
    """A client that takes nothing more is no progress, however willing the server is to send."""
    server = puppet()
    balancer.start(config(port, server, "timeout client 500ms", "timeout server 500ms"))
    client = connect(("127.0.0.1", port), rcvbuf=4096)
    far = server.accept()
    far.settimeout(10)
    started = time.monotonic()
    try:
        while elapsed_s(started) < 10:
            far.send(bytes(65536))
        ended = False
    except TimeoutError:
        ended = False
    except OSError:
        ended = True
    assert ended, "the server could wait for ever for a client that does not read"
    client.close()


def test_retries_meet_the_connect_timeout_each(balancer, black_hole, port):
    balancer.start(config(port, black_hole, "timeout connect 200ms", "retries 2"))
    started = time.monotonic()
    client = connect(("127.0.0.1", port))
    assert read_to_end(client)[0] == b""
    assert elapsed_s(started) > 0.55, "three attempts of 200 ms"
    client.close()


def test_half_closed_idlers_cost_nothing_and_go(fastlb, log, puppet, port, scale):
    """B9: clients that have said their last and do not read. client-fin ends them; until then nobody spins."""
    server = puppet()
    lb = fastlb.start(f"""
    global
        nbthread 1
        log {log} local0
    {BASE.replace("nbthread 2", "")}
        log global
        option tcplog
        timeout client-fin 1s
    listen lb
        bind 127.0.0.1:{port}
        server s {server}
    """)
    clients = [half_closed(port, server) for _ in range(scale("idlers", 500, least=20))]
    before = all_cpu_s(lb)
    lines = log.wait_sessions(len(clients))
    assert all_cpu_s(lb) - before < 0.2 * PATIENCE, "busy with clients that do nothing"
    assert {line.state for line in lines} == {"cD"}
    assert all(900 <= line.total_ms <= 1100 + 1000 * PATIENCE for line in lines)
    for client in clients:
        client.close()


def half_closed(port, server):
    """Its question and its FIN are through, the answer lies unread."""
    client = connect(("127.0.0.1", port))
    client.sendall(b"?")
    client.shutdown(socket.SHUT_WR)
    far = server.accept()
    assert read_to_end(far) == (b"?", FIN)
    far.sendall(b"never read")
    return client


def all_cpu_s(lb):
    return cpu_s(lb.pid) + sum(map(cpu_s, children(lb.pid)))
