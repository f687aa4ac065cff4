"""Where log lines go: UDP, a unix socket, the standard streams; and sinks that do not take them (X13)."""

import os
import re
import socket
import subprocess
import time

import pytest

from .harness.client import ask, connect, elapsed_s, who
from .harness.environment import FASTLB, for_fastlb
from .harness.load import in_threads
from .harness.logsink import LogSink, session
from .harness.notify import NotifySocket
from .harness.waiting import eventually

pytestmark = pytest.mark.master


def config(port, server, target, *lines):
    more = "\n        ".join(lines)
    return f"""
    global
        nbthread 2
        log {target}
    defaults
        mode tcp
        log global
        option tcplog
        timeout connect 5s
        timeout client 20s
        timeout server 20s
        {more}
    listen lb
        bind 127.0.0.1:{port}
        server s {server}
    """


def test_syslog_over_udp(balancer, peer, port, log):
    balancer.start(config(port, peer("banner", "s"), f"{log} local0"))
    who(("127.0.0.1", port))
    line = log.wait_line("lb lb/s")
    assert re.match(r"<134>\w{3} [ \d]\d \d\d:\d\d:\d\d (haproxy|fastlb)\[\d+\]: 127\.0\.0\.1:\d+ \[", line)
    assert re.search(r"\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d\.\d{3}\] lb lb/s \d+/\d+/\d+ 2 -- 1/1/0/0/0 0/0$", line)


def test_syslog_over_a_unix_socket(balancer, peer, port, directory):
    sink = LogSink(path=str(directory / "log.sock"))
    balancer.start(config(port, peer("banner", "s"), f"{sink} local3 info"))
    who(("127.0.0.1", port))
    assert sink.wait_line("lb lb/s").startswith("<158>")
    sink.close()


def test_client_port_in_the_line_is_the_clients(balancer, peer, port, log):
    balancer.start(config(port, peer("hold", "s"), f"{log} local0"))
    with connect(("127.0.0.1", port)) as client:
        address, client_port = client.getsockname()
        client.recv(2)
    (line,) = log.wait_sessions(1)
    assert (line.client, line.client_port) == (address, client_port)


def test_default_format_is_a_line_at_accept(balancer, peer, port, log):
    text = config(port, peer("hold", "s"), f"{log} local0").replace("option tcplog", "")
    balancer.start(text)
    with connect(("127.0.0.1", port)) as client:
        assert log.wait_line(f"Connect from 127.0.0.1:{client.getsockname()[1]} to 127.0.0.1:{port} \\(lb/TCP\\)")


def test_dontlognull_is_silent_about_empty_sessions(balancer, puppet, port, log):
    server = puppet()
    balancer.start(config(port, server, f"{log} local0", "option dontlognull"))
    empty = connect(("127.0.0.1", port))
    far = server.accept()
    far.close()
    empty.close()
    assert_spoken(server, port)
    (only,) = log.wait_sessions(1)
    assert only.bytes == 6


def assert_spoken(server, port):
    client = connect(("127.0.0.1", port))
    far = server.accept()
    client.sendall(b"?")
    far.sendall(b"spoken")
    assert client.recv(6) == b"spoken"
    assert far.recv(1) == b"?"
    far.close()
    client.close()


def test_level_filter(balancer, peer, port, log):
    """Session lines are ``info``: a target that takes only notices does not get them."""
    server = peer("banner", "s")
    text = config(port, server, f"{log} local0 notice")
    balancer.start(text.replace(f"server s {server}", f"server s {server} check inter 200ms"))
    who(("127.0.0.1", port))
    server.stop()
    log.wait_line("Server lb/s is DOWN")
    assert log.sessions() == []


def test_raw_lines_on_stdout(fastlb, peer, port):
    lb = fastlb.start(config(port, peer("banner", "s"), "stdout format raw local0"))
    who(("127.0.0.1", port))
    eventually(lambda: "lb lb/s" in lb.stdout_path.read_text(), "a line on stdout")
    lines = [session(line) for line in lb.stdout_path.read_text().splitlines() if "lb lb/s" in line]
    assert [(line.server, line.bytes, line.state) for line in lines] == [("s", 2, "--")]


def test_lines_to_an_inherited_descriptor(fastlb, peer, port):
    reading, writing = os.pipe()
    fastlb.start(config(port, peer("banner", "s"), f"fd@{writing} format raw local0"), pass_fds=[writing])
    os.close(writing)
    who(("127.0.0.1", port))
    with os.fdopen(reading) as pipe:
        found = next(found for line in pipe if (found := session(line)))
    assert (found.server, found.bytes, found.state) == ("s", 2, "--")


def test_every_session_has_its_line(balancer, peer, port, log, scale):
    balancer.start(config(port, peer("banner", "s"), f"{log} local0"))
    count = scale("sessions", 50_000, least=500)
    in_threads([lambda: who(("127.0.0.1", port))] * count)
    lines = log.wait_sessions(count)
    assert len(lines) == len({(line.client_port, line.accepted) for line in lines}) == count
    assert {(line.server, line.bytes) for line in lines} == {("s", 2)}


def test_missing_syslog_never_stalls_traffic(fastlb, peer, port, ports, scale):
    """Nobody listens there: traffic does not care."""
    fastlb.start(config(port, peer("echo", "s"), f"127.0.0.1:{ports.take()} local0"))
    count = scale("sessions", 10_000, least=200)
    assert in_threads([lambda: ask(("127.0.0.1", port), b"x")] * count) == [b"x"] * count


def test_stuck_unix_syslog_never_stalls_traffic(fastlb, peer, port, directory, scale):
    """X13: a syslog that no longer reads. Lines are lost and counted, sessions are not."""
    stuck = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    stuck.bind(str(directory / "stuck.sock"))
    text = config(port, peer("echo", "s"), f"{directory}/stuck.sock local0")
    lb = fastlb.start(text.replace("listen lb", f"listen {'l' * 250}"))  # long lines fill any buffer sooner
    count = scale("sessions", 50_000, least=3000)
    started = time.monotonic()
    assert in_threads([lambda: ask(("127.0.0.1", port), b"x")] * count) == [b"x"] * count
    assert elapsed_s(started) < 60
    eventually(lambda: lb.samples().sum("fastlb_log_lines_dropped_total") > 0, "drops are counted")
    stuck.close()


@pytest.mark.timeout(60)
def test_stuck_stdout_never_stalls_traffic(peer, port, directory, scale):
    """The journal's pipe is full: the master must neither block nor die."""
    path, notify = directory / "lb.conf", NotifySocket(str(directory / "notify"))
    path.write_text(config(port, peer("echo", "s"), "stdout format raw local0"))
    reading, writing = os.pipe()
    control = ["--socket", str(directory / "admin.sock")]
    environment = for_fastlb(NOTIFY_SOCKET=notify.path)
    command = [*FASTLB, "-c", str(path), *control]
    lb = subprocess.Popen(command, stdout=writing, stderr=subprocess.DEVNULL, env=environment, start_new_session=True)
    os.close(writing)
    try:
        notify.wait("READY=1")
        count = scale("sessions", 20_000, least=1500)
        assert in_threads([lambda: ask(("127.0.0.1", port), b"x")] * count) == [b"x"] * count
        status = subprocess.run([*FASTLB, "status", *control], env=for_fastlb(), capture_output=True, timeout=20)
        assert status.returncode == 0, "the master hangs"
        lb.terminate()
        assert lb.wait(15) == 0
    finally:
        lb.kill()
        lb.wait()
        os.close(reading)
        notify.close()
