"""``disabled`` of a section: nobody listens for it, and who is sent to it is turned away at once."""

import pytest

from .harness.client import ask, refused, who
from .harness.launch import BASE

pytestmark = pytest.mark.master


def test_disabled_sections_serve_nobody(balancer, peer, ports):
    port, dead = ports.take(), ports.take()
    server = peer("banner", "s")
    balancer.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        server s {server}
    frontend sends
        bind 127.0.0.1:{dead}
        default_backend off
    backend off
        disabled
        timeout queue 20s
        server s {server}
    """)
    assert who(("127.0.0.1", port)) == "s"
    assert ask(("127.0.0.1", dead)) == b""


def test_a_section_goes_and_comes_back(fastlb, peer, ports):
    port, other = ports.take(), ports.take()
    text = f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        server s {peer("banner", "s")}
    listen other
        bind 127.0.0.1:{other}
        server t {peer("banner", "t")}
    """
    lb = fastlb.start(text)
    assert who(("127.0.0.1", other)) == "t"
    lb.reload(text.replace("listen other", "listen other\n        disabled"))
    assert refused(("127.0.0.1", other))
    assert who(("127.0.0.1", port)) == "s"
    lb.reload(text)
    assert who(("127.0.0.1", other)) == "t"
