"""``be-unpublished``: a backend whose servers are checked while nobody is sent there but who may."""

from .harness.client import ask, who
from .harness.launch import BASE
from .harness.waiting import eventually

CLIENT, TESTER = "127.0.0.3", "127.0.0.2"


def test_a_backend_is_tried_before_it_is_published(fastlb, peer, ports):
    new, old = peer("banner", "new"), peer("banner", "old")
    by_rule, by_default, own = (("127.0.0.1", ports.take()) for _ in range(3))
    lb = fastlb.start(f"""{BASE}
    frontend by_rule
        bind 127.0.0.1:{by_rule[1]}
        force-be-switch if {{ src {TESTER} }}
        use_backend new
        default_backend old
    frontend by_default
        bind 127.0.0.1:{by_default[1]}
        force-be-switch if {{ src {TESTER} }}
        default_backend new
    listen own
        bind 127.0.0.1:{own[1]}
        be-unpublished
        tcp-request content accept
        server s {old}
    backend old
        server s {old}
    backend new
        be-unpublished
        server s {new} check inter 100ms
    """)
    assert [who(by_rule, one) for one in (TESTER, CLIENT)] == ["new", "old"]
    assert [ask(by_default, source=one) for one in (TESTER, CLIENT)] == [b"new\n", b""]
    assert who(own, CLIENT) == "old", "its own clients are not sent anywhere"
    samples = lb.samples()
    assert samples.sum("fastlb_frontend_session_ends_total", proxy="by_default", reason="no_backend") == 1
    eventually(lambda: lb.samples().sum("fastlb_server_checks_total", proxy="new") >= 2, "it is checked")
