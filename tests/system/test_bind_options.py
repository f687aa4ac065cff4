"""Options of a bind that need a network of their own: interfaces, an address that is not here yet, segment sizes."""

import pytest

from .harness import netns
from .harness.client import connect, refused, who
from .harness.launch import BASE
from .harness.load import banners

pytestmark = pytest.mark.netns
VIP = "192.0.2.10"


def test_an_address_that_arrives_later(balancer, peer, port):
    """As keepalived brings it, without net.ipv4.ip_nonlocal_bind."""
    server = peer("banner", "s")
    balancer.start(f"""{BASE}
    listen lb
        bind {VIP}:{port} transparent
        server s {server}
    """)
    for _ in range(2):
        netns.ip("addr", "add", f"{VIP}/32", "dev", "lo")
        assert who((VIP, port)) == "s"
        netns.ip("addr", "del", f"{VIP}/32", "dev", "lo")


def test_one_port_on_two_interfaces(balancer, peer, port):
    """What this machine sends to itself arrives by ``lo``, whatever the address."""
    near, far = peer("banner", "near"), peer("banner", "far")
    netns.ip("link", "add", "d0", "type", "veth")
    balancer.start(f"""{BASE}
    listen far
        bind :{port} interface d0
        server s {far}
    listen near
        bind :{port} interface lo
        server s {near}
    """)
    assert [who(("127.0.0.1", port)) for _ in range(10)] == ["near"] * 10


def test_an_interface_that_comes_and_goes_with_reloads(fastlb, peer, port):
    """Another interface is another socket: the old one serves what waits in it, and nobody is refused."""
    server = peer("banner", "s")
    netns.ip("link", "add", "d0", "type", "veth")

    def config(*interfaces):
        binds = "\n        ".join(f"bind :{port} {interface}" for interface in interfaces)
        return f"""{BASE}
    listen lb
        {binds}
        server s {server}
    """

    lb = fastlb.start(config("interface lo"))
    with banners(("127.0.0.1", port), clients=3) as load:
        for interfaces in (["interface lo", "interface d0"], [""], ["interface lo mss 1000"]):
            lb.reload(config(*interfaces))
    assert load.failures == []
    assert set(load.answers) == {"s"}
    assert load.done > 100
    lb.reload(config("interface d0"))
    assert refused(("127.0.0.1", port))


def test_the_segment_size_that_is_asked_for(balancer, puppet, port):
    server = puppet()
    balancer.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port} mss 700
        server s {server}
    """)
    with connect(("127.0.0.1", port)) as client:
        segment = client.getsockopt(6, 2)  # tcp(7), TCP_MAXSEG: what the other side can take
        assert 600 < segment <= 700
