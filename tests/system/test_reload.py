"""Reload in place: workers stay, the plan changes, nobody notices (R1, R2, R6, R9, R10, R11)."""

import errno
import json
import os
import select
import signal
import socket
import threading
import time

import pytest

from .harness.client import connect, read_exactly, read_to_end, refused, silent, who
from .harness.launch import BASE
from .harness.load import banners, in_threads
from .harness.processes import descriptors, rss_kib, zombies
from .harness.transfer import random_transfers, run
from .harness.waiting import eventually


def config(port, *servers, more=""):
    lines = "\n        ".join(f"server {one.name} {one}" for one in servers)
    return f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        {more}
        {lines}
    """


@pytest.mark.timeout(180)
def test_reload_under_load(fastlb, peer, ports, scale):
    """R1: short connections all the time and long transfers across all reloads; not one may notice."""
    one, two = peer("banner", "one"), peer("banner", "two")
    stream = peer("duplex", "stream")
    port, stream_port = ports.take(), ports.take()
    streams = f"\n    listen streams\n        bind 127.0.0.1:{stream_port}\n        server stream {stream}\n"
    plans = [config(port, one) + streams, config(port, one, two) + streams]
    lb = fastlb.start(plans[0])
    workers = lb.workers()
    transfers = random_transfers(scale("long streams", 200, least=20), seed=5, largest=2 << 20)
    long_runs: list[object] = []
    jobs = [lambda t=t: run(("127.0.0.1", stream_port), t) for t in transfers]
    background = threading.Thread(target=lambda: long_runs.extend(in_threads(jobs, width=2)))
    with banners(("127.0.0.1", port), clients=3) as load:
        background.start()
        for number in range(scale("reloads", 50, least=8)):
            lb.reload(plans[number % 2])
        background.join()
    assert load.failures == []
    assert len(long_runs) == len(transfers)
    assert load.done > 200
    assert lb.workers() == workers, "workers must stay"


def test_new_plan_serves_the_next_connection(fastlb, peer, port):
    old, new = peer("banner", "old"), peer("banner", "new")
    lb = fastlb.start(config(port, old))
    assert who(("127.0.0.1", port)) == "old"
    lb.reload(config(port, new))
    assert [who(("127.0.0.1", port)) for _ in range(20)] == ["new"] * 20


def test_sighup_reloads_too(fastlb, peer, port):
    old, new = peer("banner", "old"), peer("banner", "new")
    lb = fastlb.start(config(port, old))
    lb.config_path.write_text(config(port, new))
    lb.signal(signal.SIGHUP)
    lb.notify.wait("RELOADING=1")
    lb.notify.wait("READY=1", times=2)
    assert [who(("127.0.0.1", port)) for _ in range(20)] == ["new"] * 20


def test_old_session_finishes_on_the_old_plan(fastlb, peer, port):
    old, new = peer("echo", "old"), peer("banner", "new")
    lb = fastlb.start(config(port, old))
    client = connect(("127.0.0.1", port))
    client.sendall(b"1")
    assert client.recv(1) == b"1"
    for _ in range(3):
        lb.reload(config(port, new))
    client.sendall(b"2")
    assert client.recv(1) == b"2"
    assert lb.samples().sum("fastlb_frontend_sessions", proxy="lb") == 1
    client.close()


def test_queue_of_a_stopped_worker_survives_reload_and_death(fastlb, peer, port):
    """R2: connections wait in the kernel for a worker that is stopped; it dies after a reload; all are served."""
    lb = fastlb.start(config(port, peer("banner", "s")))
    frozen = lb.workers()[0]
    os.kill(frozen, signal.SIGSTOP)
    clients = [connect(("127.0.0.1", port), timeout_s=30) for _ in range(60)]
    lb.config_path.write_text(config(port, peer("banner", "t")))
    lb.command("reload")  # may wait for the stopped worker, or end it: either way nobody is lost
    assert {read_to_end(client)[0] for client in clients} <= {b"s\n", b"t\n"}
    assert all(read_exactly(client, 1) == b"" for client in clients)
    lb.wait_workers(2)
    for client in clients:
        client.close()


def test_down_server_stays_down_over_a_reload(fastlb, peer, port):
    """R9: health is carried over; not one connection goes there before the next check either."""
    good, bad = peer("banner", "good"), peer("banner", "bad")
    check = "default-server check inter 200ms fall 2 rise 2"
    lb = fastlb.start(config(port, good, bad, more=check))
    bad.stop()
    eventually(lambda: lb.samples().sum("fastlb_server_up", server="bad") == 0, "down")
    slow = "default-server check inter 20s fall 2 rise 2"
    lb.reload(config(port, good, bad, more=slow))
    assert lb.samples().sum("fastlb_server_up", server="bad") == 0
    assert [who(("127.0.0.1", port)) for _ in range(30)] == ["good"] * 30


def test_round_robin_goes_on_where_it_was(fastlb, peer, port):
    servers = [peer("banner", name) for name in ("a", "b", "c")]
    lb = fastlb.start(config(port, *servers))
    seen = [who(("127.0.0.1", port)) for _ in range(4)]
    lb.reload()
    seen += [who(("127.0.0.1", port)) for _ in range(5)]
    assert max(map(seen.count, "abc")) - min(map(seen.count, "abc")) <= 1


def test_bind_removed_and_added(fastlb, peer, ports, scale):
    """R10: connections that wait on the removed bind are served; then it refuses, and the new one serves."""
    server = peer("banner", "s")
    old, new = ports.take(), ports.take()
    lb = fastlb.start(config(old, server))
    for _ in range(scale("changes", 50, least=2)):
        with banners(("127.0.0.1", old), clients=12) as load:
            eventually(lambda: load.done > 50, "load")
            lb.reload(config(new, server))
            assert refused(("127.0.0.1", old))
            assert who(("127.0.0.1", new)) == "s"
        assert [failure for failure in load.failures if "Refused" not in failure.why] == [], "accepted, never served"
        old, new = new, old
    fastlb.sheet(lb).retake()


def test_storm_of_connects_while_a_bind_goes_away(fastlb, peer, ports, scale):
    """R10, as hard as one thread can: each client is refused or served, never accepted and reset."""
    server = peer("banner", "s")
    old, new = ports.take(), ports.take()
    lb = fastlb.start(config(old, server))
    for _ in range(scale("changes", 50, least=4)):
        lb.config_path.write_text(config(new, server))
        clients = []
        with connect(str(lb.socket_path)) as admin:
            admin.sendall(b"reload\n")
            storm(("127.0.0.1", old), clients, until=admin)
            assert json.loads(admin.makefile().readline())["ok"]
        assert {outcome(client) for client in clients} <= {"served", "refused"}
        old, new = new, old
    fastlb.sheet(lb).retake()


def storm(to, clients, until):
    """Some thousand connects a second, without waiting for any of them, until an answer has come."""
    while len(clients) < 10_000 and not select.select([until], [], [], 0)[0]:
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(to)
        clients.append(client)
        time.sleep(0.00005)


def outcome(client):
    client.settimeout(20)
    with client:
        if client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED:
            return "refused"
        try:
            return "served" if read_exactly(client, 2) == b"s\n" else "closed without an answer"
        except ConnectionRefusedError:
            return "refused"
        except OSError as error:
            return repr(error)


def settled(look):
    """What ``look()`` says for a while: the connection of a command ends a moment after its answer."""
    seen = []

    def same():
        seen.append(look())
        return len(seen) >= 10 and all(one == seen[-1] for one in seen[-10:])

    eventually(same, "it stays the same", every_s=0.02)
    return seen[-1]


@pytest.mark.timeout(240)
def test_many_reloads_leave_nothing_behind(fastlb, peer, port, scale):
    """R6: descriptors, memory, zombies."""
    server = peer("hold", "s")
    lb = fastlb.start(config(port, server, more="timeout tunnel 1h"))
    held = [connect(("127.0.0.1", port)) for _ in range(10)]
    assert [read_exactly(client, 2) for client in held] == [b"s\n"] * 10
    lb.reload()
    fds, rss = settled(lambda: descriptors(lb.pid)), rss_kib(lb.pid)
    for _ in range(scale("reloads", 200, least=15)):
        lb.reload()
    eventually(lambda: descriptors(lb.pid) == fds, "the master's descriptors as before")
    assert lb.sanitized() or rss_kib(lb.pid) - rss <= 2048
    assert zombies(lb.pid) == []
    assert all(silent(client, 0.01) for client in held)
    for client in held:
        client.close()


@pytest.mark.timeout(180)
def test_counters_never_decrease(fastlb, peer, port, scale):
    """R11: reloads and worker kills between scrapes; every cumulative series only grows, gauges return to the truth."""
    one, two = peer("banner", "one"), peer("banner", "two")
    lb = fastlb.start(config(port, one, two))
    before = lb.samples().counters()
    with banners(("127.0.0.1", port), clients=2) as load:
        for number in range(scale("reloads and kills", 40, least=6)):
            if number % 2:
                lb.reload(config(port, one, two, more=f"retries {number}"))
            else:
                os.kill(eventually(lb.workers, "a worker")[-1], signal.SIGKILL)
            now = lb.samples().counters()
            lower = {key: (value, now.get(key)) for key, value in before.items() if now.get(key, -1) < value}
            assert lower == {}
            before = now
        lb.wait_workers(2)
        eventually(lambda: load.done > 100, "load")
    eventually(lambda: lb.samples().sum("fastlb_frontend_sessions") == 0, "gauges back at 0")
    assert lb.samples().sum("fastlb_config_reloads_total", result="success") >= 3


def test_worker_count_changes_by_the_difference(fastlb, peer, port):
    """R4 in small: more and fewer workers, under load, and none of those that may stay is replaced."""
    server = peer("banner", "s")
    lb = fastlb.start(config(port, server))
    two = lb.workers()
    with banners(("127.0.0.1", port), clients=3) as load:
        lb.reload(config(port, server).replace("nbthread 2", "nbthread 4"))
        four = lb.wait_workers(4)
        assert four[:2] == two
        lb.reload(config(port, server).replace("nbthread 2", "nbthread 1"))
        assert lb.wait_workers(1) == two[:1]
        eventually(lambda: load.done > 200, "load")
        lb.reload(config(port, server))
        assert lb.wait_workers(2)[0] == two[0]
    assert load.failures == []
    fastlb.sheet(lb).retake()
