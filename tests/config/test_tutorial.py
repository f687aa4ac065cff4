"""The tutorial's configuration loads exactly as it stands there, and says what is odd about it."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace

import pytest

from fastlb.plan.load import LoadResult
from fastlb.plan.model import Address, Balance, CheckKind

TUTORIAL = (
    b"frontend ping_front\n"
    b"    mode tcp\n"
    b"    bind *:80\n"
    b"    default_backend ping\n"
    b"\n"
    b"backend ping \n"
    b"    mode tcp\n"
    b"    balance roundrobin\n"
    b"    server pingv1 13.125.194.227:8080/hey check\n"
    b"    server pongv1 13.209.69.208:8080/hey check\n"
)

SAID = [
    "lb.conf:1:1: warning: frontend 'ping_front' has no 'timeout client': there is no limit to these waits; "
    "set them here or in 'defaults'",
    "lb.conf:6:1: warning: backend 'ping' has no 'timeout connect' and no 'timeout server': there is no limit to "
    "these waits; set them here or in 'defaults'",
    "lb.conf:9:19: warning: '/hey' after the port is ignored: a server address has no path; "
    "to check that path, add 'option httpchk GET /hey'",
    "lb.conf:10:19: warning: '/hey' after the port is ignored: a server address has no path; "
    "to check that path, add 'option httpchk GET /hey'",
]


@pytest.mark.parametrize(
    "text",
    [TUTORIAL, TUTORIAL.rstrip(b"\n"), TUTORIAL.replace(b"\n", b"\r\n"), TUTORIAL.replace(b"\n", b"\r\n").rstrip()],
    ids=["as it stands", "no final newline", "CRLF", "CRLF, no final newline"],
)
def test_it_loads_with_these_warnings(text: bytes, load_text: Callable[..., LoadResult]) -> None:
    result = load_text(text)
    assert [str(found) for found in result.diagnostics] == SAID
    plan = result.plan
    assert plan is not None
    assert [(bind.key, bind.frontend) for bind in plan.binds] == [("inet:0.0.0.0:80", 0)]
    assert [(frontend.name, frontend.backend) for frontend in plan.frontends] == [("ping_front", 0)]
    assert [(backend.name, backend.balance) for backend in plan.backends] == [("ping", Balance.ROUNDROBIN)]
    assert [(server.name, server.address) for server in plan.servers] == [
        ("pingv1", Address("inet", "13.125.194.227", 8080)),
        ("pongv1", Address("inet", "13.209.69.208", 8080)),
    ]
    for server in plan.servers:
        assert server.check is not None
        assert server.check.kind is CheckKind.TCP
        assert server.check.address == server.address
        assert (server.check.inter_ms, server.check.rise, server.check.fall) == (2000, 2, 3)
        assert (server.check.connect_ms, server.check.read_ms) == (2000, 0)


def test_the_result_pickles(load_text: Callable[..., LoadResult]) -> None:
    result = load_text(TUTORIAL)
    assert pickle.loads(pickle.dumps(result)) == result


def test_the_digest_is_that_of_the_text(load_text: Callable[..., LoadResult]) -> None:
    first, again, other = load_text(TUTORIAL).plan, load_text(TUTORIAL).plan, load_text(TUTORIAL + b"\n").plan
    assert first == again
    assert first != other
    assert replace(first, digest=other.digest) == other
