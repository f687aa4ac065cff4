"""Configurations as people write them: each loads, and means what HAProxy would make of it."""

from __future__ import annotations

import grp
import pwd
from pathlib import Path

import pytest

from fastlb.config.errors import Severity
from fastlb.plan.load import load
from fastlb.plan.model import Address, Balance, CheckKind, LogTarget, Plan

REAL = Path(__file__).parent / "real"
ENVIRON = {"CONNECT_MS": "250", "PG_HOST": "10.5.0.1", "STANDBY": "10.5.0.2", "EXTRA": "check inter 5s"}


def plan_of(name: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Plan, list[str]]:
    """The plan of one of the files, and the warnings."""
    monkeypatch.chdir(REAL)
    result = load([f"{name}.cfg"], environ=ENVIRON)
    assert [str(d) for d in result.diagnostics if d.severity is Severity.ERROR] == []
    assert result.plan is not None
    return result.plan, [str(found) for found in result.diagnostics]


@pytest.mark.parametrize("path", sorted(REAL.glob("*.cfg")), ids=lambda path: path.stem)
def test_it_loads(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan_of(path.stem, monkeypatch)


def test_mysql_galera(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, warnings = plan_of("mysql_galera", monkeypatch)
    assert warnings == []
    user = pwd.getpwnam("daemon")
    assert (plan.process.user, plan.process.uid, plan.process.gid) == (
        "daemon",
        user.pw_uid,
        grp.getgrnam("daemon").gr_gid,
    )
    assert plan.process.daemon and plan.process.pidfile == "/var/run/fastlb.pid" and plan.process.maxconn == 4000
    backend = plan.backends[0]
    assert (backend.balance, backend.retries, backend.redispatch) == (Balance.LEASTCONN, 3, -1)
    assert (backend.queue_ms, backend.connect_ms, backend.server_ms) == (60_000, 10_000, 3_600_000)
    assert plan.frontends[0].maxconn == 3000 and plan.frontends[0].session_log.dontlognull
    assert plan.frontends[0].logs == backend.logs == plan.process.logs == (0,)
    assert plan.log_targets == (LogTarget(Address("inet", "127.0.0.1", 514), "local", 18),)
    assert [server.backup for server in plan.servers] == [False, True, True]
    check = plan.servers[1].check
    assert check is not None
    assert (check.kind, check.request) == (CheckKind.HTTP, b"GET / HTTP/1.0\r\n\r\n")
    assert check.address == Address("inet", "10.0.0.12", 9200)
    assert (check.inter_ms, check.fastinter_ms, check.downinter_ms, check.rise, check.fall) == (2000, 2000, 5000, 3, 2)
    assert (check.connect_ms, check.read_ms) == (2000, 5000)
    assert plan.servers[0].weight == 100


def test_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, warnings = plan_of("redis", monkeypatch)
    assert warnings == []
    assert [bind.key for bind in plan.binds] == [
        "inet:0.0.0.0:6379",
        "inet:0.0.0.0:6380",
        "inet:0.0.0.0:6381",
        "inet6:[::]:6380:v6only",
    ]
    assert [str(server.address) for server in plan.servers[:2]] == ["10.9.9.9:6379", "[fd00::9]:6379"]
    assert [(b.name, b.first_server, b.server_count, b.is_listen) for b in plan.backends] == [
        ("redis-primary", 0, 2, True),
        ("redis-replicas", 2, 3, True),
    ]
    assert all(backend.tunnel_ms == 3_600_000 and backend.queue_ms == 3000 for backend in plan.backends)
    assert [server.disabled for server in plan.servers] == [False, False, False, False, True]


def test_kubernetes_apiserver(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, warnings = plan_of("kubernetes_apiserver", monkeypatch)
    assert warnings == [
        "kubernetes_apiserver.cfg:13:12: warning: 5 settings concern HTTP or TLS and have no effect here: "
        "'option http-server-close', 'option forwardfor', 'timeout http-request', 'timeout http-keep-alive', "
        "'errorfile' (kubernetes_apiserver.cfg:13-14,16-17,23)"
    ]
    assert [(str(m.address), m.path) for m in plan.metrics] == [("127.0.0.1:9101", "/metrics")]
    assert [frontend.name for frontend in plan.frontends] == ["apiserver"]
    assert [backend.name for backend in plan.backends] == ["apiserver"]
    assert plan.frontends[0].client_ms == plan.backends[0].server_ms == 14_400_000
    assert (plan.process.workers, plan.process.pin, plan.process.hard_stop_after_ms) == (4, True, 30_000)
    check = plan.servers[0].check
    assert check is not None
    assert check.request == b"GET /healthz HTTP/1.1\r\nhost: kubernetes\r\nconnection: close\r\n\r\n"
    assert (check.connect_ms, check.read_ms) == (2000, 10_000)
    assert plan.log_targets == (LogTarget("stdout", "raw", 16, max_level=6),)


def test_smtp_farm(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, warnings = plan_of("smtp_farm", monkeypatch)
    assert warnings == []
    assert [(t.address, t.facility, t.max_level) for t in plan.log_targets] == [
        (Address("unix", "/dev/log"), 16, 7),
        (Address("unix", "/dev/log"), 17, 5),
    ]
    assert plan.frontends[0].logs == (0, 1)
    assert plan.binds[0].backlog == 1024
    assert plan.backends[0].balance is Balance.SOURCE and plan.backends[0].redispatch == 1
    assert (plan.process.chroot, plan.process.nofile, plan.process.spread_checks) == ("/", 65536, 5)
    assert plan.process.log_tag == "mail"
    first, third, fifth = plan.servers[0].check, plan.servers[2], plan.servers[4].check
    assert first is not None and (first.fastinter_ms, first.downinter_ms) == (1000, 30_000)
    assert third.address == Address("unix", "/var/run/mx3.sock") and third.check is None
    assert fifth is not None and fifth.address == Address("inet", "10.3.0.2", 143)


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, warnings = plan_of("environment", monkeypatch)
    assert warnings == []
    assert plan.backends[0].connect_ms == 250
    assert [str(server.address) for server in plan.servers] == ["10.9.9.9:5432", "10.5.0.2:5432", "10.5.0.3:5432"]
    assert plan.servers[2].check is not None and plan.servers[2].check.inter_ms == 5000
    assert plan.process.log_hostname == "lb1.example"
    assert [(str(m.address), m.path) for m in plan.metrics] == [("127.0.0.1:9101", "/lb/metrics")]


def test_unix_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, warnings = plan_of("unix_sockets", monkeypatch)
    assert warnings == []
    assert [bind.key for bind in plan.binds] == [
        "unix:/run/app.sock",
        "unix:/run/app2.sock",
        "abstract:abns@app",
        "fd:fd@3",
    ]
    assert [(bind.mode, bind.uid, bind.gid) for bind in plan.binds[:2]] == [(0o660, 0, 0), (0o600, 0, 0)]
    assert [bind.inherited_fd for bind in plan.binds] == [None, None, None, 3]
    assert [str(server.address) for server in plan.servers] == [
        "/run/a.sock",
        "abns@b",
        "[2001:db8::7]:80",
        "[2001:db8::8]:80",
    ]
    assert plan.servers[0].check is not None and plan.servers[0].check.address == Address("unix", "/run/a.sock")


def test_ports_and_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, warnings = plan_of("ports_and_ranges", monkeypatch)
    assert warnings == []
    assert len(plan.binds) == 102
    assert len({bind.key for bind in plan.binds}) == 102
    assert [str(bind.address) for bind in plan.binds[-2:]] == ["198.51.100.1:30099", "198.51.100.2:30000"]
    assert plan.backends[0].balance is Balance.STATIC_RR
    assert [server.weight for server in plan.servers[:2]] == [3, 1]
    assert (plan.frontends[0].client_fin_ms, plan.backends[0].server_fin_ms) == (30_000, 30_000)
    assert [server.address.host for server in plan.servers[3:]] == ["10.6.0.3", "10.6.0.4"]
