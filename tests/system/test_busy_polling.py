"""``busy-polling``: a worker that waits keeps its CPU, and does everything else as ever."""

import time

from .harness.client import ask, connect, elapsed_s, read_exactly, read_to_end
from .harness.launch import BASE
from .harness.load import banners
from .harness.processes import cpu_s
from .harness.waiting import PATIENCE, eventually, stays

ENOUGH_CPU_S = 0.2  # more than an idle worker uses in many seconds


def config(port, server, more="busy-polling", workers=1, client="20s"):
    return f"""{BASE}
    global
        nbthread {workers}
        {more}
    listen lb
        bind 127.0.0.1:{port}
        timeout client {client}
        server s {server}
    """


def spins(pid):
    """Wait for the CPU time of a process that never sleeps."""
    before = cpu_s(pid)
    eventually(lambda: cpu_s(pid) - before > ENOUGH_CPU_S, "CPU time is used", 20)


def sleeps(pid):
    """An idle process uses next to no CPU time for a while."""
    before = cpu_s(pid)
    stays(lambda: cpu_s(pid) - before < ENOUGH_CPU_S, "hardly any CPU time is used", 1)


def test_idle_worker_spins_until_a_reload_switches_it_off(fastlb, peer, port):
    server = peer("banner", "s")
    lb = fastlb.start(config(port, server, more=""))
    (worker,) = lb.workers()
    sleeps(worker)
    lb.reload(config(port, server))
    spins(worker)
    lb.reload(config(port, server, more="busy-polling\n        no busy-polling"))
    sleeps(worker)


def test_worker_that_drains_does_not_spin(fastlb, peer, port):
    """Whoever only finishes what it has leaves the CPU to the others, as HAProxy's old processes do."""
    server = peer("echo", "s")
    lb = fastlb.start(config(port, server, workers=2))
    clients = [connect(("127.0.0.1", port)) for _ in range(20)]
    for client in clients:
        client.sendall(b"1")
        assert read_exactly(client, 1) == b"1"
    leaving = lb.workers()[1]
    spins(leaving)
    lb.reload(config(port, server, workers=1))
    sleeps(leaving)
    for client in clients:
        client.sendall(b"2")
        assert read_exactly(client, 1) == b"2"
        client.close()
    lb.wait_workers(1, without=[leaving])
    fastlb.sheet(lb).retake()


def test_bytes_are_exact(fastlb, peer, port):
    lb = fastlb.start(config(port, peer("echo", "s"), workers=2))
    request = bytes(range(256)) * 12_000
    assert ask(("127.0.0.1", port), request) == request
    assert "busy polling" in lb.output()


def test_load_is_served(fastlb, peer, port):
    fastlb.start(config(port, peer("banner", "s")))
    with banners(("127.0.0.1", port)) as load:
        eventually(lambda: load.done > 200, "load", 30)
    assert load.failures == []


def test_timers_expire_between_events(fastlb, puppet, port):
    """Nothing wakes a worker that never sleeps: it looks at the clock itself."""
    server = puppet()
    fastlb.start(config(port, server, client="1s"))
    with connect(("127.0.0.1", port)) as client:
        far, began = server.accept(), time.monotonic()
        assert read_to_end(client)[0] == b""
        assert 0.5 < elapsed_s(began) < 1 + PATIENCE
        assert far.recv(1) == b""


def test_heartbeat_goes_on_without_traffic(fastlb, peer, port):
    """An idle worker is not taken for a hung one: a silence of 3 s would be its end."""
    lb = fastlb.start(config(port, peer("banner", "s")))
    workers = lb.workers()
    stays(lambda: lb.samples().sum("fastlb_worker_heartbeat_age_seconds") < 2, "the heart beats", 2.5)
    assert lb.workers() == workers
