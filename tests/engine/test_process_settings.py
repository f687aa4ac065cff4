"""What ``global`` says about pipes, buffers and the ports of clients, as the engine does it."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from fcntl import F_GETPIPE_SZ, fcntl
from pathlib import Path

import pytest
from engine_stage import stage

from fastlb.plan.model import Process

BIG = bytes(range(256)) * 2048


def upload(one, client: socket.socket) -> None:
    """512 KiB from the client to its server, whatever way they go."""
    far, sent = one.accepted(), 0

    def move() -> bool:
        nonlocal sent
        with contextlib.suppress(BlockingIOError):
            sent += client.send(BIG[sent : sent + 300_000])
        with contextlib.suppress(BlockingIOError):
            got.extend(far.recv(1 << 20))
        return len(got) == len(BIG)

    got = bytearray()
    one.turn_until(move)
    assert got == BIG
    client.close()
    far.close()


def pipes_of_this_process() -> list[int]:
    """The size of each."""
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.setdefault(str(entry.readlink()), int(entry.name))
    return [fcntl(fd, F_GETPIPE_SZ) for name, fd in found.items() if name.startswith("pipe:")]


@pytest.mark.parametrize(("limit", "splices"), [(0, False), (5, True)])
def test_without_pipes_bytes_are_copied(limit: int, splices: bool) -> None:
    with stage() as one:
        one.inside.engine.set_pipes(limit, 0)
        upload(one, one.connected())
        assert (one.counters()["worker bytes_spliced_total"] > 0) == splices
        assert one.counters()["worker pipes"] == min(limit, 1)


def test_the_size_of_pipes() -> None:
    with stage() as one:
        before = pipes_of_this_process()
        one.inside.engine.set_pipes(5, 16384)
        upload(one, one.connected())
        assert one.counters()["worker bytes_spliced_total"] > 0
        assert sorted(pipes_of_this_process()) == sorted([*before, 16384])


def towards_the_server(one) -> Iterator[socket.socket]:
    """Copies of the engine's sockets that are connected to the server."""
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            sock = socket.socket(fileno=os.dup(int(entry.name)))
            if sock.getpeername()[1] == one.server_port:
                yield sock


def test_sizes_of_the_buffers_towards_servers() -> None:
    with stage(process=Process(server_rcvbuf=10_000, server_sndbuf=12_000)) as one:
        client = one.connected()
        far = one.accepted()
        (sock,) = towards_the_server(one)
        with sock:
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 20_000
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 24_000
        client.close()
        far.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may have a port below 1024")
def test_clients_from_privileged_ports_are_rejected() -> None:
    with stage(process=Process(reject_privileged_ports=True)) as one:
        for port, expected in ((1023, "rst"), (0, "fin")):
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            client.bind(("127.0.0.1", port))
            client.connect(("127.0.0.1", one.inside.port))
            client.setblocking(False)
            if expected == "fin":
                one.accepted().close()
            assert one.end(client) == expected
            client.close()
        assert one.counters()["frontend denied_connections_total"] == 1
        assert one.counters()["frontend sessions_total"] == 1


@pytest.mark.parametrize(("said", "quick"), [(b"hello", 0), (b"", 1)])
def test_smart_connect_delays_an_ack_only_where_bytes_can_go_with_it(said: bytes, quick: int) -> None:
    """A server that speaks first would wait 200 ms for it."""
    with stage(tcp_smart_connect=True) as one:
        client = one.connected()
        client.sendall(said)
        far = one.accepted()
        (sock,) = towards_the_server(one)
        with sock:
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK) == quick
        assert one.received(far, len(said)) == said
        client.close()
        far.close()
