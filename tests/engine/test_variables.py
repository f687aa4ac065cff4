"""Variables of sessions: what rules remember for those that come later."""

from __future__ import annotations

import pytest

A = "tcp-request content set-var(txn.a)"
IS_SET = "\nuse_backend b3 if { var(txn.a) -m found }"


def test_what_a_sample_gives_is_there_later(judge) -> None:
    asked = judge("""
        tcp-request connection set-var(sess.from) src
        tcp-request session set-var(sess.port) src_port
        tcp-request content set-var(req.first) req.payload(0,2)
        tcp-request content reject if { var(sess.from) -m ip 10.0.0.0/8 } { var(req.first) -m str no }
        use_backend b%[var(sess.port)] if { var(sess.from),ipmask(8) 11.0.0.0 }
        use_backend %[var(req.first),lower,map_beg(/dev/null,b3)] if { var(req.first) -m len 2 }
    """)
    assert (asked.content(b"no"), asked.backend(b"no", "11.1.1.1"), asked.backend(b"xx", "12.0.0.1")) == (
        "accept",
        1,
        3,
    )
    assert asked.backend(b"x", "12.0.0.1") == -1
    rules = "tcp-request connection set-var(sess.a) src\ntcp-request content reject if { var(sess.a) -m ip 127.0.0.1 }"
    assert judge(rules).content(b"") == "reject"


@pytest.mark.parametrize(
    ("value", "test"),
    [
        ("req.len", "-m int 3"), ("req.len", "-m str 3"), ("req.len", "-m bool"), ("req.len", "-m len 1"),
        ("req.len", "-m ip 0.0.0.3"), ("src", "-m ip 127.0.0.0/8"), ("src", "-m beg 127."),
        ("src", "-m int 2130706433"),
        ("req.payload(0,3)", "-m int 123"), ("req.payload(0,3)", "-m bin 313233"), ("req.payload(0,3)", "-m end 3"),
        ("req.payload(0,3)", "-m found"), ("always_true", "-m bool"), ("always_true", "-m int 1"),
    ],
)  # fmt: skip
def test_of_any_kind_it_is_compared_as_any(judge, value: str, test: str) -> None:
    rules = f"{A} {value}\ntcp-request content reject if {{ var(txn.a) {test} }}"
    assert judge(rules).content(b"123") == "reject"


@pytest.mark.parametrize(("data", "test"), [(b"12x", "-m int 0"), (b"", "-m int 0"), (b"10.0.0", "-m ip 10.0.0.0/8")])
def test_what_is_no_number_or_address_matches_nothing(judge, data: bytes, test: str) -> None:
    rules = f"{A} req.payload(0,0)\ntcp-request content reject if {{ var(txn.a) {test} }}"
    assert judge(rules).content(data) == "accept"


def test_what_is_not_there_sets_nothing_and_is_not_waited_for(judge) -> None:
    asked = judge(f"{A} req.payload(0,9)\nuse_backend b1 if {{ var(txn.a) -m found }}\nuse_backend %[var(txn.a,b2)]")
    assert (asked.content(b"abc", final=False), asked.backend(b"abc"), asked.backend(b"123456789")) == ("accept", 2, 1)
    kept = judge(f"{A} req.len\n{A} req.payload(0,9)\nuse_backend b%[var(txn.a)]")
    assert kept.backend(b"ab") == 2


@pytest.mark.parametrize(
    ("lines", "backend"),
    [
        ("set-var(txn.a,ifexists) req.len", 0), ("set-var(txn.a,ifset) req.len", 0),
        ("set-var(txn.a,ifnotexists) req.len", 2), ("set-var(txn.a,ifnotset) req.len", 2),
        ("set-var(txn.a,ifempty) req.len", 0), ("set-var(txn.a,ifnotempty) req.len", 2),
        ("set-var(txn.a,ifempty) req.payload(0,0),word(2,.)", 3),
        ("set-var(txn.a,ifgt) req.len", 2), ("set-var(txn.a) src_port;set-var(txn.a,ifgt) req.len", 1),
        ("set-var(txn.a) src_port;set-var(txn.a,iflt) req.len", 2),
        ("set-var(txn.a) src_port;set-var(txn.a,ifexists,iflt) req.len", 2),
        ("set-var(txn.a) src_port;set-var(txn.a,ifnotexists) req.len", 1),
        ("set-var(txn.a) src_port;unset-var(txn.a)", 0), ("set-var(txn.b) src_port;unset-var(txn.a)", 0),
        ("set-var-fmt(txn.a) %[req.len]", 2), ("set-var-fmt(txn.a) 0%[req.payload(9,9)]%%", 3),
        ("set-var(sess.a) src_port;set-var(req.a) src_port;set-var(res.a) src_port", 0),
        ("set-var(sess.a) req.len;set-var(txn.a) var(sess.a)", 2),
        ("set-var(txn.a) req.payload(0,0);set-var(txn.a) var(txn.a),field(1,b),map_str(/dev/null,2)", 2),
        ("set-var(txn.a) req.len if { src 10.0.0.1 }", 0), ("set-var(txn.a) req.len unless FALSE", 2),
    ],
)  # fmt: skip
def test_conditions_scopes_and_what_is_forgotten(judge, lines: str, backend: int) -> None:
    """0 where it is not set, 3 where it names no backend."""
    rules = "\n".join(f"tcp-request content {line}" for line in lines.split(";"))
    rules += "\nuse_backend b0 unless { var(txn.a) -m found }\nuse_backend b%[var(txn.a)] if { var(txn.a) -m int 1:2 }"
    asked = judge(f"{rules}\nuse_backend b3")
    assert asked.backend(b"ab") == backend


def test_their_memory_has_a_limit(judge) -> None:
    """4 KiB a session. What does not fit any more is not set, and what is replaced gives its room back."""
    rules = [f"tcp-request content set-var(txn.v{n}) req.payload(0,0)" for n in range(4)]
    rules += [f"use_backend b{n} if {{ var(txn.v{n}) -m found }}" for n in (3, 2, 1, 0)]
    asked = judge("\n".join(rules))
    assert [asked.backend(bytes(size)) for size in (1, 900, 1100, 1800, 4000, 4096, 15000)] == [3, 3, 2, 1, 0, -1, -1]
    again = judge("\n".join(f"{A} req.payload({n},0)" for n in range(50)) + IS_SET)
    assert again.backend(bytes(2000)) == 3
