"""What stick tables cost: ``python -m bench.sticktables`` has an engine look up, count and give back random clients.

All times are CPU time. That of a call with the same arguments on a frontend without rules is taken off, so what is
left is the rule alone. The last line has two processes work on one table at once.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from fastlb import _engine
from fastlb.plan.load import load
from fastlb.tables import SharedTables

CLIENTS, ASKED, ROUNDS = 100_000, 200_000, 5
CHANCE = random.Random(1)
TABLE = "stick-table type ip size 200k expire 1h store conn_cur,conn_cnt,conn_rate(10s)"
TRACK = "tcp-request connection track-sc0 src"
RULES = {
    "nothing": [],
    "look up": [TABLE, "tcp-request connection reject if { src_conn_cur ge 1000 }"],
    "track, count, give back": [TABLE, TRACK],
    "… and ask for a rate": [TABLE, TRACK, "tcp-request connection reject if { sc0_conn_rate gt 100000 }"],
    "new clients, one out for each": [TABLE.replace("200k", "10k"), TRACK],
}


def client() -> str:
    return f"10.{CHANCE.randrange(CLIENTS) >> 16}.{CHANCE.randrange(256)}.{CHANCE.randrange(256)}"


class Stage:
    """A frontend with some rules, and its tables."""

    def __init__(self, rules: list[str]) -> None:
        text = "defaults\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n"
        text += "frontend f\n bind 127.0.0.1:1\n default_backend b\n" + "".join(f" {rule}\n" for rule in rules)
        Path("lb.conf").write_text(f"{text}backend b\n server s 127.0.0.1:2\n")
        plan = load(["lb.conf"]).plan
        assert plan is not None
        self.shm_fd, self.tables = _engine.shm_create(), SharedTables()
        _engine.Shm(self.shm_fd).set_worker_count(2)
        self.events = [os.eventfd(0) for _ in range(4)]
        slots = self.tables.reserve(plan)
        self.tables.make(plan)
        self.plan_fd = _engine.compile_plan(plan, 1, [0], [0], [0], (), slots)

    def engine(self, worker: int = 0) -> _engine.Engine:
        made = _engine.Engine(self.shm_fd, worker, self.events[0], self.events[1:3], self.events[3], 16, 1000)
        made.use_tables(self.tables.fd)
        made.commit(made.prepare(self.plan_fd))
        return made


def each_ns(asked: _engine.Engine, clients: list[str]) -> float:
    judge: Callable[..., object] = _engine.judge
    began_s = time.process_time()
    for source in clients:
        judge(asked, 0, source)
    return (time.process_time() - began_s) / len(clients) * 1e9


def main() -> int:
    os.chdir(tempfile.mkdtemp(prefix="tables-"))
    stages = {what: Stage(rules) for what, rules in RULES.items()}
    engines = {what: stage.engine() for what, stage in stages.items()}
    clients = [client() for _ in range(ASKED)]
    nothing = engines.pop("nothing")
    for what, asked in engines.items():
        each_ns(asked, clients)
        rounds = sorted(each_ns(asked, clients) - each_ns(nothing, clients) for _ in range(ROUNDS))
        print(f"{what:<30} {rounds[ROUNDS // 2]:.0f} ns")
    what = "track, count, give back"
    other = os.fork()
    if other == 0:
        mine = stages[what].engine(1)
        while True:
            each_ns(mine, clients)
    time.sleep(0.2)
    rounds = sorted(each_ns(engines[what], clients) - each_ns(nothing, clients) for _ in range(ROUNDS))
    os.kill(other, signal.SIGKILL)
    os.waitpid(other, 0)
    print(f"{'the same, by two processes':<30} {rounds[ROUNDS // 2]:.0f} ns")
    return 0


if __name__ == "__main__":
    sys.exit(main())
