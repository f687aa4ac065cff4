"""balance first and balance random: who is chosen, over one and several workers."""

from __future__ import annotations

import socket
from collections import Counter

import pytest
from engine_peers import echo, say
from engine_workers import Workers, make_plan, running, wait_until

from fastlb.plan.model import Balance


def ask(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        return client.recv(100)


def hold(workers: Workers, count: int) -> list[socket.socket]:
    """Connections that stay, each answered once."""
    clients = []
    for _ in range(count):
        client = socket.create_connection(("127.0.0.1", workers.port), timeout=20)
        client.sendall(b"?")
        assert client.recv(1) == b"?"
        clients.append(client)
    return clients


def sessions(workers: Workers) -> list[int]:
    return [workers.server(i)["sessions"] for i in range(len(workers.plan.servers))]


def end(clients: list[socket.socket]) -> None:
    for client in clients:
        client.close()


def test_first_fills_one_server_before_the_next(serve) -> None:
    plan = make_plan([serve(echo) for _ in range(3)], balance=Balance.FIRST, maxconn=3)
    with running(plan, count=2) as workers:
        clients = hold(workers, 7)
        assert sessions(workers) == [3, 3, 1]
        clients.pop(0).close()
        wait_until(lambda: sessions(workers) == [2, 3, 1])
        clients += hold(workers, 2)
        assert sessions(workers) == [3, 3, 2]
        end(clients)


def test_first_queues_when_all_are_full_and_takes_what_is_freed(serve) -> None:
    plan = make_plan([serve(echo) for _ in range(2)], balance=Balance.FIRST, maxconn=1)
    with running(plan, count=2) as workers:
        clients = hold(workers, 2)
        late = socket.create_connection(("127.0.0.1", workers.port), timeout=20)
        wait_until(lambda: workers.backend()["queued"] == 1)
        clients.pop().close()
        late.sendall(b"!")
        assert late.recv(1) == b"!"
        assert sessions(workers) == [1, 1]
        end([*clients, late])


def test_one_draw_spreads_by_weight(serve) -> None:
    ports = [serve(say(b"s%d" % i)) for i in range(2)]
    with running(make_plan(ports, weights=[1, 3], balance=Balance.RANDOM, draws=1), count=2) as workers:
        seen = Counter(ask(workers.port) for _ in range(400))
        assert 55 <= seen[b"s0"] <= 155, seen  # 100 expected, with a deviation of 8.7
        assert seen.total() == 400


def test_many_draws_take_the_least_loaded_for_its_weight(serve) -> None:
    """With so many draws everybody is drawn: what is left is the comparison, in all workers."""
    plan = make_plan([serve(echo) for _ in range(3)], weights=[1, 1, 2], balance=Balance.RANDOM, draws=200)
    with running(plan, count=2) as workers:
        clients = hold(workers, 12)
        assert sessions(workers) == [3, 3, 6]
        end(clients)


def test_a_draw_that_is_full_does_not_queue_while_another_has_room(serve) -> None:
    plan = make_plan([serve(echo) for _ in range(8)], balance=Balance.RANDOM, draws=1, maxconn=1)
    with running(plan, count=2) as workers:
        clients = hold(workers, 8)
        assert sessions(workers) == [1] * 8
        assert workers.backend()["queued_total"] == 0
        end(clients)


@pytest.mark.parametrize("balance", [Balance.FIRST, Balance.RANDOM])
def test_a_server_that_fails_is_left_for_another(serve, balance: Balance) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        ports = [closed.getsockname()[1], serve(say(b"alive"))]
        with running(make_plan(ports, balance=balance, draws=2, redispatch=-1)) as workers:
            assert [ask(workers.port) for _ in range(8)] == [b"alive"] * 8
            assert workers.backend()["redispatches_total"] > 0


@pytest.mark.parametrize("balance", [Balance.FIRST, Balance.RANDOM])
def test_a_server_that_is_not_usable_gets_nothing(serve, balance: Balance) -> None:
    ports = [serve(say(b"s%d" % i)) for i in range(3)]
    with running(make_plan(ports, balance=balance, draws=2)) as workers:
        workers.shm.set_server_state(0, False, 1)
        assert b"s0" not in {ask(workers.port) for _ in range(12)}
        workers.shm.publish_schedule(0, [])
        assert ask(workers.port) == b""
