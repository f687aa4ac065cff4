"""``-sf`` and ``-st``: fastlb takes the place of a running HAProxy or fastlb, and nobody waits for a connection."""

import pytest

from .harness import haproxy
from .harness.client import connect, listening, read_exactly, who
from .harness.launch import BASE
from .harness.load import banners
from .harness.waiting import eventually
from .test_service_manager import config

pytestmark = pytest.mark.master


def test_a_successor_serves_before_the_predecessor_goes(fastlb, peer, ports, directory):
    """Session, clients, control socket, pid file and metrics: what goes over when, and that nothing is cut."""
    port, echo_port, metrics = ports.take(), ports.take(), ports.take()
    text = f"""
    listen kept
        bind 127.0.0.1:{echo_port}
        server s {peer("echo", "e")}
    """
    pidfile = directory / "pid"
    text = config(port, peer("banner", "s"), f"prometheus bind 127.0.0.1:{metrics}\n    pidfile {pidfile}") + text
    old = fastlb.start(text)
    with connect(("127.0.0.1", echo_port)) as kept, banners(("127.0.0.1", port), 4) as load:
        kept.sendall(b"before")
        assert read_exactly(kept, 6) == b"before"
        options = ["--socket", str(old.socket_path), "-sf", str(old.pid)]
        new = fastlb.start(text, options=options, wait=False)
        new.socket_path = old.socket_path
        new.wait_ready()
        eventually(lambda: "draining" in old.output(), "the predecessor drains")
        kept.sendall(b"after")
        assert read_exactly(kept, 5) == b"after"
        assert pidfile.read_text() == f"{new.pid}\n"
        assert f"pid {new.pid}" in new.command("status").stdout
    assert load.failures == []
    assert old.wait_end() == 0
    assert pidfile.read_text() == f"{new.pid}\n"
    eventually(lambda: listening(("127.0.0.1", metrics)), "the metrics are served by the successor")
    assert new.get("/healthz")[0] == 200
    assert new.command("status").returncode == 0
    assert who(("127.0.0.1", port)) == "s"


def test_of_two_successors_one_serves(fastlb, peer, port):
    """They have nothing in common but the process whose place they take, not even a control socket."""
    text = config(port, peer("banner", "s"))
    old = fastlb.start(text)
    with banners(("127.0.0.1", port), 2) as load:
        both = [fastlb.start(text, options=["-sf", str(old.pid)], wait=False) for _ in range(2)]
        eventually(lambda: any(one.process.poll() is not None for one in both), "one of them ends")
        loser, winner = sorted(both, key=lambda one: one.process.poll() is None)
        assert loser.wait_end() == 1
        assert f"takes the place of process {old.pid} already: use '-sf {winner.pid}'" in loser.output()
        winner.wait_ready()
        assert old.wait_end() == 0
    assert load.failures == []
    late = fastlb.start(text, options=["-sf", str(old.pid)], wait=False)
    assert late.wait_end() == 1
    assert "the address is in use by" in late.output()


def test_a_successor_that_cannot_start_leaves_the_predecessor_alone(fastlb, peer, port, directory):
    old = fastlb.start(config(port, peer("banner", "s")))
    text = config(port, "127.0.0.1:1") + f"frontend taken\n    bind {directory}/missing/socket\n"
    new = fastlb.start(text, options=["--socket", str(old.socket_path), "-st", str(old.pid)], wait=False)
    assert new.wait_end() == 1
    assert who(("127.0.0.1", port)) == "s"
    assert old.command("status").returncode == 0


@pytest.mark.skipif(haproxy.missing() is not None, reason="haproxy is not installed")
def test_haproxy_is_replaced(fastlb, peer, port, directory):
    listen = f"listen lb\n bind 127.0.0.1:{port}\n server s {{}}\n"
    old = haproxy.Haproxy(BASE.replace("nbthread 2", "nbthread 1") + listen.format(peer("banner", "old")), directory)
    try:
        assert who(("127.0.0.1", port)) == "old"
        fastlb.start(BASE + listen.format(peer("banner", "new")), options=["-sf", str(old.pid)])
        assert old.process.wait(10) == 0
        assert who(("127.0.0.1", port)) == "new"
    finally:
        old.kill()
