"""Clocks that jump, and a machine that has been up for long: time-outs and checks do not notice (F16, F17)."""

import threading
import time

import pytest

from .harness import clocks
from .harness.client import connect, elapsed_s, read_to_end
from .harness.launch import BASE
from .harness.load import in_threads
from .harness.waiting import PATIENCE, eventually

HOUR = 3600
LATE_S = 0.5 * PATIENCE


def config(port, server, more=""):
    return f"""{BASE}
        {more}
    listen lb
        bind 127.0.0.1:{port}
        server s {server} check inter 300ms
    """


def idle_for(port):
    """How long a session lives in which nothing happens."""
    with connect(("127.0.0.1", port)) as client:
        assert client.recv(2) == b"s\n"
        started = time.monotonic()
        assert read_to_end(client)[0] == b""
        return elapsed_s(started)


@pytest.mark.skipif(bool(clocks.no_wall_clock()), reason=str(clocks.no_wall_clock()))
def test_wall_clock_may_jump(fastlb, peer, port, directory, log, scale):
    """F16: an hour forward, two back, and home again, while sessions wait for their time-out: none early, none late."""
    wall = clocks.WallClock(directory)
    server = peer("hold", "s")
    text = config(port, server, "timeout client 2s\ntimeout server 2s\nlog global\noption tcplog")
    lb = fastlb.start(f"global\n    log {log} local0\n{text}", environment=wall.environment)
    started = time.time()
    count = scale("connections", 100, least=20)
    lives: list[float] = []
    visitors = [threading.Thread(target=lambda: lives.append(idle_for(port))) for _ in range(count)]
    for visitor in visitors:
        visitor.start()
    for offset in (HOUR, -HOUR, 0, HOUR):
        wall.jump(offset)
        time.sleep(0.3)  # so that each of them is seen by some turns of the loops
    for visitor in visitors:
        visitor.join()
    assert len(lives) == count
    assert min(lives) >= 1.9
    assert max(lives) <= 2.1 + LATE_S
    assert {one.state for one in log.wait_sessions(count)} == {"cD"}
    assert max(one.total_ms for one in log.sessions()) < 1000 * (2.1 + LATE_S + 1)
    now = lb.samples()
    assert now.sum("fastlb_server_last_session_timestamp_seconds") >= int(started)
    assert now.sum("fastlb_server_up") == 1
    assert now.sum("fastlb_worker_restarts_total") == 0
    checks = now.sum("fastlb_server_checks_total")
    eventually(lambda: lb.samples().sum("fastlb_server_checks_total") >= checks + 2, "the checks go on")


@pytest.mark.skipif(bool(clocks.no_time_namespace()), reason=str(clocks.no_time_namespace()))
@pytest.mark.parametrize(
    ("start_s", "run_s"),
    [(2**32 / 1000 - 2, 3), (2**31 / 1000 - 2, 3), (315_360_000, 0)],
    ids=["a 32-bit count of ms wraps", "a signed one", "after ten years"],
)
def test_monotonic_clock_may_stand_anywhere(fastlb, peer, port, start_s, run_s):
    """F17: everything that lives by the clock runs across the moment at which a short counter would begin anew."""
    server = peer("hold", "s")
    text = config(port, server, "timeout client 1s\ntimeout server 1s")
    launched = time.monotonic()
    lb = fastlb.start(text, wrapper=clocks.monotonic_from(start_s))
    lives = in_threads([lambda: idle_for(port)] * 4)
    while elapsed_s(launched) < run_s:
        lives += in_threads([lambda: idle_for(port)] * 4)
    assert min(lives) >= 0.9
    assert max(lives) <= 1.1 + LATE_S
    now = lb.samples()
    assert now.sum("fastlb_server_up") == 1
    assert now.sum("fastlb_server_check_failures_total") == 0
    assert now.sum("fastlb_worker_restarts_total") == 0
    assert now.sum("fastlb_frontend_session_ends_total", reason="client_timeout") == len(lives)
    assert max(age for _, age in now.select("fastlb_worker_heartbeat_age_seconds")) < 3
