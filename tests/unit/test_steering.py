"""The program that chooses a socket by CPU, asked by connections from threads that stay on one CPU of this machine."""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from fastlb import steering
from fastlb.listeners import Listeners
from fastlb.plan.model import Address, Bind, Location, Plan, Process

CPUS = sorted(os.sched_getaffinity(0))
TRIES = 40

two_cpus = pytest.mark.skipif(len(CPUS) < 2, reason="needs two CPUs")
Chosen = Callable[[int], Counter[int]]


def plan(port: int) -> Plan:
    bind = Bind("b", 0, Address("inet", "127.0.0.1", port), Location("lb.conf", 1, 1))
    return Plan(Process(), (bind,), (), (), (), (), (), (), "")


@pytest.fixture
def listeners(port: int) -> Iterator[Listeners]:
    """Sockets for three workers."""
    made = Listeners()
    made.adopt(made.prepare(plan(port), workers=3))
    yield made
    made.close()


@pytest.fixture
def chosen(listeners: Listeners, port: int) -> Iterator[Chosen]:
    """``chosen(cpu)``: which slots' sockets got how many connections that arrived on that CPU."""

    def count(cpu: int) -> Counter[int]:
        os.sched_setaffinity(0, [cpu])
        for _ in range(TRIES):
            socket.create_connection(("127.0.0.1", port)).close()
        return Counter({one.slot: accepted for one in listeners.all() if (accepted := _accept_all(one.sock))})

    yield count
    os.sched_setaffinity(0, CPUS)


def _accept_all(sock: socket.socket) -> int:
    for accepted in range(TRIES + 1):
        try:
            sock.accept()[0].close()
        except BlockingIOError:
            return accepted
    raise AssertionError("more connections than were made")


@two_cpus
@pytest.mark.parametrize("order", [CPUS[:2], CPUS[1::-1]], ids=["in order", "swapped"])
def test_each_cpu_has_its_workers_socket(order: list[int], listeners: Listeners, chosen: Chosen) -> None:
    listeners.steer(steering.program(order, workers=2))
    for slot, cpu in enumerate(order):
        assert steering.home_cpu(slot, order) == cpu
        assert chosen(cpu) == {slot: TRIES}


def test_several_workers_of_a_cpu_share_its_connections(listeners: Listeners, chosen: Chosen) -> None:
    """Three workers on CPUs of which the first is a strange one: 0 and 2 belong to that, 1 to ours."""
    listeners.steer(steering.program([CPUS[0], 1000], workers=3))
    assert chosen(CPUS[0]).keys() == {0, 2}
    listeners.steer(steering.program([1000, CPUS[0]], workers=3))
    assert chosen(CPUS[0]) == {1: TRIES}


def test_more_cpus_than_workers_count_round(listeners: Listeners, chosen: Chosen) -> None:
    listeners.steer(steering.program([1000, 1001, 1002, CPUS[0]], workers=2))
    assert chosen(CPUS[0]) == {1: TRIES}


def test_a_cpu_that_is_nobodys_is_served_by_its_number(listeners: Listeners, chosen: Chosen) -> None:
    listeners.steer(steering.program([1000, 1001], workers=2))
    assert chosen(CPUS[-1]) == {CPUS[-1] % 2: TRIES}


def test_sockets_that_join_are_chosen_once_the_program_knows_them(
    listeners: Listeners, chosen: Chosen, port: int
) -> None:
    cpus = [1000, 1001, 1002, CPUS[0]]
    listeners.steer(steering.program(cpus, workers=3))
    listeners.adopt(listeners.prepare(plan(port), workers=4))
    assert chosen(CPUS[0]) == {0: TRIES}
    listeners.steer(steering.program(cpus, workers=4))
    assert chosen(CPUS[0]) == {3: TRIES}


def test_without_a_program_the_hash_chooses_again(listeners: Listeners, chosen: Chosen) -> None:
    listeners.steer(None)
    listeners.steer(steering.program([CPUS[0]], workers=1))
    assert chosen(CPUS[0]) == {0: TRIES}
    listeners.steer(None)
    assert chosen(CPUS[0]).keys() == {0, 1, 2}


def test_as_many_cpus_as_linux_knows_fit_into_a_program() -> None:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        steering.attach(sock, steering.program(range(1, 1025), workers=64))
