"""Workers that are killed, stopped or cannot stay alive; a master that is killed (F1, F2, F4, F6, F7)."""

import os
import signal
import time

import pytest

from .harness.client import connect, elapsed_s, read_exactly, who
from .harness.launch import BASE
from .harness.load import banners, in_threads
from .harness.processes import alive, cpu_s, zombies
from .harness.waiting import eventually


def config(port, *servers):
    lines = "\n        ".join(f"server {one.name} {one}" for one in servers)
    return f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        {lines}
    """


def kill(pid):
    """SIGKILL, and wait for the death: a connection that begins after this meets no half-dead worker."""
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not alive(pid), f"{pid} is dead")
    return time.monotonic()


def test_killed_worker_costs_no_new_connection(fastlb, peer, port):
    """F1: clients that come after the death wait in the queue of a socket that never closes."""
    lb = fastlb.start(config(port, peer("banner", "s")))
    victim = lb.workers()[0]
    with banners(("127.0.0.1", port)) as load:
        eventually(lambda: load.done > 100, "load")
        died = kill(victim)
        replacement = lb.wait_workers(2, without=[victim])
        eventually(lambda: load.done > 1000, "more load", 30)
    assert load.failed_since(died) == []
    assert all(failure.took_s < 3 for failure in load.failures), "in flight at the death: reset, not hanging"
    assert len(load.failures) <= 4, "no more than the clients there were"
    assert lb.workers() == replacement


def test_only_the_killed_workers_sessions_end(fastlb, peer, port):
    lb = fastlb.start(config(port, peer("echo", "s")))
    clients = [connect(("127.0.0.1", port)) for _ in range(24)]
    for client in clients:
        client.sendall(b"1")
        assert client.recv(1) == b"1"
    before = {labels["worker"]: int(value) for labels, value in lb.samples().select("fastlb_worker_sessions")}
    assert min(before.values()) > 0
    victim = lb.workers()[0]
    kill(victim)
    lb.wait_workers(2, without=[victim])
    endings = []
    for client in clients:
        try:
            client.sendall(b"2")
            endings.append(client.recv(1))
        except ConnectionError:
            endings.append(b"")
    assert endings.count(b"") == before["0"]
    assert endings.count(b"2") == before["1"]
    for client in clients:
        client.close()


def test_kill_series(fastlb, peer, port, scale):
    """F2: one worker after the other; nobody is refused, gauges return to 0 and the master leaks nothing."""
    lb = fastlb.start(config(port, peer("banner", "s")))
    rounds = scale("kills", 100, least=6)
    restarts = 0
    with banners(("127.0.0.1", port), pause_s=0.002) as load:
        for number in range(rounds):
            victims = eventually(lb.workers, "a worker to kill")
            died = kill(victims[number % len(victims)])
            time.sleep(0.5)
            assert [f for f in load.failed_since(died) if "Refused" in f.why or f.took_s > 5] == []
            restarts += 1
        lb.wait_workers(2)
        settled = time.monotonic()
        eventually(lambda: load.done > 50, "load")
        time.sleep(0.2)
    assert load.failed_since(settled) == []
    assert lb.samples().sum("fastlb_worker_restarts_total") == restarts
    assert zombies(lb.pid) == []


def test_stopped_worker_is_replaced(fastlb, peer, port):
    """F4: a worker that no longer turns its loop is found by its heartbeat; its queue is served by the next one."""
    lb = fastlb.start(config(port, peer("banner", "s")))
    frozen = lb.workers()[1]
    os.kill(frozen, signal.SIGSTOP)
    started = time.monotonic()
    assert in_threads([lambda: who(("127.0.0.1", port))] * 60, width=60) == ["s"] * 60
    assert elapsed_s(started) < 10
    assert frozen not in lb.wait_workers(2, without=[frozen])


@pytest.mark.timeout(180)
def test_worker_that_cannot_stay_alive(fastlb, peer, port):
    """F6: every new worker 0 is killed at once. Back-off keeps forks few; the other worker serves everybody."""
    lb = fastlb.start(config(port, peer("banner", "s")))
    survivor = lb.workers()[1]
    victims, cpu, started = set(), cpu_s(lb.pid), time.monotonic()
    deaths = [started]
    with banners(("127.0.0.1", port), clients=2, pause_s=0.01) as load:
        while elapsed_s(started) < 10:
            for pid in set(lb.workers()) - {survivor} - victims:
                victims.add(pid)
                deaths.append(kill(pid))
            time.sleep(0.02)
        cpu_used = cpu_s(lb.pid) - cpu
    assert 3 <= len(victims) <= 10, "0.1 s doubling to 5 s, with jitter"
    assert [f for f in load.failures if "Refused" in f.why] == []
    assert load.done > 100
    assert survivor in lb.workers()
    assert cpu_used < 3
    lb.wait_workers(2, without=victims)


def test_master_killed_workers_leave_and_a_new_start_binds(fastlb, peer, port):
    """F7: orphans stop accepting and go; the next fastlb has the port within seconds."""
    text = config(port, peer("banner", "s"))
    lb = fastlb.start(text)
    workers = lb.workers()
    os.kill(lb.pid, signal.SIGKILL)
    lb.process.wait()
    eventually(lambda: not any(map(alive, workers)), "the orphans are gone", 5)
    again = fastlb.start(text)
    assert who(("127.0.0.1", port)) == "s"
    assert len(again.workers()) == 2


def test_orphans_finish_what_they_carry(fastlb, peer, port):
    lb = fastlb.start(config(port, peer("echo", "s")))
    client = connect(("127.0.0.1", port))
    client.sendall(b"before")
    assert read_exactly(client, 6) == b"before"
    workers = lb.workers()
    os.kill(lb.pid, signal.SIGKILL)
    lb.process.wait()
    eventually(lambda: sum(map(alive, workers)) == 1, "the idle orphan is gone", 5)
    client.sendall(b"after")
    assert read_exactly(client, 5) == b"after"
    client.close()
    eventually(lambda: not any(map(alive, workers)), "the last orphan is gone", 5)
