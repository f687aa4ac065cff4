"""balance source and balance hash: which server a key means, what stays when servers come and go, and bounded load."""

from __future__ import annotations

import bisect
import ipaddress
import math
import socket
import threading
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from engine_peers import echo, say
from engine_workers import Workers, make_plan, running, wait_until

from fastlb.balance import Shape
from fastlb.plan.hashing import HashFetch, HashFunction, Hashing, HashType
from fastlb.plan.model import Balance

RING = Hashing(HashType.CONSISTENT, function=HashFunction.SDBM, avalanche=True)
MAP = Hashing(HashType.MAP, function=HashFunction.SDBM)
CLIENTS = [f"127.{n * 37 % 256}.{n * 101 % 256}.{n + 1}" for n in range(30)]
ONES = 0xFFFFFFFF


def ask(port: int, source: str = "127.0.0.1") -> int:
    """The number of the server that answers."""
    with socket.create_connection(("127.0.0.1", port), timeout=20, source_address=(source, 0)) as client:
        return int(client.recv(100))


def hold(port: int, source: str) -> socket.socket:
    """A connection that stays, answered once."""
    client = socket.create_connection(("127.0.0.1", port), timeout=20, source_address=(source, 0))
    client.sendall(b"?")
    assert client.recv(1) == b"?"
    return client


def loads(workers: Workers) -> list[int]:
    return [workers.server(i)["sessions"] for i in range(len(workers.plan.servers))]


def everybody(workers: Workers) -> list[int]:
    return [ask(workers.port, client) for client in CLIENTS]


# ---- the same in other words: what the engine is held to ---------------------------------------------------------


def avalanche(a: int) -> int:
    for step in (
        lambda a: a + 0x7ED55D16 + (a << 12),
        lambda a: a ^ 0xC761C23C ^ (a >> 19),
        lambda a: a + 0x165667B1 + (a << 5),
        lambda a: a + 0xD3A2646C ^ (a << 9),
        lambda a: a + 0xFD7046C5 + (a << 3),
        lambda a: a ^ 0xB55A4F09 ^ (a >> 16),
        lambda a: a * 0xC0000001,
    ):
        a = step(a) & ONES
    return a


def multiplied(factor: int, start: int) -> Callable[[bytes], int]:
    def function(key: bytes) -> int:
        value = start
        for byte in key:
            value = value * factor + byte & ONES
        return value

    return function


FUNCTIONS: dict[HashFunction, Callable[[bytes], int]] = {
    HashFunction.SDBM: multiplied(65599, 0),
    HashFunction.DJB2: multiplied(33, 5381),
    HashFunction.CRC32: zlib.crc32,
    HashFunction.WORDS: lambda key: int.from_bytes(key, "big"),
}


def on_ring(weights: dict[int, int], value: int) -> int:
    """The server whose node is nearest: 16 nodes for each unit of weight."""
    ring = sorted((avalanche((one + 1) * 4096 + n), one) for one in weights for n in range(16 * weights[one]))
    at = bisect.bisect_left(ring, (value, -1))
    before, after = ring[at - 1], ring[at % len(ring)]
    return before[1] if (value - before[0]) & ONES <= (after[0] - value) & ONES else after[1]


@pytest.mark.parametrize("with_avalanche", [False, True])
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("kind", [HashType.MAP, HashType.CONSISTENT])
def test_a_key_means_its_server(serve, kind: HashType, function: HashFunction, with_avalanche: bool) -> None:
    hashing = Hashing(kind, function=function, avalanche=with_avalanche)
    ports = [serve(say(b"%d" % i)) for i in range(4)]
    with running(make_plan(ports, balance=Balance.HASH, hashing=hashing), count=2) as workers:
        for client in CLIENTS[:10]:
            value = FUNCTIONS[function](socket.inet_aton(client))
            value = avalanche(value) if with_avalanche else value
            expected = value % 4 if kind is HashType.MAP else on_ring(dict.fromkeys(range(4), 1), value)
            assert ask(workers.port, client) == expected


@pytest.mark.parametrize("fetch", HashFetch)
def test_what_is_hashed(serve, fetch: HashFetch) -> None:
    """Ports are numbers of 8 bytes, and a mask takes what it hides out of the key."""
    hashing = replace(MAP, fetch=fetch, mask4=b"\xff\xff\x0f\x00" if fetch in (HashFetch.SRC, HashFetch.DST) else None)
    ports = [serve(say(b"%d" % i)) for i in range(7)]
    with running(make_plan(ports, balance=Balance.HASH, hashing=hashing)) as workers:
        for source in CLIENTS[:8]:
            with socket.create_connection(
                ("127.0.0.1", workers.port), timeout=20, source_address=(source, 0)
            ) as client:
                number = {HashFetch.SRC_PORT: client.getsockname()[1], HashFetch.DST_PORT: workers.port}.get(fetch, 0)
                host = source if fetch is HashFetch.SRC else "127.0.0.1"
                masked = int(ipaddress.IPv4Address(host)) & 0xFFFF0F00
                key = masked.to_bytes(4, "big") if hashing.mask4 else number.to_bytes(8, "big")
                assert int(client.recv(10)) == FUNCTIONS[HashFunction.SDBM](key) % 7


def test_a_ring_moves_only_the_clients_of_the_server_that_left(serve) -> None:
    ports = [serve(say(b"%d" % i)) for i in range(5)]
    with running(make_plan(ports, weights=[4, 4, 8, 4, 4], balance=Balance.HASH, hashing=RING)) as workers:
        before = everybody(workers)
        assert set(before) == set(range(5))
        workers.publish([0, 1, 3, 4])
        without = everybody(workers)
        moved = {client for client, a, b in zip(CLIENTS, before, without, strict=True) if a != b}
        assert moved == {client for client, server in zip(CLIENTS, before, strict=True) if server == 2}
        workers.publish(range(5))
        assert everybody(workers) == before


def test_bounded_load_holds_over_all_workers(serve) -> None:
    """One client address, so all want the same server: each gets its share of 125 % and no more, whoever asks when."""
    plan = make_plan(
        [serve(echo) for _ in range(4)], weights=[1, 1, 1, 2], balance=Balance.SOURCE, hashing=replace(RING, factor=125)
    )
    with running(plan, count=2) as workers:
        clients: list[socket.socket] = []
        crowd = [
            threading.Thread(target=lambda: clients.extend(hold(workers.port, "127.0.0.1") for _ in range(5)))
            for _ in range(10)
        ]
        for thread in crowd:
            thread.start()
        for thread in crowd:
            thread.join()
        places = 50 * 125 / 100
        assert sum(loads(workers)) == 50
        assert all(
            load <= math.ceil(places * weight / 5) for load, weight in zip(loads(workers), [1, 1, 1, 2], strict=True)
        )
        assert workers.backend()["queued_total"] == 0
        for client in clients:
            client.close()


def test_without_a_bound_one_client_stays_on_one_server(serve) -> None:
    plan = make_plan([serve(echo) for _ in range(4)], balance=Balance.SOURCE, hashing=RING)
    with running(plan, count=2) as workers:
        clients = [hold(workers.port, "127.0.0.1") for _ in range(8)]
        assert sorted(loads(workers)) == [0, 0, 0, 8]
        for client in clients:
            client.close()


@pytest.mark.parametrize("hashing", [MAP, RING], ids=["map", "ring"])
def test_a_full_server_has_its_clients_wait_for_it(serve, hashing: Hashing) -> None:
    plan = make_plan([serve(echo) for _ in range(3)], balance=Balance.HASH, hashing=hashing, maxconn=1)
    with running(plan, count=2) as workers:
        first = hold(workers.port, "127.0.0.1")
        second = socket.create_connection(("127.0.0.1", workers.port), timeout=20)
        wait_until(lambda: workers.backend()["queued"] == 1)
        at = loads(workers).index(1)
        assert workers.server(at)["queued"] == 1
        first.close()
        second.sendall(b"!")
        assert second.recv(1) == b"!"
        assert loads(workers)[at] == 1
        second.close()


def test_nobody_overtakes_those_who_wait_for_the_server(serve) -> None:
    """The limit is raised while one waits, and no worker is told: who comes next waits behind it, room or not."""
    with running(make_plan([serve(echo)], balance=Balance.HASH, hashing=MAP, maxconn=1)) as workers:

        def both_wait() -> bool:
            """Unless the worker looked at its queue, as it does every 50 ms, before the second came."""
            before = workers.backend()["queued_total"]
            workers.shm.set_server_limit(0, 1)
            clients = [hold(workers.port, "127.0.0.1")]
            clients.append(socket.create_connection(("127.0.0.1", workers.port), timeout=20))
            wait_until(lambda: workers.backend()["queued"] == 1)
            workers.shm.set_server_limit(0, 3)
            clients.append(hold(workers.port, "127.0.0.1"))
            for client in clients:
                client.close()
            wait_until(lambda: workers.sessions() == 0)
            return workers.backend()["queued_total"] - before == 2

        assert any(both_wait() for _ in range(20))


@pytest.mark.parametrize("hashing", [MAP, RING], ids=["map", "ring"])
def test_a_server_that_fails_is_left_at_the_last_retry(serve, hashing: Hashing) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        ports = [closed.getsockname()[1], serve(say(b"1")), serve(say(b"2"))]
        plan = make_plan(ports, balance=Balance.HASH, hashing=hashing, redispatch=-1, retries=2, connect_ms=100)
        with running(plan) as workers:
            answers = [ask(workers.port, client) for client in CLIENTS[:9]]
            assert set(answers) == {1, 2}
            moved = workers.backend()["redispatches_total"]
            assert moved > 0
            assert workers.backend()["retries_total"] == moved
            assert workers.server(0)["picked_total"] == moved


@pytest.mark.parametrize(("hashing", "shape"), [(RING, Shape.INTERLEAVED), (MAP, Shape.RING), (RING, Shape.SPREAD)])
def test_a_schedule_of_another_shape_serves_too(serve, hashing: Hashing, shape: Shape) -> None:
    """A reload changes the shape under sessions of the plan before: they still find a server of theirs."""
    ports = [serve(say(b"%d" % i)) for i in range(3)]
    with running(make_plan(ports, balance=Balance.HASH, hashing=hashing)) as workers:
        workers.shm.publish_schedule(0, [(0, 1), (1, 2), (2, 1)], shape, [4096, 8192, 12288])
        assert set(everybody(workers)) == {0, 1, 2}


def test_a_ring_that_would_be_too_large_has_fewer_nodes_for_everybody(serve) -> None:
    with running(make_plan([serve(say(b"0"))])) as workers:
        count = 600
        entries = [(slot, 256 if slot % 2 else 128) for slot in range(count)]
        workers.shm.publish_schedule(1, entries, Shape.RING, [(slot + 1) * 4096 for slot in range(count)])
        nodes = Counter(workers.shm.schedule(1))
        assert len(nodes) == count
        assert nodes.total() <= 1 << 20
        assert nodes[1] == pytest.approx(2 * nodes[0], abs=2)
