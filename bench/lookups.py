"""What looking up costs: ``python -m bench.lookups`` loads large lists and maps, and asks the engine of random clients.

All times are CPU time. That of a call with the same arguments on a frontend without rules is taken off, so what is
left is the rule alone.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from fastlb import _engine
from fastlb.plan.load import load

ENTRIES, ASKED, ROUNDS = 100_000, 200_000, 5
CHANCE = random.Random(1)
RULES = {
    "nothing": "",
    "IPv4 networks": "tcp-request connection reject if { src -f v4 }",
    "IPv6 networks": "tcp-request connection reject if { src -f v6 }",
    "map of names": "use_backend %[req.payload(0,0),lower,map(names,b)]",
    "map of endings": "use_backend %[req.payload(0,0),lower,map_end(names,b)]",
}


def v4() -> str:
    return f"{CHANCE.randrange(1, 224)}." + ".".join(str(CHANCE.randrange(256)) for _ in range(3))


def v6() -> str:
    return f"2a0{CHANCE.randrange(16):x}:{CHANCE.randrange(65536):x}:{CHANCE.randrange(65536):x}::"


def name() -> str:
    return f"host{CHANCE.randrange(2 * ENTRIES)}.example.com"


def write_lists() -> None:
    sizes = (20, 24, 24, 28, 32)
    Path("v4").write_text("".join(f"{v4()}/{CHANCE.choice(sizes)}\n" for _ in range(ENTRIES)))
    Path("v6").write_text("".join(f"{v6()}/48\n" for _ in range(ENTRIES)))
    Path("names").write_text("".join(f"host{n}.example.com b\n" for n in range(ENTRIES)))


def engine(rule: str) -> tuple[_engine.Engine, float]:
    """An engine with that rule, and how long it took to load it."""
    text = "defaults\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n"
    text += f"frontend f\n bind 127.0.0.1:1\n default_backend b\n {rule}\nbackend b\n server s 127.0.0.1:2\n"
    Path("lb.conf").write_text(text)
    began_s = time.process_time()
    plan = load(["lb.conf"]).plan
    took_s = time.process_time() - began_s
    assert plan is not None
    shm_fd = _engine.shm_create()
    _engine.Shm(shm_fd).set_worker_count(1)
    events = [os.eventfd(0) for _ in range(3)]
    made = _engine.Engine(shm_fd, 0, events[0], [events[1]], events[2], 16, 1000)
    made.commit(made.prepare(_engine.compile_plan(plan, 1, [0], [0], [0])))
    return made, took_s


def each_ns(asked: _engine.Engine, clients: list[tuple[str, bytes]]) -> float:
    judge: Callable[..., object] = _engine.judge
    began_s = time.process_time()
    for source, data in clients:
        judge(asked, 0, source, 1, data)
    return (time.process_time() - began_s) / len(clients) * 1e9


def main() -> int:
    os.chdir(tempfile.mkdtemp(prefix="lookups-"))
    write_lists()
    engines = {what: engine(rule) for what, rule in RULES.items()}
    clients = {what: [(v6() if "IPv6" in what else v4(), name().encode()) for _ in range(ASKED)] for what in RULES}
    nothing = engines["nothing"][0]
    for what, (asked, load_s) in engines.items():
        rounds = sorted(each_ns(asked, clients[what]) - each_ns(nothing, clients[what]) for _ in range(ROUNDS))
        print(f"{what:<16} {ENTRIES} loaded in {load_s:.1f} s, {rounds[ROUNDS // 2]:.0f} ns a look")
    return 0


if __name__ == "__main__":
    sys.exit(main())
