"""``silent-drop``: the client goes on to believe that it is connected, and nobody here knows of it."""

import pytest

from .harness import netns
from .harness.client import connect, silent
from .harness.kernel import tcp_states
from .harness.launch import BASE
from .harness.waiting import eventually

pytestmark = pytest.mark.netns


@pytest.fixture
def outside(peer):
    """The client's network: 198.51.100.2 to .6, and fd00:9::2."""
    with netns.fresh():
        pid = peer("hold", "client").process.pid
    netns.neighbour(pid, "near", "198.51.100")
    for number in range(3, 7):
        netns.ip_in(pid, "address", "add", f"198.51.100.{number}/24", "dev", "home")
    netns.ip("address", "add", "fd00:9::1/64", "dev", "near", "nodad")
    netns.ip_in(pid, "address", "add", "fd00:9::2/64", "dev", "home", "nodad")
    return pid


def test_nothing_arrives_and_nothing_is_left(balancer, peer, port, outside, log):
    server = peer("banner", "s")
    lb = balancer.start(f"""{BASE}
        log {log} local0
    frontend f
        bind :{port},:::{port} v6only
        option tcplog
        tcp-request connection silent-drop if {{ src 198.51.100.3 fd00:9::/64 }}
        tcp-request session silent-drop if {{ src 198.51.100.4 }}
        tcp-request inspect-delay 15s
        tcp-request content silent-drop if {{ src 198.51.100.5 }} {{ req.len gt 0 }}
        tcp-request content accept if {{ req.len gt 0 }}
        default_backend b
    backend b
        server s {server}
    """)
    with netns.inside(outside):
        here = [connect(("198.51.100.1", port), f"198.51.100.{number}") for number in (3, 4, 5)]
        here.append(connect(("fd00:9::1", port)))
        here[2].sendall(b"hello")
        eventually(lambda: "PR" in [one.state for one in log.sessions()], "the last one is dropped")
        assert [silent(one, 0.3) for one in here] == [True] * 4
        ours = [one.getsockname()[1] for one in here]
    assert [tcp_states(one) for one in ours] == [{}] * 4
    if balancer.kind == "fastlb":
        samples = lb.samples()
        assert samples.sum("fastlb_frontend_denied_connections_total") == 2
        ends = [samples.sum("fastlb_frontend_session_ends_total", reason=one) for one in ("denied_session", "denied")]
        assert ends == [1, 1]
        assert "silent-drop by a reset that goes to lo" in " ".join(lb.output().split())
    with netns.inside(outside):
        client = connect(("198.51.100.1", port), "198.51.100.6")
        client.sendall(b"hello")
        assert client.recv(100) == b"s\n"
        client.close()
    for one in here:
        one.close()
