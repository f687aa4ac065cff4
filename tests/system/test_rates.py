"""``rate-limit sessions``: who comes too fast waits in the backlog, and nobody is turned away."""

import threading
import time

from .harness.client import elapsed_s, who
from .harness.launch import BASE


def test_a_crowd_beyond_the_rate_waits_for_the_next_second(balancer, peer, port):
    server = peer("banner", "s")
    balancer.start(f"""{BASE}
    frontend f
        bind 127.0.0.1:{port}
        rate-limit sessions 20
        default_backend b
    backend b
        server s {server}
    """)
    started, done = time.monotonic(), []

    def come():
        assert who(("127.0.0.1", port)) == "s"
        done.append(elapsed_s(started))

    clients = [threading.Thread(target=come) for _ in range(35)]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    assert len(done) == 35
    assert max(done) > 0.4, "35 at once would be 15 too many"
