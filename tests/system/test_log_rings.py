"""``ring`` sections, with HAProxy's ``log-forward`` as the receiver: lines come by TCP, and leave as datagrams."""

import re
import shutil

import pytest

from .harness.client import who
from .harness.haproxy import Haproxy
from .harness.launch import BASE
from .harness.waiting import eventually

pytestmark = [
    pytest.mark.master,
    pytest.mark.skipif(not shutil.which("haproxy"), reason="haproxy is not installed"),
]


@pytest.fixture
def receiver(directory, log, ports):
    """``receiver()`` starts it, always at ``receiver.port``."""
    port, started = ports.take(), []

    def start():
        config = f"""
    log-forward in
        bind 127.0.0.1:{port}
        log {log} local0
        timeout client 20s
        """
        started.append(Haproxy(config, directory))
        return started[-1]

    start.port = port
    yield start
    for one in started:
        one.kill()


def test_a_receiver_that_comes_back_gets_what_was_said_meanwhile(fastlb, receiver, peer, port, log):
    def sessions():
        return {int(found[1]) for line in log.lines() if (found := re.search(r"lb/s \S+ 2 -- .* #(\d+)$", line))}

    first = receiver()
    lb = fastlb.start(f"""{BASE}
    ring central
        format rfc3164
        server one 127.0.0.1:{receiver.port} log-proto octet-count
    listen lb
        bind 127.0.0.1:{port}
        log ring@central local0
        log-format "${{HAPROXY_TCP_LOG_FMT}} #%rt"
        server s {peer("banner", "s")}
    """)
    for _ in range(3):
        assert who(("127.0.0.1", port)) == "s"
    eventually(lambda: sessions() == {0, 1, 2}, "all lines")
    first.kill()
    for _ in range(3):
        assert who(("127.0.0.1", port)) == "s"
    eventually(lambda: "Connection refused; lines wait" in lb.output(), "the operator is told")
    receiver()
    eventually(lambda: sessions() >= {4, 5}, "what was said meanwhile comes, too")
    eventually(lambda: "connected again" in lb.output(), "the operator is told")
    assert lb.samples().sum("fastlb_log_lines_dropped_total") == 0
