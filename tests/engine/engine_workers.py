"""A worker process made of the engine alone: no master, no configuration file."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from fastlb import _engine
from fastlb.balance import Candidate, Rule, schedule
from fastlb.config.errors import Report
from fastlb.config.parser import parse_files
from fastlb.plan.build import build
from fastlb.plan.model import (
    Address,
    Backend,
    Balance,
    Bind,
    Frontend,
    Location,
    Plan,
    Process,
    Server,
    SessionLog,
)

HERE = Location("test.cfg", 1, 1)


def logged_plan(*lines: str, format: str = "raw") -> Plan:
    """A plan whose one frontend has these lines, and a log target in that format."""
    text = (
        "\n ".join(("listen fe", "bind :1", "server s 127.0.0.1:2", f"log stdout format {format} local0", *lines))
        + "\n"
    )
    report = Report()
    plan = build(parse_files([("test.cfg", text.encode())], {}, report), ("test.cfg",), "", report)
    assert plan, report.diagnostics(("test.cfg",))
    return plan


def session_log(*lines: str, format: str = "raw") -> SessionLog:
    """What these lines of a frontend say about its log, with one target in that format."""
    return logged_plan(*lines, format=format).frontends[0].session_log


def wait_until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Poll until the condition holds; AssertionError after the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.005)


def make_plan(
    ports: list[int], *, weights: list[int] | None = None, maxconn: int = 0, rules: bytes = b"", **backend: object
) -> Plan:
    """One frontend, one backend, a server for each port of 127.0.0.1; ``rules`` has the samples of its log."""
    limits = {key: backend.pop(key) for key in ("minconn", "maxqueue") if key in backend}
    weights = weights or [1] * len(ports)
    names = ("client_ms", "client_fin_ms", "client_hs_ms", "session_log", "rate_limit", "unique_id")
    frontend = {key: backend.pop(key) for key in names if key in backend}
    if backend.pop("resets_clients", False):
        frontend["nolinger"] = True
    bind = {key: backend.pop(key) for key in ("accept_proxy", "keeps_fields") if key in backend}
    server = {key: backend.pop(key) for key in tuple(backend) if key.startswith(("proxy_", "md5_key", "congestion"))}
    servers = tuple(
        Server(
            f"s{i}", 0, Address("inet", "127.0.0.1", port), HERE, weight=weights[i], maxconn=maxconn, **limits, **server
        )
        for i, port in enumerate(ports)
    )
    back = replace(Backend("be", Balance.ROUNDROBIN, 0, len(servers), HERE), **backend)
    return Plan(
        process=Process(),
        binds=(Bind("inet:127.0.0.1:0", 0, Address("inet", "127.0.0.1"), HERE, **bind),),
        frontends=(replace(Frontend("fe", 0, HERE), **frontend),),
        backends=(back,),
        servers=servers,
        log_targets=(),
        metrics=(),
        files=(),
        digest="",
        rules=rules,
    )


class Workers:
    """`count` forked workers that share one listening socket each; the test is their master."""

    def __init__(self, plan: Plan, count: int = 1, max_sessions: int = 2000) -> None:
        self.fd = _engine.shm_create()
        self.shm = _engine.Shm(self.fd)
        self.shm.set_worker_count(count)
        self.count = count
        self.max_sessions = max_sessions
        self.kicks = [os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC) for _ in range(count)]
        self.master_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.generation = 0
        self.install(plan)
        self.listeners = [self._listen(0)]
        self.port = self.listeners[0].getsockname()[1]
        self.listeners += [self._listen(self.port) for _ in range(count - 1)]
        self.controls: list[socket.socket] = []
        self.pids = [self._fork(i) for i in range(count)]
        wait_until(lambda: all(self.shm.heartbeat_ms(i) for i in range(count)))

    def _listen(self, port: int) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        listener.setblocking(False)
        listener.bind(("127.0.0.1", port))
        listener.listen(4096)
        return listener

    def install(self, plan: Plan) -> None:
        """Limits, states and schedules of a plan whose slots are its indices."""
        self.plan = plan
        self.generation += 1
        self.shm.set_frontend_limit(0, plan.frontends[0].maxconn, plan.frontends[0].rate_limit)
        self.shm.set_process_limit(0, rates=bool(plan.frontends[0].rate_limit))
        self.shm.set_backend_fullconn(0, plan.backends[0].fullconn)
        for slot, server in enumerate(plan.servers):
            self.shm.set_server_limit(slot, server.maxconn, server.minconn, server.maxqueue)
            self.shm.set_server_state(slot, True, server.weight)
        self.publish(range(len(plan.servers)))
        self.plan_fd = _engine.compile_plan(plan, self.generation, [0], [0], list(range(len(plan.servers))))

    def publish(self, slots: Iterable[int]) -> None:
        """The schedule of these servers, in the shape that the plan's algorithm asks for; ids count from 1."""
        backend, weights = self.plan.backends[0], [server.weight for server in self.plan.servers]
        usable = [Candidate(slot, weights[slot], False, True, slot + 1, (slot + 1) * 4096) for slot in slots]
        self.shm.publish_schedule(0, *schedule(Rule(backend.balance, hash_type=backend.hashing.type), usable))

    def _fork(self, number: int) -> int:
        ours, theirs = socket.socketpair()
        self.controls.append(ours)
        pid = os.fork()
        if pid:
            theirs.close()
            return pid
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            ours.close()
            for control in self.controls[:-1]:
                control.close()
            self._work(number, theirs)
        except BaseException:
            import traceback

            traceback.print_exc()
        os._exit(1)

    def _work(self, number: int, control: socket.socket) -> None:
        engine = _engine.Engine(self.fd, number, control.fileno(), self.kicks, self.master_fd, self.max_sessions, 20000)
        engine.commit(engine.prepare(self.plan_fd))
        engine.adopt(1, os.dup(self.listeners[number].fileno()), False)
        engine.serve([(1, 0)])
        while True:
            reason = engine.run()
            if reason == _engine.RUN_DRAINED:
                os._exit(0)
            if not control.recv(1):
                sheet = engine.balance_sheet()
                engine.close()
                os._exit(0 if not any(sheet.values()) else 3)
            engine.drain()

    def kick(self) -> None:
        for fd in self.kicks:
            os.eventfd_write(fd, 1)

    def server(self, slot: int) -> dict[str, int]:
        return dict(zip(_engine.SERVER_FIELDS, self.shm.servers([slot])[0], strict=True))

    def frontend(self) -> dict[str, int]:
        return dict(zip(_engine.FRONTEND_FIELDS, self.shm.frontends([0])[0], strict=True))

    def backend(self) -> dict[str, int]:
        return dict(zip(_engine.BACKEND_FIELDS, self.shm.backends([0])[0], strict=True))

    def worker(self, number: int = 0) -> dict[str, int]:
        return dict(zip(_engine.WORKER_FIELDS, self.shm.worker(number), strict=True))

    def sessions(self) -> int:
        return sum(self.worker(i)["connections"] for i in range(self.count))

    def log_lines(self) -> list[str]:
        return [line[4].decode() for i in range(self.count) for line in self.shm.drain_log(i)]

    def close(self) -> None:
        """End the workers; AssertionError unless every session, pipe and buffer has been given back."""
        wait_until(lambda: self.sessions() == 0)
        for control in self.controls:
            control.close()
        statuses = [os.waitpid(pid, 0)[1] for pid in self.pids]
        for listener in self.listeners:
            listener.close()
        for fd in (*self.kicks, self.master_fd, self.plan_fd):
            os.close(fd)
        for number in range(self.count):
            counters = self.worker(number)
            assert counters["sessions_total"] == counters["sessions_closed_total"]
            assert counters["pipes_taken_total"] == counters["pipes_returned_total"]
            assert counters["buffers"] == 0
            assert counters["sessions"] == 0
        self.shm.close()
        os.close(self.fd)
        assert statuses == [0] * self.count


@contextlib.contextmanager
def running(plan: Plan, count: int = 1, max_sessions: int = 2000) -> Iterator[Workers]:
    workers = Workers(plan, count, max_sessions)
    try:
        yield workers
    except BaseException:
        for pid in workers.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        raise
    workers.close()
