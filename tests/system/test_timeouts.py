"""Which clock ends a session and which does not. The log codes of each ending are in test_log_lines.py."""

import time

from .harness.client import connect, elapsed_s, read_exactly, read_to_end, silent
from .harness.launch import BASE


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
