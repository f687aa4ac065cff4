"""Servers that are where the client wanted to go: its port, a port beside it, its address."""

import shutil
import subprocess

import pytest

from .harness import netns
from .harness.client import connect, who
from .harness.launch import BASE

pytestmark = pytest.mark.netns


def test_the_port_that_the_client_connected_to(balancer, peer):
    """As for a passive range of FTP: each port of the range is the server's port, or that many more."""
    servers = {port: peer("banner", f"s{port}", port, "127.0.0.2") for port in (21000, 21001, 22000, 22001, 20900)}
    assert len(servers) == 5
    balancer.start(f"""{BASE}
    listen same
        bind 127.0.0.1:21000-21001
        server s 127.0.0.2
    listen more
        bind 127.0.0.1:21002-21003
        server s 127.0.0.2:+998
    listen less
        bind [::1]:21000
        server s 127.0.0.2:-100
    """)
    asked = [("127.0.0.1", port) for port in (21000, 21001, 21002, 21003)] + [("::1", 21000)]
    assert [who(one) for one in asked] == ["s21000", "s21001", "s22000", "s22001", "s20900"]


def test_the_address_that_the_client_connected_to(balancer, peer, port):
    """One bind for a whole network that is routed here, each address of which has a server."""
    netns.ip("route", "add", "local", "198.51.100.0/24", "dev", "lo")
    netns.ip("addr", "add", "2001:db8:7::9/128", "dev", "lo", "nodad")
    hosts = ["198.51.100.7", "198.51.100.8", "2001:db8:7::9"]
    for host in hosts:
        peer("banner", host, 23000, host)
    balancer.start(f"""{BASE}
    listen lb
        bind :{port}
        bind [::]:{port} v6only
        server s *:23000
    """)
    assert [who((host, port)) for host in hosts] == hosts


@pytest.mark.skipif(shutil.which("nft") is None, reason="needs nft (nftables)")
def test_what_netfilter_has_diverted(balancer, peer, port):
    """REDIRECT: the socket says that the client wanted to go to us, the connection tracking knows better."""
    far = peer("banner", "far", 23000, "127.0.0.9")
    rules = f"""
    table ip t {{
        chain c {{
            type nat hook output priority -100
            ip daddr 127.0.0.8 tcp dport 80 redirect to :{port}
        }}
    }}
    """
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
    near = peer("banner", "near", 23000, "127.0.0.8")
    balancer.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        server s *:23000
    """)
    assert who(("127.0.0.8", 80)) == near.name
    assert far.name == "far"


def test_a_balancer_does_not_connect_to_itself(fastlb, port):
    """Nothing has diverted this client: it wanted to go to us, and there it is."""
    lb = fastlb.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        retries 0
        server s *
    """)
    with connect(("127.0.0.1", port)) as client:
        assert client.recv(1) == b""
    assert lb.samples().sum("fastlb_frontend_sessions_total") == 1
    assert lb.samples().sum("fastlb_server_connect_failures_total", kind="local") == 1


def test_a_client_without_a_port(fastlb, peer, directory):
    """A unix socket is no port: the session fails for a reason of our own, and the server is not to blame."""
    server, path = peer("banner", "s"), directory / "in.sock"
    lb = fastlb.start(f"""{BASE}
    listen lb
        bind {path}
        retries 0
        server s {server.host}
    """)
    with connect(str(path)) as client:
        assert client.recv(1) == b""
    assert lb.samples().sum("fastlb_server_connect_failures_total", kind="local") == 1
