"""A network that misbehaves: SYNs that vanish, packets that are lost, a link that goes away (F10, F15, F18)."""

import time

import pytest

from .harness import kernel, netns
from .harness.client import connect, elapsed_s, read_exactly, who
from .harness.launch import BASE
from .harness.load import in_threads
from .harness.scale import SCALE
from .harness.transfer import Transfer, run
from .harness.waiting import PATIENCE, eventually

MEGABYTE = 1_000_000
TRANSFER_LIMIT_S = 30

pytestmark = pytest.mark.netns


def test_vanishing_syns_cost_the_connect_timeout_and_no_client(balancer, peer, port, scale):
    """F10: one of two servers never answers; every client is served by the other, the unlucky half a little later."""
    silent, alive = peer("banner", "silent"), peer("banner", "alive")
    kernel.swallow_syns(silent.port)
    balancer.start(f"""{BASE}
        timeout connect 500ms
        option redispatch
        retries 2
    listen lb
        bind 127.0.0.1:{port}
        server silent {silent}
        server alive {alive}
    """)
    took = []

    def visit():
        started = time.monotonic()
        name = who(("127.0.0.1", port))
        took.append(elapsed_s(started))
        return name

    count = scale("connections", 1000, least=40)
    assert in_threads([visit] * count, width=20) == ["alive"] * count
    assert sum(one > 0.45 for one in took) >= count // 2 - 1, "half of them have met the silent server"
    assert max(took) < 1.1 + 0.5 * PATIENCE, "one connect timeout, or with bad luck two"


def test_transfers_are_exact_with_lost_packets(fastlb, peer, port, scale):
    """F15: 5 % of all packets vanish, whoever sent them; segments of an Ethernet, so that there are many."""
    server = peer("duplex", "s")
    lb = fastlb.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        server s {server}
    """)
    netns.ip("link", "set", "lo", "mtu", "1500")
    kernel.lose(0.05)
    count = scale("transfers of 1 MB", 500, least=10)
    transfers = [Transfer(n, MEGABYTE if n % 2 else 0, 0 if n % 2 else MEGABYTE, 65536, 0) for n in range(1, count + 1)]
    sent = in_threads([lambda t=t: (t.seed, timed(port, t)) for t in transfers], width=10)
    arrived = {event["seed"]: event["sha256"] for event in server.wait_events(count)}
    assert arrived == dict(sent)
    assert netns.counters()["TCPLostRetransmit"] + netns.counters()["TCPTimeouts"] > 0, "no packet was lost"
    assert lb.samples().sum("fastlb_server_connect_failures_total") == 0


def timed(port, transfer):
    started = time.monotonic()
    digest = run(("127.0.0.1", port), transfer)
    assert elapsed_s(started) < TRANSFER_LIMIT_S * PATIENCE
    return digest


@pytest.fixture
def far_server(peer):
    """A duplex server in a namespace of its own, at 192.0.2.2 behind the device ``far``."""
    with netns.fresh():
        server = peer("duplex", "s", host="0.0.0.0")
    netns.ip("link", "add", "far", "type", "veth", "peer", "name", "near", "netns", str(server.process.pid))
    netns.ip("address", "add", "192.0.2.1/24", "dev", "far")
    netns.ip("link", "set", "far", "up")
    netns.ip_in(server.process.pid, "address", "add", "192.0.2.2/24", "dev", "near")
    netns.ip_in(server.process.pid, "link", "set", "near", "up")
    server.host = "192.0.2.2"
    return server


def test_transfers_survive_a_link_that_goes_away(fastlb, far_server, port, scale):
    """F18: no time-out has passed, so nothing ends: what was under way goes on when the link is back."""
    lb = fastlb.start(f"""{BASE}
        timeout client 30s
        timeout server 30s
    listen lb
        bind 127.0.0.1:{port}
        server s {far_server}
    """)
    count, down_s = scale("transfers", 50, least=8), max(1.0, 5 * SCALE)
    transfers = [Transfer(n, 2 * MEGABYTE, 2 * MEGABYTE, 10_000, 20) for n in range(1, count + 1)]
    idle = connect(("127.0.0.1", port))

    def under_way():
        now = lb.samples()
        established = now.sum("fastlb_server_sessions") - now.sum("fastlb_server_connecting")
        return established == count + 1 and now.sum("fastlb_server_received_bytes_total") > MEGABYTE

    def flap():
        eventually(under_way, "everybody's bytes are on their way")
        with kernel.link_down("far"):
            time.sleep(down_s)  # it is the fault itself that lasts so long
            assert lb.samples().sum("fastlb_server_sessions") == count + 1, "the link went down too late"

    jobs = [lambda t=t: (t.seed, run(("127.0.0.1", port), t)) for t in transfers]
    _, *sent = in_threads([flap, *jobs], width=count + 1)
    arrived = {event["seed"]: event["sha256"] for event in far_server.wait_events(count)}
    assert arrived == dict(sent)
    idle.sendall(b"5 1 5 0 0\n")
    assert len(read_exactly(idle, 5)) == 5, "a session that was idle meanwhile has not noticed"
    idle.close()
