"""maxconn at the process, at a frontend and at a server, and the queue that the last one makes (X8)."""

import time

from .harness.client import connect, elapsed_s, read_exactly, read_to_end, silent
from .harness.launch import BASE
from .harness.load import in_threads
from .harness.waiting import PATIENCE, eventually


def served(client, for_s=0.3):
    """Whether the holding server has greeted this client."""
    return not silent(client, for_s)


def test_frontend_maxconn_leaves_clients_in_the_backlog(balancer, peer, port):
    server = peer("hold", "s")
    balancer.start(f"""{BASE}
    frontend fe
        bind 127.0.0.1:{port}
        maxconn 2
        default_backend be
    backend be
        server s {server}
    """)
    clients = [connect(("127.0.0.1", port)) for _ in range(4)]
    waiting = [client for client in clients if not served(client)]
    assert len(waiting) == 2
    for client in clients:
        if client not in waiting:
            client.close()
    assert [read_exactly(client, 2) for client in waiting] == [b"s\n"] * 2
    for client in waiting:
        client.close()


def test_maxconn_of_a_bind_is_each_addresss_own(balancer, peer, ports):
    server, first, second, free = peer("hold", "s"), ports.take(), ports.take(), ports.take()
    balancer.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{first},127.0.0.1:{second} maxconn 1
        bind 127.0.0.1:{free}
        server s {server}
    """)
    clients = {port: [connect(("127.0.0.1", port)) for _ in range(2)] for port in (first, second, free)}
    assert [served(client, 10) for client in clients[free]] == [True] * 2
    for pair in (clients[first], clients[second]):
        taken, waiting = sorted(pair, key=served, reverse=True)
        assert served(taken, 10)
        assert not served(waiting)
        taken.close()
        assert read_exactly(waiting, 2) == b"s\n"
        waiting.close()
    for client in clients[free]:
        client.close()


def test_global_maxconn_leaves_clients_in_the_backlog(balancer, peer, port):
    server = peer("hold", "s")
    balancer.start(f"""
    global
        maxconn 3
        nbthread 2
    defaults
        mode tcp
        timeout connect 5s
        timeout client 20s
        timeout server 20s
    listen lb
        bind 127.0.0.1:{port}
        server s {server}
    """)
    clients = [connect(("127.0.0.1", port)) for _ in range(5)]
    waiting = [client for client in clients if not served(client)]
    assert len(waiting) == 2
    for client in clients:
        if client not in waiting:
            client.close()
    assert [read_exactly(client, 2) for client in waiting] == [b"s\n"] * 2
    for client in waiting:
        client.close()


def test_server_maxconn_queues_and_the_oldest_goes_first(balancer, puppet, port):
    """One place; the clients that wait are served in the order in which they came."""
    server = puppet()
    balancer.start(f"""
    global
        nbthread 1
    defaults
        mode tcp
        timeout connect 20s
        timeout client 20s
        timeout server 20s
    listen lb
        bind 127.0.0.1:{port}
        server s {server} maxconn 1
    """)
    clients = []
    for number in range(6):
        client = connect(("127.0.0.1", port))
        client.sendall(b"%d" % number)
        clients.append(client)
        time.sleep(0.05)
    for number in range(6):
        far = server.accept()
        assert far.recv(1) == b"%d" % number
        assert server.nobody_comes(0.1), "more connections than maxconn"
        far.close()
        clients[number].close()


def test_never_more_than_maxconn_at_the_servers(fastlb, peer, port, scale):
    """X8: many clients, few places over two workers; the truth is counted at the servers."""
    servers = [peer("hold", f"s{n}") for n in range(2)]
    lb = fastlb.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        timeout queue 30s
        server s0 {servers[0]} maxconn 5
        server s1 {servers[1]} maxconn 5
    """)
    most = 0

    def visit():
        nonlocal most
        with connect(("127.0.0.1", port)) as client:
            assert read_exactly(client, 3) in (b"s0\n", b"s1\n")
            sessions = [value for _, value in lb.samples().select("fastlb_server_sessions")]
            most = max(most, *sessions)

    in_threads([visit] * scale("clients", 300, least=150), width=40)
    assert most == 5


def test_the_queue_is_first_come_first_served_over_all_workers(fastlb, puppet, port, scale):
    """X8: many clients wait at two workers for few places; the order of service is the order of arrival, give or take
    the sessions that two workers serve in the same moment."""
    server, places = puppet(), 4
    lb = fastlb.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        timeout queue 60s
        server s {server} maxconn {places}
    """)
    count = scale("clients", 300, least=40)
    clients = []
    for number in range(count):
        client = connect(("127.0.0.1", port))
        client.sendall(b"%3d" % number)
        clients.append(client)
        waiting = max(0, number + 1 - places)
        eventually(lambda n=waiting: lb.samples().sum("fastlb_backend_queued_sessions") == n, "it waits", every_s=0.002)
    served = []
    here = [server.accept() for _ in range(places)]
    while here:
        far = here.pop(0)
        served.append(int(far.recv(3)))
        far.close()
        clients[served[-1]].close()
        if len(served) + len(here) < count:
            here.append(server.accept())
    assert sorted(served) == list(range(count))
    assert max(abs(place - number) for place, number in enumerate(served)) <= places + 1


def test_queue_timeout_ends_the_wait(balancer, puppet, port):
    server = puppet()
    balancer.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        timeout queue 400ms
        server s {server} maxconn 1
    """)
    first = connect(("127.0.0.1", port))
    far = server.accept()
    started = time.monotonic()
    second = connect(("127.0.0.1", port))
    assert read_to_end(second)[0] == b""
    assert 0.35 <= elapsed_s(started) <= 0.5 + 0.5 * PATIENCE
    far.sendall(b"unharmed")
    assert read_exactly(first, 8) == b"unharmed"
    first.close()
    second.close()
    far.close()


def test_full_server_is_passed_over_for_a_free_one(balancer, puppet, peer, port):
    full, free = puppet(), peer("banner", "free")
    balancer.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        server full {full} maxconn 1
        server free {free}
    """)
    holder = connect(("127.0.0.1", port))
    if not silent(holder, 0.2):  # the first turn was the free server's
        holder.close()
        holder = connect(("127.0.0.1", port))
    far = full.accept()
    for _ in range(6):
        with connect(("127.0.0.1", port)) as client:
            assert read_to_end(client)[0] == b"free\n"
    holder.close()
    far.close()


def test_queue_is_served_when_another_server_comes_free(balancer, puppet, port):
    one, two = puppet(), puppet()
    balancer.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        timeout queue 20s
        server one {one} maxconn 1
        server two {two} maxconn 1
    """)
    clients = []
    for number in range(3):
        clients.append(connect(("127.0.0.1", port)))
        clients[-1].sendall(b"%d" % number)
    far_one, far_two = one.accept(), two.accept()
    in_one, in_two = int(far_one.recv(1)), int(far_two.recv(1))
    far_two.close()
    clients[in_two].close()
    next_in_two = two.accept()
    waiting = 3 - in_one - in_two
    assert next_in_two.recv(1) == b"%d" % waiting, "the waiting client takes the place that came free"
    assert one.nobody_comes(0.2)
    far_one.close()
    next_in_two.close()
    for client in clients:
        client.close()


def test_a_full_queue_of_the_one_server_turns_clients_away(balancer, puppet, port, log):
    """By ``balance source`` a client has one server; with ``maxqueue`` reached it does not wait there."""
    server = puppet()
    balancer.start(f"""
    global
        log {log} local0
    {BASE}
        log global
        option tcplog
    listen lb
        bind 127.0.0.1:{port}
        balance source
        timeout queue 20s
        server s {server} maxconn 1 maxqueue 1
    """)
    first = connect(("127.0.0.1", port))
    far = server.accept()
    second = connect(("127.0.0.1", port))
    assert silent(second, 0.2)
    with connect(("127.0.0.1", port)) as third:
        assert read_to_end(third)[0] == b""
    log.wait_line(r" lb lb/s -1/-1/\d+ 0 SQ ")
    first.close()
    far.close()
    server.accept().sendall(b"your turn")
    assert read_exactly(second, 9) == b"your turn"
    second.close()


def test_a_servers_limit_follows_the_load_of_the_backend(fastlb, puppet, port):
    """minconn 2, maxconn 8, fullconn 16: four clients make the limit 2, ten make it 5 (where HAProxy 2.6 serves 6)."""
    server = puppet()
    fastlb.start(f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        timeout queue 20s
        fullconn 16
        server s {server} minconn 2 maxconn 8
    """)
    clients = [connect(("127.0.0.1", port)) for _ in range(4)]
    held = [server.accept(), server.accept()]
    assert server.nobody_comes(0.2)
    clients += [connect(("127.0.0.1", port)) for _ in range(6)]
    held += [server.accept() for _ in range(3)]
    assert server.nobody_comes(0.2)
    for sock in (*clients, *held):
        sock.close()
