"""One running fastlb with a listener for each kind of ending, and independent ends on both sides of it."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .endings_table import Mover
from .harness import netns
from .harness.client import connect
from .harness.launch import FastlbLauncher
from .harness.logsink import LogSink, Session
from .harness.ports import Ports
from .harness.puppet import BlackHole, Puppet
from .harness.samples import Samples
from .harness.sheet import unbalanced
from .harness.stream import Stream, pair
from .harness.waiting import PATIENCE, eventually, nothing

QUICK = f"{round(1000 + 450 * PATIENCE)}ms"  # time enough to arrange a moment, also on a busy machine
WINDOW = 4096  # of an end that is to be slow: SO_RCVBUF
MOVED = "fastlb_worker_moved_bytes_total"


class Stage:
    """``server`` reads as usual, ``slow_server`` has a small window; ``late`` answers SYNs once it is opened."""

    def __init__(self, mover: Mover, launcher: FastlbLauncher, ports: Ports) -> None:
        self.mover, self._ports, self._listeners = mover, ports, dict[str, int]()
        self.server, self.slow_server = Puppet(ports.take()), Puppet(ports.take(), rcvbuf=WINDOW)
        self.silent_server = Puppet(ports.take())
        self.hole, self.late = BlackHole(ports.take()), BlackHole(ports.take())
        self._log = LogSink(ports.take())
        self._lb = launcher.start(self._config(ports.take()))
        self._moved = self._read = 0

    def close(self) -> None:
        for one in (self.server, self.slow_server, self.silent_server, self.hole, self.late, self._log):
            one.close()

    def _config(self, closed: int) -> str:
        more = "\n        ".join(self.mover.lines)
        sections = "\n    ".join([*self._established(), *self._connecting(closed), *self._queueing()])
        return f"""
    global
        nbthread 1
        log {self._log} local0
    defaults
        mode tcp
        log global
        option tcplog
        retries 0
        timeout connect 20s
        timeout client 20s
        timeout server 20s
        {more}
    {sections}
    """

    def _established(self) -> Iterator[str]:
        for speed, server in (("", self.server), ("slow_", self.slow_server)):
            yield self._listen(f"{speed}patient", f"server s {server}")
            yield self._listen(f"{speed}client_timeout", f"timeout client {QUICK}", f"server s {server}")
            yield self._listen(f"{speed}server_timeout", f"timeout server {QUICK}", f"server s {server}")

    def _connecting(self, closed: int) -> Iterator[str]:
        yield self._listen("connecting", f"server s {self.hole}")
        yield self._listen("connecting_client_timeout", f"timeout client {QUICK}", f"server s {self.hole}")
        yield self._listen("connecting_server_timeout", f"timeout connect {QUICK}", f"server s {self.hole}")
        yield self._listen("connecting_late", f"server s {self.late}")
        yield self._listen("refused", f"server s 127.0.0.1:{closed}")
        yield self._listen("vanished", f"timeout connect {QUICK}", f"server s {self.silent_server}")

    def _queueing(self) -> Iterator[str]:
        yield self._section("frontend", "queued", "default_backend places")
        yield self._section("frontend", "queued_client_timeout", f"timeout client {QUICK}", "default_backend places")
        yield "\n        ".join(["backend places", f"server s {self.server} maxconn 1"])
        yield self._listen("queued_server_timeout", f"timeout queue {QUICK}", f"server s {self.server} maxconn 1")

    def _listen(self, name: str, *words: str) -> str:
        return self._section("listen", name, *words)

    def _section(self, kind: str, name: str, *words: str) -> str:
        self._listeners[name] = self._ports.take()
        return "\n        ".join([f"{kind} {name}", f"bind 127.0.0.1:{self._listeners[name]}", *words])

    # Sessions

    def client(self, name: str) -> Stream:
        """A client of that listener; its server, if it will have one, is ``far_end()`` of it."""
        sock = connect(("127.0.0.1", self._listeners[name]), rcvbuf=WINDOW if name.startswith("slow_") else 0)
        return Stream(sock, 1, 2)

    def session(self, name: str) -> tuple[Stream, Stream]:
        """Both ends of a session that is established."""
        client = self.client(name)
        server = self.slow_server if name.startswith("slow_") else self.server
        return pair(client.sock, server.accept())

    def converse(self, *ends: Stream) -> None:
        """The messages that make this mover move, each way in turn."""
        self._exchange(*ends)
        if self.mover.begun:
            eventually(lambda: self._has_begun(*ends), f"{self.mover.begun} is 1")

    def _has_begun(self, *ends: Stream) -> bool:
        """The messages after it are the mover's own."""
        begun = self._lb.samples().sum(self.mover.begun) == 1
        self._exchange(*ends)
        return begun

    def _exchange(self, *ends: Stream) -> None:
        for _ in range(self.mover.messages):
            for speaker, hearer in (ends, reversed(ends)):
                speaker.say(self.mover.message)
                hearer.hear(self.mover.message)

    # Evidence

    def wait_gauge(self, name: str) -> None:
        eventually(lambda: self._lb.samples().sum(name) == 1, f"{name} is 1")

    def new_log(self) -> None:
        """Older lines are not looked at any more: ports come again."""
        self._read = len(self._log.sessions())

    def line(self, client_port: int) -> Session:
        """The log line of that client's session, once it has ended."""

        def found() -> list[Session]:
            return [one for one in self._log.sessions()[self._read :] if one.client_port == client_port]

        lines = eventually(found, f"the log line of client {client_port}")
        assert len(lines) == 1
        return lines[0]

    def settle(self) -> int:
        """No session, pipe or buffer is left. Returns what the mover has moved since the last time."""
        nothing(lambda: unbalanced(self._look()), "all sessions closed, all gauges 0")
        before, self._moved = self._moved, self._last.sum(MOVED, mover=self.mover.label)
        return self._moved - before

    def _look(self) -> Samples:
        self._last = self._lb.samples()
        return self._last


@contextlib.contextmanager
def standing(mover: Mover) -> Iterator[Stage]:
    """A stage in a network of its own where that is possible; afterwards the whole balance sheet is settled."""
    with contextlib.ExitStack() as stack:
        if not netns.unavailable():
            stack.enter_context(netns.fresh())
        directory = Path(tempfile.mkdtemp(prefix="flb-"))
        stack.callback(shutil.rmtree, directory)
        directory.chmod(0o755)
        ports = Ports()
        stack.callback(ports.release)
        launcher = FastlbLauncher(directory, ports)
        stack.callback(launcher.finish)
        stage = Stage(mover, launcher, ports)
        stack.callback(stage.close)
        yield stage
