"""An engine with stick tables, in a process that can be another one's worker: what rules say, and what tables hold."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from fastlb import _engine
from fastlb.plan.load import load
from fastlb.plan.model import Plan
from fastlb.tables import SharedTables

DEFAULTS = "defaults\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n"


def plan_of(directory: Path, text: str) -> Plan:
    """The plan of a configuration; frontend 'f' is its first."""
    path = directory / "lb.conf"
    path.write_text(DEFAULTS + text)
    result = load([str(path)], environ={})
    assert result.plan is not None, result.diagnostics
    return result.plan


def frontend(*lines: str, others: str = "") -> str:
    """A frontend with these lines, and a backend to go to."""
    own = "".join(f" {line.strip()}\n" for line in lines)
    return f"frontend f\n bind 127.0.0.1:1\n default_backend b\n{own}backend b\n server s 127.0.0.1:80\n{others}"


class Stage:
    """The shared memory of a service: tables, and workers in child processes that ask the rules."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.shm_fd = _engine.shm_create()
        self.shm = _engine.Shm(self.shm_fd)
        self.shm.set_worker_count(4)
        self.tables = SharedTables()
        self.slots = self.tables.reserve(plan)
        self.tables.make(plan)
        numbers = [list(range(len(rows))) for rows in (plan.frontends, plan.backends, plan.servers)]
        self.plan_fd = _engine.compile_plan(plan, 1, *numbers, (), self.slots)
        self.events = [os.eventfd(0) for _ in range(6)]

    def engine(self, worker: int = 0) -> _engine.Engine:
        """One that serves this plan as that worker."""
        made = _engine.Engine(self.shm_fd, worker, self.events[0], self.events[1:5], self.events[5], 16, 1000)
        made.use_tables(self.tables.fd)
        made.commit(made.prepare(self.plan_fd))
        return made

    def entries(self, table: int = 0) -> dict[bytes, tuple[int, tuple[int, ...]]]:
        return self.tables.view.entries(self.slots[table])

    def fork(self, work: Callable[[], object]) -> int:
        """A child that does this and exits with 0; 1 if it raises."""
        pid = os.fork()
        if pid == 0:
            try:
                work()
            except BaseException:
                import traceback

                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        return pid

    def close(self) -> None:
        self.shm.close()
        self.tables.view.close()
        for fd in (self.shm_fd, self.tables.fd, self.plan_fd, *self.events):
            os.close(fd)
