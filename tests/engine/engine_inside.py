"""An engine in the test's own process, turned by hand, so that the test decides what happens between two turns.

The process is a child of the test's (`in_child`): what an assertion of the engine kills is not the test run.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from fastlb import _engine
from fastlb.plan.model import Plan

T = TypeVar("T")
GAUGES = {"sessions", "connecting", "queued"}


def in_child(function: Callable[[Callable[[str], None]], T], what: str) -> T:
    """The function's result, from a forked process. AssertionError with its traceback, or with how it died.

    The function is given another, by which it says what it is about to do, for the case that it dies doing it.
    """
    results, progress = os.memfd_create("results"), os.memfd_create("progress")
    pid = os.fork()
    if not pid:
        try:
            answer = (True, function(lambda text: note(progress, text)))
        except BaseException:
            answer = (False, traceback.format_exc())
        os.write(results, pickle.dumps(answer))
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    pickled, last = whole(results), whole(progress).decode()
    how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
    assert status == 0, f"{what}: the process that the engine ran in died of {how}: {last}"
    good, answer = pickle.loads(pickled)
    assert good, f"{what}: {last}\n{answer}"
    return answer


def whole(fd: int) -> bytes:
    """What a memfd holds; it is closed."""
    data = os.pread(fd, os.fstat(fd).st_size, 0)
    os.close(fd)
    return data


def note(fd: int, text: str) -> None:
    os.ftruncate(fd, 0)
    os.pwrite(fd, text.encode(), 0)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def listen(receive_bytes: int = 0, send_bytes: int = 0) -> socket.socket:
    """A non-blocking listener on a free port; accepted sockets inherit the sizes of its buffers."""
    listener = socket.socket()
    if receive_bytes:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    if send_bytes:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_bytes)
    listener.setblocking(False)
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    return listener


class Inside:
    """One worker and its shared memory."""

    def __init__(self, plan: Plan, send_bytes: int = 0) -> None:
        self._shm_fd = _engine.shm_create()
        self.shm = _engine.Shm(self._shm_fd)
        self.shm.set_worker_count(1)
        for slot, server in enumerate(plan.servers):
            self.shm.set_server_limit(slot, server.maxconn, server.minconn, server.maxqueue)
            self.shm.set_server_state(slot, True, server.weight)
        self.servers = len(plan.servers)
        self.shm.publish_schedule(0, [(slot, server.weight) for slot, server in enumerate(plan.servers)])
        self._events = [os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC) for _ in range(3)]
        control, kick, master = self._events
        self.engine = _engine.Engine(self._shm_fd, 0, control, [kick], master, 16, 1000)
        plan_fd = _engine.compile_plan(plan, 1, [0], [0], list(range(self.servers)))
        self.engine.commit(self.engine.prepare(plan_fd))
        os.close(plan_fd)
        listener = listen(send_bytes=send_bytes)
        self.port = listener.getsockname()[1]
        self.engine.adopt(1, listener.detach(), False)
        self.engine.serve([(1, 0)])

    def turn(self, wait_ms: int = 0) -> None:
        """Run the engine: once, or for as long as is said."""
        self.engine.run(wait_ms)

    def counters(self) -> dict[str, int]:
        """All of its counters and gauges; those of servers are sums, since it is about one session or two."""
        found = {f"worker {k}": v for k, v in zip(_engine.WORKER_FIELDS, self.shm.worker(0), strict=True)}
        found |= {f"frontend {k}": v for k, v in zip(_engine.FRONTEND_FIELDS, self.shm.frontends([0])[0], strict=True)}
        found |= {f"backend {k}": v for k, v in zip(_engine.BACKEND_FIELDS, self.shm.backends([0])[0], strict=True)}
        rows = self.shm.servers(list(range(self.servers)))
        sums = [sum(column) for column in zip(*rows, strict=True)]
        return found | {f"server {k}": v for k, v in zip(_engine.SERVER_FIELDS, sums, strict=True)}

    def unbalanced(self) -> list[str]:
        """What is taken and not given back, by the engine's own account and by its row in the shared memory."""
        now = self.counters()
        left = [f"{what}: {count}" for what, count in self.engine.balance_sheet().items() if count]
        left += [f"{k}: {v}" for k, v in now.items() if v and (k.split()[1] in GAUGES or k == "worker buffers")]
        pairs = (
            ("worker pipes", "worker pipes_idle"),
            ("worker pipes_taken_total", "worker pipes_returned_total"),
            ("worker sessions_total", "worker sessions_closed_total"),
            ("worker connections", "worker sessions"),
        )
        left += [f"{one} {now[one]}, {other} {now[other]}" for one, other in pairs if now[one] != now[other]]
        ended = sum(v for k, v in now.items() if k.startswith("frontend ended_"))
        return left + ([f"{ended} ends"] if ended != now["frontend sessions_total"] else [])

    def close(self) -> None:
        """Put it away, to the last descriptor."""
        self.engine.close()
        del self.engine
        self.shm.close()
        for fd in (*self._events, self._shm_fd):
            os.close(fd)
