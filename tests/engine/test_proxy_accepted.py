"""Clients that must begin with a PROXY header: whose session it is then, and what becomes of the others."""

from __future__ import annotations

import itertools
import random
import re
import socket

import pytest
from engine_stage import Stage, stage
from engine_workers import session_log
from system.harness import proxyheader
from system.harness.proxyheader import field

from fastlb import _engine
from fastlb._engine import parse_proxy_header, proxy_header

ENDS = (("192.0.2.1", 1111), ("198.51.100.2", 443))
V1, V2 = proxyheader.v1(ENDS), proxyheader.v2(ENDS)
TCPLOG = session_log("option tcplog")
REFUSED = [cause for cause, _, _ in _engine.CAUSES].index("proxy_header")


def refused(on: Stage) -> dict[str, int]:
    """How many headers were refused, by reason."""
    now = on.counters()
    assert now[f"frontend ended_{REFUSED}_total"] == sum(now[f"frontend headers_refused_{n}_total"] for n in range(7))
    counts = {reason: now[f"frontend headers_refused_{n}_total"] for n, reason in enumerate(_engine.HEADER_REFUSALS)}
    return {reason: count for reason, count in counts.items() if count}


@pytest.mark.parametrize("header", [V1, V2, proxyheader.v2(ENDS, b"\xe0\x3f\x00" + bytes(16128))], ids=len)
def test_the_session_is_that_of_the_declared_client(header: bytes) -> None:
    with stage(accept_proxy=True, proxy_version=1, session_log=TCPLOG) as on, on.connected() as client:
        client.sendall(header + b"request")
        with on.accepted() as server:
            assert on.received(server, len(V1) + 7) == V1 + b"request"
            server.sendall(b"answer")
            assert on.received(client, 6) == b"answer"
        assert on.end(client) == "fin"
        client.close()
        on.turn_until(lambda: not on.inside.engine.sessions())
        assert on.counters()["frontend received_bytes_total"] == on.counters()["server sent_bytes_total"] == 7
        assert on.log_lines()[0].startswith("192.0.2.1:1111 [")
        assert refused(on) == {}


def test_what_the_header_says_besides_addresses() -> None:
    """It is in the line of the log, also when the header came in pieces; the next one in that slot has none of it."""
    log = session_log('log-format "%ci [%[fc_pp_authority]] [%[fc_pp_tlv(0xE1)]] [%{+Q}[fc_pp_unique_id]]"')
    header = proxyheader.v2(ENDS, field(0xE1, b"one") + field(2, b"example.org") + field(0xE1, b"two"))
    with stage(accept_proxy=True, keeps_fields=True, session_log=log) as on:
        for sent, line in (
            (header, '192.0.2.1 [example.org] [one] [""]'),
            (V2, '192.0.2.1 [-] [-] [""]'),
            (V1, '192.0.2.1 [-] [-] [""]'),
        ):
            with on.connected() as client:
                for part in (sent[:30], sent[30:] + b"x"):
                    client.sendall(part)
                    on.inside.turn(1)
                on.accepted().close()
                on.end(client)
            on.turn_until(lambda: not on.inside.engine.sessions())
            assert on.log_lines() == [line]


def test_without_tcplog_the_line_at_the_accept_waits_for_the_header() -> None:
    with stage(accept_proxy=True, session_log=session_log()) as on:
        with on.connected() as client:
            on.turn_until(on.inside.engine.sessions)
            assert on.log_lines() == []
            client.sendall(V1)
            on.accepted().close()
            assert on.log_lines() == ["Connect from 192.0.2.1:1111 to 198.51.100.2:443 (fe/TCP)"]
        with on.connected() as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert on.end(client) == "rst"
            assert on.log_lines() == []


def test_a_server_without_a_port_is_reached_at_the_declared_one() -> None:
    with stage(accept_proxy=True, asked=True) as on, on.connected() as client:
        client.sendall(proxyheader.v2((ENDS[0], ("198.51.100.2", on.server_port))) + b"x")
        with on.accepted() as server:
            assert on.received(server, 1) == b"x"


@pytest.mark.parametrize("header", [proxyheader.LOCAL, b"PROXY UNKNOWN\r\n", proxy_header(2, True)])
def test_who_declares_nothing_keeps_its_address(header: bytes) -> None:
    with stage(accept_proxy=True, proxy_version=2) as on, on.connected() as client:
        client.sendall(header)
        expected = proxyheader.v2(proxyheader.ends_of(client))
        with on.accepted() as server:
            assert on.received(server, len(expected)) == expected


@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
def test_one_byte_a_segment(header: bytes) -> None:
    with stage(accept_proxy=True, proxy_version=1) as on, on.connected() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in header:
            assert on.counters()["backend sessions_total"] == 0
            client.sendall(bytes([byte]))
            on.inside.turn(1)
        with on.accepted() as server:
            assert on.received(server, len(V1)) == V1


@pytest.mark.parametrize(
    ("sent", "finish", "reason", "end", "words"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", False, "missing", "rst", "Received something which does not look like a PROXY"),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n", False, "invalid", "rst", "Received an invalid PROXY protocol header"),
        (
            b"PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n",
            False,
            "protocol",
            "rst",
            "Received an unhandled protocol in the PROXY",
        ),
        (V2[:20], True, "truncated", "rst", "Truncated PROXY protocol header received"),
        (b"", True, "closed", "fin", "Connection closed while waiting for PROXY protocol header"),
    ],
)
@pytest.mark.parametrize("dontlognull", [False, True])
def test_a_refused_connection(sent: bytes, finish: bool, reason: str, end: str, words: str, dontlognull: bool) -> None:
    """The ends and the lines are HAProxy's. Others go on."""
    log = session_log("option tcplog", "option dontlognull") if dontlognull else TCPLOG
    with stage(accept_proxy=True, session_log=log) as on, on.connected() as client, on.connected() as other:
        client.sendall(sent)
        if finish:
            client.shutdown(socket.SHUT_WR)
        assert on.end(client) == end
        lines = on.log_lines()
        assert on.counters()["backend sessions_total"] == 0
        assert refused(on) == {reason: 1}
        other.sendall(V1 + b"x")
        with on.accepted() as server:
            assert on.received(server, 1) == b"x"
    if dontlognull and reason == "closed":
        assert lines == []
    else:
        time = r"\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d\.\d{3}\]"
        assert re.fullmatch(rf"127\.0\.0\.1:\d+ {time} fe/1: {words}.*", lines[0])
        assert len(lines) == 1


def test_an_error_log_format_is_used_for_a_refused_connection() -> None:
    with stage(accept_proxy=True, session_log=session_log("option tcplog", "error-log-format %ci,%b,%s,%ts")) as on:
        with on.connected() as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert on.end(client) == "rst"
        assert on.log_lines() == ["127.0.0.1,fe,<NOSRV>,PC"]


def test_a_header_that_never_comes_ends_at_its_own_timeout() -> None:
    """However much trickles in, and whatever the client's timeout is."""
    with stage(accept_proxy=True, client_ms=60_000, client_hs_ms=150, session_log=TCPLOG) as on:
        with on.connected() as silent, on.connected() as slow:
            for byte in V2[:-1]:
                slow.sendall(bytes([byte]))
                on.inside.turn(1)
            assert on.end(silent) == "fin"
            assert on.end(slow) == "rst"
        assert refused(on) == {"timeout": 2}
        assert all(line.endswith("Timeout while waiting for PROXY protocol header") for line in on.log_lines())


def test_the_timeout_is_that_of_the_header_alone() -> None:
    with stage(accept_proxy=True, client_hs_ms=100) as on, on.connected() as client:
        client.sendall(V1)
        with on.accepted() as server:
            on.inside.turn(300)
            server.sendall(b"late")
            assert on.received(client, 4) == b"late"


def test_the_client_timeout_counts_from_the_header_on() -> None:
    with (
        stage(accept_proxy=True, client_ms=150, client_hs_ms=60_000, connect_ms=20_000) as on,
        on.connected() as client,
    ):
        on.inside.turn(300)
        client.sendall(V1 + b"x")
        with on.accepted() as server:
            assert on.received(server, 1) == b"x"
            assert on.end(client) == "fin"


def test_a_client_that_resets_before_its_header() -> None:
    with stage(accept_proxy=True) as on:
        client = on.connected()
        client.sendall(b"PROXY")
        on.turn_until(on.inside.engine.sessions)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        on.turn_until(lambda: not on.inside.engine.sessions())
        assert refused(on) == {"error": 1}


def test_any_mutation_in_any_pieces() -> None:
    """Whatever comes, in whatever pieces, ends in what the parser says of the whole, and nothing is left."""
    dice = random.Random(7)
    with stage(accept_proxy=True, proxy_version=2) as on:
        served = 0
        for _ in range(60):
            data = bytearray(dice.choice((V1, V2, proxy_header(2, True, *ENDS), proxyheader.LOCAL)))
            for _ in range(dice.choice((0, 0, 1, 2))):
                data[dice.randrange(len(data))] = dice.choice((0, 0x20, 0x31, 0x80, dice.randrange(256)))
            served += _one(on, bytes(data) + b"payload", dice)
        assert 20 < served < 60


def _one(on: Stage, data: bytes, dice: random.Random) -> bool:
    """One connection; whether it became a session."""
    verdict, size, source, destination = parse_proxy_header(data)
    with on.connected() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        cuts = sorted({0, len(data), *(dice.randrange(len(data)) for _ in range(3))})
        own = proxyheader.ends_of(client)
        for begin, end in itertools.pairwise(cuts):
            try:
                client.sendall(data[begin:end])
            except OSError:
                break
            on.inside.turn(1)
        if verdict == "more":
            client.shutdown(socket.SHUT_WR)
        if verdict != "done":
            on.turn_until(lambda: not on.inside.engine.sessions())
            return False
        expected = proxyheader.v2((source, destination) if source and destination else own) + data[size:]
        with on.accepted() as server:
            assert on.received(server, len(expected)) == expected
    on.turn_until(lambda: not on.inside.engine.sessions())
    return True
