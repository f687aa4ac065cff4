"""A configuration with one listener for each way a session can end, and the log lines of those endings."""

from dataclasses import dataclass

import pytest

from .harness.client import connect
from .harness.waiting import eventually

QUICK, SLOW = "300ms", "20s"


@dataclass(frozen=True)
class Line:
    """What must be equal in the two balancers' lines; times, ports and dates differ."""

    route: str
    state: str
    bytes: int = 0
    counters: str = "1/1/0/0/0"
    queues: str = "0/0"
    connected: bool = True


def line(session):
    counters = f"{session.process}/{session.in_frontend}/{session.in_backend}/{session.in_server}/{session.retries}"
    queues = f"{session.server_queue}/{session.backend_queue}"
    route = f"{session.frontend} {session.backend}/{session.server}"
    return Line(route, session.state, session.bytes, counters, queues, session.connect_ms >= 0)


@pytest.fixture
def scene(balancer, puppet, ports, log, black_hole):
    """One listener for each ending; all but the special ones lead to the same puppet server."""
    made = Scene(puppet(), ports, log)
    listeners = "\n    ".join(sections(made, black_hole, f"127.0.0.1:{ports.take()}"))
    made.lb = balancer.start(f"""
    global
        nbthread 1
        log {log} local0
    defaults
        mode tcp
        log global
        option tcplog
        timeout connect 5s
        timeout client {SLOW}
        timeout server {SLOW}
    {listeners}
    """)
    return made


def sections(scene, black_hole, closed):
    """The listeners, by the name of the ending that happens there."""
    listen, plain = scene.listen, f"server s {scene.server}"
    return [
        *(listen(name, plain) for name in ("plain", "halfclose", "serverfirst", "creset", "sreset")),
        listen("ctimeout", f"timeout client {QUICK}", plain),
        listen("stimeout", f"timeout server {QUICK}", plain),
        listen("equal", f"timeout client {QUICK}", f"timeout server {QUICK}", plain),
        listen("tunnel", f"timeout tunnel {QUICK}", plain),
        listen("clientfin", f"timeout client-fin {QUICK}", plain),
        listen("serverfin", f"timeout server-fin {QUICK}", plain),
        listen("noconnect", f"timeout connect {QUICK}", "retries 1", f"server s {black_hole}"),
        listen("cconnect", f"timeout client {QUICK}", "timeout connect 900ms", "retries 0", f"server s {black_hole}"),
        listen("cleft", f"server s {black_hole}"),
        listen("refused", "retries 0", f"server s {closed}"),
        listen("retried", "retries 1", f"server s {closed}"),
        listen("redispatch", "balance roundrobin", "option redispatch", f"server bad {closed}", plain),
        listen("alldown", f"{plain} disabled"),
        listen("noserver"),
        listen("queue", f"timeout queue {QUICK}", f"{plain} maxconn 1"),
        listen("queueleft", f"{plain} maxconn 1"),
        scene.section("frontend", "cqueue", f"timeout client {QUICK}", "default_backend queueleft"),
    ]


class Scene:
    """The running balancer, its one server, and the way to each listener."""

    def __init__(self, server, ports, log):
        self.server, self.log = server, log
        self._ports, self._listeners = ports, {}

    def listen(self, name, *words):
        """A ``listen`` section on a port of its own."""
        return self.section("listen", name, *words)

    def section(self, kind, name, *words):
        self._listeners[name] = self._ports.take()
        return "\n        ".join([f"{kind} {name}", f"bind 127.0.0.1:{self._listeners[name]}", *words])

    def client(self, name):
        return connect(("127.0.0.1", self._listeners[name]))

    def pair(self, name):
        """A session that is established at both ends: the client's ``?`` has arrived."""
        client = self.client(name)
        client.sendall(b"?")
        far = self.server.accept()
        assert far.recv(1) == b"?"
        return client, far

    def lines(self, name, count=1):
        """The lines of one listener, once ``count`` are there."""

        def found():
            return [one for one in self.log.sessions() if one.frontend == name]

        eventually(lambda: len(found()) >= count, f"{count} lines of {name}")
        return [line(one) for one in found()]
