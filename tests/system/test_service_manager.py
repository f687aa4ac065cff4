"""Under systemd and without it: sd_notify, socket activation, daemon and pid file, signals, the demo."""

import os
import re
import signal
import socket
import subprocess
import time

import pytest

from .harness.client import ask, connect, read_exactly, read_to_end, refused, silent, who
from .harness.environment import FASTLB, for_fastlb
from .harness.launch import BASE
from .harness.load import banners
from .harness.processes import alive, session_members, title
from .harness.waiting import eventually

pytestmark = pytest.mark.master


def config(port, server, extra=""):
    base = BASE.replace("nbthread 2", f"nbthread 2\n    {extra}")
    return f"""{base}
    listen lb
        bind 127.0.0.1:{port}
        server s {server}
    """


def test_ready_is_said_when_connections_are_served(fastlb, peer, port):
    lb = fastlb.start(config(port, peer("banner", "s")), wait=False)
    lb.wait_ready()
    assert len(lb.workers()) == 2
    assert who(("127.0.0.1", port)) == "s"


def test_reload_says_reloading_with_its_time_and_then_ready(fastlb, peer, port):
    lb = fastlb.start(config(port, peer("banner", "s")))
    now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    lb.reload()
    lb.notify.wait("READY=1", times=2)
    reloading = next(message for message in lb.notify.messages() if "RELOADING=1" in message)
    said_us = int(re.search(r"MONOTONIC_USEC=(\d+)", reloading)[1])
    assert 0 <= said_us - now_us < 60_000_000


def test_failed_reload_ends_in_ready_too(fastlb, peer, port):
    """P75: the old configuration serves, so the service is ready; the status says what went wrong."""
    lb = fastlb.start(config(port, peer("banner", "s")))
    lb.config_path.write_text("nonsense\n")
    assert lb.command("reload").returncode == 1
    lb.notify.wait("READY=1", times=2)
    assert any("STATUS=" in message for message in lb.notify.messages()[1:])


def test_stop_says_stopping(fastlb, peer, port):
    lb = fastlb.start(config(port, peer("banner", "s")))
    lb.stop()
    assert lb.notify.said("STOPPING=1") == 1


def test_watchdog_is_fed(fastlb, peer, port):
    lb = fastlb.start(config(port, peer("banner", "s")), environment={"WATCHDOG_USEC": "400000"})
    lb.notify.wait("WATCHDOG=1", times=3)


def test_socket_activation_serves_the_inherited_socket(fastlb, peer, port):
    """systemd binds and listens, then starts us with LISTEN_FDS: nobody is refused before, between or after."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(100)
    early = connect(("127.0.0.1", port))
    script = 'exec 3<&"$0"; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"'
    lb = fastlb.start(
        config(port, peer("banner", "s")),
        pass_fds=[listener.fileno()],
        wrapper=["bash", "-c", script, str(listener.fileno())],
    )
    listener.close()
    assert read_to_end(early)[0] == b"s\n"
    assert [who(("127.0.0.1", port)) for _ in range(20)] == ["s"] * 20
    assert "used by no bind" not in lb.output()
    early.close()
    fastlb.sheet(lb).retake()  # the early client's session was open when the first sheet was taken


def test_sigterm_cuts_sessions_and_ends_at_once(fastlb, peer, port):
    lb = fastlb.start(config(port, peer("hold", "s")))
    client = connect(("127.0.0.1", port))
    assert read_exactly(client, 2) == b"s\n"
    lb.signal(signal.SIGTERM)
    assert lb.wait_end(5) == 0
    assert read_to_end(client)[0] == b""
    assert refused(("127.0.0.1", port))


def test_sigint_ends_it_too(fastlb, peer, port):
    lb = fastlb.start(config(port, peer("banner", "s")))
    lb.signal(signal.SIGINT)
    assert lb.wait_end(5) == 0


def test_sigusr1_drains(fastlb, peer, port):
    lb = fastlb.start(config(port, peer("echo", "s")))
    client = connect(("127.0.0.1", port))
    client.sendall(b"1")
    assert client.recv(1) == b"1"
    lb.signal(signal.SIGUSR1)
    eventually(lambda: refused(("127.0.0.1", port)), "no new connections")
    client.sendall(b"2")
    assert client.recv(1) == b"2"
    assert lb.process.poll() is None
    client.close()
    assert lb.wait_end() == 0


def test_grace_accepts_while_readiness_says_no(fastlb, peer, port):
    lb = fastlb.start(config(port, peer("banner", "s"), extra="grace 1m"))
    lb.signal(signal.SIGUSR1)
    eventually(lambda: lb.get("/readyz")[0] == 503, "whoever asks is told")
    assert who(("127.0.0.1", port)) == "s"
    lb.signal(signal.SIGTERM)
    assert lb.wait_end(10) == 0, "a stop does not wait for it"


def test_hard_stop_after_ends_a_drain(fastlb, peer, port):
    lb = fastlb.start(config(port, peer("hold", "s"), extra="hard-stop-after 700ms"))
    client = connect(("127.0.0.1", port))
    assert read_exactly(client, 2) == b"s\n"
    lb.signal(signal.SIGUSR1)
    assert silent(client, 0.4), "cut before its time"
    assert lb.wait_end() == 0
    assert read_to_end(client)[0] == b""


def test_drain_serves_the_queue_first(fastlb, peer, port):
    """Nobody who was accepted by the kernel before the drain is reset by it."""
    lb = fastlb.start(config(port, peer("banner", "s")))
    with banners(("127.0.0.1", port), clients=4) as load:
        eventually(lambda: load.done > 100, "load")
        lb.signal(signal.SIGUSR1)
        assert lb.wait_end() == 0
    assert [failure for failure in load.failures if "Refused" not in failure.why] == []


def test_daemon_returns_when_it_serves_and_writes_its_pid(fastlb, peer, port, directory):
    pidfile = directory / "fastlb.pid"
    lb = fastlb.start(config(port, peer("banner", "s"), extra=f"daemon\n    pidfile {pidfile}"), wait=False)
    assert lb.wait_end() == 0, lb.output()
    master = int(pidfile.read_text())
    try:
        assert who(("127.0.0.1", port)) == "s"
        assert title(master).startswith("fastlb: master")
        assert lb.command("status").returncode == 0
        assert lb.command("stop").returncode == 0
        eventually(lambda: not alive(master), "the daemon is gone")
        assert not pidfile.exists()
    finally:
        for pid in session_members(os.getsid(master)) if alive(master) else []:
            os.kill(pid, signal.SIGKILL)


def test_daemon_that_cannot_start_says_so_before_it_returns(fastlb, puppet, directory):
    taken, pidfile = puppet(), directory / "fastlb.pid"
    lb = fastlb.start(config(taken.port, "127.0.0.1:1", extra=f"daemon\n    pidfile {pidfile}"), wait=False)
    assert lb.wait_end() == 1
    assert str(taken.port) in lb.output()
    assert not pidfile.exists()


def test_demo_shows_two_servers_taking_turns(ports):
    port = ports.take()
    command = [*FASTLB, "demo", "--port", str(port)]
    demo = subprocess.Popen(
        command, env=for_fastlb(PYTHONUNBUFFERED="1"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True, text=True,
    )  # fmt: skip
    try:
        eventually(lambda: demo.poll() is not None or not refused(("127.0.0.1", port)), "the demo listens", 20)
        pages = [ask(("127.0.0.1", port), b"GET / HTTP/1.0\r\n\r\n").lower() for _ in range(6)]
        assert sorted(b"ping" in page for page in pages) == [False] * 3 + [True] * 3
        assert sorted(b"pong" in page for page in pages) == [False] * 3 + [True] * 3
        os.killpg(demo.pid, signal.SIGINT)
        printed, _ = demo.communicate(timeout=15)
        assert f":{port}" in printed, "the address to open is printed"
        assert "Traceback" not in printed
        assert session_members(demo.pid) == []
    finally:
        for pid in session_members(demo.pid):
            os.kill(pid, signal.SIGKILL)
        demo.wait()
