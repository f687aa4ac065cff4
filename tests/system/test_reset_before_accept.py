"""B8: connections that are dead before they are accepted cost no descriptor and no connect to a server."""

from .harness.client import connect, who
from .harness.client import reset as abort
from .harness.movers import OWN_CHOICE
from .harness.processes import stopped
from .harness.waiting import eventually

MOVERS = OWN_CHOICE

AT_ONCE = 100  # few enough for the backlog, quick enough for the master's patience with a stopped worker


def test_reset_before_accept_is_never_passed_on(fastlb, mover, peer, port, scale):
    lb = fastlb.start(mover.listener(port, peer("banner", "s")), environment=mover.environment)
    count = scale("resets", 5000, least=300)
    for _ in range(0, count, AT_ONCE):
        with stopped(lb.workers()):
            for client in [connect(("127.0.0.1", port)) for _ in range(AT_ONCE)]:
                abort(client)
    eventually(lambda: ended(lb) >= count, f"{count} dead sessions ended")
    now = lb.samples()
    assert now.sum("fastlb_server_picked_total", server="s1") == 0, "a server was bothered for a dead client"
    assert who(("127.0.0.1", port)) == "s"
    assert now.sum("fastlb_worker_restarts_total") == 0


def ended(lb):
    return lb.samples().sum("fastlb_frontend_session_ends_total", proxy="lb")
