"""Stick tables: the server that a client had, limits for each client, over workers, reloads and deaths of workers."""

import itertools
import os
import signal

import pytest

from .harness.client import connect, read_exactly, reset, who
from .harness.launch import BASE
from .harness.processes import alive
from .harness.waiting import eventually

CHECK = "check inter 200ms fall 3 rise 1"


def server_of(port, last):
    return who(("127.0.0.1", port), f"127.0.0.{last}")


def test_a_client_that_comes_back_gets_the_server_it_had(balancer, peer, ports):
    """Also at another backend that shares the table; 'use-server' wins; a server that is not to be learnt is not."""
    one, two, three = (peer("banner", name) for name in ("one", "two", "three"))
    web, mail, odd = ports.take(), ports.take(), ports.take()
    balancer.start(f"""{BASE}
    listen web
        bind 127.0.0.1:{web}
        balance roundrobin
        stick-table type ip size 1k expire 1m
        stick on src
        use-server two if {{ src 127.0.0.9 }}
        server one {one}
        server two {two}
        server three {three} weight 0
    listen mail
        bind 127.0.0.1:{mail}
        balance roundrobin
        stick match src table web
        server three {three}
        server two {two} weight 0
        server one {one} weight 0
    listen odd
        bind 127.0.0.1:{odd}
        balance roundrobin
        stick-table type string len 20 size 1k
        stick on src unless {{ src 127.0.0.5 }}
        server one {one} non-stick
        server two {two}
    """)
    first = {last: server_of(web, last) for last in (2, 3, 4, 5)}
    assert sorted(first.values()) == ["one", "one", "two", "two"]
    for _ in range(2):
        assert {last: server_of(web, last) for last in (5, 2, 4, 3)} == first
    assert {last: server_of(mail, last) for last in (2, 3, 4, 5)} == first, "by name, also with weight 0"
    assert server_of(mail, 77) == "three"
    stuck = next(last for last in first if first[last] == "one")
    assert [server_of(web, 9), server_of(web, 9)] == ["two", "two"]
    assert server_of(web, stuck) == "one"
    assert {server_of(odd, 5) for _ in range(4)} == {"one", "two"}
    met = [server_of(odd, 6) for _ in range(6)]
    assert met[met.index("two") :] == ["two"] * (6 - met.index("two")), "from the first time that it met two"


def test_when_its_server_is_down_a_client_gets_another_one_and_keeps_it(balancer, peer, port):
    one, two = peer("banner", "one"), peer("banner", "two")
    balancer.start(f"""{BASE}
    listen web
        bind 127.0.0.1:{port}
        stick-table type ipv6 size 1k
        stick on src
        server one {one} {CHECK}
        server two {two} {CHECK}
    """)
    client = next(last for last in range(2, 9) if server_of(port, last) == "one")
    one.stop()
    eventually(lambda: server_of(port, client) == "two", "another server")
    one.start()
    strangers = itertools.count(20)
    eventually(lambda: server_of(port, next(strangers)) == "one", "it is up again", every_s=0.1)
    assert {server_of(port, client) for _ in range(4)} == {"two"}


def test_limits_for_each_client(balancer, peer, ports):
    """What is counted before a rule is asked, what ends with a connection, and what belongs to another client."""
    server, holding = peer("banner", "s"), peer("hold", "s")
    current, rate, content = ports.take(), ports.take(), ports.take()
    balancer.start(f"""{BASE}
    listen current
        bind 127.0.0.1:{current}
        stick-table type ip size 1k expire 1m store conn_cur
        tcp-request connection reject if {{ src_conn_cur ge 2 }}
        tcp-request connection track-sc0 src
        server s {holding}
    listen rate
        bind 127.0.0.1:{rate}
        tcp-request connection track-sc0 src table rates
        tcp-request connection reject if {{ sc0_conn_rate gt 3 }} or {{ src_sess_cnt(rates) ge 3 }}
        server s {server}
    listen content
        bind 127.0.0.1:{content}
        stick-table type integer size 5 store conn_cnt,gpc0,gpt0
        tcp-request content track-sc1 dst_port
        tcp-request content sc-inc-gpc0(1) if {{ src 127.0.0.2 }}
        tcp-request content sc-set-gpt0(1) 5 if {{ sc1_get_gpc0 2 }}
        tcp-request content reject if {{ sc1_get_gpt0 5 }} {{ sc_conn_cnt(1) ge 3 }}
        server s {server}
    backend rates
        stick-table type ip size 100 store conn_rate(1h),sess_cnt
    """)

    def answer(port, last):
        try:
            with connect(("127.0.0.1", port), f"127.0.0.{last}") as client:
                return client.recv(10).strip().decode()
        except ConnectionResetError:
            return ""

    held = [connect(("127.0.0.1", current), "127.0.0.2") for _ in range(2)]
    for client in held:
        assert read_exactly(client, 1)
    assert [answer(current, 2), answer(current, 3)] == ["", "s"]
    reset(held.pop())
    eventually(lambda: answer(current, 2) == "s", "one has ended")
    held.pop().close()
    assert [answer(rate, 2) for _ in range(5)] == ["s", "s", "s", "", ""]
    assert answer(rate, 3) == "s"
    assert [answer(content, last) for last in (2, 3, 2, 4)] == ["s", "s", "", ""]


def limited(port, server, table, more=""):
    return f"""{BASE}
    listen lb
        bind 127.0.0.1:{port}
        stick-table {table}
        tcp-request connection track-sc0 src
        tcp-request connection reject if {{ sc0_conn_cur gt 8 }} or {{ sc0_conn_cnt gt 50 }}
        server s {server}
{more}
    """


def test_a_reload_keeps_what_is_known_and_a_death_gives_back_what_was_held(fastlb, peer, port):
    """Eight connections on two workers; half of them die with their worker, and as many new ones may come."""
    server = peer("echo", "s")
    table = "type ip size 100 expire 1h store conn_cur,conn_cnt"
    lb = fastlb.start(limited(port, server, table))
    here = ("127.0.0.1", port)

    def enter():
        try:
            client = connect(here)
            client.sendall(b"x")
            if client.recv(1) == b"x":
                return client
        except ConnectionError:
            pass
        return None

    clients = [enter() for _ in range(8)]
    assert all(clients)
    assert enter() is None
    lb.reload(limited(port, server, f"{table} nopurge"))
    assert enter() is None, "the table is the same"
    by_worker = {labels["worker"]: int(value) for labels, value in lb.samples().select("fastlb_worker_sessions")}
    victim = lb.workers()[0]
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: not alive(victim), "it is dead")
    lb.wait_workers(2, without=[victim])
    fresh = [enter() for _ in range(by_worker["0"])]
    assert all(fresh), "as many as have died"
    assert enter() is None
    samples = lb.samples()
    assert samples.sum("fastlb_stick_table_entries", proxy="lb") == 1
    assert samples.sum("fastlb_stick_table_size", proxy="lb") == 100
    lb.reload(limited(port, server, "type ip size 200 store conn_cur,conn_cnt"))
    assert "stick table 'lb' starts anew" in lb.output()
    last = enter()
    assert last, "its type, size or counters have changed"
    for client in [*clients, *fresh, last]:
        client.close()


def test_what_the_server_says(balancer, peer, ports):
    """It is stored, and counted; a 'stick' rule that finds no key leaves it to the next one."""
    one, two = peer("hold", "one"), peer("hold", "two")
    learn, count, fallback = ports.take(), ports.take(), ports.take()
    balancer.start(f"""{BASE}
    listen learn
        bind 127.0.0.1:{learn}
        stick-table type string len 3 size 10
        tcp-request inspect-delay 15s
        tcp-request content accept if {{ req.len ge 3 }}
        tcp-response inspect-delay 15s
        tcp-response content accept if {{ res.len ge 3 }}
        stick match req.payload(0,3)
        stick store-response res.payload(0,99)
        stick store-response res.payload(0,3) unless FALSE
        stick store-response res.payload(1,3)
        server one {one}
        server two {two}
    listen count
        bind 127.0.0.1:{count}
        stick-table type ip size 10 store gpc0
        tcp-request connection reject if {{ src_get_gpc0 ge 2 }}
        tcp-request content track-sc0 src
        tcp-response inspect-delay 15s
        tcp-response content sc-inc-gpc0(0) if {{ res.payload(0,3) -m str one }}
        tcp-response content accept if {{ res.len ge 3 }}
        server one {one}
    listen fallback
        bind 127.0.0.1:{fallback}
        stick-table type string len 20 size 10
        tcp-request inspect-delay 15s
        tcp-request content accept if {{ req.len ge 1 }}
        stick store-request req.payload(0,4)
        stick match src
        stick store-request src
        server one {one}
        server two {two}
    """)

    def said(port, data, last=2):
        with connect(("127.0.0.1", port), f"127.0.0.{last}") as client:
            client.sendall(data)
            return read_exactly(client, 3).decode()

    assert sorted(said(learn, b"???") for _ in range(2)) == ["one", "two"]
    for name in ("one", "two", "two", "one"):
        assert said(learn, name.encode()) == name
    assert sorted(said(learn, b"ne\n") for _ in range(2)) == ["one", "two"], "one rule of a table stores"
    for _ in range(2):
        assert said(count, b"") == "one"
    with pytest.raises(ConnectionResetError):
        said(count, b"")
    assert said(count, b"", 3) == "one"
    assert len({said(fallback, b"?", 5) for _ in range(4)}) == 1, "by its address"
    assert len({said(fallback, b"long") for _ in range(2)}) == 2, "not stored under its address"
