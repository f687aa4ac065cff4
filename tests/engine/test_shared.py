"""The shared mapping: what survives a worker's death, what a hostile worker cannot do, plans and limits."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import re
import signal
import socket
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from engine_peers import echo, say
from engine_workers import HERE, make_plan, running, wait_until

from fastlb import _engine
from fastlb.plan.model import Address, Server


def open_session(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    client.sendall(b"?")
    assert client.recv(1) == b"?"
    return client


def test_a_dead_workers_counters_stay_and_its_gauges_go(serve) -> None:
    with running(make_plan([serve(echo)], maxconn=4)) as workers:
        clients = [open_session(workers.port) for _ in range(3)]
        os.kill(workers.pids[0], signal.SIGKILL)
        os.waitpid(workers.pids[0], 0)
        assert workers.shm.reap(0)["sessions"] == 3
        server = workers.server(0)
        assert (server["sessions"], server["sessions_total"], server["ended_14_total"]) == (0, 3, 3)
        assert workers.frontend()["ended_14_total"] == 3
        workers.controls.pop().close()
        workers.pids[0] = workers._fork(0)
        for client in clients:
            client.close()
        clients = [open_session(workers.port) for _ in range(4)]  # the dead one holds no claim
        for client in clients:
            client.close()
        wait_until(lambda: workers.server(0)["sessions_total"] == 7)


def test_frontend_and_service_limits_hold_over_workers(serve) -> None:
    with running(make_plan([serve(echo)]), count=2) as workers:
        for limit in (workers.shm.set_frontend_limit, None):
            if limit:
                limit(0, 6)
            else:
                workers.shm.set_frontend_limit(0, 0)
                workers.shm.set_process_limit(6)
            clients = [socket.create_connection(("127.0.0.1", workers.port), timeout=20) for _ in range(20)]
            wait_until(lambda: workers.sessions() == 6)
            for client in clients:
                client.sendall(b"1")
            served: list[bytes] = []

            def use(client: socket.socket, served: list[bytes] = served) -> None:
                served.append(client.recv(1))
                assert workers.frontend()["sessions"] <= 6
                client.close()

            threads = [threading.Thread(target=use, args=(client,)) for client in clients]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert served == [b"1"] * 20
            wait_until(lambda: workers.sessions() == 0)


def test_a_full_accept_queue_is_served_before_a_socket_goes(serve) -> None:
    with running(make_plan([serve(say(b"ok"))])) as workers:
        os.kill(workers.pids[0], signal.SIGSTOP)
        clients = [socket.create_connection(("127.0.0.1", workers.port), timeout=20) for _ in range(100)]
        workers.controls[0].send(b"d")  # drain
        os.kill(workers.pids[0], signal.SIGCONT)
        assert [client.recv(10) for client in clients] == [b"ok"] * 100
        for client in clients:
            client.close()


def test_garbage_is_no_plan(serve) -> None:
    with running(make_plan([serve(echo)])) as workers:
        kick, control = os.eventfd(0), os.eventfd(0)
        engine = _engine.Engine(workers.fd, 1, control, [kick, kick], kick, 10, 100)
        good = os.pread(workers.plan_fd, 1 << 20, 0)
        dice = random.Random(3)
        for size in (0, 10, len(good) - 1):
            with pytest.raises(ValueError, match="not a compiled plan"):
                engine.prepare(as_memfd(good[:size]))
        for _ in range(300):
            broken = bytearray(good)
            for _ in range(3):
                broken[dice.randrange(96)] = dice.randrange(256)
            with contextlib.suppress(ValueError):
                engine.prepare(as_memfd(bytes(broken)))
        del engine
        os.close(kick)
        os.close(control)


def as_memfd(data: bytes) -> int:
    fd = os.memfd_create("plan")
    os.write(fd, data)
    return fd


def test_a_hostile_ring_yields_nothing_and_harms_nobody() -> None:
    """Whatever a worker writes into its part, the master reads bounded lines and goes on."""
    import mmap

    fd = _engine.shm_create()
    shm = _engine.Shm(fd)
    shm.set_worker_count(2)
    start, size = shm.row_range(0)
    ring = start + size - (1 << 20)
    hostile = mmap.mmap(fd, os.fstat(fd).st_size)
    dice = random.Random(5)
    taken = 0
    for _ in range(500):
        at = ring + dice.randrange(64) * 16
        hostile[at : at + 16] = dice.choice(
            (dice.randbytes(16), dice.randrange(2048).to_bytes(4, "little") + bytes(12))
        )
        head = dice.choice((dice.randrange(1 << 11) * 16, dice.randrange(1 << 64)))
        hostile[start + LOG_HEAD_AT : start + LOG_HEAD_AT + 8] = head.to_bytes(8, "little")
        for line in shm.drain_log(0, 1000):
            assert len(line[4]) + len(line[5]) <= 8192
            taken += 1
    assert taken, "the test must reach the ring"
    hostile[start : start + 4096] = dice.randbytes(4096)
    shm.worker(0)
    shm.servers([0, _engine.MAX_SERVERS - 1])
    shm.reap(0)
    hostile.close()
    shm.close()
    os.close(fd)


LOG_HEAD_AT = 256  # struct worker_row: the counters, then log_head on a cache line of its own


def test_slots_and_workers_out_of_range_are_refused() -> None:
    fd = _engine.shm_create()
    shm = _engine.Shm(fd)
    for call in (
        lambda: shm.set_server_state(_engine.MAX_SERVERS, True, 1),
        lambda: shm.set_frontend_limit(-1, 1),
        lambda: shm.publish_schedule(_engine.MAX_BACKENDS, []),
        lambda: shm.worker(_engine.MAX_WORKERS),
        lambda: shm.servers([-1]),
    ):
        with pytest.raises((IndexError, OverflowError)):
            call()
    shm.close()
    with pytest.raises(ValueError, match="closed"):
        shm.worker(0)
    os.close(fd)


def test_schedules_grow_shrink_and_come_back() -> None:
    fd = _engine.shm_create()
    shm = _engine.Shm(fd)
    for count in (1, 100, 3, 5000, 0, 17):
        shm.publish_schedule(7, [(slot, 1) for slot in range(count)])
        assert shm.schedule(7) == list(range(count))
        shm.publish_schedule(8, [(1, 3), (2, 1)])
        assert sorted(shm.schedule(8)) == [1, 1, 1, 2]
    shm.drop_schedule(7)
    assert shm.schedule(7) == []
    shm.close()
    os.close(fd)


def test_histogram_cells_have_rising_bounds() -> None:
    bounds = [_engine.histogram_bound_us(cell) for cell in range(_engine.HISTOGRAM_CELLS)]
    assert bounds == sorted(set(bounds))
    assert bounds[0] == 16
    assert all(later <= earlier * 1.26 or earlier == 16 for earlier, later in itertools.pairwise(bounds))


def test_an_address_without_a_socket_form_is_refused() -> None:
    plan = make_plan([1])
    long = replace(plan, servers=(Server("s", 0, Address("unix", "/" + "x" * 200), HERE),))
    with pytest.raises(ValueError, match="107 bytes"):
        _engine.compile_plan(long, 1, [0], [0], [0])


def test_the_interleaved_order_is_haproxys_map() -> None:
    """As HAProxy 2.6 spreads 127.0.0.1 to 127.0.0.9 over weights 1, 2, 5 and 1."""
    fd = _engine.shm_create()
    shm = _engine.Shm(fd)
    shm.publish_schedule(0, [(0, 1), (1, 2), (2, 5), (3, 1)], True)
    order = shm.schedule(0)
    assert [order[(0x7F000000 + i) % 9] for i in range(1, 10)] == [1, 2, 1, 2, 2, 2, 3, 0, 2]
    shm.close()
    os.close(fd)


def test_a_worker_can_write_the_shared_words_and_its_own_row_only(serve) -> None:
    with running(make_plan([serve(echo)]), count=2) as workers:
        for number, pid in enumerate(workers.pids):
            writable = [
                (int(offset, 16), int(end, 16) - int(start, 16))
                for line in Path(f"/proc/{pid}/maps").read_text().splitlines()
                if "fastlb-shared" in line and "rw-s" in line
                for start, end, offset in [re.match(r"(\w+)-(\w+) \S+ (\w+)", line).groups()]
            ]
            shared, row = sorted(writable)
            assert row == workers.shm.row_range(number)
            assert shared[0] + shared[1] == workers.shm.row_range(0)[0]
            assert shared[1] < 1 << 20


def test_an_engine_that_cannot_start_leaves_nothing() -> None:
    kick = os.eventfd(0)
    not_shared = as_memfd(bytes(4096))
    os.ftruncate(not_shared, 3 << 30)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(ValueError, match="another version"):
        _engine.Engine(not_shared, 0, kick, [kick], kick, 10, 100)
    with pytest.raises(OSError, match=r"Bad file descriptor|No such file"):
        _engine.Engine(9999, 0, kick, [kick], kick, 10, 100)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    os.close(kick)
    os.close(not_shared)
