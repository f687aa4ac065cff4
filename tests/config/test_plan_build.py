"""From configuration to plan: defaults, inheritance, references, checks, listeners, warnings."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from pathlib import Path

import pytest

from fastlb.config.errors import Location
from fastlb.config.globaltree import DefaultPath
from fastlb.plan.load import LoadResult, load
from fastlb.plan.model import Address, Check, CheckKind, Keepalive, LogMoment, Plan, Server, Source

LoadText = Callable[..., LoadResult]

TIMEOUTS = "defaults\n mode tcp\n timeout connect 1s\n timeout client 2s\n timeout server 3s\n"
LISTEN = "listen l\n bind *:80\n"


def plan_of(load_text: LoadText, text: str, **environ: str) -> Plan:
    """The plan of a text that says nothing to complain about."""
    result = load_text(text, environ)
    assert [str(found) for found in result.diagnostics] == []
    assert result.plan is not None
    return result.plan


def said(load_text: LoadText, text: str) -> list[str]:
    """What is said about a text, without the name of the file."""
    return [str(found).removeprefix("lb.conf:") for found in load_text(text).diagnostics]


def server_of(load_text: LoadText, options: str, defaults: str = "", section: str = "") -> Server:
    text = f"{TIMEOUTS}{defaults}{LISTEN}{section} server s 10.0.0.1:80 {options}\n"
    return plan_of(load_text, text).servers[0]


def check_of(load_text: LoadText, options: str, defaults: str = "", section: str = "") -> Check:
    check = server_of(load_text, f"check {options}", defaults, section).check
    assert check is not None
    return check


# --- what is inherited ---------------------------------------------------------------------------------------------


def test_each_defaults_section_starts_from_nothing(load_text: LoadText) -> None:
    plan = plan_of(load_text, f"defaults\n retries 9\n{TIMEOUTS}{LISTEN} server s 10.0.0.1:80\n")
    assert plan.backends[0].retries == 3


def test_named_defaults(load_text: LoadText) -> None:
    text = (
        "defaults base\n timeout connect 1s\n timeout client 2s\n timeout server 3s\n retries 5\n"
        "defaults slow from base\n timeout server 9s\n"
        "listen a from base\n bind *:1\n server s 10.0.0.1:80\n"
        "listen b from slow\n bind *:2\n server s 10.0.0.1:80\n"
        "listen c\n bind *:3\n server s 10.0.0.1:80\n"
    )
    backends = plan_of(load_text, text).backends
    assert [(b.server_ms, b.retries) for b in backends] == [(3000, 5), (9000, 5), (9000, 5)]


def test_defaults_apply_across_files(load_text: LoadText) -> None:
    load_text(TIMEOUTS)
    Path("b.conf").write_text(f"{LISTEN} server s 10.0.0.1:80\n")
    result = load(["lb.conf", "b.conf"], environ={})
    assert result.plan is not None and result.diagnostics == ()
    assert result.plan.files == ("lb.conf", "b.conf")
    assert result.plan.backends[0].location.file == "b.conf"
    assert result.plan.backends[0].server_ms == 3000


def test_what_is_said_last_counts(load_text: LoadText) -> None:
    plan = plan_of(load_text, f"{TIMEOUTS}{LISTEN} retries 1\n retries 2\n timeout server 8s\n server s 10.0.0.1:80\n")
    assert (plan.backends[0].retries, plan.backends[0].server_ms) == (2, 8000)


def test_log_lines_add_up_until_no_log(load_text: LoadText) -> None:
    text = (
        "global\n log stdout local0\n log 10.0.0.9:1514 len 4096 format rfc5424 local1 info err\n"
        f"{TIMEOUTS} log global\n log /dev/log daemon\n"
        "listen a\n bind *:1\n log stderr local2\n server s 10.0.0.1:80\n"
        "listen b\n bind *:2\n no log\n server s 10.0.0.1:80\n"
        "listen c\n bind *:3\n no log\n log global\n log stdout local0\n server s 10.0.0.1:80\n"
    )
    plan = plan_of(load_text, text)
    assert plan.process.logs == (0, 1)
    assert [frontend.logs for frontend in plan.frontends] == [(0, 1, 2, 3), (), (0, 1)]
    assert [backend.logs for backend in plan.backends] == [(0, 1, 2, 3), (), (0, 1)]
    target = plan.log_targets[1]
    assert (target.address, target.format, target.length) == (Address("inet", "10.0.0.9", 1514), "rfc5424", 4096)
    assert (target.facility, target.max_level, target.min_level) == (17, 6, 3)


def test_options_can_be_switched_off(load_text: LoadText) -> None:
    text = (
        f"{TIMEOUTS} option dontlognull\n option redispatch\n log stdout local0\n"
        f"{LISTEN} no option dontlognull\n default option redispatch\n server s 10.0.0.1:80\n"
    )
    plan = plan_of(load_text, text)
    assert plan.backends[0].redispatch == 0
    assert not plan.frontends[0].session_log.dontlognull


def test_kernel_splice_is_said_by_either_side(load_text: LoadText) -> None:
    plan = plan_of(load_text, f"{TIMEOUTS} option kernel-splice auto\n{LISTEN} server s 10.0.0.1:80\n")
    assert plan.frontends[0].kernel_splice and plan.backends[0].kernel_splice
    text = f"{TIMEOUTS} option kernel-splice\n{LISTEN} no option kernel-splice\n server s 10.0.0.1:80\n"
    plan = plan_of(load_text, text)
    assert not plan.frontends[0].kernel_splice and not plan.backends[0].kernel_splice


@pytest.mark.parametrize(
    ("line", "on"), [("", False), ("option allbackups", True), ("option allbackups\n no option allbackups", False)]
)
def test_allbackups(line: str, on: bool, load_text: LoadText) -> None:
    plan = plan_of(load_text, f"{TIMEOUTS}{LISTEN} {line}\n server s 10.0.0.1:80\n")
    assert plan.backends[0].allbackups is on


@pytest.mark.parametrize(
    ("line", "interval"), [("", 0), ("option redispatch", -1), ("option redispatch 2", 2), ("option redispatch 0", 0)]
)
def test_redispatch(line: str, interval: int, load_text: LoadText) -> None:
    plan = plan_of(load_text, f"{TIMEOUTS}{LISTEN} {line}\n server s 10.0.0.1:80\n")
    assert plan.backends[0].redispatch == interval


# --- servers and checks --------------------------------------------------------------------------------------------


def test_default_server_adds_up_from_defaults_to_the_line(load_text: LoadText) -> None:
    text = (
        f"{TIMEOUTS} default-server inter 5s rise 4 maxconn 10 check\n"
        f"{LISTEN} server before 10.0.0.1:80\n default-server rise 6 weight 7\n server a 10.0.0.2:80 weight 8\n"
        " default-server no-check backup\n server b 10.0.0.3:80 check\n server c 10.0.0.4:80 no-backup\n"
    )
    before, a, b, c = plan_of(load_text, text).servers
    assert before.check and a.check and b.check and not c.check
    assert (before.check.inter_ms, before.check.rise, before.weight, before.maxconn) == (5000, 4, 1, 10)
    assert (a.check.inter_ms, a.check.rise, a.weight, a.backup) == (5000, 6, 8, False)
    assert (b.weight, b.backup, c.backup) == (7, True, False)


def test_server_options(load_text: LoadText) -> None:
    server = server_of(load_text, "weight 0 backup disabled maxconn 50")
    assert (server.weight, server.backup, server.disabled, server.maxconn, server.check) == (0, True, True, 50, None)
    assert not server_of(load_text, "disabled enabled").disabled


@pytest.mark.parametrize(
    ("options", "defaults", "server", "check"),
    [
        ("check", "", (0, False), (0, False)),
        ("check send-proxy", "", (1, False), (1, False)),
        ("check send-proxy send-proxy-v2", "", (2, False), (2, False)),
        ("check send-proxy-v2 proxy-v2-options crc32c", "", (2, True), (2, True)),
        ("check", " default-server send-proxy-v2 proxy-v2-options crc32c\n", (2, True), (2, True)),
        ("check no-send-proxy-v2", " default-server send-proxy send-proxy-v2\n", (1, False), (1, False)),
        ("check no-send-proxy", " default-server send-proxy\n", (0, False), (0, False)),
        ("check send-proxy port 81", "", (1, False), (0, False)),
        ("check send-proxy-v2 addr 10.0.0.9", "", (2, False), (0, False)),
        ("check send-proxy-v2 port 81 check-send-proxy", "", (2, False), (2, False)),
        ("check check-send-proxy", "", (0, False), (1, False)),
        ("check port 81 no-check-send-proxy", " default-server send-proxy check-send-proxy\n", (1, False), (0, False)),
    ],
)
def test_proxy_header(
    options: str, defaults: str, server: tuple[int, bool], check: tuple[int, bool], load_text: LoadText
) -> None:
    planned = server_of(load_text, options, section=defaults)
    assert (planned.proxy_version, planned.proxy_crc32c) == server
    assert planned.check is not None
    assert (planned.check.proxy_version, planned.check.proxy_crc32c) == check


@pytest.mark.parametrize(
    ("options", "section", "connect_ms", "read_ms"),
    [
        ("", "", 2000, 0),
        ("inter 500", "", 500, 0),
        ("", " timeout check 5s\n", 1000, 5000),
        ("inter 500", " timeout check 5s\n", 500, 5000),
        ("inter 9s", " timeout check 5s\n timeout connect 0\n", 9000, 5000),
        ("inter 9s", " timeout check 0\n", 9000, 0),
    ],
)
def test_time_limits_of_a_check(options: str, section: str, connect_ms: int, read_ms: int, load_text: LoadText) -> None:
    check = check_of(load_text, options, section=section)
    assert (check.connect_ms, check.read_ms) == (connect_ms, read_ms)


def test_intervals_default_to_inter(load_text: LoadText) -> None:
    check = check_of(load_text, "inter 7s")
    assert (check.inter_ms, check.fastinter_ms, check.downinter_ms) == (7000, 7000, 7000)
    check = check_of(load_text, "inter 7s fastinter 1s downinter 20s")
    assert (check.inter_ms, check.fastinter_ms, check.downinter_ms) == (7000, 1000, 20000)


@pytest.mark.parametrize(
    ("options", "address"),
    [
        ("port 8080", "10.0.0.1:8080"),
        ("addr 10.0.0.9", "10.0.0.9:80"),
        ("addr 10.0.0.9 port 81", "10.0.0.9:81"),
        ("addr ::1", "[::1]:80"),
        ("addr [::1] port 82", "[::1]:82"),
        ("addr db.internal", "10.9.9.9:80"),
    ],
)
def test_where_a_check_goes(options: str, address: str, load_text: LoadText) -> None:
    assert str(check_of(load_text, options).address) == address


# The bytes are those that HAProxy 2.6 and 3.5 send, captured from the wire.
HTTP_CHECKS = [
    ("", b"OPTIONS / HTTP/1.0\r\n\r\n"),
    ("/health", b"OPTIONS /health HTTP/1.0\r\n\r\n"),
    ("GET /h", b"GET /h HTTP/1.0\r\n\r\n"),
    ("HEAD /h HTTP/1.0", b"HEAD /h HTTP/1.0\r\n\r\n"),
    ("GET /x HTTP/1.1", b"GET /x HTTP/1.1\r\nconnection: close\r\n\r\n"),
    ("GET /x HTTP/1.1 example.com", b"GET /x HTTP/1.1\r\nhost: example.com\r\nconnection: close\r\n\r\n"),
    (r"GET /y HTTP/1.1\r\nHost:\ foo", b"GET /y HTTP/1.1\r\nhost: foo\r\nconnection: close\r\n\r\n"),
    ('GET /y "HTTP/1.1\\r\\nHost: foo\\r\\n"', b"GET /y HTTP/1.1\r\nhost: foo\r\nconnection: close\r\n\r\n"),
    (
        r"GET /y HTTP/1.1\r\nHost:\ foo\r\nUser-Agent:\ \ bar\ ",
        b"GET /y HTTP/1.1\r\nhost: foo\r\nuser-agent: bar\r\nconnection: close\r\n\r\n",
    ),
    (r"GET /y HTTP/1.0\r\nHost:\ foo", b"GET /y HTTP/1.0\r\nhost: foo\r\n\r\n"),
    (r"GET /y HTTP/1.1\r\nHost:\ foo\r\nConnection:\ keep-alive", b"GET /y HTTP/1.1\r\nhost: foo\r\n\r\n"),
    ("POST /x", b"POST /x HTTP/1.0\r\ncontent-length: 0\r\n\r\n"),
    ("PUT /x HTTP/1.1", b"PUT /x HTTP/1.1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
    ("OPTIONS * HTTP/1.1", b"OPTIONS * HTTP/1.1\r\nconnection: close\r\n\r\n"),
    (r"GET /y HTTP/1.0\r\nConnection:\ keep-alive", b"GET /y HTTP/1.0\r\nconnection: keep-alive\r\n\r\n"),
    (r"GET /y HTTP/1.1\r\nConnection:\ close", b"GET /y HTTP/1.1\r\nconnection: close\r\n\r\n"),
    (r"GET /y HTTP/1.0\r\nHost:\ x\r\n\r\nbody", b"GET /y HTTP/1.0\r\nhost: x\r\ncontent-length: 4\r\n\r\nbody"),
]

_POST = "http-check send meth POST uri /s ver HTTP/1.1 hdr A b body xy"
HTTP_SENDS = [
    ("option httpchk|http-check send", b"OPTIONS / HTTP/1.0\r\n\r\n"),
    (f"option httpchk GET /o|{_POST}", b"POST /s HTTP/1.1\r\na: b\r\ncontent-length: 2\r\nconnection: close\r\n\r\nxy"),
    (f"{_POST}|option httpchk GET /o", b"GET /o HTTP/1.1\r\na: b\r\ncontent-length: 2\r\nconnection: close\r\n\r\nxy"),
    ("option httpchk GET /o|http-check connect|http-check send uri /p", b"GET /p HTTP/1.0\r\n\r\n"),
    ("option httpchk GET /o|http-check connect", b"GET /o HTTP/1.0\r\n\r\n"),
    ("option httpchk GET /o|http-check expect status 200", b"GET /o HTTP/1.0\r\n\r\n"),
    ("option httpchk GET /a|option httpchk GET /b", b"GET /b HTTP/1.0\r\n\r\n"),
]


@pytest.mark.parametrize(("lines", "request_"), HTTP_SENDS)
def test_http_check_send_and_the_option_are_one_request(lines: str, request_: bytes, load_text: LoadText) -> None:
    """Bytes that HAProxy 2.6 sent for the same lines."""
    section = "".join(f" {line}\n" for line in lines.split("|"))
    assert check_of(load_text, "", section=section).request == request_


def test_http_checks_of_defaults(load_text: LoadText) -> None:
    """A section's own rules replace those of 'defaults', and keep the request; another option replaces all."""
    defaults = " option httpchk GET /d\n http-check expect status 204\n"

    def script(lines: str) -> tuple[bytes, list[tuple[tuple[int, int], ...]]]:
        plan = plan_of(load_text, f"{TIMEOUTS}{defaults}listen l\n bind :1\n{lines} server s 10.0.0.1:80 check\n")
        check = plan.servers[0].check
        assert check is not None
        return check.request.split()[1], [rule.codes for rule in check.rounds[0].expects]

    assert script("") == (b"/d", [((204, 204),)])
    assert script(" http-check expect status 200\n") == (b"/d", [((200, 200),)])
    assert script(" option httpchk GET /o\n") == (b"/o", [((200, 399),)])


def test_http_check_connections(load_text: LoadText) -> None:
    section = (
        " option httpchk\n http-check connect\n http-check send uri /a\n http-check comment all\n"
        " http-check expect status 200\n http-check expect comment own string b\n"
        " http-check connect default port 81 linger\n http-check send uri /b\n http-check expect status 200\n"
        " http-check connect addr 10.0.0.9 send-proxy\n"
    )
    rounds = check_of(load_text, "send-proxy-v2", section=section).rounds
    assert [str(one.address) for one in rounds] == ["10.0.0.1:80", "10.0.0.1:81", "10.0.0.9:80"]
    assert [one.proxy_version for one in rounds] == [0, 2, 2]
    assert [one.linger for one in rounds] == [False, True, False]
    assert [[rule.comment for rule in one.expects] for one in rounds] == [["all", "own"], [""], []]
    assert [one.request and one.request.text.split()[1] for one in rounds] == [b"/a", b"/b", None]


@pytest.mark.parametrize(("arguments", "request_"), HTTP_CHECKS)
def test_httpchk(arguments: str, request_: bytes, load_text: LoadText) -> None:
    check = check_of(load_text, "", section=f" option httpchk {arguments}\n")
    assert (check.kind, check.request) == (CheckKind.HTTP, request_)


def test_one_argument_is_the_uri_and_a_method_there_is_suspicious(load_text: LoadText) -> None:
    result = load_text(f"{TIMEOUTS}{LISTEN} option httpchk GET\n server s 10.0.0.1:80 check\n")
    assert [str(found) for found in result.diagnostics] == [
        "lb.conf:8:17: warning: the check sends 'OPTIONS GET', and a URI begins with '/'; "
        "did you mean 'option httpchk GET /'?"
    ]
    assert result.plan is not None and result.plan.servers[0].check is not None
    assert result.plan.servers[0].check.request == b"OPTIONS GET HTTP/1.0\r\n\r\n"


def test_the_last_kind_of_check_wins(load_text: LoadText) -> None:
    assert check_of(load_text, "", section=" option httpchk\n option tcp-check\n").kind is CheckKind.TCP
    assert check_of(load_text, "", section=" option tcp-check\n option httpchk\n").kind is CheckKind.HTTP


# --- frontends, backends, listeners --------------------------------------------------------------------------------


def test_numbers_and_slices(load_text: LoadText) -> None:
    text = (
        f"{TIMEOUTS}backend late\n server a 10.0.0.1:1\n server b 10.0.0.1:2\n"
        "frontend f\n bind *:1\n default_backend l\n"
        "listen l\n bind *:2\n bind [::]:2 v4v6\n server a 10.0.0.1:3\n"
        "frontend late\n bind *:3\n default_backend late\n"
    )
    plan = plan_of(load_text, text)
    assert [(f.name, f.backend) for f in plan.frontends] == [("f", 1), ("l", 1), ("late", 0)]
    assert [(b.name, b.first_server, b.server_count) for b in plan.backends] == [("late", 0, 2), ("l", 2, 1)]
    assert [(s.name, s.backend) for s in plan.servers] == [("a", 0), ("b", 0), ("a", 1)]
    assert [(b.key, b.frontend) for b in plan.binds] == [
        ("inet:0.0.0.0:1", 0),
        ("inet:0.0.0.0:2", 1),
        ("inet6:[::]:2", 1),
        ("inet:0.0.0.0:3", 2),
    ]


@pytest.mark.parametrize(
    ("address", "keys"),
    [
        (":80", ["inet:0.0.0.0:80"]),
        ("*:080", ["inet:0.0.0.0:80"]),
        ("127.0.0.1:80", ["inet:127.0.0.1:80"]),
        ("localhost:80", ["inet:127.0.0.1:80"]),
        ("[::]:80", ["inet6:[::]:80"]),
        (":::80", ["inet6:[::]:80"]),
        ("::1:80", ["inet6:[::1]:80"]),
        ("[0:0::1]:80", ["inet6:[::1]:80"]),
        (":80,:81", ["inet:0.0.0.0:80", "inet:0.0.0.0:81"]),
        (":80,", ["inet:0.0.0.0:80"]),
        ("10.0.0.1:80-82", ["inet:10.0.0.1:80", "inet:10.0.0.1:81", "inet:10.0.0.1:82"]),
        ("/run/a", ["unix:/run/a"]),
        ("unix@a.sock,abns@a,fd@007", ["unix:a.sock", "abstract:abns@a", "fd:fd@7"]),
        ("uxst@a.sock,abnsz@a", ["unix:a.sock", "exact:abnsz@a"]),
        ("ipv4@*:80,ipv6@*:80,tcp@:81", ["inet:0.0.0.0:80", "inet6:[::]:80", "inet:0.0.0.0:81"]),
    ],
)
def test_bind_addresses(address: str, keys: list[str], load_text: LoadText) -> None:
    plan = plan_of(load_text, f"{TIMEOUTS}listen l\n bind {address}\n server s 10.0.0.1:80\n")
    assert [bind.key for bind in plan.binds] == keys


def test_what_this_kernel_lacks(load_text: LoadText, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what it has, but workers may not use."""
    from fastlb.plan import congestion

    text = f"{TIMEOUTS}listen l\n bind :80 cc {{}}\n server s 10.0.0.1:80 cc {{}}\n"
    assert [one.message for one in load_text(text.format("nosuch", "nosuch")).diagnostics] == [
        "this kernel has no congestion control 'nosuch'"
    ] * 2
    monkeypatch.setattr(congestion, "_words", lambda name: ["cubic"])
    (found,) = load_text(text.format("reno", "reno")).diagnostics
    assert str(found) == (
        "lb.conf:8:26: error: the system does not allow workers the congestion control 'reno'; "
        "say so: sysctl net.ipv4.tcp_allowed_congestion_control='cubic reno'"
    )


def test_a_server_without_an_address_is_in_maintenance(load_text: LoadText) -> None:
    text = f"""{TIMEOUTS}listen l
 bind :80
 server s nosuch.invalid:80 check init-addr libc,none
 server t nosuch.invalid:80 init-addr libc,fd00::1
"""
    plan = load_text(text).plan
    assert plan
    first, second = plan.servers
    assert (first.unresolved, first.disabled, str(first.address)) == (True, True, "nosuch.invalid:80")
    assert (second.unresolved, second.disabled, str(second.address)) == (False, False, "[fd00::1]:80")


def test_bind_options_of_tcp_hold_for_each_address_of_the_line(load_text: LoadText) -> None:
    text = f"{TIMEOUTS}listen l\n bind :80,[::1]:80 defer-accept\n bind :81-82 tfo\n server s 10.0.0.1:80\n"
    binds = plan_of(load_text, text).binds
    assert [(bind.defer_accept, bind.tfo) for bind in binds] == [(True, False)] * 2 + [(False, True)] * 2


def test_to_say_what_an_ipv6_socket_is_anyway_is_no_other_socket(load_text: LoadText) -> None:
    text = f"{TIMEOUTS}listen l\n bind [::]:80{{}}\n server s 10.0.0.1:80\n"
    unsaid, dual, only = (plan_of(load_text, text.format(said)).binds[0] for said in ("", " v4v6", " v6only"))
    system = Path("/proc/sys/net/ipv6/bindv6only")
    same = only if system.exists() and system.read_text().strip() == "1" else dual
    assert (unsaid.key, unsaid.v6only) == (same.key, same.v6only)
    assert dual.key != only.key


def test_who_must_begin_with_a_proxy_header(load_text: LoadText) -> None:
    binds = " bind :81,:82 accept-proxy\n bind /run/x accept-proxy\n bind :83 name mail\n bind :84 id 77\n"
    text = f"{TIMEOUTS}{LISTEN}{binds} timeout client-hs 500\n"
    plan = plan_of(load_text, f"{text} server s 10.0.0.1:80\nlisten m\n bind :90\n server s 10.0.0.1:80\n")
    assert [(bind.label, bind.accept_proxy) for bind in plan.binds] == [
        ("1", False), ("2", True), ("3", True), ("4", True), ("mail", False), ("77", False), ("1", False),
    ]  # fmt: skip
    assert [frontend.client_hs_ms for frontend in plan.frontends] == [500, 0]


def test_metrics_in_both_ways(load_text: LoadText) -> None:
    text = (
        "global\n prometheus bind 127.0.0.1:9101\n prometheus bind [::1]:9101 path /m\n"
        f"{TIMEOUTS}listen exporter\n mode http\n bind *:9102,10.0.0.1:9103\n no log\n"
        " http-request use-service prometheus-exporter if { path /metrics }\n"
        f"{LISTEN} server s 10.0.0.1:80\n"
    )
    plan = plan_of(load_text, text)
    assert [(str(m.address), m.path) for m in plan.metrics] == [
        ("127.0.0.1:9101", "/metrics"),
        ("[::1]:9101", "/m"),
        ("0.0.0.0:9102", "/metrics"),
        ("10.0.0.1:9103", "/metrics"),
    ]
    assert [frontend.name for frontend in plan.frontends] == ["l"]


# --- the process ---------------------------------------------------------------------------------------------------


def test_user_brings_group_and_supplementary_groups(load_text: LoadText) -> None:
    process = plan_of(load_text, f"global\n user daemon\n{TIMEOUTS}{LISTEN} server s 10.0.0.1:80\n").process
    entry = pwd.getpwnam("daemon")
    assert (process.user, process.uid, process.gid) == ("daemon", entry.pw_uid, entry.pw_gid)
    assert process.groups == tuple(sorted(set(os.getgrouplist("daemon", entry.pw_gid))))


def test_numbers_instead_of_names(load_text: LoadText) -> None:
    process = plan_of(load_text, f"global\n uid 12345\n gid 23456\n{TIMEOUTS}{LISTEN} server s 10.0.0.1:80\n").process
    assert (process.user, process.uid, process.gid, process.groups) == (None, 12345, 23456, ())


@pytest.mark.parametrize("line", ["cpu-map auto", "cpu-map auto:1/1-4 0-3", "cpu-map auto:1/1-1 0"])
def test_cpu_map_pins(line: str, load_text: LoadText) -> None:
    assert plan_of(load_text, f"global\n {line}\n{TIMEOUTS}{LISTEN} server s 10.0.0.1:80\n").process.pin


@pytest.mark.parametrize(
    ("lines", "pin", "steer"),
    [
        ("nbthread 2", False, False),
        ("tune.reuseport hash", False, False),
        ("tune.reuseport cpu", True, True),
        ("cpu-map auto\n tune.reuseport hash", True, False),
        ("tune.reuseport cpu\n tune.reuseport hash", False, False),
    ],
)
def test_steering_by_cpu_needs_pinned_workers(lines: str, pin: bool, steer: bool, load_text: LoadText) -> None:
    process = plan_of(load_text, f"global\n {lines}\n{TIMEOUTS}{LISTEN} server s 10.0.0.1:80\n").process
    assert (process.pin, process.steer) == (pin, steer)


@pytest.mark.parametrize(
    ("lines", "on"), [("nbthread 2", False), ("busy-polling", True), ("busy-polling\n no busy-polling", False)]
)
def test_busy_polling_can_be_switched_off_again(lines: str, on: bool, load_text: LoadText) -> None:
    text = f"global\n {lines}\n{TIMEOUTS}{LISTEN} server s 10.0.0.1:80\n"
    assert plan_of(load_text, text).process.busy_polling is on


def test_said_twice_in_global(load_text: LoadText) -> None:
    result = load_text(
        f"global\n maxconn 5\n nbthread 2\nglobal\n maxconn 6\n nbthread 3\n{TIMEOUTS}{LISTEN} server s 10.0.0.1:80\n"
    )
    assert [str(found) for found in result.diagnostics] == [
        "lb.conf:5:2: warning: 'maxconn' is ignored: line 2 said it already, and the first one counts"
    ]
    assert result.plan is not None
    assert (result.plan.process.maxconn, result.plan.process.workers) == (5, 3)


# --- warnings ------------------------------------------------------------------------------------------------------


def test_timeouts_that_are_missing(load_text: LoadText) -> None:
    text = (
        "listen l\n bind *:1\n server s 10.0.0.1:80\n"
        "backend b\n timeout connect 0\n timeout tunnel 1h\n server s 10.0.0.1:80\n"
    )
    assert said(load_text, text) == [
        "1:1: warning: listen 'l' has no 'timeout client' and no 'timeout connect' and no 'timeout server': "
        "there is no limit to these waits; set them here or in 'defaults'"
    ]


def test_logging_that_goes_nowhere(load_text: LoadText) -> None:
    text = f"{TIMEOUTS} option tcplog\n{LISTEN} server s 10.0.0.1:80\n"
    assert said(load_text, text) == [
        "6:9: warning: 'option tcplog' has no effect: listen 'l' has no 'log' line; "
        "add 'log global', and a 'log' line in 'global'"
    ]


def test_httplog_falls_back_to_tcplog(load_text: LoadText) -> None:
    result = load_text(f"{TIMEOUTS} option httplog\n log stdout local0\n{LISTEN} server s 10.0.0.1:80\n")
    assert [str(found) for found in result.diagnostics] == [
        "lb.conf:6:9: warning: 'option httplog' concerns HTTP: it means 'option tcplog' in 'mode tcp'"
    ]
    assert result.plan is not None and result.plan.frontends[0].session_log.moment is LogMoment.END


def test_frontends_and_backends_without_effect(load_text: LoadText) -> None:
    text = f"{TIMEOUTS}frontend nowhere\n bind *:1\nfrontend deaf\n default_backend empty\nbackend empty\n"
    assert said(load_text, text) == [
        "6:1: warning: frontend 'nowhere' has nowhere to send a connection, and closes every one",
        "8:1: warning: frontend 'deaf' has no 'bind' line: nothing reaches it",
        "10:1: warning: backend 'empty' has no server: it closes every connection",
    ]


def test_servers_of_a_listen_that_sends_elsewhere(load_text: LoadText) -> None:
    text = f"{TIMEOUTS}{LISTEN} default_backend b\n server s 10.0.0.1:80\nbackend b\n server s 10.0.0.1:80\n"
    assert said(load_text, text) == [
        "8:18: warning: the servers of listen 'l' are never used: its 'default_backend' is 'b'"
    ]


def test_options_of_a_check_without_check(load_text: LoadText) -> None:
    text = (
        f"{TIMEOUTS}{LISTEN} default-server inter 5s\n"
        " server a 10.0.0.1:80 rise 3\n server b 10.0.0.1:80\n server c /a check port 5\n"
    )
    assert said(load_text, text) == [
        "9:28: warning: 'rise' has no effect: server 'a' has no 'check'",
        "11:25: warning: 'port' has no effect on a unix socket",
    ]


def test_bind_options_without_effect(load_text: LoadText) -> None:
    text = f"{TIMEOUTS}listen l\n bind :80 v4v6 mode 600\n bind /run/x v6only\n server s 10.0.0.1:80\n"
    assert said(load_text, text) == [
        "7:11: warning: 'v4v6' has no effect on an address that is not IPv6",
        "7:21: warning: 'mode' has no effect on an address that is no unix socket",
        "8:14: warning: 'v6only' has no effect on an address that is not IPv6",
    ]


def test_what_concerns_other_parts_of_haproxy_is_ignored(load_text: LoadText) -> None:
    text = (
        "global\n ssl-default-bind-options no-sslv3\n ca-base /etc/ssl\n tune.ssl.default-dh-param 2048\n"
        " master-worker\n lua-load /x.lua\n"
        f"{TIMEOUTS} option http-server-close\n option splice-auto\n errorfile 503 /x\n stats enable\n"
        " timeout http-request 5s\nuserlist u\n user a password b\n"
        f"{LISTEN} cookie SRV insert\n server s 10.0.0.1:80 cookie s1 check inter 3s\n"
        " stats uri /\n no option httpclose\n"
    )
    result = load_text(text)
    assert result.plan is not None
    assert result.plan.servers[0].check is not None and result.plan.servers[0].check.inter_ms == 3000
    summary, *others = map(str, result.diagnostics)
    assert "11 settings concern HTTP or TLS" in summary and "(lb.conf:2-4,12,14-16,21-24)" in summary
    assert [found.location.line for found in result.diagnostics] == [2, 5, 6, 13, 17]
    assert all(" is ignored: " in other for other in others)


# --- names ---------------------------------------------------------------------------------------------------------


def test_names_that_cannot_be_resolved(load_text: LoadText) -> None:
    text = (
        "global\n log nosuch.invalid local0\n"
        f"{TIMEOUTS}listen l\n bind nosuch.invalid:80\n server a nosuch.invalid:80\n"
        " server b 10.0.0.1:80 check addr nosuch.invalid\n server c 999.1.1.1:80\n server d 1.2.3.4.5:80\n"
    )
    lines = said(load_text, text)
    assert [line.partition(": error")[0] for line in lines] == ["2:6", "9:7", "10:11", "11:34", "12:11", "13:11"]
    assert lines[0] == "2:6: error: cannot resolve 'nosuch.invalid': Name or service not known"


def test_any_address_by_another_name_is_no_server(load_text: LoadText) -> None:
    assert said(load_text, f"{TIMEOUTS}{LISTEN} server s 0:80\n") == [
        "8:11: error: the server address '0.0.0.0:80' is no address to connect to"
    ]


# --- keep-alive ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "client", "server"),
    [
        ("", Keepalive(), None),
        (" timeout server 60s\n", Keepalive(), None),
        (" timeout server 61s\n", Keepalive(), Keepalive()),
        (" timeout server 0\n", Keepalive(), Keepalive()),
        (" timeout tunnel 1h\n", Keepalive(), Keepalive()),
        (" timeout server 1h\n timeout tunnel 30s\n", Keepalive(), None),
        (" timeout server 90s\n srvtcpka-idle 2m\n", Keepalive(), None),
        (" option tcpka\n", Keepalive(), Keepalive()),
        (" option srvtcpka\n srvtcpka-cnt 9\n srvtcpka-intvl 1500ms\n", Keepalive(), Keepalive(60, 2, 9)),
        (" clitcpka-idle 20\n clitcpka-intvl 7s\n clitcpka-cnt 2\n", Keepalive(20, 7, 2), None),
        (" timeout server 1h\n no option tcpka\n", None, None),
        (" timeout server 1h\n no option srvtcpka\n", Keepalive(), None),
        (" timeout server 1h\n no option tcpka\n default option tcpka\n", Keepalive(), Keepalive()),
        (" option tcpka\n no option clitcpka\n", None, Keepalive()),
    ],
)
def test_keepalive(load_text: LoadText, section: str, client: Keepalive | None, server: Keepalive | None) -> None:
    plan = plan_of(load_text, f"{TIMEOUTS}{LISTEN}{section} server s 10.0.0.1:80\n")
    assert plan.binds[0].keepalive == client
    assert plan.backends[0].keepalive == server


# --- options of a bind ---------------------------------------------------------------------------------------------


def test_options_of_a_bind(load_text: LoadText) -> None:
    text = (
        f"{TIMEOUTS}listen l\n backlog 7\n bind :80 interface eth0 mss 500 tcp-ut 3s\n bind :80 transparent backlog 9\n"
    )
    one, other = plan_of(load_text, text + " server s 10.0.0.1:80\n").binds
    assert (one.interface, one.mss, one.user_timeout_ms, one.transparent, one.backlog) == ("eth0", 500, 3000, False, 7)
    assert (other.interface, other.mss, other.user_timeout_ms, other.transparent, other.backlog) == (
        None,
        0,
        0,
        True,
        9,
    )
    assert (one.key, other.key) == ("inet:0.0.0.0:80%eth0", "inet:0.0.0.0:80")


# --- where connections to servers come from ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "options", "expected"),
    [
        ("", "", None),
        ("", "source 10.9.9.9", Source(Address("inet", "10.9.9.9"))),
        ("", "source 10.9.9.9:0", Source(Address("inet", "10.9.9.9"))),
        ("", "source 10.9.9.9:5000", Source(Address("inet", "10.9.9.9", 5000), 5000)),
        ("", "source 10.9.9.9:5000-5009 interface eth1", Source(Address("inet", "10.9.9.9", 5000), 5009, "eth1")),
        ("", "source * interface eth1", Source(Address("inet", "0.0.0.0"), 0, "eth1")),
        ("", "source [::]:5000", Source(Address("inet", "0.0.0.0", 5000), 5000)),
        (" source 10.9.9.9\n", "", Source(Address("inet", "10.9.9.9"))),
        (" source 10.9.9.9\n", "source 10.9.9.8", Source(Address("inet", "10.9.9.8"))),
        (" source 10.9.9.9\n", "source *", None),
        (" default-server source 10.9.9.9\n source 10.9.9.7\n", "", Source(Address("inet", "10.9.9.9"))),
    ],
)
def test_source(load_text: LoadText, section: str, options: str, expected: Source | None) -> None:
    server = server_of(load_text, f"check {options}", section=section)
    assert server.source == expected
    assert server.check is not None
    assert server.check.source == expected


@pytest.mark.parametrize(
    ("said", "expected", "of_checks"),
    [
        ("* usesrc clientip", Source(Address("inet", "0.0.0.0"), 0, None, "clientip"), None),
        ("10.9.9.9 usesrc client interface eth1", Source(Address("inet", "0.0.0.0"), 0, "eth1", "client"),
         Source(Address("inet", "10.9.9.9"), 0, "eth1")),
        ("* usesrc 10.9.9.8:5000", Source(Address("inet", "10.9.9.8", 5000), 5000, None, "address"), None),
    ],
)  # fmt: skip
def test_usesrc(load_text: LoadText, said: str, expected: Source, of_checks: Source | None) -> None:
    """A check has no client to be taken for."""
    server = server_of(load_text, "check", section=f" source {said}\n")
    assert server.source == expected
    assert server.check is not None
    assert server.check.source == of_checks


def test_source_is_inherited_and_no_matter_of_unix_sockets(load_text: LoadText) -> None:
    text = f"{TIMEOUTS} source 10.9.9.9\n{LISTEN} server s 10.0.0.1:80 tcp-ut 3s\n server u /x tcp-ut 3s\n"
    one, other = plan_of(load_text, text).servers
    assert (one.source, one.user_timeout_ms) == (Source(Address("inet", "10.9.9.9")), 3000)
    assert (other.source, other.user_timeout_ms) == (None, 0)


# --- servers where the client wanted to go -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "host", "port", "offset"),
    [
        ("10.0.0.1:80", "10.0.0.1", 80, None),
        ("10.0.0.1", "10.0.0.1", 0, 0),
        ("10.0.0.1:", "10.0.0.1", 0, 0),
        ("10.0.0.1:00", "10.0.0.1", 0, 0),
        ("10.0.0.1:+8000", "10.0.0.1", 0, 8000),
        ("10.0.0.1:-10", "10.0.0.1", 0, -10),
        ("[2001:db8::1]", "2001:db8::1", 0, 0),
        ("*", "0.0.0.0", 0, 0),
        ("*:80", "0.0.0.0", 80, None),
        (":+1", "0.0.0.0", 0, 1),
        ("[::]:80", "::", 80, None),
    ],
)
def test_where_a_server_is(load_text: LoadText, written: str, host: str, port: int, offset: int | None) -> None:
    server = plan_of(load_text, f"{TIMEOUTS}{LISTEN} server s {written}\n").servers[0]
    assert (server.address.host, server.address.port, server.port_offset) == (host, port, offset)


def test_checks_of_servers_that_are_where_the_client_goes(load_text: LoadText) -> None:
    section = f"{TIMEOUTS}{LISTEN}"
    plan = plan_of(load_text, f"{section} server s 10.0.0.1 check port 99\n server t * check addr 10.0.0.2 port 5\n")
    assert [server.check and str(server.check.address) for server in plan.servers] == ["10.0.0.1:99", "10.0.0.2:5"]
    assert said(load_text, f"{section} server s 10.0.0.1:+5 check\n") == [
        "8:9: error: the check of server 's' has no port; add 'port'"
    ]
    assert said(load_text, f"{section} server s *:80 check\n") == [
        "8:9: error: the check of server 's' has no address: the server is where a client wants to go; add 'addr'"
    ]


def test_where_files_begin() -> None:
    where = Location("/etc/lb/conf.d/a.cfg", 1, 1)
    assert DefaultPath().of("x.map", where) == "x.map"
    assert DefaultPath("config").of("x.map", where) == "/etc/lb/conf.d/x.map"
    assert DefaultPath("parent").of("maps/x.map", where) == "/etc/lb/maps/x.map"
    assert DefaultPath("origin", "/srv").of("x.map", where) == "/srv/x.map"
    assert DefaultPath("origin", "/srv").of("/x.map", where) == "/x.map"
