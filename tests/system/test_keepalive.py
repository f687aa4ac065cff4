"""TCP keep-alive: which connections have it, with which times, and a peer that it finds."""

import contextlib
import subprocess
import time

import pytest

from .harness import kernel, netns
from .harness.client import connect
from .harness.launch import BASE
from .harness.waiting import eventually

ASKED_FOR_AFTER_S = 0.3  # of a server: a shorter connection does not pay for it
LONG = BASE.replace("timeout client 20s", "timeout client 1h").replace("timeout server 20s", "timeout server 1h")


def probe_after(*filter_words):
    """When the kernel will probe the one connection that matches (ss(8)), rounded up to tens of seconds; 0: never."""
    command = ["ss", "-Htno", "state", "established", *filter_words]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(lines) == 1, lines
    if "timer:(keepalive," not in lines[0]:
        return 0
    left = lines[0].partition("timer:(keepalive,")[2].partition(",")[0]
    minutes, _, seconds = left.removesuffix("sec").rpartition("min")
    return -(-(int(minutes or 0) * 60 + float(seconds or 0)) // 10) * 10


def both_sides(frontend, server, far):
    """(accepted connection, connection to the server) of one session."""
    client = connect(("127.0.0.1", frontend))
    accepted = far.accept()
    port = client.getsockname()[1]
    for pause_s in (ASKED_FOR_AFTER_S, 0, 0):
        client.sendall(b"x")
        assert accepted.recv(1) == b"x", "the balancer knows of its connection, and what was due is done"
        time.sleep(pause_s)
    sides = probe_after(f"sport = :{frontend}", f"dport = :{port}"), probe_after(f"dport = :{server.port}")
    client.close()
    accepted.close()
    eventually(lambda: not kernel.tcp_states(server.port).get("01"), "the session has ended")
    return sides


def test_what_is_said_and_what_is_automatic(fastlb, puppet, ports):
    automatic, said, off, short = (ports.take() for _ in range(4))
    far = puppet()
    config = f"""{LONG}
    listen automatic
        bind 127.0.0.1:{automatic}
        server s {far}
    listen said
        bind 127.0.0.1:{said}
        clitcpka-idle 100s
        srvtcpka-idle 5m
        server s {far}
    listen off
        no option tcpka
        bind 127.0.0.1:{off}
        server s {far}
    listen short
        bind 127.0.0.1:{short}
        timeout server 30s
        server s {far}
    """
    lb = fastlb.start(config)
    assert both_sides(automatic, far, far) == (60, 60)
    assert both_sides(said, far, far) == (100, 300)
    assert both_sides(off, far, far) == (0, 0)
    assert both_sides(short, far, far) == (60, 0), "no probe can be sent within the timeout: none is asked for"
    assert "probed after 60 s of silence, 4 times every 15 s (automatic)" in lb.output()
    changed = config.replace("no option tcpka", "option tcpka").replace("100s", "200s")
    changed = changed.replace(
        "timeout server 30s", "timeout server 30s\n        option srvtcpka\n        no option clitcpka"
    )
    lb.reload(changed)
    assert both_sides(said, far, far) == (200, 300), "the sockets that listen take the new times"
    assert both_sides(off, far, far) == (60, 60)
    assert both_sides(short, far, far) == (0, 60)


@pytest.mark.netns
def test_a_server_that_vanishes_is_found(balancer, puppet, port):
    """As when EC2 forgets a flow: nobody says anything, and no timeout is near."""
    far = puppet()
    balancer.start(f"""{LONG}
    listen lb
        bind 127.0.0.1:{port}
        option srvtcpka
        srvtcpka-idle 1s
        srvtcpka-intvl 1s
        srvtcpka-cnt 2
        server s {far}
    """)
    with connect(("127.0.0.1", port)) as client:
        accepted = far.accept()
        client.sendall(b"x")
        assert accepted.recv(1) == b"x"
        with netns.vanished(far.port), contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b"", "the session ends, in whatever way"
        accepted.close()
