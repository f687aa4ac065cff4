"""Which server a hashed client gets: HAProxy's answer, for every table, function and key."""

import contextlib
import itertools
import select

from .harness.client import ask, connect, read_exactly, read_to_end, who
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


SAMPLES = [
    "req.payload(0,8)",
    "req.payload(0,0),word(2,-),lower",
    "req.len",
    "req.payload(0,0),regsub(-.*,),djb2,mod(9)",
]


def said(port, data):
    """Who answers a client that says something first."""
    with connect(("127.0.0.1", port)) as client:
        client.sendall(data)
        return read_exactly(client, 2).decode()


def by_samples(kind_of_balancer, cases, ports, servers):
    """A listen section for each case, which waits for 24 bytes.

    When HAProxy 2.6 chooses a server, what the client has said counts as forwarded: it has to be kept in a variable.
    """
    lines = "\n".join(f"        server {s.name} {s} weight {w}" for s, w in zip(servers, (1, 2, 3, 4), strict=True))
    for number, ((key, kind), port) in enumerate(zip(cases, ports, strict=True)):
        keeps, sample = "", key.removeprefix("hash ")
        if kind_of_balancer == "haproxy" and sample != key:
            keeps, key = f"tcp-request content set-var(txn.key) {sample} if {{ req.len ge 24 }}", "hash var(txn.key)"
        yield f"""
    listen l{number}
        bind 127.0.0.1:{port}
        tcp-request inspect-delay 15s
        {keeps}
        tcp-request content accept if {{ req.len ge 24 }}
        balance {key}
        hash-type {kind}
{lines}"""


def test_who_is_hashed_by_what_it_says_meets_the_server_it_has_with_haproxy(fastlb, haproxy, peer, ports):
    servers = [peer("banner", f"s{n}") for n in range(4)]
    keys = [*(f"hash {sample}" for sample in SAMPLES), "rdp-cookie", "rdp-cookie(other)"]
    cases = [(key, kind) for key in keys for kind in ("map-based", "consistent crc32")]
    clients = [b"%08x-Name%d-%s" % (n * 2654435761 % 2**32, n % 11, b"x" * (24 + n)) for n in range(25)]
    cookies = [bytes(11) + b"Cookie: %s=user%d\r\n" % (name, n) for n in range(25) for name in (b"mstshash", b"Other")]
    answers = []
    for launcher in (haproxy, fastlb):
        taken = [ports.take() for _ in cases]
        launcher.start(BASE + "".join(by_samples(launcher.kind, cases, taken, servers)))
        answers.append([])
        for (key, _), port in zip(cases, taken, strict=True):
            mine = {"rdp-cookie": cookies[::2], "rdp-cookie(other)": cookies[1::2]}.get(key, clients)
            answers[-1].append([said(port, data) for data in mine])
    for case, theirs, ours in zip(cases, *answers, strict=True):
        assert ours == theirs, case
    assert sum(len(set(ours)) > 1 for ours in answers[1]) == len(cases)


def test_a_remote_desktop_comes_back_to_the_server_that_its_cookie_names(balancer, peer, port):
    servers = [peer("banner", f"s{n}") for n in range(3)]
    lines = "\n".join(f"        server {s.name} {s}" for s in servers)
    balancer.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        tcp-request inspect-delay 15s
        tcp-request content accept if RDP_COOKIE
        tcp-request content accept if {{ req.len gt 40 }}
        persist rdp-cookie
{lines}
        server down 127.0.0.1:9 disabled
    """)

    def cookie(number, to):
        return bytes(11) + b"Cookie: msts=%d.%d.0000\r\n" % (number, (to & 255) << 8 | to >> 8)

    here = 0x0100007F
    ports = [int(str(s).rpartition(":")[2]) for s in servers]
    for server, to in zip(servers, ports, strict=True):
        assert [said(port, cookie(here, to)) for _ in range(3)] == [server.name] * 3
    for nowhere in (cookie(here, 9), cookie(here + 1, ports[0]), b"no cookie, but more than forty bytes of text...."):
        assert len({said(port, nowhere) for _ in range(3)}) == 3


def test_a_hashed_client_leaves_a_full_server_where_it_may(fastlb, peer, ports):
    """To the next one on the ring; when all are full, it waits for its own."""
    servers = [peer("hold", f"s{n}") for n in range(3)]
    affinities = {affinity: ports.take() for affinity in ("always", "maxconn", "maxqueue")}
    lines = "\n".join(f"        server {s.name} {s} maxconn 1 maxqueue 1" for s in servers)
    fastlb.start(
        BASE
        + "".join(
            f"""
    listen {affinity}
        bind 127.0.0.1:{port}
        balance source
        hash-type consistent
        hash-preserve-affinity {affinity}
{lines}
    """
            for affinity, port in affinities.items()
        )
    )
    with contextlib.ExitStack() as held:

        def client(affinity):
            return held.enter_context(connect(("127.0.0.1", affinities[affinity])))

        def waits(sock):
            return sock if not select.select([sock], [], [], 0.3)[0] else None

        own = read_exactly(client("always"), 2)
        assert waits(client("always")) and read_to_end(client("always"))[0] == b""
        others = [read_exactly(client("maxconn"), 2) for _ in range(3)]
        assert others[0] == own and len(set(others)) == 3 and waits(client("maxconn"))
        assert read_exactly(client("maxqueue"), 2) == own and waits(client("maxqueue"))
        assert read_exactly(client("maxqueue"), 2) == others[1]
