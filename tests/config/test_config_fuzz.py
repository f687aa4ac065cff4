"""Any text at all: loading returns, in time, and every word of it can be printed."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastlb.config.balanceline import BALANCE_ALGORITHMS
from fastlb.config.bindline import BIND_OPTIONS
from fastlb.config.globalsection import GLOBAL_KEYWORDS
from fastlb.config.proxykeywords import PROXY_KEYWORDS
from fastlb.config.proxyoptions import OPTIONS
from fastlb.config.ruleline import ACTIONS, TCP_REQUEST
from fastlb.config.samples import CONVERTERS, FETCHES
from fastlb.config.serverline import SERVER_OPTIONS
from fastlb.config.timeouts import TIMEOUTS
from fastlb.plan.load import LoadResult

ENVIRON = {"A": "10.0.0.1", "B": "x y z", "EMPTY": ""}
SECTIONS = ["global", "defaults", "frontend", "backend", "listen", "resolvers", "userlist"]
TABLES = (GLOBAL_KEYWORDS, PROXY_KEYWORDS, OPTIONS, TIMEOUTS, BALANCE_ALGORITHMS, BIND_OPTIONS, SERVER_OPTIONS)
RULES = (TCP_REQUEST, ACTIONS, FETCHES, CONVERTERS)
KEYWORDS = sorted({word for table in (*TABLES, *RULES) for word in (*table.supported, *table.not_yet, *table.ignored)})
VALUES = (Path(__file__).parent / "fuzz_words.txt").read_text().split()

words = st.one_of(
    st.sampled_from(KEYWORDS),
    st.sampled_from(VALUES),
    st.text(max_size=12),
    st.from_regex(r"[0-9a-z:./@,*\[\]-]{1,20}", fullmatch=True),
)
statements = st.lists(words, min_size=1, max_size=8).map(" ".join)
headers = st.tuples(st.sampled_from(SECTIONS), st.lists(words, max_size=3)).map(lambda h: " ".join([h[0], *h[1]]))
rule_lines = st.tuples(
    st.sampled_from(["acl a", "use_backend b if {", "use_backend %[", "tcp-request content accept if {"]),
    st.sampled_from(sorted(FETCHES.supported)),
    st.sampled_from(
        ["", "(0,2)", "(b)", "(b/s)", ",lower", ",ipmask(24)", ",map(/etc/hosts,x)", ",map_ip(/etc/hosts)"]
    ),
    st.sampled_from(["", "-m str", "-m dom -i", "-f /etc/hosts", "-m int gt", "-n", "-m found"]),
    st.lists(words, max_size=4).map(" ".join),
    st.sampled_from(["", "}", "]", "} or a", "} !a"]),
).map(" ".join)
keyword_lines = st.tuples(st.sampled_from(KEYWORDS), st.lists(words, max_size=6)).map(lambda h: " ".join([h[0], *h[1]]))
configurations = st.lists(st.one_of(headers, keyword_lines, rule_lines, statements), max_size=25).map("\n ".join)

relaxed = settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def check(result: LoadResult) -> None:
    """What must hold of any result."""
    lines = [str(found) for found in result.diagnostics]
    assert all(line.isprintable() for line in lines)
    assert (result.plan is None) == any(": error: " in line for line in lines)
    assert pickle.loads(pickle.dumps(result)) == result
    assert all(found.location.line >= 0 and found.location.column >= 0 for found in result.diagnostics)


@relaxed
@given(text=configurations)
def test_text_like_a_configuration(text: str, load_text: Callable[..., LoadResult]) -> None:
    began = time.monotonic()
    check(load_text(text.encode("utf-8", "surrogatepass"), ENVIRON))
    assert time.monotonic() - began < 5


@relaxed
@given(data=st.binary(max_size=2000))
def test_any_bytes(data: bytes, load_text: Callable[..., LoadResult]) -> None:
    check(load_text(data, ENVIRON))


@relaxed
@given(data=st.binary(max_size=40), at=st.integers(0, 400))
def test_damaged_configuration(data: bytes, at: int, load_text: Callable[..., LoadResult]) -> None:
    good = (
        b"global\n log stdout local0\n user root\ndefaults d\n mode tcp\n timeout connect 1s\n log global\n"
        b"frontend f from d\n bind *:80,[::]:81 v6only\n option tcplog\n default_backend b\n"
        b"backend b\n balance leastconn\n option httpchk GET /x HTTP/1.1\\r\\nHost:\\ a\n"
        b' server a 10.0.0.1:80 check inter 2s port 81 weight 5\n server b "${A}":80 backup\n'
    )
    check(load_text(good[:at] + data + good[at:], ENVIRON))
