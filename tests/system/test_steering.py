"""``tune.reuseport cpu``: a connection is served by the worker on the CPU that receives it.

On the loopback the kernel receives a SYN on the CPU of the client that sends it.
"""

import contextlib
import os
import re
from pathlib import Path

import pytest

from .harness.client import who
from .harness.launch import BASE
from .harness.waiting import eventually
from .test_worker_deaths import kill

CPUS = sorted(os.sched_getaffinity(0))
CLIENTS = 40
LENT_AFTER_S = 0.5
STEERED = BASE + "global\n    tune.reuseport cpu\n"

pytestmark = pytest.mark.skipif(len(CPUS) < 2, reason="needs two CPUs")


def config(at, server, base=STEERED):
    return f"""{base}
    listen lb
        bind {at}
        server s {server}
    """


@contextlib.contextmanager
def pinned(cpu):
    os.sched_setaffinity(0, [cpu])
    try:
        yield
    finally:
        os.sched_setaffinity(0, CPUS)


def accepted(lb):
    return {int(labels["worker"]): int(value) for labels, value in lb.samples().select("fastlb_worker_accepts_total")}


def who_serves(lb, cpu, to):
    """The workers that accept from clients on this CPU, each with how many."""
    before = accepted(lb)
    with pinned(cpu):
        assert [who(to) for _ in range(CLIENTS)] == ["s"] * CLIENTS
    counts = {worker: count - before.get(worker, 0) for worker, count in accepted(lb).items()}
    assert sum(counts.values()) == CLIENTS
    return {worker: count for worker, count in counts.items() if count}


def follows(lb, to, workers=2):
    """Whether clients on each CPU of this machine are served as they should be by that many workers."""
    for place, cpu in enumerate(CPUS[:4]):
        pinned_there = {worker for worker in range(workers) if worker % len(CPUS) == place}
        assert who_serves(lb, cpu, to).keys() == (pinned_there or {place % workers}), f"CPU {cpu}"
    return True


def test_sessions_follow_the_clients_cpu(fastlb, peer, port):
    lb = fastlb.start(config(f"127.0.0.1:{port}", peer("banner", "s")))
    assert [os.sched_getaffinity(pid) for pid in lb.workers()] == [{cpu} for cpu in CPUS[:2]]
    assert follows(lb, ("127.0.0.1", port))
    assert "steering    by CPU" in lb.output()
    assert "each pinned to a CPU" in lb.output()


def test_the_hash_spreads_them(fastlb, peer, port):
    lb = fastlb.start(config(f"127.0.0.1:{port}", peer("banner", "s"), BASE))
    assert [os.sched_getaffinity(pid) for pid in lb.workers()] == [set(CPUS)] * 2
    assert who_serves(lb, CPUS[0], ("127.0.0.1", port)).keys() == {0, 1}
    assert "steering    by hash" in lb.output()


def test_reload_changes_the_way_and_the_pinning(fastlb, peer, port):
    server, to = peer("banner", "s"), ("127.0.0.1", port)
    lb = fastlb.start(config(f"127.0.0.1:{port}", server, BASE))
    lb.reload(config(f"127.0.0.1:{port}", server))
    assert follows(lb, to)
    assert os.sched_getaffinity(lb.workers()[1]) == {CPUS[1]}
    lb.reload(config(f"127.0.0.1:{port}", server, BASE))
    assert who_serves(lb, CPUS[0], to).keys() == {0, 1}
    assert os.sched_getaffinity(lb.workers()[1]) == set(CPUS)


def test_it_holds_for_every_number_of_workers(fastlb, peer, port):
    """Sockets join with new workers and stay when these go: none of them is forgotten or chosen wrongly."""
    server = peer("banner", "s")
    lb = fastlb.start(config(f"127.0.0.1:{port}", server))
    for workers in (3, 1, 2, 4, 2):
        text = config(f"127.0.0.1:{port}", server).replace("nbthread 2", f"nbthread {workers}")
        lb.reload(text)
        lb.wait_workers(workers)
        eventually(lambda: lb.get("/readyz")[0] == 200, "all workers serve")
        assert follows(lb, ("127.0.0.1", port), workers)
    fastlb.sheet(lb).retake()


def test_it_holds_over_the_absence_of_a_worker(fastlb, peer, port):
    """While the worker is away a sibling serves its CPU's clients; back again, it has them."""
    lb = fastlb.start(config(f"127.0.0.1:{port}", peer("banner", "s")))
    sibling = lb.workers()[0]

    def served_by_sibling():
        for pid in set(lb.workers()) - {sibling}:
            kill(pid)
        pauses = map(float, re.findall(r"a new one starts in ([\d.]+) s", lb.output()))
        return max(pauses, default=0) > LENT_AFTER_S and who_serves(lb, CPUS[1], ("127.0.0.1", port)).get(0)

    eventually(served_by_sibling, "a pause that is long enough to lend the sockets", 30)
    lb.wait_workers(2)
    eventually(lambda: lb.get("/readyz")[0] == 200, "all workers serve")
    assert follows(lb, ("127.0.0.1", port))


def test_it_holds_for_binds_that_come_go_and_return(fastlb, peer, ports):
    server, first, second = peer("banner", "s"), ports.take(), ports.take()
    lb = fastlb.start(config(f"127.0.0.1:{first}", server))
    lb.reload(config(f"127.0.0.1:{first},127.0.0.1:{second}", server))
    assert follows(lb, ("127.0.0.1", second))
    lb.reload(config(f"127.0.0.1:{second}", server))
    assert follows(lb, ("127.0.0.1", second))
    lb.reload(config(f"127.0.0.1:{first}", server))
    assert follows(lb, ("127.0.0.1", first))
    fastlb.sheet(lb).retake()


def test_both_families_of_one_socket_and_what_is_said_of_it_later(fastlb, peer, port):
    """To say ``v4v6`` where the system has it so anyway opens no second group of sockets on the same address."""
    server = peer("banner", "s")
    if Path("/proc/sys/net/ipv6/bindv6only").read_text().strip() == "1":
        pytest.skip("net.ipv6.bindv6only is 1")
    lb = fastlb.start(config(f"[::]:{port}", server))
    for options in (" v4v6", ""):
        assert follows(lb, ("127.0.0.1", port))
        assert follows(lb, ("::1", port))
        lb.config_path.write_text(config(f"[::]:{port}{options}", server))
        answer = lb.command("reload").stdout
        assert "reloaded" in answer
        assert "opened" not in answer
