"""Servers that cannot be reached: retries, redispatch, backup, and nobody left (F9)."""

import time
from collections import Counter

from .harness.client import connect, elapsed_s, read_to_end, reset, who
from .harness.launch import BASE
from .harness.load import in_threads
from .harness.waiting import PATIENCE, eventually


def test_redispatch_hides_a_refusing_server(balancer, peer, port, ports):
    alive = peer("banner", "alive")
    balancer.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        retries 1
        option redispatch
        server dead 127.0.0.1:{ports.take()}
        server alive {alive}
    """)
    started = time.monotonic()
    assert [who(("127.0.0.1", port)) for _ in range(20)] == ["alive"] * 20
    assert elapsed_s(started) < 10, "redispatch must not wait a second each time"


def test_refused_server_costs_no_client_and_goes_down(fastlb, peer, port, scale):
    """F9: a server dies under load. Until the checks notice, half of the turns meet a closed port; no client does."""
    dying, alive = peer("banner", "dying"), peer("banner", "alive")
    lb = fastlb.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        retries 1
        option redispatch
        server dying {dying} check inter 700ms fall 3 rise 1
        server alive {alive}
    """)
    eventually(lambda: lb.samples().sum("fastlb_server_checks_total", server="dying") >= 2, "it was seen healthy")
    dying.stop()
    count = scale("connections", 10_000, least=300)
    assert Counter(in_threads([lambda: who(("127.0.0.1", port))] * count)) == {"alive": count}
    now = lb.samples()
    assert now.sum("fastlb_server_connect_failures_total", server="dying", kind="error") > 0
    assert now.sum("fastlb_server_redispatches_total", server="dying") > 0
    assert now.sum("fastlb_server_connect_failures_total", server="alive") == 0
    eventually(lambda: lb.samples().sum("fastlb_server_up", server="dying") == 0, "the checks take it out", 15)


def test_down_after_fall_checks_and_not_before(fastlb, peer, port):
    """F9: a refused check tells at once, so DOWN comes fall - 1 intervals after the first one, within 20 %.

    The first one may be near: how soon the test sees the last success is up to the machine.
    """
    dying = peer("banner", "dying")
    lb = fastlb.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        server dying {dying} check inter 500ms fall 4 rise 1
    """)
    seen = [lb.samples().sum("fastlb_server_checks_total")]

    def checked():
        return lb.samples().sum("fastlb_server_checks_total") > seen[0]

    eventually(checked, "a check has just succeeded", every_s=0.005)
    dying.stop()
    stopped = time.monotonic()
    eventually(lambda: lb.samples().sum("fastlb_server_up") == 0, "DOWN", 10, every_s=0.005)
    assert 0.8 * 3 * 0.5 <= elapsed_s(stopped) <= 1.2 * 4 * 0.5 + 0.5 * PATIENCE
    assert lb.samples().sum("fastlb_server_check_failures_total") == 4


def test_without_redispatch_retries_stay_on_the_same_server(balancer, peer, port, ports, log):
    """And there is a pause of one second (or of the connect timeout, if shorter) before each retry."""
    alive = peer("banner", "alive")
    balancer.start(f"""
    global
        log {log} local0
    defaults
        mode tcp
        log global
        option tcplog
        timeout connect 400ms
        timeout client 20s
        timeout server 20s
    listen lb
        bind 127.0.0.1:{port}
        retries 2
        server dead 127.0.0.1:{ports.take()}
        server alive {alive}
    """)
    for _ in range(2):
        with connect(("127.0.0.1", port)) as client:
            read_to_end(client)
    by_server = {one.server: one for one in log.wait_sessions(2)}
    assert (by_server["dead"].state, by_server["dead"].retries) == ("SC", "2")
    assert by_server["dead"].total_ms >= 700, "two pauses of 400 ms"
    assert (by_server["alive"].state, by_server["alive"].retries) == ("--", "0")


def test_retry_succeeds_once_the_server_is_back(balancer, peer, port, ports):
    late = peer("banner", "late")
    late.stop()
    balancer.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        retries 3
        server late {late}
    """)
    with connect(("127.0.0.1", port)) as client:
        time.sleep(0.3)
        late.start()
        assert read_to_end(client)[0] == b"late\n"


def test_silent_server_is_left_after_the_connect_timeout(balancer, peer, black_hole, port):
    """F10: SYNs to one server vanish; with redispatch each client is served by the other."""
    alive = peer("banner", "alive")
    balancer.start(f"""{BASE}
        timeout connect 300ms
        option redispatch
        retries 2
    listen lb
        bind 127.0.0.1:{port}
        server silent {black_hole}
        server alive {alive}
    """)
    assert in_threads([lambda: who(("127.0.0.1", port))] * 16) == ["alive"] * 16


def test_nobody_left_is_said_at_once(balancer, port, ports):
    balancer.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        retries 0
        server s1 127.0.0.1:{ports.take()}
        server s2 127.0.0.1:{ports.take()}
    """)
    with connect(("127.0.0.1", port)) as client:
        assert read_to_end(client)[0] == b""


def test_server_that_resets_after_its_first_byte_is_not_retried(balancer, puppet, port):
    """The connection was established and bytes have gone: no second try anywhere (haproxy-tcp.md section 9)."""
    rude, other = puppet(), puppet()
    balancer.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        option redispatch
        server rude {rude}
        server other {other} backup
    """)
    with connect(("127.0.0.1", port)) as client:
        far = rude.accept()
        far.sendall(b"1")
        assert client.recv(1) == b"1"
        reset(far)
        assert read_to_end(client)[0] == b""
    assert rude.nobody_comes(0.3)
    assert other.nobody_comes(0.1)
