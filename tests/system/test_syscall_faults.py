"""The kernel says no: each system call of the data plane fails now and then, or for a while (F14, X2)."""

import time
from collections import Counter
from dataclasses import replace

import pytest

from .harness import inject
from .harness.client import connect, elapsed_s, read_exactly
from .harness.launch import BASE
from .harness.load import in_threads
from .harness.processes import cpu_s
from .harness.scale import SCALE
from .harness.transfer import Transfer, attempt, random_transfers, upload_sha256
from .harness.waiting import PATIENCE, eventually

# Pipes first, while a worker has none: those that it has, it keeps.
NOW_AND_THEN = [
    ("pipe2", "EMFILE", "1+"),
    ("fcntl", "EBUSY", "1+"),
    ("pipe2", "ENOMEM", "1+2"),
    ("splice", "ENOMEM", "2+5"),
    ("splice", "EINTR", "2+2"),
    ("splice", "ENOBUFS", "2+5"),
    ("splice", "ECONNRESET", "2+5"),
    ("socket", "EMFILE", "1+3"),
    ("socket", "ENOBUFS", "2+3"),
    ("connect", "EADDRNOTAVAIL", "1+3"),
    ("epoll_ctl", "ENOMEM", "2+7"),
    ("epoll_ctl", "ENOSPC", "1+7"),
    ("accept4", "EMFILE", "1+3"),
    ("accept4", "ECONNABORTED", "1+2"),
    ("accept4", "EINTR", "1+2"),
    ("recvfrom", "EINTR", "1+2"),
    ("recvfrom", "ENOMEM", "9+17"),
    ("sendto", "EINTR", "1+2"),
    ("sendto", "ENOBUFS", "9+17"),
    ("sendto", "EPIPE", "9+17"),
    ("setsockopt", "ENOBUFS", "1+2"),
    ("ioctl", "ENOMEM", "1+2"),
    ("?epoll_wait,?epoll_pwait", "EINTR", "2+3"),
]
LARGE = [Transfer(0, 2 << 20, 10, 1 << 18, 0), Transfer(0, 10, 2 << 20, 1 << 18, 0)]
HARMLESS = {"pipe2", "fcntl", "socket", "connect", "accept4", "setsockopt"}

pytestmark = pytest.mark.skipif(bool(inject.unavailable()), reason=str(inject.unavailable()))


@pytest.fixture
def service(fastlb, peer, port):
    server = peer("duplex", "s")
    lb = fastlb.start(f"""{BASE}
        timeout connect 50ms
        retries 7
    listen lb
        bind 127.0.0.1:{port}
        server s {server}
    """)
    return lb, server


def test_calls_that_fail_now_and_then(service, port, directory, scale):
    """F14: nobody dies, nothing leaks (the balance sheet), and who is told that all has come has got all, unchanged."""
    lb, server = service
    workers = lb.workers()
    count = scale("transfers for each of 23 faults", 500, least=6)
    transfers = [batch(number, count) for number in range(len(NOW_AND_THEN))]
    for (call, error, when), some in zip(NOW_AND_THEN, transfers, strict=True):
        with inject.failing(workers, call, error, when, directory) as injection:
            ends = Counter(in_threads([lambda t=t: attempt(("127.0.0.1", port), t) for t in some], width=5))
            # strace leaves a call that it has replaced as it is: the worker would take its own pid for a result.
            eventually(lambda: lb.samples().sum("fastlb_worker_connections") == 0, "no transfer is under way")
            assert injection.count, f"{call} was never called"
        assert lb.workers() == workers, f"{call} = {error} was the end of a worker"
        assert ends["exact"], f"{call} = {error}: {ends}"
        if call in HARMLESS or error == "EINTR":
            assert set(ends) == {"exact"}, f"{call} = {error}: {ends}"
    uploads = {one.seed: upload_sha256(one) for some in transfers for one in some}
    for event in server.events():
        if "sha256" in event:
            assert event["sha256"] == uploads[event["seed"]], f"an orderly end, and not all: {event}"


def batch(number, count):
    """Transfers like no others' by their seeds; two of them large enough to be spliced for long."""
    some = [*random_transfers(count - 2, number + 1, largest=1 << 18), *LARGE]
    return [
        replace(one, seed=number * 100_000 + n, chunk=max(one.chunk, 4000), pause_ms=0) for n, one in enumerate(some)
    ]


def test_accept_that_fails_for_a_while(service, port, directory):
    """X2: no descriptor in the system, no memory, a policy: no CPU, no flood of lines, then everybody is served."""
    lb, _ = service
    workers, seconds = lb.workers(), max(1.0, 10 * SCALE)
    for error in ("ENFILE", "ENOMEM", "ENOBUFS", "EPERM"):
        with inject.failing(workers, "accept4", error, "1+", directory) as injection:
            lines = len(lb.output().splitlines())
            clients = [connect(("127.0.0.1", port)) for _ in range(20)]
            before, started = sum(map(cpu_s, workers)), time.monotonic()
            time.sleep(seconds)  # the time over which CPU and lines are counted
            assert injection.count
            assert sum(map(cpu_s, workers)) - before <= 0.2 * elapsed_s(started), f"busy while accept4 says {error}"
            assert len(lb.output().splitlines()) - lines <= 2 * elapsed_s(started) + 2, "a line a second for each"
        started = time.monotonic()
        for client in clients:
            client.sendall(b"5 1 5 0 0\n")
            assert len(read_exactly(client, 5)) == 5
            client.close()
        assert elapsed_s(started) < 1 + 2 * PATIENCE
    assert lb.workers() == workers
