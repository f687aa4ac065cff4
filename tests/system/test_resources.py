"""Running out of things: descriptors, readers, servers that stall (X1, X6, X7, X9, X10)."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from .harness import netns
from .harness.client import connect, elapsed_s, read_exactly, silent, who
from .harness.launch import BASE
from .harness.load import in_threads
from .harness.processes import cpu_s, rss_kib
from .harness.scale import SCALE
from .harness.transfer import Transfer, random_transfers, run
from .harness.waiting import PATIENCE, eventually

LARGEST_PIPE = 128 << 10
STRANGER = 64_017  # a user id that nothing else here has: the kernel counts the pipes of each user


def config(port, server, more=""):
    return f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        {more}
        server s {server}
    """


def test_few_descriptors_lower_maxconn_and_the_rest_waits(fastlb, peer, port):
    """X1 as designed: the balancer knows what fits, accepts no more, and says so at the start."""
    server = peer("hold", "s")
    lb = fastlb.start(config(port, server), nofile=256)
    clients = [connect(("127.0.0.1", port)) for _ in range(400)]
    served = [client for client in clients if not silent(client, 0.005)]
    assert 20 < len(served) < 300
    assert "maxconn" in lb.output()
    before = sum(map(cpu_s, lb.workers()))
    time.sleep(1)
    assert sum(map(cpu_s, lb.workers())) - before < 0.2 * PATIENCE, "busy while nothing can be accepted"
    for client in served:
        client.close()
    waiting = [client for client in clients if client not in served]
    for client in waiting:
        assert read_exactly(client, 2) == b"s\n"
        client.close()


def test_emfile_on_accept_is_survived(fastlb, peer, port):
    """X1 the hard way: the limit is taken away from the workers while they run, by prlimit(1)."""
    server = peer("hold", "s")
    lb = fastlb.start(config(port, server))
    for pid in lb.workers():
        subprocess.run(["prlimit", "--pid", str(pid), "--nofile=60:"], check=True)
    clients = [connect(("127.0.0.1", port), timeout_s=30) for _ in range(200)]
    time.sleep(0.5)
    before, started = sum(map(cpu_s, lb.workers())), time.monotonic()
    lines = len(lb.output().splitlines())
    time.sleep(2)
    assert sum(map(cpu_s, lb.workers())) - before <= 0.2 * elapsed_s(started), "busy while out of descriptors"
    assert len(lb.output().splitlines()) - lines <= 2 * 2 * elapsed_s(started) + 2, "one line a second for each worker"
    assert len(lb.workers()) == 2
    for pid in lb.workers():
        subprocess.run(["prlimit", "--pid", str(pid), "--nofile=4096:"], check=True)
    greeted = [read_exactly(client, 2) for client in clients]
    assert set(greeted) <= {b"s\n", b""}, "served or shed, nothing else"
    assert greeted.count(b"s\n") > 20
    for client in clients:
        client.close()
    assert [who_holds(port) for _ in range(10)] == [b"s\n"] * 10


def who_holds(port):
    with connect(("127.0.0.1", port)) as client:
        return read_exactly(client, 2)


def test_stalled_readers_cost_little_memory_and_no_time(fastlb, peer, port, scale):
    """X9: many clients that never read, one that does."""
    lb = fastlb.start(config(port, peer("firehose", "hose")))
    before = sum(map(rss_kib, lb.workers()))
    stalled = [connect(("127.0.0.1", port), rcvbuf=4096) for _ in range(scale("stalled readers", 1000, least=60))]
    reader = connect(("127.0.0.1", port))
    started = time.monotonic()
    assert len(read_exactly(reader, 200 << 20)) == 200 << 20
    assert elapsed_s(started) < 30
    assert sum(map(rss_kib, lb.workers())) - before < 20 * 1024
    busy_s = sum(map(cpu_s, lb.workers()))
    time.sleep(0.5)  # the time over which CPU is counted
    assert sum(map(cpu_s, lb.workers())) - busy_s < 0.1 * PATIENCE, "readers that do not read keep a worker busy"
    for client in [*stalled, reader]:
        client.close()


def test_what_readers_leave_is_bounded_by_what_a_pipe_holds(fastlb, peer, port, scale):
    """X7: readers that have stopped, servers that push. What lies in the balancer itself is what it has received and
    not sent: at most a pipe's room for each session, and no pipe or buffer beyond that."""
    lb = fastlb.start(config(port, peer("firehose", "hose")))
    count = scale("readers that stop", 500, least=40)
    readers = [connect(("127.0.0.1", port), rcvbuf=4096) for _ in range(count)]
    held = [-1]

    def still():
        now = lb.samples()
        held.append(now.sum("fastlb_server_received_bytes_total") - now.sum("fastlb_frontend_sent_bytes_total"))
        return held[-1] == held[-2]

    eventually(still, "everybody is stuck", every_s=0.3)
    assert 0 < held[-1] <= count * LARGEST_PIPE
    now = lb.samples()
    in_flight = now.sum("fastlb_worker_pipes") - now.sum("fastlb_worker_pipes_idle") + now.sum("fastlb_worker_buffers")
    assert in_flight <= count, "a session that is stuck one way holds one pipe or one buffer"
    for reader in readers:
        reader.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_without_room_for_pipes_bytes_are_copied(fastlb, peer, port, directory, scale):
    """X6: the user's pipes have all the memory they may have (fs.pipe-user-pages-soft): new ones would hold two pages.
    Nothing fails, nobody waits, and nothing is spliced through such a pipe."""
    server = peer("duplex", "s")
    lb = fastlb.start(config(port, server).replace("global", f"global\n    uid {STRANGER}\n    gid {STRANGER}"))
    with pipes_of(STRANGER):
        transfers = random_transfers(scale("pairs", 1500, least=30), seed=6, largest=1 << 20)
        sent = in_threads([lambda t=t: (t.seed, run(("127.0.0.1", port), t)) for t in transfers], width=10)
        arrived = {event["seed"]: event["sha256"] for event in server.wait_events(len(transfers))}
        assert arrived == dict(sent)
        now = lb.samples()
        assert now.sum("fastlb_worker_moved_bytes_total", mover="splice") == 0
        assert now.sum("fastlb_worker_pipes") == 0
    run(("127.0.0.1", port), Transfer(999_999, 4 << 20, 4 << 20, 65536, 0))
    assert lb.samples().sum("fastlb_worker_moved_bytes_total", mover="splice") > 1 << 20, "with room it splices again"


@contextmanager
def pipes_of(uid):
    """A process of that user holds so many pipes that the user is beyond the soft limit of their pages."""
    budget = int(Path("/proc/sys/fs/pipe-user-pages-soft").read_text())
    if not 0 < budget <= 1 << 16:
        pytest.skip("pipe-user-pages-soft is another than the usual")
    program = f"""
import os, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
os.setgid({uid}), os.setuid({uid})
held = [os.pipe() for _ in range({budget // 16 + 8})]
print("held", flush=True)
os.read(0, 1)
"""
    command = [sys.executable, "-I", "-S", "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout.readline() == b"held\n"
            yield
        finally:
            holder.stdin.close()


@pytest.mark.netns
def test_full_listen_queue_is_counted_and_recovers(fastlb, peer, port, scale):
    """X10: a short queue, a worker that stands still, many clients: the kernel drops, the metrics say so, and once the
    worker runs again new clients are served. (Of those that were dropped some believe that they are connected: a
    kernel that forgets the last step of a handshake is beyond the reach of any program.)"""
    server = peer("banner", "s")
    lb = fastlb.start(f"""{BASE.replace("nbthread 2", "nbthread 1")}
    listen lb
        bind 127.0.0.1:{port} backlog 16
        server s {server}
    """)
    (worker,) = lb.workers()
    assert lb.samples().sum("fastlb_host_listen_overflows_total") == 0
    os.kill(worker, signal.SIGSTOP)
    stopped = time.monotonic()
    crowd = [socket.socket() for _ in range(scale("clients", 200, least=60))]
    for one in crowd:
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", port))
    eventually(lambda: netns.counters()["ListenOverflows"], "the kernel drops")
    time.sleep(max(0.0, 2 * SCALE - elapsed_s(stopped)))  # less than the 3 s after which it would be replaced
    os.kill(worker, signal.SIGCONT)
    started = time.monotonic()
    assert in_threads([lambda: who(("127.0.0.1", port))] * 20, width=5) == ["s"] * 20
    assert elapsed_s(started) < 3 + 2 * PATIENCE, "one SYN may have to be repeated"
    now, kernel = lb.samples(), netns.counters()
    assert now.sum("fastlb_host_listen_overflows_total") == kernel["ListenOverflows"] > 0
    assert now.sum("fastlb_host_listen_drops_total") == kernel["ListenDrops"] > 0
    assert lb.workers() == [worker]
    for one in crowd:
        one.close()
