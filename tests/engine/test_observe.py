"""Passive checks: workers count failed connections in a row together, and call the master when they are too many."""

from __future__ import annotations

import os
import socket
from dataclasses import replace

from engine_peers import say
from engine_workers import make_plan, running, wait_until
from test_connect import ask, closed_port

from fastlb import _engine
from fastlb.plan.checkmodel import Observe, OnError
from fastlb.plan.model import Address, Check, CheckKind, Plan


def observed(plan: Plan, limit: int) -> Plan:
    check = Check(CheckKind.TCP, Address("inet", "127.0.0.1", 1), observe=Observe(limit, OnError.FAIL_CHECK))
    return replace(plan, servers=tuple(replace(server, check=check) for server in plan.servers))


def test_failures_of_all_workers_are_one_row(serve) -> None:
    plan = observed(make_plan([closed_port()], retries=0), 5)
    with running(plan, count=2) as workers:
        for _ in range(12):
            assert ask(workers.port) == b""
        wait_until(lambda: workers.server(0)["connect_errors_total"] == 12)
        assert _engine.server_alarms(workers.shm, [0]) == [2]
        assert _engine.alarms(workers.shm) == 2
        assert os.eventfd_read(workers.master_fd) >= 1
        for _ in range(3):
            ask(workers.port)
        assert _engine.server_alarms(workers.shm, [0]) == [3]
        for _ in range(4):
            ask(workers.port)
        _engine.forget_errors(workers.shm, 0)
        for _ in range(4):
            ask(workers.port)
        assert _engine.server_alarms(workers.shm, [0]) == [3]


def test_a_connection_that_succeeds_ends_the_row() -> None:
    port_keeper = socket.socket()
    port_keeper.bind(("127.0.0.1", 0))
    plan = observed(make_plan([port_keeper.getsockname()[1]], retries=0), 3)
    with running(plan) as workers:
        for _ in range(2):
            assert ask(workers.port) == b""
        port_keeper.listen()
        with socket.create_connection(("127.0.0.1", workers.port)) as client:
            connection, _ = port_keeper.accept()
            port_keeper.shutdown(socket.SHUT_RDWR)  # it no longer listens; the worker has a copy
            connection.close()
            client.recv(1)
        for _ in range(2):
            assert ask(workers.port) == b""
        assert _engine.server_alarms(workers.shm, [0]) == [0]
        assert ask(workers.port) == b""
        assert _engine.server_alarms(workers.shm, [0]) == [1]
    port_keeper.close()


def test_servers_that_are_not_observed_leave_no_trace(serve) -> None:
    with running(make_plan([closed_port(), serve(say(b"ok"))], retries=0)) as workers:
        for _ in range(10):
            ask(workers.port)
        assert workers.server(0)["connect_errors_total"] == 5
        assert _engine.alarms(workers.shm) == 0
