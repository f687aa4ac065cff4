"""Which server a hashed client gets: HAProxy's answer, for every table, function and key."""

import itertools

from .harness.client import ask, connect, read_exactly, who
from .harness.launch import BASE

WEIGHTS = [(1, 1, 1, 1), (1, 2, 3, 4), (10, 20, 10, 50)]
KEYS = ["source", "hash src", "hash dst", "hash dst,ipmask(9)", "hash src,ipmask(255.0.255.0,64)"]
FUNCTIONS = ["sdbm", "djb2", "wt6", "crc32", "sdbm avalanche", "djb2 avalanche", "wt6 avalanche", "crc32 avalanche"]
TYPES = ["map-based", "consistent", *(f"{t} {f}" for t in ("map-based", "consistent") for f in FUNCTIONS)]
CLIENTS = [f"127.{n % 5}.{n * 37 % 256}.{n + 1}" for n in range(12)]


def sections(cases, ports, servers):
    """A listen section for each case; one server of each has an id of its own, and in some, one is in maintenance."""
    for number, ((weights, key, kind), port) in enumerate(zip(cases, ports, strict=True)):
        options = ["", " id 50", " disabled" if number % 2 else "", ""]
        lines = [
            f"        server {s.name} {s} weight {w}{o}" for s, w, o in zip(servers, weights, options, strict=True)
        ]
        yield f"""
    listen l{number}
        bind [::]:{port} v4v6
        balance {key}
        hash-type {kind}
{chr(10).join(lines)}"""


def test_every_client_meets_the_server_it_has_with_haproxy(fastlb, haproxy, peer, ports):
    """Every type with every weight, and with the keys in turn: each type meets three."""
    servers = [peer("banner", f"s{n}") for n in range(4)]
    keys = itertools.cycle(KEYS)
    cases = [(weights, next(keys), kind) for weights in WEIGHTS for kind in TYPES]
    answers = []
    for launcher in (haproxy, fastlb):
        taken = [ports.take() for _ in cases]
        launcher.start(BASE + "".join(sections(cases, taken, servers)))
        answers.append(
            [
                [who((to, port), source=client) for client, to in zip(CLIENTS, reversed(CLIENTS), strict=True)]
                for port in taken
            ]
        )
    for case, theirs, ours in zip(cases, *answers, strict=True):
        assert ours == theirs, case


def test_bounded_load_turns_clients_away_as_haproxy_does(fastlb, haproxy, peer, ports):
    servers = [peer("hold", f"s{n}") for n in range(4)]
    seen = []
    for launcher in (haproxy, fastlb):
        port = ports.take()
        lines = "\n".join(f"        server {s.name} {s} weight {w}" for s, w in zip(servers, (1, 2, 3, 4), strict=True))
        launcher.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        balance source
        hash-type consistent
        hash-balance-factor 125
{lines}
    """)
        held = []
        for n in range(30):
            held.append(connect(("127.0.0.1", port), source=f"127.0.0.{1 + n % 3}"))
            seen.append(read_exactly(held[-1], 3))
        for sock in held:
            sock.close()
    assert seen[:30] == seen[30:]
    assert len(set(seen)) > 1


def test_who_has_no_address_takes_turns(balancer, peer, directory):
    one, two = peer("banner", "s1"), peer("banner", "s2")
    path = str(directory / "hash.sock")
    balancer.start(f"""{BASE}
    listen lb
        bind {path} mode 666
        balance hash src
        server s1 {one}
        server s2 {two}
    """)
    seen = [ask(path).decode().strip() for _ in range(6)]
    assert set(seen) == {"s1", "s2"}


def test_two_balancers_of_a_fleet_agree_and_few_clients_move(fastlb, peer, ports):
    """By name: neither the order of the lines nor the ids matter. A reload without one server moves its clients alone,
    but for a few: of the others, less than a quarter (2 % is usual, and these are 60)."""
    servers = {name: peer("banner", name) for name in ("a", "b", "c", "d")}
    clients = [f"127.{n % 7}.{n * 53 % 256}.{n + 1}" for n in range(60)]

    def config(port, names):
        lines = "\n".join(f"        server {name} {servers[name]}" for name in names)
        return f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        balance source
        hash-type maglev
{lines}
    """

    def answers(port):
        return [who(("127.0.0.1", port), source=client) for client in clients]

    one, two = ports.take(), ports.take()
    first = fastlb.start(config(one, "abcd"))
    fastlb.start(config(two, "dbac"))
    before = answers(one)
    assert before == answers(two)
    assert set(before) == set("abcd")
    first.reload(config(one, "abd"))
    moved = [a for a, b in zip(before, answers(one), strict=True) if a != b]
    assert moved.count("c") == before.count("c")
    assert len(moved) - moved.count("c") < (len(clients) - before.count("c")) / 4
