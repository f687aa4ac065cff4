"""Choosing a server, over one and several workers."""

from __future__ import annotations

import socket
import threading
from collections import Counter

import pytest
from engine_peers import echo, say
from engine_workers import Workers, make_plan, running, wait_until

from fastlb.plan.model import Balance


def ask(port: int, source: str = "127.0.0.1") -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20, source_address=(source, 0)) as client:
        return client.recv(100)


def named(serve, count: int) -> list[int]:
    return [serve(say(b"s%d" % i)) for i in range(count)]


def test_equal_weights_differ_by_at_most_one_over_two_workers(serve) -> None:
    with running(make_plan(named(serve, 3)), count=2) as workers:
        answers: Counter[bytes] = Counter()
        for _ in range(100):
            answers[ask(workers.port)] += 1
            assert max(answers.values()) - min(answers[b"s%d" % i] for i in range(3)) <= 1
        assert min(workers.worker(i)["sessions_total"] for i in range(2)) > 10


def test_weights_are_exact_after_each_cycle(serve) -> None:
    with running(make_plan(named(serve, 3), weights=[1, 2, 5]), count=2) as workers:
        for cycle in range(1, 6):
            for _ in range(8):
                ask(workers.port)
            assert [workers.server(i)["picked_total"] for i in range(3)] == [cycle, 2 * cycle, 5 * cycle]


def test_weighted_turns_are_spread(serve) -> None:
    with running(make_plan(named(serve, 2), weights=[1, 3])) as workers:
        assert workers.shm.schedule(0) == [1, 0, 1, 1] or workers.shm.schedule(0) == [1, 1, 0, 1]


def test_parallel_clients_are_counted_exactly(serve) -> None:
    with running(make_plan(named(serve, 2)), count=2) as workers:
        threads = [threading.Thread(target=lambda: [ask(workers.port) for _ in range(25)]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [workers.server(i)["picked_total"] for i in range(2)] == [100, 100]


def test_a_server_that_is_not_usable_gets_nothing(serve) -> None:
    with running(make_plan(named(serve, 3))) as workers:
        workers.shm.set_server_state(1, False, 1)
        assert b"s1" not in {ask(workers.port) for _ in range(9)}
        workers.shm.publish_schedule(0, [(0, 1), (2, 1)])
        assert Counter(ask(workers.port) for _ in range(10)) == {b"s0": 5, b"s2": 5}


def test_nobody_usable_closes_the_client(serve) -> None:
    with running(make_plan(named(serve, 2))) as workers:
        workers.shm.publish_schedule(0, [])
        assert ask(workers.port) == b""
        assert workers.backend()["no_server_total"] == 1


def hold(workers: Workers, count: int) -> list[socket.socket]:
    """Connections that stay, each answered once."""
    clients = []
    for _ in range(count):
        client = socket.create_connection(("127.0.0.1", workers.port), timeout=20)
        client.sendall(b"?")
        assert client.recv(1) == b"?"
        clients.append(client)
    return clients


def test_leastconn_fills_evenly_and_by_weight(serve) -> None:
    plan = make_plan([serve(echo) for _ in range(3)], weights=[1, 1, 2], balance=Balance.LEASTCONN)
    with running(plan, count=2) as workers:
        clients = hold(workers, 12)
        assert [workers.server(i)["sessions"] for i in range(3)] == [3, 3, 6]
        for client in clients:
            client.close()


def test_source_keeps_a_client_on_its_server(serve) -> None:
    with running(make_plan(named(serve, 4), balance=Balance.SOURCE), count=2) as workers:
        first = {i: ask(workers.port, f"127.0.0.{i}") for i in range(1, 41)}
        assert len(set(first.values())) == 4
        assert first == {i: ask(workers.port, f"127.0.0.{i}") for i in range(1, 41)}
        # HAProxy's map: the address as an integer, modulo the weights' sum.
        assert all(first[i] == b"s%d" % ((0x7F000000 + i) % 4) for i in first)


@pytest.mark.parametrize("count", [1, 2])
def test_maxconn_is_never_passed_and_nobody_is_lost(serve, count: int) -> None:
    lock = threading.Lock()
    inside = peak = 0

    def busy(connection: socket.socket) -> None:
        nonlocal inside, peak
        with lock:
            inside += 1
            peak = max(peak, inside)
        threading.Event().wait(0.02)
        with lock:
            inside -= 1
        connection.sendall(b"done")

    with running(make_plan([serve(busy)], maxconn=5), count=count) as workers:
        answers: list[bytes] = []
        threads = [threading.Thread(target=lambda: answers.append(ask(workers.port))) for _ in range(60)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [b"done"] * 60
        assert 1 <= peak <= 5
        assert workers.backend()["queued_total"] > 0


def test_the_queue_is_first_come_first_served(serve) -> None:
    release = threading.Semaphore(0)
    order: list[bytes] = []

    def one_by_one(connection: socket.socket) -> None:
        order.append(connection.recv(10))
        release.acquire()
        connection.sendall(b"ok")

    with running(make_plan([serve(one_by_one)], maxconn=1)) as workers:
        clients = []
        for i in range(6):
            client = socket.create_connection(("127.0.0.1", workers.port), timeout=20)
            client.sendall(b"%d" % i)
            wait_until(lambda i=i: workers.frontend()["sessions"] == i + 1)
            wait_until(lambda i=i: workers.backend()["queued"] == i)
            clients.append(client)
        for client in clients:
            release.release()
            assert client.recv(10) == b"ok"
            client.close()
        assert order == [b"%d" % i for i in range(6)]


def test_a_queue_times_out(serve) -> None:
    gate = threading.Event()

    def wait(connection: socket.socket) -> None:
        gate.wait(20)

    with running(make_plan([serve(wait)], maxconn=1, queue_ms=200)) as workers:
        first = socket.create_connection(("127.0.0.1", workers.port))
        wait_until(lambda: workers.server(0)["sessions"] == 1)
        assert ask(workers.port) == b""
        assert workers.frontend()["ended_10_total"] == 1
        gate.set()
        first.close()


def test_a_client_that_leaves_the_queue_is_forgotten(serve) -> None:
    gate = threading.Event()

    def wait(connection: socket.socket) -> None:
        gate.wait(20)

    with running(make_plan([serve(wait)], maxconn=1)) as workers:
        first = socket.create_connection(("127.0.0.1", workers.port))
        wait_until(lambda: workers.server(0)["sessions"] == 1)
        second = socket.create_connection(("127.0.0.1", workers.port))
        wait_until(lambda: workers.backend()["queued"] == 1)
        second.close()
        wait_until(lambda: workers.backend()["queued"] == 0)
        wait_until(lambda: workers.frontend()["ended_11_total"] == 1)
        gate.set()
        first.close()
